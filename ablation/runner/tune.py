"""Tune a study's baseline: search for better settings, then confirm them on seeds that the search never had.

A trial runs under several seeds, one after another, and its value is their mean: so one lucky seed chooses
nothing. Between two seeds it may be dropped (pruned), whatever the experiment trains; within a training it is
not, since a worker knows no study that could stop it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from math import isfinite
from statistics import fmean, median
from typing import Any

import numpy as np
import optuna
import pandas as pd
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial

from ablation.blocks import Blocks
from ablation.claims import Claim, Difference, Direction
from ablation.errors import UserError
from ablation.runner.engines import Engine
from ablation.runner.ledger import Ledger
from ablation.runner.recorded_plan import CodeChange, Versions, checked_versions
from ablation.runner.scheduler import Progress, Scheduler
from ablation.runner.search import (
    ENDED,
    QUICK_TRIALS,
    Begun,
    Trials,
    called,
    run_search,
    sampler_of,
    search_results,
    searched,
    seeds_of,
)
from ablation.seeds import derive
from ablation.settings import flat
from ablation.stats.cells import COMPLETE
from ablation.study import Cell, Study
from ablation.tracking.availability import retry
from ablation.tracking.store import Store
from ablation.tuning import CONFIRMING_SEED, Search, Tune

COMPARED = 4  # complete trials, before another is dropped for being worse than their median
QUICK_SEEDS = 2
TELLING = 20  # trials, below which importances are chance
GOOD = 5  # trials, at least, that importance takes for the good ones; a tenth of more than fifty
TUNED = "tuned"
"""The arm that has the best settings."""


@dataclass
class _UnderWay:
    """A trial that has not had all of its seeds. values: of the objective, by seed."""

    number: int
    params: Mapping[str, Any]
    trial: Trial
    values: list[float] = field(default_factory=list)


class TuneTrials(Trials):
    """The trials of a `Tune`: one has a run for each seed, and the mean of their objective as its value.

    Its attribute "fingerprint" is that of the last run that was begun.
    """

    def asked(
        self, numbers: Sequence[int], search: Search | Tune, versions: Versions, scheduler: Scheduler
    ) -> Iterator[Begun | None]:
        """The next run of a trial that is under way, else the first of a new one; None while neither is."""
        self._seeds, self._leave_out = seeds_of(search), scheduler.leave_out
        self._under_way: dict[int, _UnderWay] = {}
        self._waiting: list[int] = []
        new = iter(numbers)
        while True:
            if self._waiting:
                yield retry(partial(self._next_run, self._waiting.pop(0), versions))
            elif (number := next(new, None)) is not None:
                yield self.ask(number, search, versions)
            else:
                yield None

    def complete(self, number: int, metrics: Mapping[str, float]) -> None:
        """A run finished: its trial is complete, pruned, or waits for its next seed."""
        one = self._under_way.pop(number)
        (name,) = self.study.measures
        one.values.append(float(metrics[name]))
        mean = fmean(one.values)
        if not isfinite(mean):  # as of a run that diverged: its other seeds change nothing
            super().complete(number, {name: mean})
        else:
            retry(lambda: one.trial.report(mean, len(one.values) - 1))
            if len(one.values) == len(self._seeds):
                super().complete(number, {name: mean})
            elif retry(one.trial.should_prune):
                retry(lambda: self._optuna.tell(number, state=TrialState.PRUNED, skip_if_finished=True))
            else:
                self._under_way[number] = one
                self._waiting.append(number)
                return
        self._drop(one, len(one.values))

    def fail(self, number: int) -> None:
        """A run failed or diverged: so does its trial."""
        super().fail(number)
        one = self._under_way.pop(number)
        self._drop(one, len(one.values) + 1)

    def _drop(self, one: _UnderWay, begun: int) -> None:
        for seed in self._seeds[begun:]:
            self._leave_out(called(one.number), seed)

    def _ask(self, number: int, search: Search | Tune, versions: Versions) -> Begun:
        self._end_left(number)
        ranges, before = self._ranges(search), self.last().get(number)
        known = before.params if before is not None and before.distributions == ranges else None
        if known is None and number == 0:
            known = self._baseline(search)
        # Of a trial that Optuna is given whole there is no way to report its values.
        self._optuna.sampler = sampler_of(search, number) if known is None else _Given(known)
        self._optuna.pruner = _WorseThanMedian()
        trial = self._drawn(ranges)
        self._under_way[trial.number] = _UnderWay(number, trial.params, trial)
        begun = self._next_run(trial.number, versions)
        trial.set_user_attr("turn", number)  # last: a trial with a number has a fingerprint
        return begun

    def _next_run(self, trial: int, versions: Versions) -> Begun:
        one = self._under_way[trial]
        key, cell = self._run(one.number, one.params, versions, self._seeds[len(one.values)])
        one.trial.set_user_attr("fingerprint", key)
        return key, cell, trial

    def _baseline(self, search: Search | Tune) -> dict[str, Any] | None:
        """The first trial: the baseline, where the ranges have it. So the best is never worse than it."""
        settings = flat(self.study.baseline)
        within = all(one.holds(settings[name]) for name, one in search.ranges.items())
        return {name: settings[name] for name in search.ranges} if within else None


class _WorseThanMedian(BasePruner):
    """Drops a trial whose mean is worse than the median of the complete trials after as many seeds.

    Optuna's own compares the best mean that the trial ever had: one easy first seed would save every trial.
    """

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        values = trial.intermediate_values
        complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        others = [mean for one in complete if (mean := one.intermediate_values.get(max(values))) is not None]
        if len(others) < COMPARED:
            return False
        sign = 1 if study.direction == StudyDirection.MINIMIZE else -1
        return bool(sign * values[max(values)] > sign * median(others))


class _Given(BaseSampler):
    """Draws nothing: the trial gets these settings."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.params = params

    def infer_relative_search_space(self, study: Any, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return {}

    def sample_relative(self, study: Any, trial: FrozenTrial, search_space: Any) -> dict[str, Any]:
        return {}

    def sample_independent(
        self, study: Any, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self.params[param_name]


def check_tune(study: Study) -> Tune:
    """What the study declares to tune, as large as it will be; a `UserError` where it declares nothing."""
    if study.runs is not None:
        raise UserError(f"the runs of {study.name} exist already: nothing can be tuned.")
    if study.tune is None:
        raise UserError(f"{study.name} says nothing of what to tune: add tune=Tune(...) to its file.")
    if not study.quick:
        return study.tune
    return replace(
        study.tune,
        trials=min(study.tune.trials, QUICK_TRIALS),
        trial_seeds=min(study.tune.trial_seeds, QUICK_SEEDS),
        seeds=study.seeds,
    )


def tried(study: Study) -> Study:
    """The trials as a study of their own, "<study>-tune"."""
    return searched(study, check_tune(study))


def run_tune(
    study: Study,
    store: Store,
    make_engine: Callable[[int], Engine],
    workers: int,
    notify: Callable[[Progress], None] = lambda progress: None,
    code: CodeChange = "",
) -> Progress:
    """Run every trial that has no result, `workers` at once, as `run_search` does.

    Raises `UserError` where trials are lacking though the best of those before them was compared already.
    """
    tune = check_tune(study)
    confirmed = Ledger.open(store, replace(study, name=f"{study.name}-{TUNED}", tune=None))
    if confirmed is not None and confirmed.has_results and not all_settled(study, store):
        raise UserError(
            f"the best settings of {study.name} were compared with its baseline already, and more trials "
            "would choose anew after that: undo the change of tune, or give the study's file a new name."
        )
    # What the comparison wants is asked for before the hours of the search, and not after them.
    cells = [Cell(study.reference, seed, study.baseline) for seed in confirming_seeds(study)]
    checked_versions(study, cells)
    return run_search(study, store, make_engine, workers, notify, code, tune, TuneTrials)


def tune_results(study: Study, store: Store) -> pd.DataFrame | None:
    """One row a settled trial of those declared, as `search_results` gives it; None where there is none."""
    tune = check_tune(study)
    found = search_results(study, store, tune)
    return None if found is None else found[found.number < tune.trials]


def all_settled(study: Study, store: Store) -> bool:
    """Whether every trial has a result."""
    found = tune_results(study, store)
    return found is not None and len(found) == check_tune(study).trials


def best_of(study: Study, trials: pd.DataFrame) -> dict[str, Any]:
    """The row of the trial with the best objective, the first of equal ones.

    Raises `UserError` where no trial is complete.
    """
    tune = check_tune(study)
    complete = trials[trials.state == COMPLETE]
    if complete.empty:
        raise UserError(
            f"all {len(trials)} trials of {study.name} diverged ({trials.failure.iloc[0] or 'not finite'}): "
            "narrow the ranges of its tune."
        )
    sign = 1 if study.measure(tune.objective).better == "lower" else -1
    values = sign * complete[tune.objective].to_numpy(dtype=float)
    return dict(complete.iloc[int(values.argmin())])


def confirmation(study: Study, trials: pd.DataFrame) -> Study | None:
    """The best settings against the baseline as a study of their own, "<study>-tuned".

    None where the baseline is the best. The baseline is the study's as declared; gates about it stay.
    """
    tune, best = check_tune(study), best_of(study, trials)
    kept = {name: value for name, value in flat(study.baseline).items() if name in tune.ranges}
    chosen = {name: _like(best[name], value) for name, value in kept.items()}
    if chosen == kept:
        return None
    direction: Direction = "down" if study.measure(tune.measure).better == "lower" else "up"
    return replace(
        study,
        name=f"{study.name}-{TUNED}",
        question=f"Are the best settings of {tune.trials} trials better than the baseline of {study.name}?",
        arms={TUNED: chosen},
        claims=(
            Claim(
                f"the tuned settings are better than the baseline in {study.label(tune.measure)}",
                Difference(tune.measure, direction, TUNED),
            ),
        ),
        gates=tuple(replace(gate, arm="") for gate in study.gates if gate.of_arm(study) == study.reference),
        supported="",
        against={},
        blocks=Blocks(),
        tuned=None,
        search=None,
        tune=None,
        chosen={},
        seeds=tune.seeds,
        looks=(),
        first_seed=confirming_seeds(study)[0],
    )


def confirming_seeds(study: Study) -> range:
    """The seeds under which the best settings are compared with the baseline.

    They depend on the study's name: a study that is searched again under a new name, after its comparison was
    seen, is judged by seeds that were not.
    """
    first = CONFIRMING_SEED * (1 + derive(CONFIRMING_SEED, study.name) % 1000)
    return range(first, first + check_tune(study).seeds)


def _like(value: Any, own: Any) -> Any:
    """A value of a data frame's column as one of the setting's own type."""
    plain = value.item() if hasattr(value, "item") else value
    return type(own)(plain) if isinstance(own, bool | int | float) else plain


def importances(study: Study, store: Store) -> dict[str, float]:
    """The share of each searched setting in how good a trial is, largest first; they sum to 1.

    PED-ANOVA (Watanabe 2023) of the trials' means over the seeds: how the best tenth of the trials, or the
    best `GOOD`, are spread over the range, against all. Empty below `TELLING` trials.
    """
    tune = check_tune(study)
    ledger = TuneTrials.open(store, tried(study))
    last = {} if ledger is None else ledger.last()
    asked = [one for number, one in last.items() if number < tune.trials]
    trials = [one for one in asked if one.state in ENDED and isfinite(one.values[0])]
    if len(trials) < TELLING:
        return {}
    means = seed_averaged([_by_seed(one) for one in trials])
    sign = 1 if study.measure(tune.objective).better == "lower" else -1
    of_means = optuna.create_study()
    of_means.add_trials(
        create_trial(params=one.params, distributions=one.distributions, value=sign * float(mean))
        for one, mean in zip(trials, means, strict=True)
    )
    evaluator = PedAnovaImportanceEvaluator(target_quantile=max(0.1, GOOD / len(trials)))
    return dict(get_param_importances(of_means, evaluator=evaluator))


def _by_seed(trial: FrozenTrial) -> list[float]:
    """The objective under each of its seeds; what was reported are means of the first ones."""
    means = [0.0, *(trial.intermediate_values[step] for step in sorted(trial.intermediate_values))]
    return [n * means[n] - (n - 1) * means[n - 1] for n in range(1, len(means))]


def seed_averaged(values: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    """Each trial's mean over all seeds, also where it was dropped before it had them: (trials,).

    values[trial] are those of the first seeds. By least squares a value is that of its trial plus that of its
    seed: so a trial gains nothing by a seed that is easy for all.
    """
    cells = [(trial, seed, one) for trial, own in enumerate(values) for seed, one in enumerate(own)]
    seeds = max(map(len, values))
    design = np.zeros((len(cells), len(values) + seeds))
    for row, (trial, seed, _) in enumerate(cells):
        design[row, [trial, len(values) + seed]] = 1
    parts, *_ = np.linalg.lstsq(design, np.array([one for *_, one in cells]), rcond=None)
    return np.asarray(parts[: len(values)] + parts[len(values) :].mean())
