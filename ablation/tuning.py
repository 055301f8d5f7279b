"""Settings that are looked for rather than studied: tuned afresh for every arm, or searched for a front."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import exp, log
from typing import TYPE_CHECKING, Literal

from ablation.errors import UserError, check_known
from ablation.fields import checked
from ablation.settings import flat

if TYPE_CHECKING:
    from ablation.study import Study

TUNING_SEED = 1_000_000
"""The seed of every tuning and search run: what it draws is drawn by no cell."""
Sampler = Literal["tpe", "nsga2"]


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
    """A search over ranges of settings, on a logarithmic scale, for two objectives at once.

    ranges[setting] is its least and largest value. The objectives are measures on validation data; the
    samplers are Optuna's: "tpe" or "nsga2". The hypervolume of what is found is measured up to
    `reference`, a value of each objective that is worse than any of use: declared, since one read off
    the trials would move with them.
    """

    ranges: Mapping[str, tuple[float, float]]
    trials: int
    objectives: tuple[str, str] = ("validation_mse", "validation_cross_entropy")
    sampler: Sampler = "tpe"
    reference: tuple[float, float] = (0.1, 25.0)

    def check(self, study: "Study") -> None:
        """Raise `UserError` where the study cannot be searched so."""
        settings = flat(study.baseline)
        if not self.ranges:
            raise UserError("a search wants the range of at least one setting, but got none.")
        for name, (least, largest) in self.ranges.items():
            check_known("setting", name, settings)
            if not isinstance(settings[name], float):
                raise UserError(
                    f"a search wants settings that are fractions, but {name} is {settings[name]!r}."
                )
            if not 0 < least < largest < float("inf"):
                raise UserError(f"a search wants 0 < least < largest, but {name} has {least} and {largest}.")
        if self.trials < 2:
            raise UserError(f"a search wants at least 2 trials, but got {self.trials}.")
        if len(set(self.objectives)) != 2:
            raise UserError(f"a search wants two objectives, but got {', '.join(self.objectives)}.")
        for name in self.objectives:
            _check_on_validation(study, "a search", name)
        if self.sampler == "nsga2" and len(self.ranges) < 2:
            raise UserError(
                'nsga2 crosses settings and wants two or more, but got one range: say sampler="tpe".'
            )


def _check_on_validation(study: "Study", what: str, name: str) -> None:
    if not study.measure(name).validation:
        raise UserError(f"{what} wants objectives on validation data, but {name} is not one of them.")
