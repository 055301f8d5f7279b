"""The verbs on studies: list, plan, run, status, verify, table, export."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ablation import catalogue
from ablation.cli.options import (
    DEFAULT_STORE,
    Address,
    EngineName,
    Gpus,
    Quick,
    Seeds,
    StoreFolder,
    StudyName,
    Workers,
)
from ablation.errors import UserError
from ablation.study import Study

if TYPE_CHECKING:
    import pandas as pd

    from ablation.runner.engines import Executor
    from ablation.tracking.store import Store


def add_to(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    for verb in (list_, plan, run, status, verify, table, export):
        app.command(verb.__name__.rstrip("_"))(verb)


def list_() -> None:
    """Name every study with its question, its arms and its number of cells."""
    from ablation.cli.show import show_studies

    show_studies({name: _load_or_error(name) for name in catalogue.names()})


def plan(
    study: StudyName,
    seeds: Seeds = None,
    workers: Workers = None,
    store: StoreFolder = DEFAULT_STORE,
    quick: Quick = False,
) -> None:
    """Say what a run would do: cells, time, and the smallest effect that the seeds can detect."""
    from ablation.cli.show import show_plan
    from ablation.runner.engines.local import cores
    from ablation.runner.time_estimate import workload
    from ablation.stats.power import power_of

    declared = _load(study, quick)
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
) -> int:
    """Train every cell that has no finished run, then print the table and its verdict."""
    from ablation.runner.engines import ExecutorConfig, executor

    if engine != "ray" and (address or gpus):
        raise UserError("--address and --gpus belong to --engine ray: add it, or leave them out.")
    if engine != "local" and search:
        raise UserError(f"--engine {engine} knows no --search: leave one of them out.")
    declared = {name: _load(name, quick) for name in studies}
    config = ExecutorConfig(_store(store), workers, address, gpus)
    how = executor(engine, config, [study.experiment for study in declared.values()])
    if search:
        from ablation.cli.search import search_each

        return search_each(declared, config.store, seeds, how)
    return max(_run_or_say(name, study, config.store, seeds, how) for name, study in declared.items())


def _run_or_say(name: str, study: Study, store: "Store", seeds: int | None, how: "Executor") -> int:
    """Run the study; a mistake in it is said, and does not stop the studies after it."""
    try:
        return _run(name, study, store, seeds, how)
    except UserError as error:
        typer.echo(str(error), err=True)
        return 2


def _run(name: str, study: Study, place: "Store", seeds: int | None, how: "Executor") -> int:
    from ablation.cli.show import show_links, show_table, show_warnings
    from ablation.report.export import summarise
    from ablation.runner.tuning import tuning_of, with_tuned_values
    from ablation.stats.power import power_of

    show_warnings(study, power_of(study, seeds or study.seeds))
    study = with_tuned_values(study, place)
    if study.tuned and not study.chosen:
        _train(tuning_of(study), place, None, how)
        study = with_tuned_values(study, place)
    failed = _train(study, place, seeds, how)
    show_table(summarise(study, place, seeds or study.seeds))
    show_links(place, name, study.quick)
    return 1 if failed else 0


def _train(study: Study, store: "Store", seeds: int | None, how: "Executor") -> bool:
    """Train what is lacking and show it as it comes; whether a cell failed."""
    from ablation.cli.progress_bar import Reporter
    from ablation.runner.scheduler import run_study

    with Reporter(study, how.cells) as reporter:
        progress = run_study(study, store, how.make, how.cells, seeds, reporter.notify)
    reporter.summary(progress)
    return bool(progress.failed)


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

    names = [study] if study else catalogue.names()
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
    study: StudyName,
    format: Annotated[str, typer.Option("--format", help="md, tex, csv or html.")] = "md",
    seeds: Seeds = None,
    store: StoreFolder = DEFAULT_STORE,
    quick: Quick = False,
) -> None:
    """Print the study's table: means, intervals, differences to the baseline, verdicts, caveats."""
    from ablation.report.export import read
    from ablation.report.formats import render
    from ablation.report.table import tabulate

    reading = read(_load(study, quick), _store(store), seeds)
    typer.echo(render(tabulate(reading.analysis), format), nl=False)


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


def _load_or_error(name: str) -> Study | UserError:
    try:
        return catalogue.load(name)
    except UserError as error:
        return error


def _load(name: str, quick: bool) -> Study:
    study = catalogue.load(name)
    return study.smoke() if quick else study


def _store(folder: Path) -> "Store":
    from ablation.tracking.store import Store

    return Store(folder)
