"""Effects: what an arm changes, paired by seed, with its interval, its test and its verdict."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

from ablation.analyse.cells import values
from ablation.analyse.grid import one_picture
from ablation.analyse.statistics import (
    Array,
    Estimate,
    equal,
    equivalence,
    holm,
    interval,
    p_value,
    replication_ratio,
)
from ablation.errors import Mistake
from ablation.measures import measure as find_measure
from ablation.study import Difference, Study, Trend

FEWEST_SEEDS = 5
"""Below this a study is exploratory: it gets intervals, but no p-values and no verdicts."""


@dataclass(frozen=True)
class Contrast:
    """One number per seed, and what the declared test says of their mean.

    seeds[i] is the seed of differences[i]. The p-values are None where no test is made: fewer than
    `FEWEST_SEEDS` seeds, a cell not complete, a smoke budget, or equal differences. `equal` says that
    the last is the reason.
    """

    measure: str
    arms: tuple[str, ...]
    seeds: tuple[int, ...]
    differences: tuple[float, ...]
    estimate: Estimate
    p: float | None
    p_equivalence: float | None
    equal: bool


@dataclass(frozen=True)
class Effect:
    """The paired difference of `arm` to the baseline in `measure`, in the unit of the measure.

    p_holm and p_equivalence_holm are adjusted over the arms of the study within the measure. `equal` says
    that no test is made for the sole reason that every seed gives the same difference.
    """

    arm: str
    measure: str
    estimate: Estimate
    p: float | None
    p_holm: float | None
    p_equivalence_holm: float | None
    verdict: Literal["better", "worse", "equivalent", "inconclusive"]
    seeds: tuple[int, ...]
    equal: bool


def effects(study: Study, cells: pd.DataFrame) -> tuple[Effect, ...]:
    """The effect of every arm but the reference on every measure, measure by measure.

    `cells` has one row per planned cell. Seeds under which the arm or the reference is not complete
    are left out of the estimate, and such an effect is not tested: what is left is not the sample that
    the study declared, and cells that diverge do not do so at random.
    """
    return tuple(effect for name in study.measures for effect in _of_measure(study, cells, name))


def contrast(study: Study, cells: pd.DataFrame, rule: Trend | Difference) -> Contrast:
    """The differences that `rule` speaks of, one per seed, and their test."""
    weights = _weights(study, rule)
    seeds, table = values(cells, rule.measure, list(weights))
    factors = np.array(list(weights.values()))
    differences = table @ factors
    same = equal(differences, float(np.max(np.abs(table) @ np.abs(factors), initial=0)))
    ratio = replication_ratio(study.test, study.baseline.data.parts)
    # Every planned seed has to count: a gap, or a number that is none, breaks the declared sample.
    whole = FEWEST_SEEDS <= len(seeds) == cells["seed"].nunique() and not study.quick
    tested, sesoi = whole and not same, study.measures[rule.measure]
    least = one_picture(study, cells, rule.measure) * float(np.abs(factors).max())
    return Contrast(
        rule.measure,
        tuple(weights),
        seeds,
        tuple(float(d) for d in differences),
        interval(differences, 1 - study.alpha, ratio),
        p_value(differences, study.test, ratio) if tested else None,
        equivalence(differences, sesoi, ratio, least) if tested else None,
        whole and same,
    )


def _weights(study: Study, rule: Trend | Difference) -> dict[str, float]:
    """What each arm's value counts in the difference that `rule` speaks of, by arm name."""
    if isinstance(rule, Difference):
        return {rule.arm: 1.0, study.reference: -1.0}
    return dict(zip(study.levels(rule.along), map(float, slope(study, rule)), strict=True))


def slope(study: Study, rule: Trend) -> Array:
    """Weights that turn one seed's values into their least-squares change over the whole range.

    One weight per arm of `study.levels`, those that differ from the baseline in `along` alone. The line is
    fitted over log2 of the levels, the levels or their ranks; its slope times the range of those is the
    fitted change from the least to the largest level.
    """
    levels = np.array(list(study.levels(rule.along).values()))
    if rule.scale == "log2" and levels.min() <= 0:
        raise Mistake(
            f"a trend along {rule.along} on a log2 scale wants levels above 0, but got {levels.min():g}: "
            'declare it with scale="rank" or "linear".'
        )
    if rule.scale == "log2":
        levels = np.log2(levels)
    if rule.scale == "rank":
        levels = stats.rankdata(levels, "dense").astype(np.float64)
    centred = levels - levels.mean()
    return np.asarray(centred / (centred @ centred) * np.ptp(levels), dtype=np.float64)


def adjusted(ps: Iterable[float | None]) -> tuple[float | None, ...]:
    """Holm's p-values; None stays None and keeps its place in the family."""
    family = holm([float("nan") if p is None else p for p in ps])
    return tuple(None if np.isnan(p) else p for p in family)


def _of_measure(study: Study, cells: pd.DataFrame, name: str) -> Iterable[Effect]:
    arms = [arm for arm in study.specs if arm != study.reference]
    found = [contrast(study, cells, Difference(name, "up", arm)) for arm in arms]
    ps, equals = adjusted(c.p for c in found), adjusted(c.p_equivalence for c in found)
    for arm, c, p, p_equal in zip(arms, found, ps, equals, strict=True):
        verdict = _verdict(study, name, c.estimate.mean, p, p_equal)
        yield Effect(arm, name, c.estimate, c.p, p, p_equal, verdict, c.seeds, c.equal)


def _verdict(
    study: Study, name: str, mean: float, p: float | None, p_equal: float | None
) -> Literal["better", "worse", "equivalent", "inconclusive"]:
    if p is None or p_equal is None:
        return "inconclusive"
    if p_equal < study.alpha:
        return "equivalent"
    if p < study.alpha:
        return "better" if (mean > 0) == (find_measure(name).better == "higher") else "worse"
    return "inconclusive"
