"""The report page: every study at its place, as one HTML page complete in itself, and as Markdown."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from shlex import quote
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from ablation.errors import UserError
from ablation.files import folder, replace, write
from ablation.formatting import SMOKE, count
from ablation.report.chapters import Chapter, Evidence, parts
from ablation.report.export import read
from ablation.report.formats import Raw, template
from ablation.report.search import pareto
from ablation.report.sections import section, word_counts
from ablation.runner.ledger import Ledger
from ablation.runner.results import learning_curves
from ablation.runner.search import search_results
from ablation.stats.pareto import front_of
from ablation.study import Study
from ablation.tracking.artifacts import artifact
from ablation.tracking.store import Store

PAGES = {"report.md": "report.md", "index.html": "report.html"}
"""The files, and the template of each."""
FIGURES = "figures"
"""The folder of the PNGs that report.md shows, beside it."""
ABOUT = (
    "A verdict follows from a rule that the study's file states before anything runs. Equivalent: the effect "
    "is shown to be smaller than any that matters. Inconclusive: neither shown nor ruled out."
)
FRONT = "The trials of the search, one seed each: a front of candidates, not an effect."


def report(
    studies: Mapping[str, Study | UserError],
    store: Store,
    to: Path,
    duration: Callable[[float], str],
    *,
    seeds: int | None = None,
    figures: Mapping[str, Mapping[str, Figure]] | None = None,
) -> list[Path]:
    """Write the page of `studies`, by the name that runs each, into `to`; the files written.

    The page says at its place where a study was never run, its plan has changed, or its file cannot be read
    (a `UserError`). `duration` puts seconds into words; figures[study][caption] is a further figure.
    """
    if not store.exists():
        raise UserError(f"{store.root} holds no runs yet: run a study first, or name another --store.")
    _ = store.client  # a store that cannot be opened is no problem of each study
    chapters = [
        _chapter(name, study, store, duration, seeds, (figures or {}).get(name, {}))
        for name, study in studies.items()
    ]
    return write_page(chapters, to)


def write_page(chapters: Iterable[Chapter], to: Path) -> list[Path]:
    """Write index.html, report.md and the figures of report.md into `to`; return their paths.

    Equal chapters give equal bytes. A file is replaced whole or not at all, the pages after the figures.
    """
    content = _content(chapters)
    pages = {name: template(of).render(content) for name, of in PAGES.items()}
    writers: dict[Path, Callable[[Path], object]] = {
        to / FIGURES / png.file: partial(write, png.content)
        for _, sections in content["parts"]
        for one in sections
        for png in one.pngs
    }
    folder(to / FIGURES if writers else to)
    writers |= {to / name: partial(write, text) for name, text in pages.items()}
    return [replace(path, writer) for path, writer in writers.items()]  # type: ignore[arg-type]


def _content(chapters: Iterable[Chapter]) -> dict[str, Any]:
    """What the templates show, both the same."""
    found = [(title, [section(one) for one in own]) for title, own in parts(chapters).items()]
    sections = [one for _, own in found for one in own]
    claims = [claim for one in sections for claim in one.claims]
    quick = any(one.chapter.study and one.chapter.study.quick for one in sections)
    return {
        "title": "Claims and verdicts",
        "parts": found,
        "word_counts": word_counts(claims),
        "about": f"{count(len(claims), 'claim')}, put to the test. {ABOUT}",
        "nothing": "No study yet: the claims of this part have not been studied.",
        "raw": Raw,
        "code": _code,
        "warning": SMOKE if quick else "",
        "figures": FIGURES,
    }


def _code(text: str) -> Raw:
    """`text` as code in Markdown: between more ticks than it has in a row."""
    ticks = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    return Raw(f"{ticks}{text}{ticks}")


def _chapter(
    name: str,
    study: Study | UserError,
    store: Store,
    duration: Callable[[float], str],
    seeds: int | None,
    figures: Mapping[str, Figure],
) -> Chapter:
    run = f"ablation run {quote(name)}"
    if isinstance(study, UserError):
        return Chapter(name, None, run, problem=str(study))
    evidence, problem = None, ""
    try:
        evidence = _evidence(study, store, seeds, figures)
    except UserError as error:
        problem = str(error)
    count = evidence.analysis.seeds if evidence else seeds or study.seeds
    quick = " --quick" if study.quick else ""
    command = f"{run} --seeds {count}{quick}" + (f" && {run} --search{quick}" if study.search else "")
    cells = len(study.settings) * count
    known = study.cell_seconds > 0 and not study.quick
    time = f"about {duration(study.cell_seconds * cells / 2)} on two cores" if known else ""
    return Chapter(name, study, command, cells, time, evidence, problem)


def _evidence(
    study: Study, store: Store, seeds: int | None, figures: Mapping[str, Figure]
) -> Evidence | None:
    """What the store holds of the study; None where it was never run."""
    ledger = Ledger.open(store, study)
    if ledger is None or ledger.plan is None:
        return None
    found = read(study, store, seeds)
    curves = learning_curves(found.study, found.cells, store)
    galleries = study.experiment.gallery(dict(_sheets(study, found.cells, store)))
    return Evidence(found.analysis, found.cells, curves, galleries, {**_front(study, store), **figures})


def _front(study: Study, store: Store) -> dict[str, Figure]:
    trials = search_results(study, store)
    return {} if trials is None else {FRONT: pareto(trials, study, front_of(study, trials))}


def _sheets(study: Study, cells: pd.DataFrame, store: Store) -> Iterator[tuple[str, bytes]]:
    """Each arm with the experiment's sheet that its run under the first seed keeps, where it keeps one."""
    if not study.experiment.sheet:
        return
    first = cells[(cells.seed == study.first_seed) & (cells.state == "complete")]
    for row in first.to_dict("records"):
        source = row.get("reused_from")
        run_id = source if isinstance(source, str) and source else row["run_id"]
        sheet = artifact(store, run_id, study.experiment.sheet)
        if sheet is not None:
            yield row["arm"], sheet
