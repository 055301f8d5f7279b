"""From the store to the report anew: the evidence of every study, or why there is none, on one page."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

import pandas as pd

from ablation.errors import UserError
from ablation.report.chapters import Chapter, Evidence
from ablation.report.publish import read
from ablation.report.render_page import write_report
from ablation.report.search import pareto
from ablation.runner.ledger import Ledger
from ablation.runner.results import learning_curves
from ablation.runner.search_results import search_results
from ablation.stats.pareto import front_of
from ablation.study import Study
from ablation.tracking.artifacts import RECONSTRUCTIONS, artifact
from ablation.tracking.store import Store

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FRONT = "The trials of the search, one seed each: a front of candidates, not an effect."


def report(
    studies: Mapping[str, Study | UserError],
    store: Store,
    to: Path,
    duration: Callable[[float], str],
    *,
    seeds: int | None = None,
    extra: "Mapping[str, Mapping[str, Figure]] | None" = None,
) -> list[Path]:
    """Write the page of `studies`, by the name that runs each, into `to`; the files written.

    A study that was never run, whose plan has changed or whose file cannot be read (a `UserError`) is named as
    such at its place. `duration` puts seconds into words; extra[study][caption] is a further figure.
    """
    if not store.exists():
        raise UserError(f"{store.root} holds no runs yet: run a study first, or name another --store.")
    _ = store.client  # a store that cannot be opened is no problem of each study
    chapters = [
        _chapter(name, study, store, duration, seeds, (extra or {}).get(name, {}))
        for name, study in studies.items()
    ]
    return write_report(chapters, to)


def _chapter(
    name: str,
    study: Study | UserError,
    store: Store,
    duration: Callable[[float], str],
    seeds: int | None,
    extra: "Mapping[str, Figure]",
) -> Chapter:
    if isinstance(study, UserError):
        return Chapter(name, None, f"ablation run {quote(name)}", problem=str(study))
    evidence, problem = None, ""
    try:
        evidence = _evidence(study, store, seeds, extra)
    except UserError as mistake:
        problem = str(mistake)
    count = evidence.analysis.seeds if evidence else seeds or study.seeds
    verb, quick = f"ablation run {quote(name)}", " --quick" if study.quick else ""
    command = f"{verb} --seeds {count}{quick}" + (f" && {verb} --search{quick}" if study.search else "")
    cells = len(study.specs) * count
    known = study.cell_seconds > 0 and not study.quick
    time = f"about {duration(study.cell_seconds * cells / 2)} on two cores" if known else ""
    return Chapter(name, study, command, cells, time, evidence, problem)


def _evidence(
    study: Study, store: Store, seeds: int | None, extra: "Mapping[str, Figure]"
) -> Evidence | None:
    """What the store holds of the study; None where it was never run."""
    ledger = Ledger.open(store, study)
    if ledger is None or ledger.plan is None:
        return None
    reading = read(study, store, seeds)
    curves = learning_curves(reading.cells, store)
    sheets = dict(_sheets(study, reading.cells, store))
    return Evidence(reading.analysis, reading.cells, curves, sheets, _front(study, store) | dict(extra))


def _front(study: Study, store: Store) -> "dict[str, Figure]":
    trials = search_results(study, store)
    return {} if trials is None else {FRONT: pareto(trials, study, front_of(study, trials))}


def _sheets(study: Study, cells: pd.DataFrame, store: Store) -> Iterator[tuple[str, bytes]]:
    """Each arm with the picture that its run under the first seed keeps, where it keeps one."""
    first = cells[(cells.seed == study.first_seed) & (cells.state == "complete")]
    for row in first.to_dict("records"):
        original = row.get("reused_from")
        place = original if isinstance(original, str) and original else row["run_id"]
        sheet = artifact(store, place, RECONSTRUCTIONS)
        if sheet is not None:
            yield row["arm"], sheet
