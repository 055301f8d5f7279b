"""A search in Optuna: what it would ask for, checked; a trial a turn, asked for as its turn comes."""

from dataclasses import replace
from datetime import UTC, datetime
from math import isfinite
from typing import Any, get_args

from optuna.distributions import FloatDistribution
from optuna.samplers import BaseSampler, NSGAIISampler, TPESampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from ablation.emoji.spec import fingerprint, flat, identity, vary
from ablation.errors import UserError, unknown
from ablation.measures import measure
from ablation.runner.ledger import Ledger
from ablation.seeds import derive
from ablation.study import Cell, Search, Study
from ablation.tracking.retry import patiently
from ablation.tuning import TUNING_SEED

STARTUP = 4  # trials drawn at random before TPE has something to learn from
POPULATION = 8  # of NSGA-II: Optuna's 50 would make a search of dozens of trials a random one
QUICK_TRIALS = 3


def check_search(study: Study) -> Search:
    """The study's search, as large as it will be; a `UserError` where it has none or an unsound one."""
    search = study.search
    if search is None:
        raise UserError(
            f"{study.name} has no search: add search=Search(...) to its file, or run it without --search."
        )
    settings = flat(study.baseline)
    if not search.ranges:
        raise UserError("a search wants the range of at least one setting, but got none.")
    for name, (least, largest) in search.ranges.items():
        if name not in settings:
            raise unknown("setting", name, settings)
        if not isinstance(settings[name], float):
            raise UserError(f"a search wants settings that are fractions, but {name} is {settings[name]!r}.")
        if not 0 < least < largest < float("inf"):
            raise UserError(f"a search wants 0 < least < largest, but {name} has {least} and {largest}.")
    if search.trials < 2:
        raise UserError(f"a search wants at least 2 trials, but got {search.trials}.")
    if len(set(search.objectives)) != 2:
        raise UserError(f"a search wants two objectives, but got {', '.join(search.objectives)}.")
    for name in search.objectives:
        if not measure(name).name.startswith("validation_"):
            raise UserError(f"a search wants objectives on validation images, but {name} is not one of them.")
    if not all(map(isfinite, search.reference)):
        raise UserError(f"a search wants a finite reference, but got {search.reference}.")
    if search.sampler not in (samplers := get_args(Search.__annotations__["sampler"])):
        raise unknown("sampler", search.sampler, samplers)
    if search.sampler == "nsga2" and len(search.ranges) < 2:
        raise UserError('nsga2 crosses settings and wants two or more, but got one range: say sampler="tpe".')
    return replace(search, trials=min(search.trials, QUICK_TRIALS)) if study.quick else search


def searched(study: Study) -> Study:
    """The search as a study of its own, called "<study>-search": its arms are the ends of the ranges.

    They are never run: they say which settings vary. Its measures are the objectives; no effect is
    judged, so their smallest effects of interest play no part.
    """
    search = check_search(study)
    first, second = (measure(name).label for name in search.objectives)
    ends = {end: {k: pair[i] for k, pair in search.ranges.items()} for i, end in enumerate(("least", "most"))}
    return Study(
        name=f"{study.name}-search",
        question=f"Which compromises of {first} and {second} are there in {' and '.join(search.ranges)}?",
        source=study.source,
        baseline=vary(study.baseline, {"seed": TUNING_SEED}),
        arms=ends,
        measures=dict.fromkeys(search.objectives, 1.0),
        quick=study.quick,
    )


def plan_of_search(study: Study, data: str) -> dict[str, Any]:
    """What must not change once trials exist, as plain JSON; `data` is the images' fingerprint.

    The number of trials is not in it: more may be added.
    """
    search = check_search(study)
    baseline = identity(searched(study).baseline)
    return {
        "data": data,
        "ranges": {name: list(map(float, pair)) for name, pair in search.ranges.items()},
        "objectives": list(search.objectives),
        "reference": list(map(float, search.reference)),
        "sampler": search.sampler,
        "baseline": {k: list(v) if isinstance(v, tuple) else v for k, v in baseline.items()},
    }


class Trials(Ledger):
    """The open Optuna study of `searched(study)`.

    A trial says its turn, counted from 0, its fingerprint and its settings. A turn whose trial failed
    is taken again with the settings that it was given, so that a run that was recorded before its
    coordinator died is found again.
    """

    def last(self) -> dict[int, FrozenTrial]:
        """The trial of every turn that was taken: the complete one, else the latest."""
        found: dict[int, FrozenTrial] = {}
        for trial in self._trials():
            turn = trial.user_attrs.get("turn")
            if turn is not None and (turn not in found or found[turn].state != TrialState.COMPLETE):
                found[turn] = trial
        return found

    def ask(self, turn: int, search: Search, data: str) -> tuple[str, Cell]:
        """Begin the turn's trial: the fingerprint of its run, and the cell "trial <turn>" to compute.

        The sampler is made anew, from the turn alone: so a search that was interrupted draws what an
        undisturbed one draws, and never the first numbers of its seed a second time.
        """
        return patiently(lambda: self._ask(turn, search, data), lambda: self._ask_anew(turn, search, data))

    def _ask_anew(self, turn: int, search: Search, data: str) -> tuple[str, Cell]:
        """Ask again after a try of which nobody knows how far it came: what it began is no trial yet."""
        for trial in self._trials():
            if trial.state == TrialState.RUNNING and trial.user_attrs.get("turn", turn) == turn:
                self._fail(trial.number)
        return self._ask(turn, search, data)

    def _ask(self, turn: int, search: Search, data: str) -> tuple[str, Cell]:
        ranges = {name: FloatDistribution(*pair, log=True) for name, pair in search.ranges.items()}
        before = self.last().get(turn)
        if before is not None and before.distributions == ranges:
            spec = vary(self.study.baseline, before.params)
            key = fingerprint(spec, data)
            self._repeat(before, {"turn": turn, "fingerprint": key})
        else:
            self._optuna.sampler = _sampler(search, turn)
            trial = self._optuna.ask(dict(ranges))
            spec = vary(self.study.baseline, trial.params)
            key = fingerprint(spec, data)
            trial.set_user_attr("fingerprint", key)
            trial.set_user_attr("turn", turn)
        return key, Cell(f"trial {turn}", spec.seed, spec)

    def begin(self, cell: Cell, fingerprint: str) -> int:
        """The number of the cell's trial, which `ask` began."""
        running = (trial for trial in patiently(self._trials) if trial.state == TrialState.RUNNING)
        return next(t.number for t in running if cell.arm == f"trial {t.user_attrs.get('turn')}")

    def _repeat(self, trial: FrozenTrial, attributes: dict[str, Any]) -> None:
        again = create_trial(
            state=TrialState.RUNNING,
            params=trial.params,
            distributions=trial.distributions,
            user_attrs=attributes,
            system_attrs=trial.system_attrs,  # NSGA-II keeps the generation there
        )
        again.datetime_start = datetime.now(UTC).replace(tzinfo=None)
        self._optuna.add_trial(again)


def _sampler(search: Search, turn: int) -> BaseSampler:
    seed = derive(TUNING_SEED, "search", str(turn))
    if search.sampler == "nsga2":
        return NSGAIISampler(seed=seed, population_size=POPULATION)
    return TPESampler(seed=seed, n_startup_trials=STARTUP, multivariate=True, constant_liar=True)
