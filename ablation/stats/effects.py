"""Effects: what an arm changes, paired by seed, with its interval, its test and its verdict."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import Literal

import numpy as np
import pandas as pd

from ablation.claims import Claim, Difference, Over, Rule
from ablation.stats.cells import Seed, common, values
from ablation.stats.crossed import Sample, sampled
from ablation.stats.items import paired
from ablation.stats.sequential import looks_taken, of_look, sequential_p, share_at
from ablation.stats.statistics import (
    ROUNDING,
    Array,
    Estimate,
    equal,
    exclusion,
    holm,
    holm_excluded,
    interval,
    p_value,
    share,
)
from ablation.study import FEWEST_SEEDS, Study

Judgement = Literal["better", "worse", "higher", "lower", "equivalent", "inconclusive", "not judged"]
"""The last: a gate of the measure is not passed (`gates.without_verdicts`)."""


@dataclass(frozen=True)
class Contrast:
    """The effect of a rule: one number per seed, and what the declared test says of their mean.

    seeds[i] is the seed of differences[i]. The p-values are None where no test is made: fewer than
    `FEWEST_SEEDS` seeds, a cell not complete, a smoke budget, or equal differences. `equal`: the last is
    the only reason. p_excluded is that of an effect as large as the smallest that matters, in the direction
    of the rule; None for a rule without one. p_holm, p_equivalence_holm and p_excluded_holm are adjusted over
    the rule's family (`contrasts`), which has `family` members. `step` is the least deviation over seeds
    that tests of equivalence and of exclusion assume. `above`: under how many seeds the difference is above
    0, half a seed for one that is 0.
    `up`: whether it is an effect above 0 that p is of. `weight`: which part of alpha the tests at these seeds
    may use, below 1 at a look (`sequential`); then the seeds are those of the last look taken, the p-values
    sequential, and the interval is at the level of that look.
    `sample`: over which items or blocks, where these are a sample; fewer than `Sample.fewest` clusters of
    them are not tested either. `these`: then the same mean with its interval over seeds alone, which is about
    these items, or blocks, and no others. by_block[block]: of a rule over blocks, its effect in each, over
    seeds.
    """

    rule: Rule
    arms: tuple[str, ...]
    seeds: tuple[Seed, ...]
    differences: tuple[float, ...]
    estimate: Estimate
    p: float | None
    p_equivalence: float | None
    p_excluded: float | None
    equal: bool
    step: float
    above: float
    up: bool
    weight: float = 1.0
    sample: Sample | None = None
    these: Estimate | None = None
    by_block: Mapping[str, Estimate] = field(default_factory=dict)
    family: int = 1
    p_holm: float | None = None
    p_equivalence_holm: float | None = None
    p_excluded_holm: float | None = None


@dataclass(frozen=True)
class Effect(Contrast):
    """The difference of `arm` to `reference`, with its verdict; its family are the arms within the measure.

    `reference` is the arm that `arm` is compared to: the baseline, unless the study's `against` names
    another.
    """

    verdict: Judgement = "inconclusive"

    def better(self, study: Study) -> Estimate:
        """The probability that the arm is better than its reference under a new seed (higher, where neither
        way is better), and its interval: the share of seeds under which it was (`statistics.share`).

        P(A > B) of Bouthillier et al., Accounting for variance in machine learning benchmarks, 2021.
        """
        n = len(self.differences)
        wins = n - self.above if study.measure(self.measure).better == "lower" else self.above
        return share(wins, n, 1 - study.alpha)

    @property
    def arm(self) -> str:
        """The arm whose effect it is."""
        return self.arms[0]

    @property
    def reference(self) -> str:
        """The arm that it is compared to."""
        return self.arms[1]

    @property
    def measure(self) -> str:
        """The measure, in whose unit the effect is."""
        return self.rule.measure


def effects(study: Study, cells: pd.DataFrame, items: pd.DataFrame | None = None) -> tuple[Effect, ...]:
    """The effect of every arm that is compared to another on every measure, measure by measure.

    `cells` has one row per planned cell, and `items` one per item of its run, which only a study reads whose
    items are a sample (`items.paired`). Seeds under which the arm or its reference is not complete
    are left out of the estimate, and such an effect is not tested: what is left is not the sample that
    the study declared, and cells that diverge do not do so at random.
    """
    arms = [arm for arm in study.settings if arm != study.reference_of(arm)]
    return tuple(
        Effect(**vars(found), verdict=_verdict(study, found))
        for name in study.measures
        for found in contrasts(study, cells, [Difference(name, "up", arm) for arm in arms], items)
    )


def contrasts(
    study: Study, cells: pd.DataFrame, rules: Sequence[Rule], items: pd.DataFrame | None = None
) -> list[Contrast]:
    """The contrast of every rule, with adjusted p-values: the rules are one family.

    Of differences by Holm; of equivalence by Holm; of exclusion in one family with equivalence
    (`statistics.holm_excluded`).
    """
    found = [contrast(study, cells, rule, items) for rule in rules]
    equivalent = holm([c.p_equivalence for c in found])
    excluded = holm_excluded([c.p_excluded for c in found], equivalent)
    adjusted = zip(found, holm([c.p for c in found]), equivalent, excluded, strict=True)
    return [
        replace(c, family=len(found), p_holm=p, p_equivalence_holm=p_equal, p_excluded_holm=p_excluded)
        for c, p, p_equal, p_excluded in adjusted
    ]


def family_of(study: Study, claim: Claim) -> int:
    """How many claims share Holm's family with `claim`: those that count are one, the others another.

    A claim that does not count never makes it harder to show one that does, nor the other way round.
    """
    return sum(other.counts == claim.counts for other in study.claims)


def contrast(study: Study, cells: pd.DataFrame, rule: Rule, items: pd.DataFrame | None = None) -> Contrast:
    """The differences that `rule` speaks of, one per seed, and their test.

    Where the study declares looks, those of the last look that is whole for the rule's arms, tested by what
    all looks so far say; before the first, those there are.
    """
    looks = looks_taken(study, cells, list(rule.weights(study)))
    if not looks:
        return _contrast(study, cells, rule, items)
    parts = [share_at(study, look) for look in looks]
    at = [_contrast(study, of_look(study, cells, look), rule, items, look) for look in looks]
    last = at[-1]
    if last.p is None:
        return last
    p, decisive = sequential_p([found.p for found in at], parts)
    return replace(
        last,
        p=p,
        up=at[decisive].up,
        p_equivalence=sequential_p([found.p_equivalence for found in at], parts)[0],
        p_excluded=sequential_p([found.p_excluded for found in at], parts)[0] if rule.direction else None,
    )


def _contrast(
    study: Study, cells: pd.DataFrame, rule: Rule, items: pd.DataFrame | None, look: int = 0
) -> Contrast:
    """The contrast of the seeds in `cells`.

    look: at how many seeds; 0 where it is none, and then a study that declares looks tests nothing.
    """
    weight = share_at(study, look) if look else 1.0
    parts, level = rule.weights(study), 1 - study.alpha * weight
    arms, factors = list(parts), np.array(list(parts.values()))
    seeds, table = values(cells, rule.measure, arms)
    sample = None
    if study.of_items:
        table, clusters, lacking = paired(items, rule.measure, seeds, arms)
    differences = table @ factors - rule.offset  # (seeds,), or (seeds, items)
    blocks, by_block = _by_block(study, rule, table, arms)
    scale = np.abs(table) @ np.abs(factors) + abs(rule.offset)
    largest = float(np.max(scale, initial=0))
    same = equal(differences.ravel(), largest)
    # Every planned seed has to count: a missing cell or value breaks the declared sample.
    whole = FEWEST_SEEDS <= len(seeds) == len(common(cells, arms)) and not study.quick
    whole = whole and bool(look or not study.looks)
    if study.of_items:
        sample = sampled(differences, clusters, lacking)
    elif isinstance(rule, Over) and rule.blocks == "new":
        differences = blocks
        sample = sampled(blocks, np.arange(blocks.shape[1]), of="blocks")
        same = equal(blocks.ravel(), largest)
    if sample is not None:
        whole = whole and sample.clusters >= sample.fewest
        # Differences that cancel within every cluster leave nothing to test by.
        same = same or (sample.clusters > 1 and sample.error() <= ROUNDING * largest)
        seeds = seeds if sample.items else ()
        differences = differences.mean(axis=1) if sample.items else np.empty(0)
    tested, sesoi = whole and not same, study.measures.get(rule.measure, inf)  # a gate's needs none
    # A spread below the step of the measure shows that the seeds are few, not that the mean is precise.
    step = study.experiment.resolution(study, cells, rule.measure) * float(np.abs(factors).max())
    these = None if sample is None else interval(differences, level, study.ratio)
    if sample is None:
        estimate = interval(differences, level, study.ratio)
        p = p_value(differences, study.test, study.ratio) if tested else None
    else:
        estimate = sample.interval(level)
        p = sample.p_value() if tested else None

    tie = ROUNDING * largest

    def excluded(sign: int) -> float:
        if sample is None:
            return exclusion(sign * differences, sesoi, study.ratio, step)
        return sample.exclusion(sesoi, step, sign)

    above, below = (excluded(1), excluded(-1)) if tested else (None, None)
    return Contrast(
        rule,
        tuple(parts),
        seeds,
        tuple(differences.tolist()),
        estimate,
        p,
        None if above is None or below is None else max(above, below),
        {"up": above, "down": below, None: None}[rule.direction],
        whole and same,
        step,
        float(np.sum(differences > tie) + np.sum(differences >= -tie)) / 2,
        bool(estimate.mean > 0),
        weight,
        sample,
        these,
        by_block,
    )


def _by_block(
    study: Study, rule: Rule, table: Array, arms: Sequence[str]
) -> tuple[Array, dict[str, Estimate]]:
    """The effect in each block under each seed, (seeds, blocks), and over all seeds; of `table` as (seeds,
    arms) or (seeds, items, arms). No block where the rule is over none.
    """
    if not isinstance(rule, Over):
        return np.empty((len(table), 0)), {}
    runs = table if table.ndim == 2 else table.mean(axis=1) if table.shape[1] else table[:0, 0]
    weights = rule.by_block(study)
    factors = [[own.get(arm, 0.0) for own in weights.values()] for arm in arms]
    blocks = runs @ np.array(factors) - rule.offset
    level = 1 - study.alpha
    return blocks, {
        block: interval(values, level, study.ratio) for block, values in zip(weights, blocks.T, strict=True)
    }


def mean_of(
    study: Study, cells: pd.DataFrame, arm: str, measure: str, items: pd.DataFrame | None = None
) -> Estimate:
    """The mean of an arm over its complete seeds, and over their common items where these are a sample."""
    seeds, table = values(cells, measure, [arm])
    if not study.of_items:
        return interval(table[:, 0], 1 - study.alpha, study.ratio)
    of_items, clusters, lacking = paired(items, measure, seeds, [arm])
    return sampled(of_items[..., 0], clusters, lacking).interval(1 - study.alpha)


def _verdict(study: Study, found: Contrast) -> Judgement:
    if found.p_holm is None or found.p_equivalence_holm is None:
        return "inconclusive"
    if found.p_equivalence_holm < study.alpha:
        return "equivalent"
    if found.p_holm >= study.alpha:
        return "inconclusive"
    better, up = study.measure(found.rule.measure).better, found.up
    if better == "neither":
        return "higher" if up else "lower"
    return "better" if up == (better == "higher") else "worse"
