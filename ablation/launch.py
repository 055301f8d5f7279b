"""Run a study from a notebook or a script, and read what its runs say: the verbs without the terminal."""

import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import pandas as pd

from ablation.claims import Claim
from ablation.errors import UserError
from ablation.experiment import Replication
from ablation.fields import checked
from ablation.measures import Measure
from ablation.report.export import Results, read, read_existing, summarise
from ablation.report.tune import TuneResults, read_tune
from ablation.runner.engines import Executor, ExecutorConfig, executor
from ablation.runner.existing_runs import all_runs, arm_called, arms_by_value
from ablation.runner.recorded_plan import CodeChange
from ablation.runner.scheduler import Progress, run_study
from ablation.runner.tune import all_settled, check_tune, confirmation, run_tune, tried, tune_results
from ablation.runner.tuned import tuning_of, wants_tuning, with_tuned_values
from ablation.runner.until_decided import check_until_decided, run_until_decided
from ablation.study import Study
from ablation.terminal import Reporter, say
from ablation.tracked import Tracked
from ablation.tracking.store import Store


@checked
def run(
    study: Study,
    *,
    store: str | Path | None = None,
    seeds: int | None = None,
    workers: int | None = None,
    engine: str = "local",
    code: CodeChange = "",
    until_decided: bool = False,
    notify: Callable[[Progress], None] | None = None,
) -> Results:
    """Train every cell of the study that has no finished run in the folder `store`; what the runs say.

    `store`: ABLATION_STORE, else "mlruns", if None. `seeds`: replications of every arm, the study's own
    number if None. `workers`: cells at once, the engine's own number if None. `code`: where the code changed
    since earlier runs, "same" takes them for runs of the same code, "new" starts over. `until_decided`: run
    the looks that the study declares one after another, and stop arms that no undecided claim needs any more.
    `notify` is called as cells end; without it a terminal shows a bar. Raises `UserError` where the study
    cannot run as declared; a cell that fails or diverges does not stop the others, and stands in
    `Results.frame` and in the caveats. Where the study's runs exist already, they are read and nothing is
    run.
    """
    _check_counts(seeds=seeds, workers=workers)
    if until_decided:
        check_until_decided(study, seeds)
    place = _store(study, store)
    if study.runs is not None:
        return read(study, place, seeds)
    hands = executor(engine, ExecutorConfig(place, workers), [study.experiment])
    study = with_tuned_values(study, place, anew=code == "new")
    if wants_tuning(study, place, code):
        _train(tuning_of(study), place, hands, None, code, notify)
        study = with_tuned_values(replace(study, chosen={}), place, anew=code == "new")
    _train(study, place, hands, seeds, code, notify, until_decided)
    return summarise(study, place, seeds or study.seeds)


@checked
def tune(
    study: Study,
    *,
    store: str | Path | None = None,
    seeds: int | None = None,
    workers: int | None = None,
    code: Literal["", "same"] = "",
    notify: Callable[[Progress], None] | None = None,
) -> TuneResults:
    """Search for better settings than the baseline of the study, and compare the best with it on new seeds.

    What is there of an earlier call is not run again. `seeds`: of the comparison, those that `Tune` declares
    if None; the other arguments are as in `run`. Raises `UserError` where the study says nothing of what to
    tune, all trials diverge, or some failed otherwise, which the next call tries again.
    """
    _check_counts(seeds=seeds, workers=workers)
    place = _store(study, store)
    whole = tried(study)
    hands = executor("local", ExecutorConfig(place, workers), [study.experiment])

    def search(tell: Callable[[Progress], None]) -> Progress:
        return run_tune(study, place, hands.make, hands.cells, tell, code)

    if notify or not sys.stdout.isatty():
        search(notify or (lambda progress: None))
    else:
        with Reporter(whole, hands.cells, "runs") as reporter:
            progress = search(reporter.notify)
        reporter.summary(progress)
    against = to_confirm(study, place)
    if against is not None:
        _train(against, place, hands, seeds, code, notify)
    found = read_tune(study, place, write_summary=True, seeds=seeds or check_tune(study).seeds)
    assert found is not None
    return found


def to_confirm(study: Study, store: Store) -> Study | None:
    """The comparison of the best settings with the baseline; None where the baseline is the best.

    Raises `UserError` where trials are lacking.
    """
    trials = tune_results(study, store)
    if trials is None or not all_settled(study, store):
        raise UserError(
            f"the best settings of {study.name} are known once all {check_tune(study).trials} trials have a "
            "result, but some failed: tune it again, once what they failed of is mended."
        )
    return confirmation(study, trials)


@checked
def results(study: Study, *, store: str | Path | None = None, seeds: int | None = None) -> Results:
    """What the runs of the study in the folder `store` say; nothing is run.

    `store` is as in `run`; `seeds` as the study was last run, if None. Raises `UserError` where the study was
    never run there, or its plan has changed since.
    """
    _check_counts(seeds=seeds)
    return read(study, _store(study, store), seeds)


@checked
def analyse(
    runs: pd.DataFrame | str | Path,
    *,
    arm: str | Sequence[str],
    baseline: object,
    measures: Mapping[str, Measure],
    seed: str = "seed",
    allow: Annotated[Sequence[str], str | Sequence[str]] = (),
    claims: Sequence[Claim] = (),
    best: Annotated[Sequence[str], str | Sequence[str]] = (),
    items: str = "",
    replication: Replication | Literal["training", "items"] | None = None,
    store: str | Path | None = None,
    question: str = "",
) -> Results:
    """What runs that exist already say: those of a data frame, a CSV or Parquet file or "mlflow:EXPERIMENT".

    `arm`: the columns, or MLflow's parameters, whose values make an arm and, joined by ", ", name it.
    `baseline`: the name of an arm, or the value of its first column where one arm alone has it. Each measure
    wants its smallest effect that matters. seed, allow, best and items are as in `Tracked`, claims and
    replication as in `Study`. Raises `UserError` where
    the runs cannot be read or compared so.
    """
    tracked = Tracked(runs, seed, allow, best, items)
    columns = (arm,) if isinstance(arm, str) else tuple(arm)
    if not columns:
        raise UserError("arm wants the columns that tell the arms apart, but got none: name one.")
    place = _folder(store)
    there = all_runs(tracked, place)
    arms = arms_by_value(there, columns)
    first = arm_called(arms, baseline)
    study = Study(
        question=question or f"What does {', '.join(columns)} change?",
        source=tracked.words,
        runs=tracked,
        baseline=arms[first],
        arms={first: arms[first], **arms},
        measures=measures,
        claims=tuple(claims),
        replication=replication,
        name=_name(tracked),
    )
    return read_existing(study, place, there)


def _check_counts(**counts: int | None) -> None:
    for name, number in counts.items():
        if number is not None and number < 1:
            raise UserError(f"{name} must be at least 1, but got {number}: leave it out, or raise it.")


def _store(study: Study, folder: str | Path | None) -> Store:
    if not study.name and study.runs is None:
        raise UserError(
            "a study that comes from no file wants a name, under which its runs are kept, but got none: add "
            'name="my_study" to it.'
        )
    return _folder(folder)


def _folder(folder: str | Path | None) -> Store:
    return Store(Path(folder or os.environ.get("ABLATION_STORE") or "mlruns"))


def _train(
    study: Study,
    store: Store,
    hands: Executor,
    seeds: int | None,
    code: CodeChange,
    notify: Callable[[Progress], None] | None,
    until_decided: bool = False,
) -> None:
    if notify or not sys.stdout.isatty():
        trained(study, store, hands, seeds, notify or (lambda progress: None), code, until_decided)
        return
    with Reporter(study, hands.cells) as reporter:
        progress = trained(study, store, hands, seeds, reporter.notify, code, until_decided, say)
    reporter.summary(progress)


def trained(
    study: Study,
    store: Store,
    hands: Executor,
    seeds: int | None,
    notify: Callable[[Progress], None],
    code: CodeChange,
    until_decided: bool,
    tell: Callable[[str], None] = lambda sentence: None,
) -> Progress:
    """Run what the study lacks, all of it or look by look; `tell` gets a sentence on each look."""
    if until_decided:
        return run_until_decided(study, store, hands.make, hands.cells, notify, code, tell)
    return run_study(study, store, hands.make, hands.cells, seeds, notify, code)


def _name(tracked: Tracked) -> str:
    """A study's name, as near to that of the runs as one may be."""
    words = tracked.mlflow or (Path(tracked.where).stem if isinstance(tracked.where, str | Path) else "runs")
    return re.sub(r"[^\w-]+", "_", words).lstrip("_-")[:64]
