"""The study in Optuna: a trial a cell, written by the coordinator alone, through Optuna's public calls.

Optuna holds the state of each cell and MLflow its results; the fingerprint, an attribute of the
trial and a tag of the run, ties them. Trials are added whole, with their parameters, and told: no
sampler is asked and no queue is popped, since both were seen to lose and to double cells when
workers die (docs/decisions/0004-one-coordinator.md).
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from itertools import count
from math import inf, isfinite
from typing import Any, Self

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.exceptions import OptunaError
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy.exc import SQLAlchemyError

from ablation.errors import UserError
from ablation.runner.recorded_plan import CODE
from ablation.settings import flat
from ablation.study import Cell, Study
from ablation.tracking.availability import ServerUnavailable, is_unavailable, retry, user_errors, why
from ablation.tracking.store import Store

optuna.logging.set_verbosity(optuna.logging.WARNING)
MOST_SEEDS = 2**31 - 1
# Optuna wants a direction of every value, also of one that has no better end.
DIRECTIONS = {
    "lower": StudyDirection.MINIMIZE,
    "higher": StudyDirection.MAXIMIZE,
    "neither": StudyDirection.MAXIMIZE,
}


def studies_in(store: Store) -> list[str]:
    """The names of the studies that were run in the store; writes nothing."""
    if not (store.exists() and store.has_ledger):
        return []
    found = optuna.study.get_all_study_summaries(_storage(store), include_best_trial=False)
    return sorted(one.study_name for one in found if one.user_attrs.get("plan"))  # a server may hold others


def cells_in(store: Store, name: str) -> tuple[dict[str, tuple[str, int, TrialState | None]], dict[str, int]]:
    """The arm, seed and state of every cell of a recorded study by fingerprint, or by name where none began;
    and `Ledger.stopped`.

    What is planned are the arms of its plan under as many seeds as it was last asked for.
    """
    recorded = optuna.load_study(study_name=name, storage=_storage(store))
    ledger = Ledger(None, recorded)  # type: ignore[arg-type]  # of whose file nothing is known
    states, found = ledger.states(), dict[str, tuple[str, int, TrialState | None]]()
    for trial in recorded.get_trials(deepcopy=False):
        key = trial.user_attrs.get("fingerprint")
        if key in states and "arm" in trial.params:
            found[key] = (trial.params["arm"], trial.params["seed"], states[key])
    begun = {cell[:2] for cell in found.values()}
    first = min((seed for _, seed in begun), default=0)
    seeds = range(first, first + (ledger.seed_counts or [0])[-1])
    planned = [(arm, seed) for seed in seeds for arm in ledger.plan.get("arms", {})]
    found |= {f"{arm}, seed {seed}": (arm, seed, None) for arm, seed in planned if (arm, seed) not in begun}
    return found, ledger.stopped


class Ledger:
    """The open Optuna study of a `Study`."""

    def __init__(self, study: Study, optuna_study: optuna.Study) -> None:
        self.study, self._optuna = study, optuna_study

    @classmethod
    def open(cls, store: Store, study: Study) -> Self | None:
        """The ledger of a study that has been run, else None; writes nothing."""
        if not (store.exists() and store.has_ledger):
            return None
        storage = _storage(store)
        if study.name not in optuna.study.get_all_study_names(storage):
            return None
        found = cls(study, optuna.load_study(study_name=study.name, storage=storage))
        return found if found.plan else None

    @classmethod
    def create(cls, store: Store, study: Study) -> Self:
        """The ledger of the study, made where it is missing."""
        directions = [DIRECTIONS[study.measure(name).better] for name in study.measures]
        with store.lock("create"):
            made = optuna.create_study(
                study_name=study.name, storage=_storage(store), directions=directions, load_if_exists=True
            )
        return cls(study, made)

    @cached_property
    def _numbers(self) -> Iterator[int]:
        """The numbers of the trials to come: Optuna counts from 0, and nobody else adds trials.

        Counted once, since to read all trials before every new one costs more with each.
        """
        return count(len(self._trials()))

    @property
    def plan(self) -> dict[str, Any]:
        """The plan as it was recorded by the first run, empty before it."""
        return dict(json.loads(self._optuna.user_attrs.get("plan", "{}")))

    @plan.setter
    def plan(self, plan: Mapping[str, Any]) -> None:
        self._optuna.set_user_attr("plan", json.dumps(plan, sort_keys=True))

    @property
    def seed_counts(self) -> list[int]:
        """The numbers of seeds that `run` was asked for, one after another."""
        return list(self._optuna.user_attrs.get("seeds", []))

    def add_seed_count(self, seeds: int) -> None:
        """Note that `run` is asked for `seeds` seeds."""
        if self.seed_counts[-1:] != [seeds]:
            self._optuna.set_user_attr("seeds", [*self.seed_counts, seeds])

    @property
    def stopped(self) -> dict[str, int]:
        """After how many seeds each arm was stopped that no undecided claim needed any more."""
        return dict(self._optuna.user_attrs.get("stopped", {}))

    @stopped.setter
    def stopped(self, arms: Mapping[str, int]) -> None:
        if self.stopped != arms:
            self._optuna.set_user_attr("stopped", dict(arms))

    @property
    def same_code(self) -> list[str]:
        """The versions of the code that were declared to be the same as that of the plan."""
        return list(self._optuna.user_attrs.get("same_code", {}).get(self._code, []))

    def add_same_code(self, version: str) -> None:
        """Note that this version of the code is taken for that of the plan."""
        if version not in self.same_code:
            self._optuna.set_user_attr("same_code", {self._code: [*self.same_code, version]})

    @property
    def _code(self) -> str:
        return str(self.plan.get("versions", {}).get(CODE, ""))

    @property
    def has_results(self) -> bool:
        """Whether any cell ever completed: then the plan must not change."""
        return TrialState.COMPLETE in self.states().values()

    def states(self) -> dict[str, TrialState]:
        """The state of each fingerprint: COMPLETE where any of its trials is, else that of its last trial."""
        found: dict[str, TrialState] = {}
        for trial in self._trials():
            key = trial.user_attrs.get("fingerprint")
            if key is not None and found.get(key) != TrialState.COMPLETE:
                found[key] = trial.state
        return found

    def begin(self, cell: Cell, fingerprint: str) -> int:
        """Add the cell's trial as RUNNING; its number."""
        settings = flat(cell.settings)
        params = {"arm": cell.arm, "seed": cell.seed}
        params |= {name: _plain(settings[name]) for name in self.study.columns}
        trial = running_trial(params, self._distributions, {"fingerprint": fingerprint})
        number = next(self._numbers)
        retry(lambda: self._optuna.add_trial(trial), lambda: self._add_missing(number, trial))
        return number

    def _add_missing(self, number: int, trial: FrozenTrial) -> None:
        """Add the trial after a try of which nobody knows whether it was: nobody else adds any."""
        if len(self._trials()) == number:
            self._optuna.add_trial(trial)

    def complete(self, number: int, metrics: Mapping[str, float]) -> None:
        """The cell's run finished with `metrics`; its measures are the trial's values.

        Optuna fails a trial with a value of NaN, and can take an infinite one for the best. The worst value
        stands for these there; MLflow has them as they are.
        """
        values = [metrics[name] for name in self.study.measures]
        worst = [inf if self.study.measure(name).better == "lower" else -inf for name in self.study.measures]
        values = [value if isfinite(value) else bad for value, bad in zip(values, worst, strict=True)]
        retry(lambda: self._optuna.tell(number, values, skip_if_finished=True))

    def fail(self, number: int) -> None:
        """The cell's run diverged, failed or was interrupted; MLflow's run says which."""
        retry(lambda: self._fail(number))

    def abandon(self) -> int:
        """Fail every trial that still says RUNNING: under the study's lock their coordinator is dead.

        Raises `ServerUnavailable` at once where Optuna's storage does not answer.
        """
        with user_errors():
            stale = [trial for trial in self._trials() if trial.state == TrialState.RUNNING]
            for trial in stale:
                self._fail(trial.number)
        return len(stale)

    def _fail(self, number: int) -> None:
        self._optuna.tell(number, state=TrialState.FAIL, skip_if_finished=True)

    def _trials(self) -> list[FrozenTrial]:
        return self._optuna.get_trials(deepcopy=False)

    @cached_property
    def _distributions(self) -> dict[str, Any]:
        study = self.study
        tables = [flat(settings) for settings in study.settings.values()]
        varied = {name: dict.fromkeys(_plain(table[name]) for table in tables) for name in study.columns}
        levels: dict[str, Any] = {"arm": study.settings, **varied}
        choices = {name: CategoricalDistribution(tuple(values)) for name, values in levels.items()}
        return choices | {"seed": IntDistribution(0, MOST_SEEDS)}


def running_trial(
    params: dict[str, Any],
    distributions: dict[str, BaseDistribution],
    attributes: dict[str, Any],
    system_attributes: dict[str, Any] | None = None,
) -> FrozenTrial:
    """A trial that has begun, to be added to a study."""
    trial = create_trial(
        state=TrialState.RUNNING,
        params=params,
        distributions=distributions,
        user_attrs=attributes,
        system_attrs=system_attributes,
    )
    trial.datetime_start = datetime.now(UTC).replace(tzinfo=None)
    return trial


def _storage(store: Store) -> optuna.storages.RDBStorage:
    try:
        with store.schema(store.optuna_url):
            if store.optuna_url.startswith("sqlite"):
                timeout = {"connect_args": {"timeout": 60}}
                return optuna.storages.RDBStorage(store.optuna_url, engine_kwargs=timeout)
            return _connected(store.optuna_url)
    except (SQLAlchemyError, OptunaError, ImportError, RuntimeError) as error:
        raise (ServerUnavailable if is_unavailable(error) else UserError)(
            f"Optuna's storage cannot be opened ({why(error, store.optuna_url)}): check --store or "
            "ABLATION_OPTUNA_STORAGE."
        ) from None  # the error may quote the password


@lru_cache(maxsize=4)
def _connected(address: str) -> optuna.storages.RDBStorage:
    """The storage in a database, once a process: each keeps its connections, of which a server has few."""
    return optuna.storages.RDBStorage(address, engine_kwargs={"pool_pre_ping": True})


def _plain(value: object) -> Any:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else value
