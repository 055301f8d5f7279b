"""Search a study's settings for two objectives at once: Optuna is asked, workers compute, Optuna is told."""

from collections.abc import Callable
from dataclasses import replace
from math import isfinite
from typing import Any

import pandas as pd
from optuna.distributions import FloatDistribution
from optuna.samplers import BaseSampler, NSGAIISampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from ablation.errors import UserError
from ablation.runner.engines import Engine
from ablation.runner.ledger import Ledger, running_trial
from ablation.runner.recorded_plan import (
    CODE,
    CodeChange,
    check_unchanged,
    checked_versions,
    counted_versions,
    fingerprint_of,
)
from ablation.runner.results import accepted
from ablation.runner.scheduler import Progress, Scheduler, running_alone
from ablation.seeds import derive
from ablation.settings import identity, vary
from ablation.study import Cell, Study
from ablation.tracking.availability import retry
from ablation.tracking.read import cell_runs
from ablation.tracking.store import Store
from ablation.tuning import TUNING_SEED, Search

STARTUP = 4  # trials drawn at random before TPE has something to learn from
POPULATION = 8  # of NSGA-II: Optuna's 50 would make a search of dozens of trials a random one
QUICK_TRIALS = 3


def run_search(
    study: Study,
    store: Store,
    make_engine: Callable[[int], Engine],
    workers: int,
    notify: Callable[[Progress], None] = lambda progress: None,
    code: CodeChange = "",
) -> Progress:
    """Run every trial of the study's search that has no result, `workers` at a time.

    A run that diverged is a result of its trial; one that failed otherwise is tried again by the next search.
    With one worker two searches of one study are equal, interrupted or not. With several, the order in
    which trials end decides what the sampler knows when it is asked next, so they are not.
    Raises `UserError` where another process runs this search, or its plan has changed.
    """
    search, whole = check_search(study), searched(study)
    now = checked_versions(whole, [Cell("baseline", TUNING_SEED, whole.baseline)])
    if code == "new":
        raise UserError(
            "a search cannot start over where its trials are: run it in another --store, or add --code same."
        )

    def versions_of(trials: Trials) -> dict[str, str]:
        return (
            now
            if _settled(trials, store).empty
            else counted_versions(study, trials.plan, trials.same_code, now, code)
        )

    def check(trials: Trials) -> None:
        _check_plan(trials, store, study, versions_of(trials))

    with running_alone(whole, store, Trials, check, f"the search of {study.name}") as (trials, place):
        settled, versions = _settled(trials, store), versions_of(trials)
        if versions != now:
            trials.add_same_code(now.get(CODE, ""))
        if settled.empty:
            trials.plan = plan_of_search(study, versions)
        progress = Progress(search.trials, failed=dict(settled.failure[settled.state == "diverged"]))
        progress.there = int((settled.state == "complete").sum())
        lacking = [number for number in range(search.trials) if number not in set(settled.number)]
        if progress.done:
            progress.last = f"{progress.done} trials were there already"
        notify(progress)
        if lacking:
            workers = min(workers, len(lacking))
            costs = {(f"trial {number}", TUNING_SEED): 1.0 for number in lacking}
            scheduler = Scheduler(
                whole, store, trials, place, versions, progress, notify, costs, versions != now
            )
            asked = (trials.ask(number, search, versions) for number in lacking)
            scheduler.work(asked, make_engine(workers), workers)
        return progress


def search_results(study: Study, store: Store) -> pd.DataFrame | None:
    """One row a settled trial, by its number; None where no trial of a search has settled.

    Columns: number (from 0), state ("complete" or "diverged"), fingerprint, run_id, failure, then the
    searched settings and the objectives (NaN where it diverged). Raises `UserError` where the plan changed.
    """
    trials = Trials.open(store, searched(study)) if study.search else None
    if trials is None:
        return None
    _check_plan(trials, store, study, trials.plan["versions"])
    found = _settled(trials, store)
    return None if found.empty else found.reset_index(drop=True)


def check_search(study: Study) -> Search:
    """The study's search, as large as it will be; a `UserError` where it has none or an unsound one."""
    search = study.search
    if search is None:
        raise UserError(
            f"{study.name} has no search: add search=Search(...) to its file, or run it without --search."
        )
    search.check(study)
    return replace(search, trials=min(search.trials, QUICK_TRIALS)) if study.quick else search


def searched(study: Study) -> Study:
    """The search as a study of its own, called "<study>-search", whose measures are the objectives.

    Its arms are the ends of the ranges: never run, they say which settings vary.
    """
    search = check_search(study)
    first, second = map(study.label, search.objectives)
    ends = {end: {k: pair[i] for k, pair in search.ranges.items()} for i, end in enumerate(("least", "most"))}
    return Study(
        name=f"{study.name}-search",
        question=f"Which compromises of {first} and {second} are there in {' and '.join(search.ranges)}?",
        source=study.source,
        train=study.train,
        baseline=study.baseline,
        arms=ends,
        measures=dict.fromkeys(search.objectives, 1.0),
        quick=study.quick,
    )


def plan_of_search(study: Study, versions: dict[str, str]) -> dict[str, Any]:
    """What must not change once trials exist, as plain JSON: not their number, since more may be added."""
    search = check_search(study)
    return {
        "versions": versions,
        "ranges": {name: list(map(float, pair)) for name, pair in search.ranges.items()},
        "objectives": list(search.objectives),
        "reference": list(map(float, search.reference)),
        "sampler": search.sampler,
        "baseline": identity(study.baseline),
    }


class Trials(Ledger):
    """The open Optuna study of `searched(study)`. A trial says its number in the search ("turn"), from 0.

    One that failed is tried again with its own settings: a run that was recorded before its coordinator died
    is found again.
    """

    def last(self) -> dict[int, FrozenTrial]:
        """The trial of every number that was asked for: the complete one, else the latest."""
        found: dict[int, FrozenTrial] = {}
        for trial in self._trials():
            turn = trial.user_attrs.get("turn")
            if turn is not None and (turn not in found or found[turn].state != TrialState.COMPLETE):
                found[turn] = trial
        return found

    def ask(self, number: int, search: Search, versions: dict[str, str]) -> tuple[str, Cell, int]:
        """Begin the trial: the fingerprint of its run, the cell "trial <number>", and Optuna's number.

        The sampler is made anew, from the number alone: so a search that was interrupted draws what an
        undisturbed one draws, and never the first numbers of its seed a second time.
        """
        return retry(lambda: self._ask(number, search, versions))

    def _ask(self, number: int, search: Search, versions: dict[str, str]) -> tuple[str, Cell, int]:
        for left in self._trials():  # by an attempt of which nobody knows how far it came
            if left.state == TrialState.RUNNING and left.user_attrs.get("turn", number) == number:
                self._fail(left.number)
        ranges = {name: FloatDistribution(*pair, log=True) for name, pair in search.ranges.items()}

        def cell(params: dict[str, Any]) -> tuple[str, Cell]:
            made = Cell(f"trial {number}", TUNING_SEED, vary(self.study.baseline, params))
            return fingerprint_of(self.study, made, versions), made

        before = self.last().get(number)
        if before is not None and before.distributions == ranges:
            key, made = cell(before.params)
            attributes = {"turn": number, "fingerprint": key}
            # NSGA-II keeps the generation in what is the system's.
            again = running_trial(before.params, before.distributions, attributes, before.system_attrs)
            self._optuna.add_trial(again)
        else:
            self._optuna.sampler = _sampler(search, number)
            trial = self._optuna.ask(dict(ranges))
            key, made = cell(trial.params)
            trial.set_user_attr("fingerprint", key)
            trial.set_user_attr("turn", number)
        return key, made, self._trials()[-1].number


def _sampler(search: Search, number: int) -> BaseSampler:
    seed = derive(TUNING_SEED, "search", str(number))
    if search.sampler == "nsga2":
        return NSGAIISampler(seed=seed, population_size=POPULATION)
    return TPESampler(seed=seed, n_startup_trials=STARTUP, multivariate=True, constant_liar=True)


def _check_plan(trials: Trials, store: Store, study: Study, versions: dict[str, str]) -> None:
    """Raise `UserError` where trials are settled, and their plan is not that of the declared search."""
    if not _settled(trials, store).empty:
        check_unchanged(trials.study, trials.plan, plan_of_search(study, versions))


def _settled(trials: Trials, store: Store) -> pd.DataFrame:
    """The rows of `search_results`, by the trials' names. That a run diverged is what its tags say."""
    runs = accepted(cell_runs(store, trials.study.name))
    names, columns = list(trials.study.measures), ["number", "state", "fingerprint", "run_id", "failure"]
    rows = {}
    for number, trial in sorted(trials.last().items()):
        key = trial.user_attrs["fingerprint"]
        run = runs.loc[key] if key in runs.index else pd.Series({"run_id": "", "failure": "", "outcome": ""})
        if trial.state == TrialState.COMPLETE or run.outcome == "diverged":
            # An objective that is not finite has no place on a front.
            finite = trial.state == TrialState.COMPLETE and all(map(isfinite, trial.values))
            state = "complete" if finite else "diverged"
            place = dict(zip(columns, (number, state, key, run.run_id, run.failure), strict=True))
            values = dict(zip(names, trial.values or (float("nan"),) * len(names), strict=True))
            rows[f"trial {number}"] = place | trial.params | values
    return pd.DataFrame.from_dict(rows, orient="index", columns=None if rows else columns)
