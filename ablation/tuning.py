"""Settings that are looked for rather than studied: tuned afresh for every arm, or searched for a front."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import exp, log
from typing import Literal

TUNING_SEED = 1_000_000
"""The seed of every tuning and search run: its split and its draws are those of no cell."""


@dataclass(frozen=True)
class Tuned:
    """A number that every arm gets the best of, of `trials` values from `least` to `largest`.

    The values are evenly spaced on a logarithmic scale and the same for every arm, so that none has a
    larger budget of trials or a luckier draw. The best has the least validation loss, the arm's own.
    """

    setting: str
    least: float
    largest: float
    trials: int

    @cached_property
    def values(self) -> tuple[float, ...]:
        """What is tried, ascending, to three significant figures."""
        step = (log(self.largest) - log(self.least)) / (self.trials - 1)
        return tuple(float(f"{exp(log(self.least) + n * step):.3g}") for n in range(self.trials))


@dataclass(frozen=True)
class Search:
    """A search over ranges of settings, on a logarithmic scale, for two objectives at once.

    ranges[setting] is its least and largest value. The objectives are measures on validation images; the
    samplers are Optuna's: "tpe" or "nsga2". The hypervolume of what is found is measured up to
    `reference`, a value of each objective that is worse than any of use: declared, since one read off
    the trials would move with them.
    """

    ranges: Mapping[str, tuple[float, float]]
    trials: int
    objectives: tuple[str, str] = ("validation_mse", "validation_cross_entropy")
    sampler: Literal["tpe", "nsga2"] = "tpe"
    reference: tuple[float, float] = (0.1, 25.0)
