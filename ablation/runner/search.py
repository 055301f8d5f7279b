"""Search a study's settings over ranges: Optuna is asked, workers compute, Optuna is told.

Here are searches for two objectives at once (`Search`), and what they share with the search for better
settings (`Tune`, in `runner.tune`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import isfinite
from typing import Any

import pandas as pd
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler, NSGAIISampler, TPESampler
from optuna.trial import FrozenTrial, Trial, TrialState

from ablation.errors import UserError
from ablation.experiment import Replication
from ablation.formatting import count, listing
from ablation.runner.engines import Engine
from ablation.runner.ledger import Ledger, running_trial
from ablation.runner.recorded_plan import (
    CODE,
    CodeChange,
    Versions,
    check_unchanged,
    checked_versions,
    counted_versions,
    fingerprint_of,
)
from ablation.runner.results import accepted
from ablation.runner.scheduler import Progress, Scheduler, running_alone
from ablation.seeds import derive
from ablation.settings import flat, identity, vary
from ablation.stats.cells import COMPLETE, DIVERGED
from ablation.study import Cell, Study
from ablation.tracking.availability import retry
from ablation.tracking.read import cell_runs
from ablation.tracking.store import Store
from ablation.tuning import RESERVED, TUNING_SEED, Choice, Range, Search, Tune

STARTUP = 4  # trials drawn at random before TPE has something to learn from
POPULATION = 8  # of NSGA-II: Optuna's 50 would make a search of dozens of trials a random one
QUICK_TRIALS = 3
PRUNED = "pruned"
"""The state of a trial that was dropped before it had all of its seeds."""

Begun = tuple[str, Cell, int]
"""A run that begins: its fingerprint, its cell, and Optuna's number of its trial."""


class Trials(Ledger):
    """The open Optuna study of `searched(study)`. A trial says its number in the search ("turn"), from 0.

    One that failed is tried again with its own settings: a run that was recorded before its coordinator died
    is found again.
    """

    def last(self) -> dict[int, FrozenTrial]:
        """The trial of every number that was asked for: the one with a result, else the latest."""
        found: dict[int, FrozenTrial] = {}
        for trial in self._trials():
            turn = trial.user_attrs.get("turn")
            if turn is not None and (turn not in found or found[turn].state not in ENDED):
                found[turn] = trial
        return found

    def asked(
        self, numbers: Sequence[int], search: Search | Tune, versions: Versions, scheduler: Scheduler
    ) -> Iterator[Begun | None]:
        """The runs of the trials with these numbers, each begun when it is asked for."""
        return (self.ask(number, search, versions) for number in numbers)

    def ask(self, number: int, search: Search | Tune, versions: Versions) -> Begun:
        """Begin the trial, with its first run, which is the cell "trial <number>".

        The sampler is made anew, from the number alone: so a search that was interrupted draws what an
        undisturbed one draws, and never the first numbers of its seed a second time.
        """
        return retry(lambda: self._ask(number, search, versions))

    def _ask(self, number: int, search: Search | Tune, versions: Versions) -> Begun:
        self._end_left(number)
        ranges = self._ranges(search)
        before = self.last().get(number)
        if before is not None and before.distributions == ranges:
            key, made = self._run(number, before.params, versions)
            attributes = {"turn": number, "fingerprint": key}
            # NSGA-II keeps the generation in what is the system's.
            again = running_trial(before.params, before.distributions, attributes, before.system_attrs)
            self._optuna.add_trial(again)
        else:
            self._optuna.sampler = sampler_of(search, number)
            trial = self._drawn(ranges)
            key, made = self._run(number, trial.params, versions)
            trial.set_user_attr("fingerprint", key)
            trial.set_user_attr("turn", number)
        return key, made, self._trials()[-1].number

    def _drawn(self, ranges: Mapping[str, BaseDistribution]) -> Trial:
        try:
            return self._optuna.ask(dict(ranges))
        except ValueError as error:  # Optuna keeps the kind of a range of every trial, also of a failed one
            raise UserError(
                f"the ranges of {self.study.name} are not those with which it was begun ({error}): give the "
                "study's file a new name, name another --store, or undo the change."
            ) from error

    def _end_left(self, number: int) -> None:
        """Fail what is left of an attempt to begin the trial of which nobody knows how far it came."""
        for left in self._trials():
            if left.state == TrialState.RUNNING and left.user_attrs.get("turn", number) == number:
                self._fail(left.number)

    def _ranges(self, search: Search | Tune) -> dict[str, BaseDistribution]:
        settings = flat(self.study.baseline)
        return {name: _distribution(one, settings[name]) for name, one in search.ranges.items()}

    def _run(
        self, number: int, params: Mapping[str, Any], versions: Versions, seed: int = TUNING_SEED
    ) -> tuple[str, Cell]:
        cell = Cell(called(number), seed, vary(self.study.baseline, params))
        return fingerprint_of(self.study, cell, versions), cell


ENDED = (TrialState.COMPLETE, TrialState.PRUNED)


def run_search(
    study: Study,
    store: Store,
    make_engine: Callable[[int], Engine],
    workers: int,
    notify: Callable[[Progress], None] = lambda progress: None,
    code: CodeChange = "",
    search: Search | Tune | None = None,
    kind: type[Trials] = Trials,
) -> Progress:
    """Run every trial of the study's search that has no result, `workers` at a time.

    search, kind: another search than the study's own, and the ledger of its trials. A run that diverged is a
    result of its trial; one that failed otherwise is tried again by the next search.
    With one worker two searches of one study are equal, interrupted or not. With several, the order in
    which trials end decides what the sampler knows when it is asked next, so they are not.
    Raises `UserError` where another process runs this search, or its plan has changed.
    """
    search = search or check_search(study)
    whole = searched(study, search)
    now = checked_versions(whole, [Cell("baseline", seed, whole.baseline) for seed in seeds_of(search)])
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
        _check_plan(trials, store, plan_of_search(study, search, versions_of(trials)))

    with running_alone(whole, store, kind, check, f"the search of {study.name}") as (trials, place):
        settled, versions = _settled(trials, store), versions_of(trials)
        if versions != now:
            trials.add_same_code(now.get(CODE, ""))
        if settled.empty:
            trials.plan = plan_of_search(study, search, versions)
        lacking = [number for number in range(search.trials) if number not in set(settled.number)]
        costs = {(called(number), seed): 1.0 for number in lacking for seed in seeds_of(search)}
        there = settled[settled.number < search.trials]
        runs = 0 if there.empty else int(there.seeds.sum())
        diverged = there.failure[there.state == DIVERGED].replace("", "its objective is not finite")
        progress = Progress(runs + len(costs), failed=dict(diverged))
        progress.there = runs - len(progress.failed)
        if runs:
            progress.last = f"{count(len(there), 'trial')} of {count(runs, 'run')} were there already"
        notify(progress)
        if lacking:
            workers = min(workers, len(lacking))
            scheduler = Scheduler(
                whole, store, trials, place, versions, progress, notify, costs, versions != now
            )
            asked = trials.asked(lacking, search, versions, scheduler)
            scheduler.work(asked, make_engine(workers), workers)
        return progress


def search_results(study: Study, store: Store, search: Search | Tune | None = None) -> pd.DataFrame | None:
    """One row a settled trial of the study's search, by its number; None where no trial has settled.

    search: another search than the study's own. Columns: number (from 0), state ("complete", "diverged" or
    "pruned"), seeds (how many it had), fingerprint, run_id and failure (of its last run), then the searched
    settings and the objectives (means over its seeds; NaN where it diverged). Raises `UserError` where
    the plan changed.
    """
    search = search or (check_search(study) if study.search else None)
    trials = Trials.open(store, searched(study, search)) if search else None
    if search is None or trials is None:
        return None
    _check_plan(trials, store, plan_of_search(study, search, trials.plan["versions"]))
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


def searched(study: Study, search: Search | Tune | None = None) -> Study:
    """A search as a study of its own, by default the study's: "<study>-search", or "<study>-tune".

    Its measures are the objectives. Its arms are the ends of the ranges: never run, they say which settings
    vary.
    """
    search = search or check_search(study)
    labels, settings = " and ".join(map(study.label, search.objectives)), listing([*search.ranges])
    least, most = ({name: one.ends[end] for name, one in search.ranges.items()} for end in (0, 1))
    return Study(
        name=f"{study.name}-{search.kind}",
        question=(
            f"Which compromises of {labels} are there in {settings}?"
            if isinstance(search, Search)
            else f"Which values of {settings} give the best {labels}?"
        ),
        source=study.source,
        train=study.train,
        baseline=study.baseline,
        arms={"least": least, "most": most},
        measures=dict.fromkeys(search.objectives, 1.0),
        replication=Replication(),  # a validation measure needs no test items
        quick=study.quick,
    )


def seeds_of(search: Search | Tune) -> range:
    """The seeds of every trial."""
    return range(TUNING_SEED, TUNING_SEED + search.trial_seeds)


def called(number: int) -> str:
    """The name of the trial of that number, where an arm has its own."""
    return f"trial {number}"


def plan_of_search(study: Study, search: Search | Tune, versions: Versions) -> dict[str, Any]:
    """What must not change once trials exist, as plain JSON: not their number, since more may be added."""
    return (
        {
            "versions": dict(versions),
            "ranges": {name: _plain(one) for name, one in search.ranges.items()},
            "objectives": list(search.objectives),
            "sampler": search.sampler,
            "baseline": identity(study.baseline),
        }
        | (
            {"reference": list(map(float, search.reference))}
            if isinstance(search, Search)
            else {"trial_seeds": search.trial_seeds}
        )
        | (
            {"better": [study.measure(name).better for name in search.objectives]}
            if study.experiment.code()  # the measures of a code of one's own may be declared anew
            else {}
        )
    )


def sampler_of(search: Search | Tune, number: int) -> BaseSampler:
    """What draws the settings of the trial of that number."""
    seed = derive(TUNING_SEED, "search", str(number))
    if search.sampler == "nsga2":
        return NSGAIISampler(seed=seed, population_size=POPULATION)
    return TPESampler(seed=seed, n_startup_trials=STARTUP, multivariate=True, constant_liar=True)


def _distribution(one: Range | Choice, value: object) -> BaseDistribution:
    """The range of a setting that has the value, as Optuna has it."""
    if isinstance(one, Choice):
        kept = tuple(map(float, one.values)) if isinstance(value, float) else one.values
        return CategoricalDistribution(kept)
    if isinstance(value, int):
        return IntDistribution(int(one.least), int(one.largest), log=one.log)
    return FloatDistribution(one.least, one.largest, log=one.log)


def _plain(one: Range | Choice) -> object:
    """A range in the plan, in which a pair is one on a logarithmic scale."""
    if isinstance(one, Choice):
        return {"choice": list(one.values)}
    ends = list(map(float, one.ends))
    return ends if one.log else {"from, to": ends}


def _check_plan(trials: Trials, store: Store, plan: Mapping[str, Any]) -> None:
    """Raise `UserError` where trials are settled, and their plan is not that of the declared search."""
    if not _settled(trials, store).empty:
        known = {name: value for name, value in plan.items() if name != "better" or name in trials.plan}
        check_unchanged(trials.study, trials.plan, known)


def _settled(trials: Trials, store: Store) -> pd.DataFrame:
    """The rows of `search_results`, by the trials' names. That a run diverged is what its tags say."""
    runs = accepted(cell_runs(store, trials.study.name))
    names = list(trials.study.measures)
    columns = [*RESERVED]
    rows = {}
    for number, trial in sorted(trials.last().items()):
        key = trial.user_attrs.get("fingerprint", "")
        run = runs.loc[key] if key in runs.index else pd.Series({"run_id": "", "failure": "", "outcome": ""})
        if trial.state in ENDED or run.outcome == "diverged":
            # An objective that is not finite has no place on a front.
            finite = trial.state in ENDED and all(map(isfinite, trial.values))
            state = DIVERGED if not finite else COMPLETE if trial.state == TrialState.COMPLETE else PRUNED
            # Of a run that diverged nothing is reported, nor of a search with one run a trial.
            reported = len(trial.intermediate_values)
            seeds = reported + (state == DIVERGED) or 1
            place = dict(zip(columns, (number, state, seeds, key, run.run_id, run.failure), strict=True))
            values = dict(zip(names, trial.values or (float("nan"),) * len(names), strict=True))
            rows[called(number)] = place | trial.params | values
    return pd.DataFrame.from_dict(rows, orient="index", columns=None if rows else columns)
