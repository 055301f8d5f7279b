"""The verbs on studies: list, plan, run, status, verify, report."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ablation import catalogue
from ablation.cli.options import (
    DEFAULT_STORE,
    Address,
    Code,
    EngineName,
    Gpus,
    Json,
    Quick,
    Seeds,
    StoreFolder,
    StudyName,
    StudyNames,
    Workers,
    names_like,
)
from ablation.errors import UserError
from ablation.study import Study
from ablation.terminal import busy

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from ablation.runner.engines import Executor
    from ablation.runner.recorded_plan import CodeChange
    from ablation.runner.time_estimate import Workload
    from ablation.stats.power import Power
    from ablation.tracking.store import Store

NONE = (
    "There is no study in this folder: make one with `ablation new my_study.py`, or see those that come with "
    "the package with `ablation list --builtin`."
)


def list_(
    builtin: Annotated[
        bool, typer.Option("--builtin", help="The studies that come with the package instead.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Name every study of this folder with its question, its arms and its number of cells."""
    from ablation.cli.show import show_json, show_studies

    names = catalogue.builtin() if builtin else catalogue.paths()
    studies = _loaded(names)
    if as_json:
        show_json([_listed(name, study) for name, study in studies.items()])
        return
    show_studies(studies)
    if not names:
        typer.echo(NONE)


def _listed(name: str, study: Study | UserError) -> dict[str, object]:
    if isinstance(study, UserError):
        return {"study": name, "problem": str(study)}
    return {
        "study": name,
        "question": study.question,
        "arms": list(study.settings),
        "baseline": study.reference,
        "measures": study.measures,
        "claims": [claim.text for claim in study.claims],
        "gates": [gate.text for gate in study.gates],
        "seeds": None if study.runs is not None else study.seeds,
        "part": study.part,
    }


def plan(
    study: StudyName,
    seeds: Seeds = None,
    workers: Workers = None,
    store: StoreFolder = DEFAULT_STORE,
    quick: Quick = False,
    as_json: Json = False,
) -> None:
    """Say what a run would do: cells, time, and the smallest effect that the seeds can find."""
    from ablation.cli.show import show_json, show_plan
    from ablation.report.export import read
    from ablation.runner.engines.local import cores
    from ablation.runner.existing_runs import paired_seeds
    from ablation.runner.ledger import Ledger
    from ablation.runner.time_estimate import tune_workload, workload
    from ablation.stats.power import piloted, power_of

    declared, place = load_study(study, quick), open_store(store)
    with busy("Reading the runs that are there"):
        work = (
            None if declared.runs else workload(declared, place, seeds or declared.seeds, workers or cores())
        )
        ledger = None if declared.runs else Ledger.open(place, declared)
        there = declared.runs is not None or (ledger is not None and ledger.has_results)
        # Every seed that ran tells of the spread; of runs that exist, --seeds is refused.
        found = read(declared, place, seeds if declared.runs is not None else None) if there else None
        pilot = piloted(found.study, found.cells, found.items) if found else []
        # Of runs that exist there are as many seeds as the arms share.
        existing = max(paired_seeds(declared, found.cells), 1) if declared.runs and found else 0
        power = power_of(declared, existing or seeds or declared.seeds, pilot)
        tuning = tune_workload(declared, place, None, workers or cores()) if declared.tune else None
    if as_json:
        show_json(_planned(declared, power, work) | {"tuning": tuning and asdict(tuning)})
    else:
        show_plan(declared, power, work, tuning)


def _planned(study: Study, power: "Power", work: "Workload | None") -> dict[str, object]:
    from ablation.cli.show import warnings_of

    return {
        "study": study.name,
        "question": study.question,
        "cells": work and asdict(work),
        "effects": [
            {
                "claim": one.text,
                "measure": one.rule.measure,
                "seeds_there": one.pilot,
                "seeds": one.seeds,
                "shows": "a difference" if one.rule.direction else "equivalence",
                "detectable": one.detectable,
                "matters": one.matters,
                "power": one.power,
                "seeds_needed": one.needed,
                "clusters_needed": one.clusters,
            }
            for one in power.effects
        ],
        "gates": [gate.sentence(study) for gate in study.gates],
        "sentences": power.sentences,
        "warnings": warnings_of(study, power),
    }


def run(
    studies: StudyNames,
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
    until_decided: Annotated[
        bool,
        typer.Option(
            "--until-decided",
            help="Run the looks that a study declares one after another, and stop arms that no undecided "
            "claim needs.",
        ),
    ] = False,
) -> int:
    """Train every cell that has no finished run, then print the table and its verdict."""
    from ablation.runner.engines import ExecutorConfig, executor

    if engine != "ray" and (address or gpus):
        raise UserError("--address and --gpus belong to --engine ray: add it, or leave them out.")
    if engine != "local" and search:
        raise UserError(f"--engine {engine} knows no --search: leave one of them out.")
    if until_decided and search:
        raise UserError("--search looks for compromises and decides no claim: leave out --until-decided.")
    with busy("Reading the studies"):  # with what they train with, which may be large
        declared = {name: load_study(name, quick) for name in studies}
        config = ExecutorConfig(open_store(store), workers, address, gpus)
        how = executor(engine, config, [one.experiment for one in declared.values() if one.runs is None])
    if search:
        return _search_each(declared, config.store, seeds, how, code)
    codes = []
    for name, study in declared.items():
        try:
            codes.append(_run(name, study, config.store, seeds, how, code, until_decided))
        except UserError as error:  # does not stop the studies after it
            typer.echo(str(error), err=True)
            codes.append(2)
    return max(codes)


def _run(
    name: str,
    study: Study,
    place: "Store",
    seeds: int | None,
    how: "Executor",
    code: "CodeChange",
    until_decided: bool,
) -> int:
    """Tune the study where it wants it, train it and print its table; 1 where a cell failed, else 0."""
    from ablation.cli.show import show_links, show_table, show_warnings
    from ablation.report.export import read, summarise
    from ablation.runner.tuned import tuning_of, wants_tuning, with_tuned_values
    from ablation.runner.until_decided import check_until_decided
    from ablation.stats.power import power_of

    if until_decided:
        check_until_decided(study, seeds)
    if study.runs is not None:
        found = read(study, place, seeds)
        typer.echo(f"{name}: its runs exist already, and nothing is run.")
        show_table(found.table)
        return 0
    with busy("Planning"):
        power = power_of(study, seeds or study.seeds)
    show_warnings(study, power)
    study = with_tuned_values(study, place, anew=code == "new")
    if wants_tuning(study, place, code):
        _train(tuning_of(study), place, None, how, code)
        study = with_tuned_values(replace(study, chosen={}), place, anew=code == "new")
    failed = _train(study, place, seeds, how, code, until_decided)
    show_table(summarise(study, place, seeds or study.seeds).table, asked=True)
    show_links(place, name, study.quick)
    return 1 if failed else 0


def _train(
    study: Study,
    store: "Store",
    seeds: int | None,
    how: "Executor",
    code: "CodeChange",
    until_decided: bool = False,
) -> bool:
    """Train what is lacking and show it as it comes; whether a cell failed."""
    from ablation.launch import trained
    from ablation.terminal import Reporter, say

    with Reporter(study, how.cells) as reporter:
        progress = trained(study, store, how, seeds, reporter.notify, code, until_decided, say)
    reporter.summary(progress)
    return bool(progress.failed)


def tune(
    study: StudyName,
    seeds: Seeds = None,
    workers: Workers = None,
    store: StoreFolder = DEFAULT_STORE,
    quick: Quick = False,
    code: Code = "",
    to: Annotated[
        Path | None, typer.Option("--to", help="Also write trials, tables and figures into this folder.")
    ] = None,
) -> int:
    """Search for better settings than the baseline, and confirm the best on seeds that no trial had."""
    from ablation.cli.show import show_links, show_tuned, tune_words
    from ablation.launch import to_confirm
    from ablation.report.tune import read_tune
    from ablation.runner.engines import ExecutorConfig, executor
    from ablation.runner.time_estimate import tune_workload
    from ablation.runner.tune import check_tune, run_tune, tried
    from ablation.terminal import Reporter, say

    declared, place = load_study(study, quick), open_store(store)
    wanted = seeds or check_tune(declared).seeds
    whole = tried(declared)
    how = executor("local", ExecutorConfig(place, workers), [declared.experiment])
    say(tune_words(tune_workload(declared, place, wanted, how.cells)))
    with Reporter(whole, how.cells, "runs") as reporter:
        progress = run_tune(declared, place, how.make, how.cells, reporter.notify, code)
    reporter.summary(progress)
    against = to_confirm(declared, place)
    failed = against is not None and _train(against, place, wanted, how, code)
    found = read_tune(declared, place, write_summary=True, seeds=wanted)
    assert found is not None
    show_tuned(found)
    if to is not None:
        with busy("Writing tables and figures"):
            paths = found.export(to)
        for path in paths:
            typer.echo(path)
    show_links(place, study, declared.quick, tuned=True)
    return 1 if failed else 0


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
    from ablation.runner.search import run_search, search_results, searched
    from ablation.terminal import Reporter

    whole = searched(study)
    with Reporter(whole, how.cells, "trials") as reporter:
        progress = run_search(study, store, how.make, how.cells, reporter.notify, code)
    reporter.summary(progress, "their runs were in the store")
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
    as_json: Json = False,
) -> None:
    """Show how far each study is, of the folder and of the store: complete, failed and missing cells."""
    from ablation.cli.show import show_json, show_status
    from ablation.runner.ledger import studies_in
    from ablation.runner.results import recorded
    from ablation.runner.tuned import progress_of

    names = [study] if study else list(catalogue.paths())
    place = open_store(store)
    states: dict[str, pd.DataFrame | UserError | None] = {}
    with busy("Reading the runs"):
        for name in names:
            try:
                declared = load_study(name, quick)
                states[declared.name] = progress_of(declared, place)
            except UserError as error:
                if study:
                    raise
                states[name] = error
        for name in () if study else studies_in(place):  # of files elsewhere
            asked = name.endswith("-quick") if quick else not name.endswith(catalogue.DERIVED)
            if asked and name not in states:
                states[name] = recorded(place, name)
    if as_json:
        show_json({name: _standing(cells) for name, cells in states.items()})
        return
    show_status(states, detailed=study is not None)
    if not states:
        typer.echo(NONE)


def _standing(cells: "pd.DataFrame | UserError | None") -> object:
    """The cells of a study by arm, seed and state; None where it was not run."""
    if cells is None:
        return None
    if isinstance(cells, UserError):
        return {"problem": str(cells)}
    return cells[["arm", "seed", "state"]].to_dict("records")


def verify(study: StudyName, store: StoreFolder = DEFAULT_STORE, quick: Quick = False) -> int:
    """Run one cell of every arm again: are they the same bits, or how far from what was recorded?"""
    from ablation.cli.show import show_verified
    from ablation.runner.verify import verify as verified

    kept, cells = [], verified(load_study(study, quick), open_store(store))
    while True:
        with busy("Running a cell again"):
            found = next(cells, None)
        if found is None:
            break
        show_verified(found)
        kept.append(found.kept)
    if not kept:
        raise UserError(f"{study} has no complete cell to run again: run it first.")
    return 0 if all(kept) else 1


def report(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[STUDY...]",
            help="Names from `ablation list`, or study files; all studies of this folder if not given.",
            autocompletion=names_like,
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

    studies = (
        _loaded(catalogue.paths(), quick) if not names else {name: load_study(name, quick) for name in names}
    )
    if not studies:
        raise UserError(NONE)
    with busy("Writing the page"):
        paths = write(studies, open_store(store), to, seeds, whole=not names)
    for path in paths:
        if path.suffix != ".png":
            typer.echo(path)


def _loaded(names: "Iterable[str]", quick: bool = False) -> dict[str, Study | UserError]:
    """Every study by its name, or what is wrong with its file."""
    found: dict[str, Study | UserError] = {}
    for name in names:
        try:
            found[name] = load_study(name, quick)
        except UserError as error:
            found[name] = error
    return found


def load_study(name: str, quick: bool) -> Study:
    """The study of that name or file, on a smoke budget where `quick`."""
    study = catalogue.load(name)
    return study.smoke() if quick else study


def open_store(folder: Path) -> "Store":
    """The store in the folder."""
    from ablation.tracking.store import Store

    return Store(folder)
