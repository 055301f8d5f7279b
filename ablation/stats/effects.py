"""Effects: what an arm changes, paired by seed, with its interval, its test and its verdict."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from ablation.claims import Difference, Rule
from ablation.stats.cells import values
from ablation.stats.statistics import Estimate, equal, equivalence, holm, interval, p_value
from ablation.study import Study

Judgement = Literal["better", "worse", "higher", "lower", "equivalent", "inconclusive"]
FEWEST_SEEDS = 5
"""Below this a study is exploratory: it gets intervals, but no p-values and no verdicts."""


@dataclass(frozen=True)
class Contrast:
    """The effect of a rule: one number per seed, and what the declared test says of their mean.

    seeds[i] is the seed of differences[i]. The p-values are None where no test is made: fewer than
    `FEWEST_SEEDS` seeds, a cell not complete, a smoke budget, or equal differences. `equal`: the last is
    the only reason.
    """

    rule: Rule
    arms: tuple[str, ...]
    seeds: tuple[int, ...]
    differences: tuple[float, ...]
    estimate: Estimate
    p: float | None
    p_equivalence: float | None
    equal: bool


@dataclass(frozen=True)
class Effect:
    """The paired difference of `arm` to `reference` in `measure`, in the unit of the measure.

    `reference` is the arm that `arm` is compared to: the baseline, unless the study's `against` names
    another. p_holm and p_equivalence_holm are adjusted over the arms of the study within the measure.
    `equal`: no test is made, and the only reason is that every seed gives the same difference.
    """

    arm: str
    reference: str
    measure: str
    estimate: Estimate
    p: float | None
    p_holm: float | None
    p_equivalence_holm: float | None
    verdict: Judgement
    seeds: tuple[int, ...]
    equal: bool


def effects(study: Study, cells: pd.DataFrame) -> tuple[Effect, ...]:
    """The effect of every arm that is compared to another on every measure, measure by measure.

    `cells` has one row per planned cell. Seeds under which the arm or its reference is not complete
    are left out of the estimate, and such an effect is not tested: what is left is not the sample that
    the study declared, and cells that diverge do not do so at random.
    """
    return tuple(effect for name in study.measures for effect in _of_measure(study, cells, name))


def contrast(study: Study, cells: pd.DataFrame, rule: Rule) -> Contrast:
    """The differences that `rule` speaks of, one per seed, and their test."""
    parts = rule.weights(study)
    seeds, table = values(cells, rule.measure, list(parts))
    factors = np.array(list(parts.values()))
    differences = table @ factors - rule.offset
    scale = np.abs(table) @ np.abs(factors) + abs(rule.offset)
    same = equal(differences, float(np.max(scale, initial=0)))
    # Every planned seed has to count: a missing cell or value breaks the declared sample.
    whole = FEWEST_SEEDS <= len(seeds) == cells["seed"].nunique() and not study.quick
    tested, sesoi = whole and not same, study.measures[rule.measure]
    # A spread below the step of the measure shows that the seeds are few, not that the mean is precise.
    step = study.experiment.resolution(study, cells, rule.measure) * float(np.abs(factors).max())
    return Contrast(
        rule,
        tuple(parts),
        seeds,
        tuple(float(d) for d in differences),
        interval(differences, 1 - study.alpha, study.ratio),
        p_value(differences, study.test, study.ratio) if tested else None,
        equivalence(differences, sesoi, study.ratio, step) if tested else None,
        whole and same,
    )


def adjusted(ps: Iterable[float | None]) -> tuple[float | None, ...]:
    """Holm's p-values; None stays None and keeps its place in the family."""
    family = holm([float("nan") if p is None else p for p in ps])
    return tuple(None if np.isnan(p) else p for p in family)


def _of_measure(study: Study, cells: pd.DataFrame, name: str) -> Iterable[Effect]:
    arms = [arm for arm in study.settings if arm != study.reference_of(arm)]
    found = [contrast(study, cells, Difference(name, "up", arm)) for arm in arms]
    ps, equals = adjusted(c.p for c in found), adjusted(c.p_equivalence for c in found)
    for arm, c, p, p_equal in zip(arms, found, ps, equals, strict=True):
        verdict = _verdict(study, name, c.estimate.mean, p, p_equal)
        reference = study.reference_of(arm)
        yield Effect(arm, reference, name, c.estimate, c.p, p, p_equal, verdict, c.seeds, c.equal)


def _verdict(study: Study, name: str, mean: float, p: float | None, p_equal: float | None) -> Judgement:
    if p is None or p_equal is None:
        return "inconclusive"
    if p_equal < study.alpha:
        return "equivalent"
    if p < study.alpha:
        better = study.measure(name).better
        if better == "neither":
            return "higher" if mean > 0 else "lower"
        return "better" if (mean > 0) == (better == "higher") else "worse"
    return "inconclusive"
