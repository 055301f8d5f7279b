"""The verbs on studies: list, plan, run, status, verify, table, export, figures, report."""

from dataclasses import replace
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast, get_args

import typer

from ablation import catalogue
from ablation.cli.options import (
    DEFAULT_STORE,
    Address,
    Code,
    EngineName,
    Gpus,
    Quick,
    Seeds,
    StoreFolder,
    StudyName,
    Workers,
)
from ablation.errors import UserError
from ablation.experiment import Replication
from ablation.measures import Better, Measure
from ablation.study import Study

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from ablation.runner.engines import Executor
    from ablation.runner.recorded_plan import CodeChange
    from ablation.tracking.store import Store

NONE = (
    "There is no study in this folder: make one with `ablation new my_study.py`, or see those that come with "
    "the package with `ablation list --builtin`."
)


def list_(
    builtin: Annotated[
        bool, typer.Option("--builtin", help="The studies that come with the package instead.")
    ] = False,
) -> None:
    """Name every study of this folder with its question, its arms and its number of cells."""
    from ablation.cli.show import show_studies

    names = catalogue.builtin() if builtin else catalogue.paths()
    show_studies(_loaded(names))
    if not names:
        typer.echo(NONE)


def plan(
    study: StudyName,
    seeds: Seeds = None,
    workers: Workers = None,
    store: StoreFolder = DEFAULT_STORE,
    quick: Quick = False,
) -> None:
    """Say what a run would do: cells, time, and the smallest effect that the seeds can detect."""
    from ablation.cli.show import show_existing, show_plan
    from ablation.report.export import read
    from ablation.runner.engines.local import cores
    from ablation.runner.existing_runs import paired_seeds
    from ablation.runner.time_estimate import workload
    from ablation.stats.power import power_of

    declared = _load(study, quick)
    if declared.runs is not None:
        cells = read(declared, _store(store), seeds).cells
        show_existing(declared, power_of(declared, max(paired_seeds(declared, cells), 1)))
        return
    count = seeds or declared.seeds
    work = workload(declared, _store(store), count, workers or cores())
    show_plan(declared, power_of(declared, count), work)


def run(
    studies: Annotated[
        list[str], typer.Argument(metavar="STUDY...", help="Names from `ablation list`, or study files.")
    ],
    seeds: Seeds = None,
    workers: Workers = None,
    store: StoreFolder = DEFAULT_STORE,
    quick: Quick = False,
    search: Annotated[
        bool, typer.Option("--search", help="Instead of the cells, search for the study's best compromises.")
    ] = False,
    engine: EngineName = "local",
    address: Address = None,
    gpus: Gpus = 0.0,
    code: Code = "",
) -> int:
    """Train every cell that has no finished run, then print the table and its verdict."""
    from ablation.runner.engines import ExecutorConfig, executor

    if engine != "ray" and (address or gpus):
        raise UserError("--address and --gpus belong to --engine ray: add it, or leave them out.")
    if engine != "local" and search:
        raise UserError(f"--engine {engine} knows no --search: leave one of them out.")
    declared = {name: _load(name, quick) for name in studies}
    config = ExecutorConfig(_store(store), workers, address, gpus)
    how = executor(engine, config, [one.experiment for one in declared.values() if one.runs is None])
    if search:
        return _search_each(declared, config.store, seeds, how, code)
    codes = []
    for name, study in declared.items():
        try:
            codes.append(_run(name, study, config.store, seeds, how, code))
        except UserError as error:  # does not stop the studies after it
            typer.echo(str(error), err=True)
            codes.append(2)
    return max(codes)


def _run(
    name: str, study: Study, place: "Store", seeds: int | None, how: "Executor", code: "CodeChange"
) -> int:
    """Tune the study where it wants it, train it and print its table; 1 where a cell failed, else 0."""
    from ablation.cli.show import show_links, show_table, show_warnings
    from ablation.report.export import read, summarise
    from ablation.runner.tuning import tuning_of, wants_tuning, with_tuned_values
    from ablation.stats.power import power_of

    if study.runs is not None:
        found = read(study, place, seeds)
        typer.echo(f"{name}: its runs exist already, and nothing is run.")
        show_table(found.analysis)
        return 0
    show_warnings(study, power_of(study, seeds or study.seeds))
    study = with_tuned_values(study, place, anew=code == "new")
    if wants_tuning(study, place, code):
        _train(tuning_of(study), place, None, how, code)
        study = with_tuned_values(replace(study, chosen={}), place, anew=code == "new")
    failed = _train(study, place, seeds, how, code)
    show_table(summarise(study, place, seeds or study.seeds).analysis)
    show_links(place, name, study.quick)
    return 1 if failed else 0


def _train(study: Study, store: "Store", seeds: int | None, how: "Executor", code: "CodeChange") -> bool:
    """Train what is lacking and show it as it comes; whether a cell failed."""
    from ablation.progress_bar import Reporter
    from ablation.runner.scheduler import run_study

    with Reporter(study, how.cells) as reporter:
        progress = run_study(study, store, how.make, how.cells, seeds, reporter.notify, code)
    reporter.summary(progress)
    return bool(progress.failed)


def _search_each(
    studies: dict[str, Study], store: "Store", seeds: int | None, how: "Executor", code: "CodeChange"
) -> int:
    """Carry out the search of every study and print what it found; 1 where a trial failed, else 0."""
    from ablation.runner.search import check_search

    if seeds is not None:
        raise UserError("--search wants no --seeds: all of its trials share a seed of their own. Drop one.")
    for study in studies.values():
        check_search(study)
    return max(_search(study, store, how, code) for study in studies.values())


def _search(study: Study, store: "Store", how: "Executor", code: "CodeChange") -> int:
    from ablation.cli.show import show_front
    from ablation.progress_bar import Reporter
    from ablation.runner.search import run_search, search_results, searched

    whole = searched(study)
    with Reporter(whole, how.cells) as reporter:
        progress = run_search(study, store, how.make, how.cells, reporter.notify, code)
    reporter.summary(progress, "trials", "their runs were in the store")
    found = search_results(study, store)
    if found is not None:
        show_front(study, found)
    typer.echo(f"\nIn MLflow:  `ablation ui`, experiment {whole.name}")
    return 1 if progress.failed else 0


def status(
    study: Annotated[
        str | None, typer.Argument(metavar="[STUDY]", help="One study; all if not given.")
    ] = None,
    store: StoreFolder = DEFAULT_STORE,
    quick: Quick = False,
) -> None:
    """Show how far each study is: complete, failed, running and missing cells."""
    from ablation.cli.show import show_status
    from ablation.runner.tuning import progress_of

    names = [study] if study else list(catalogue.paths())
    place = _store(store)
    states: dict[str, pd.DataFrame | UserError | None] = {}
    for name in names:
        try:
            declared = _load(name, quick)
            states[declared.name] = progress_of(declared, place)
        except UserError as error:
            if study:
                raise
            states[name] = error
    show_status(states, detailed=study is not None)
    if not names:
        typer.echo(NONE)


def verify(study: StudyName, store: StoreFolder = DEFAULT_STORE, quick: Quick = False) -> int:
    """Run one cell of every arm again: are they the same bits, or how far from what was recorded?"""
    from ablation.cli.show import show_verified
    from ablation.runner.verify import verify as verified

    kept = []
    for found in verified(_load(study, quick), _store(store)):
        show_verified(found)
        kept.append(found.kept)
    if not kept:
        raise UserError(f"{study} has no complete cell to run again: run it first.")
    return 0 if all(kept) else 1


def table(
    study: Annotated[
        str,
        typer.Argument(
            metavar="STUDY|RUNS",
            help="A name from `ablation list`, or a study file. With --arm: runs that exist already, a "
            "CSV or Parquet file or mlflow:EXPERIMENT.",
        ),
    ],
    format: Annotated[str, typer.Option("--format", help="md, tex, csv or html.")] = "md",
    arm: Annotated[
        list[str] | None,
        typer.Option("--arm", help="Of RUNS: a column whose values tell the arms apart; may be repeated."),
    ] = None,
    baseline: Annotated[
        str,
        typer.Option("--baseline", help="Of RUNS: the arm to compare with, or its value of the first --arm."),
    ] = "",
    measure: Annotated[
        list[str] | None,
        typer.Option(
            "--measure",
            metavar="NAME:BETTER:MATTERS",
            help="Of RUNS: a measure, higher or lower, and its smallest effect that matters, as in "
            "accuracy:higher:0.01; may be repeated.",
        ),
    ] = None,
    seed: Annotated[str, typer.Option("--seed", help="Of RUNS: the column of the seeds.")] = "seed",
    allow: Annotated[
        list[str] | None,
        typer.Option("--allow", help="Of RUNS: a parameter that may differ between arms; may be repeated."),
    ] = None,
    replication: Annotated[
        str,
        typer.Option(
            "--replication",
            metavar="training|split:SHARE",
            help="Of RUNS: what a seed varies: training alone, or the split too, with n_test / n_train.",
        ),
    ] = "",
    to: Annotated[
        Path | None,
        typer.Option("--to", help="Write all that `export` writes into this folder, instead of printing."),
    ] = None,
    seeds: Seeds = None,
    store: StoreFolder = DEFAULT_STORE,
    quick: Quick = False,
) -> None:
    """Print the table of a study, or of runs that exist: means, intervals, differences, verdicts, caveats."""
    from ablation.launch import analyse
    from ablation.report.export import read
    from ablation.report.formats import render
    from ablation.report.table import tabulate

    place = _store(store)
    if arm or measure or baseline or allow or replication or seed != "seed":
        if seeds is not None or quick:
            raise UserError(f"the runs of {study} exist already: leave out --seeds and --quick.")
        if not (arm and measure and baseline):
            raise UserError(
                f"{study} wants --arm, --measure and --baseline to be analysed without a study file: add "
                "what is lacking."
            )
        measures = dict(map(_measure, measure))
        reading = analyse(
            study,
            arm=arm,
            baseline=baseline,
            measures=measures,
            seed=seed,
            allow=allow or (),
            replication=_replication(replication),
            store=store,
        )
    elif study.startswith("mlflow:") or study.endswith((".csv", ".parquet")):
        raise UserError(
            f"{study} is no study file but runs: add --arm, --measure and --baseline, or name it in a study "
            "file with runs=Tracked(...)."
        )
    else:
        reading = read(_load(study, quick), place, seeds)
    if to is None:
        typer.echo(render(tabulate(reading.analysis), format), nl=False)
        return
    for path in reading.export(to):
        typer.echo(path)


def _replication(text: str) -> Replication | None:
    """What replicates as --replication has it."""
    kind, _, share = text.partition(":")
    try:
        if kind == "split" and float(share) > 0:
            return Replication("split", float(share))
    except ValueError:
        kind = ""
    if text not in ("", "training"):
        raise UserError(
            f"--replication wants training, or split:SHARE with n_test / n_train, but got {text!r}."
        )
    return Replication() if text else None


def _measure(text: str) -> tuple[str, Measure]:
    """A measure as --measure has it."""
    name, better, matters = (*text.rsplit(":", 2), "", "")[:3]
    try:
        number = float(matters)
    except ValueError:
        number = 0.0
    if better not in get_args(Better) or not 0 < number < inf:
        raise UserError(
            "--measure wants a name, higher or lower, and the smallest effect that matters, as in "
            f"accuracy:higher:0.01, but got {text!r}."
        )
    return name, Measure(cast(Better, better), matters=number)


def export(
    studies: Annotated[
        list[str], typer.Argument(metavar="STUDY...", help="Names from `ablation list`, or study files.")
    ],
    to: Annotated[Path, typer.Option("--to", help="Folder for the files; made where it is missing.")],
    seeds: Seeds = None,
    store: StoreFolder = DEFAULT_STORE,
    quick: Quick = False,
) -> None:
    """Write tables (md, tex, csv, html), figures (png, pdf), runs.csv and provenance.json."""
    from ablation.report.export import publish

    declared = [_load(name, quick) for name in studies]
    for one in declared:
        # One study fills the folder itself; several get a folder each.
        for path in publish(one, _store(store), to if len(declared) == 1 else to / one.name, seeds):
            typer.echo(path)


def figures(
    studies: Annotated[
        list[str], typer.Argument(metavar="STUDY...", help="Names from `ablation list`, or study files.")
    ],
    to: Annotated[Path, typer.Option("--to", help="Folder for the files; made where it is missing.")],
    style: Annotated[
        Path | None, typer.Option("--style", help="A style file of matplotlib of your own (.mplstyle).")
    ] = None,
    seeds: Seeds = None,
    store: StoreFolder = DEFAULT_STORE,
    quick: Quick = False,
) -> None:
    """Write the figures alone (png, pdf), as wide as a column and as a page, each with its caption."""
    from ablation.report.drawing import own_style
    from ablation.report.export import read
    from ablation.report.figure_files import write_figures

    own = own_style(style) if style else {}
    declared = [_load(name, quick) for name in studies]
    for one in declared:
        found = read(one, _store(store), seeds)
        # One study fills the folder itself; several get a folder each.
        place = to if len(declared) == 1 else to / one.name
        for path in write_figures(found.analysis, found.cells, found.curves, place, own):
            typer.echo(path)


def report(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[STUDY...]",
            help="Names from `ablation list`, or study files; all studies of this folder if not given.",
        ),
    ] = None,
    *,
    to: Annotated[Path, typer.Option("--to", help="Folder for the page; made where it is missing.")],
    seeds: Seeds = None,
    store: StoreFolder = DEFAULT_STORE,
    quick: Quick = False,
) -> None:
    """Write studies, run or not, as one page (index.html) and as report.md with its figures."""
    from ablation.report.page import report as write

    studies = _loaded(catalogue.paths(), quick) if not names else {name: _load(name, quick) for name in names}
    if not studies:
        raise UserError(NONE)
    for path in write(studies, _store(store), to, seeds, whole=not names):
        if path.suffix != ".png":
            typer.echo(path)


def _loaded(names: "Iterable[str]", quick: bool = False) -> dict[str, Study | UserError]:
    """Every study by its name, or what is wrong with its file."""
    found: dict[str, Study | UserError] = {}
    for name in names:
        try:
            found[name] = _load(name, quick)
        except UserError as error:
            found[name] = error
    return found


def _load(name: str, quick: bool) -> Study:
    study = catalogue.load(name)
    return study.smoke() if quick else study


def _store(folder: Path) -> "Store":
    from ablation.tracking.store import Store

    return Store(folder)
