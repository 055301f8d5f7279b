"""Settings that are looked for rather than studied: tuned afresh for every arm, or searched over ranges."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import exp, log
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from ablation.errors import UserError, check_known
from ablation.fields import checked
from ablation.settings import flat, vary

if TYPE_CHECKING:
    from ablation.study import Study

TUNING_SEED = 1_000_000
"""The first seed of tuning and search runs: what they draw is drawn by no cell."""
CONFIRMING_SEED = 2_000_000
"""The seeds under which the best settings of a search are compared with the baseline begin at a multiple."""
RESERVED = ("number", "state", "seeds", "fingerprint", "run_id", "failure")
"""The columns of the table of trials, beside the searched settings and the objectives."""
Sampler = Literal["tpe", "nsga2"]


@checked
@dataclass(frozen=True)
class Range:
    """The values of a setting from `least` to `largest`, both included, that a search draws from.

    log: evenly on a logarithmic scale. A setting that is a whole number gets whole numbers.
    """

    least: int | float
    largest: int | float
    log: bool = False

    @property
    def ends(self) -> tuple[Any, Any]:
        """Two values of the setting that differ."""
        return self.least, self.largest

    @property
    def words(self) -> str:
        """As in "0.0001 to 0.01, log"."""
        return f"{self.least:g} to {self.largest:g}{', log' if self.log else ''}"

    @property
    def edges(self) -> tuple[int | float, ...]:
        """The numbers beyond which nothing is tried."""
        return self.least, self.largest

    def holds(self, value: object) -> bool:
        """Whether it has the value."""
        return isinstance(value, int | float) and self.least <= value <= self.largest

    def check(self, name: str, value: object) -> None:
        """Raise `UserError` where it is no range of the setting called `name`, which has the value."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise UserError(
                f"a Range is of numbers, but the setting {name} is {value!r}: name its values in a Choice."
            )
        if isinstance(value, int) and not (isinstance(self.least, int) and isinstance(self.largest, int)):
            raise UserError(
                f"the setting {name} is a whole number, {value}, and its Range wants whole numbers, but goes "
                f"from {self.least} to {self.largest}: write it as in Range(1, 8)."
            )
        if not self.least < self.largest or (self.log and self.least <= 0):
            wanted = "0 < least < largest on a logarithmic scale" if self.log else "least < largest"
            raise UserError(f"a Range wants {wanted}, but {name} has {self.least} and {self.largest}.")


@checked
@dataclass(frozen=True)
class Choice:
    """The values of a setting that a search chooses among, as in Choice(["relu", "gelu"])."""

    values: Sequence[bool | int | float | str]

    @property
    def ends(self) -> tuple[Any, Any]:
        """Two values of the setting that differ."""
        return self.values[0], self.values[-1]

    @property
    def words(self) -> str:
        """As in "relu, gelu"."""
        return ", ".join(map(str, self.values))

    @property
    def edges(self) -> tuple[int | float, ...]:
        """The numbers beyond which nothing is tried; none where the values are no numbers."""
        numbers = [one for one in self.values if isinstance(one, int | float) and not isinstance(one, bool)]
        return (min(numbers), max(numbers)) if numbers else ()

    def holds(self, value: object) -> bool:
        """Whether it has the value."""
        return value in self.values

    def check(self, name: str, value: object) -> None:
        """Raise `UserError` where these are no values of the setting called `name`, which has the value."""
        if len(set(self.values)) < max(2, len(self.values)):
            raise UserError(f"a Choice wants two or more different values, but {name} has {self.words}.")
        kinds = (int, float) if isinstance(value, float) else (type(value),)
        if odd := [one for one in self.values if type(one) not in kinds and value is not None]:
            raise UserError(
                f"a Choice wants values like the setting's own, but {name} is {value!r} and may become "
                f"{odd[0]!r}: give values of one type."
            )


@checked
@dataclass(frozen=True)
class Tuned:
    """A number that every arm gets the best of, of `trials` values from `least` to `largest`.

    The values are evenly spaced on a logarithmic scale and the same for every arm, so that none has a
    larger budget of trials or a luckier draw. The best has the least `measure`, the arm's own.
    """

    setting: str
    least: float
    largest: float
    trials: int
    measure: str = "validation_loss"

    @cached_property
    def values(self) -> tuple[float, ...]:
        """What is tried, ascending, to three significant figures."""
        step = (log(self.largest) - log(self.least)) / (self.trials - 1)
        return tuple(float(f"{exp(log(self.least) + n * step):.3g}") for n in range(self.trials))

    def check(self, study: "Study") -> None:
        """Raise `UserError` where the study cannot tune it."""
        check_known("setting", self.setting, flat(study.baseline))
        if self.setting in study.varied:
            raise UserError(
                f"a setting is tuned or varied by the arms, but {self.setting} is both: drop one."
            )
        if not (0 < self.least < self.largest and self.trials >= 2):
            raise UserError(
                f"tuning wants 0 < least < largest and at least 2 trials an arm, but got {self.least}, "
                f"{self.largest} and {self.trials}."
            )
        _check_on_validation(study, "tuning", self.measure)


@checked
@dataclass(frozen=True)
class Search:
    """A search over ranges of settings for two objectives at once.

    ranges[setting] is the `Range` of its values. The objectives are measures on validation data; the
    samplers are Optuna's: "tpe" or "nsga2". The hypervolume of what is found is measured up to
    `reference`, a value of each objective that is worse than any of use: declared, since one read off
    the trials would move with them.
    """

    ranges: Mapping[str, Range]
    trials: int
    objectives: tuple[str, str] = ("validation_mse", "validation_cross_entropy")
    sampler: Sampler = "tpe"
    reference: tuple[float, float] = (0.1, 25.0)
    kind: ClassVar[str] = "search"
    trial_seeds: ClassVar[int] = 1

    def check(self, study: "Study") -> None:
        """Raise `UserError` where the study cannot be searched so."""
        _check_ranges(study, self.ranges, self.trials)
        if len(set(self.objectives)) != 2:
            raise UserError(f"a search wants two objectives, but got {', '.join(self.objectives)}.")
        for name in self.objectives:
            _check_on_validation(study, "a search", name)
        if self.sampler == "nsga2" and len(self.ranges) < 2:
            raise UserError(
                'nsga2 crosses settings and wants two or more, but got one range: say sampler="tpe".'
            )


@checked
@dataclass(frozen=True)
class Tune:
    """A search over ranges for settings that are better than the baseline, and how they are confirmed.

    ranges[setting] is the `Range` or the `Choice` of its values. Each of `trials` settings is trained under
    `trial_seeds` seeds, one after another, and the best is that of the best mean `objective`, a measure on
    validation data; one that is worse than the median of the others after some of its seeds is dropped. The
    best settings are then compared with the baseline in `measure`, one of the study's, under `seeds` seeds
    that neither the search nor the study has.
    """

    measure: str
    ranges: Mapping[str, Range | Choice]
    trials: int
    objective: str = "validation_loss"
    trial_seeds: int = 3
    seeds: int = 10
    kind: ClassVar[str] = "tune"
    sampler: ClassVar[Sampler] = "tpe"

    @property
    def objectives(self) -> tuple[str]:
        """The objective, as of a search."""
        return (self.objective,)

    def check(self, study: "Study") -> None:
        """Raise `UserError` where the study cannot be tuned so."""
        if study.runs is not None:
            raise UserError("the runs of the study exist already, so nothing can be tuned: leave tune out.")
        if study.blocks.names:
            raise UserError(
                "tune is about one baseline, but every block has its own: declare it in a study without "
                "blocks."
            )
        check_known("measure in this study", self.measure, study.measures)
        _check_ranges(study, self.ranges, self.trials)
        _check_on_validation(study, "tune", self.objective)
        for name in (self.measure, self.objective):
            if study.measure(name).better == "neither":
                raise UserError(f"tune wants a measure with a better end, but {name} has none: name another.")
        if self.trial_seeds < 1 or self.seeds < 2:
            raise UserError(
                "tune wants at least 1 seed a trial and 2 to confirm, but got "
                f"trial_seeds={self.trial_seeds} and seeds={self.seeds}."
            )
        if study.first_seed + study.seeds > TUNING_SEED:
            raise UserError(
                f"tune draws seeds from {TUNING_SEED} on, which the study must not have, but its seeds end "
                f"at {study.first_seed + study.seeds - 1}: lower first_seed."
            )


def _check_ranges(study: "Study", ranges: Mapping[str, Any], trials: int) -> None:
    settings = flat(study.baseline)
    if not ranges:
        raise UserError("a search wants the range of at least one setting, but got none.")
    for name, one in ranges.items():
        if name in RESERVED:
            raise UserError(
                f"the table of trials has a column {name}, so no setting called {name} can be searched: give "
                "the setting another name."
            )
        check_known("setting", name, settings)
        one.check(name, settings[name])
        for value in one.values if isinstance(one, Choice) else one.ends:
            vary(study.baseline, {name: value})  # refuses what lies beyond the limits of the setting
    if trials < 2:
        raise UserError(f"a search wants at least 2 trials, but got {trials}.")


def _check_on_validation(study: "Study", what: str, name: str) -> None:
    if not study.measure(name).validation:
        raise UserError(f"{what} wants objectives on validation data, but {name} is not one of them.")
