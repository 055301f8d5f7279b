"""Looks: tests after some of the seeds, at which arms may be stopped, with the family-wise error kept.

A study declares at how many seeds it looks. At look k the declared test is computed on the first n_k seeds,
and may use the share w_k of its level; all shares sum to 1. By Bonferroni's inequality a true null hypothesis
is rejected at any of the looks with at most that level, whatever the test and however its results at
different looks depend on each other. What is spent up to n of N seeds is (n / N)^3 of the level: a power
family (Kim and DeMets, Design and analysis of group sequential tests based on the type I error spending rate
function, 1987), which leaves most of it to the last look.

The sequential p-value (Liu and Anderson, On adaptive extensions of group sequential trials, 2008) is the
smallest level at which a test rejects at a look taken so far: min p_k / w_k. It is a valid p-value wherever
a study stops, so that Holm's families run on it as on any other. docs/decisions/0040-sequential-rule.md has
what was simulated, and why boundaries that count on the correlation of looks were not taken.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from ablation.formatting import count, listing
from ablation.stats.cells import COMPLETE, STOPPED
from ablation.study import Study

SPENDING = 3
"""The exponent of the share of the level that is spent up to a share of the seeds."""


def shares(looks: Sequence[int]) -> tuple[float, ...]:
    """Which part of its level a test may use at each look, given at how many seeds they are."""
    spent = (np.array(looks, dtype=np.float64) / looks[-1]) ** SPENDING
    return tuple(np.diff(spent, prepend=0.0).tolist())


def share_at(study: Study, seeds: int) -> float:
    """The part of the level at the last look with `seeds` seeds or fewer: 0 before the first, and 1 where no
    looks are declared.
    """
    if not study.looks:
        return 1.0
    taken = sum(look <= seeds for look in study.looks)
    return shares(study.looks)[taken - 1] if taken else 0.0


def sequential_p(p: Sequence[float | None], parts: Sequence[float]) -> tuple[float, int]:
    """The sequential p-value of p[k] at looks with the shares parts[k], and the look k that gives it.

    None, where no test could be made at a look, counts as 1.
    """
    each = [1.0 if one is None else min(one / part, 1.0) for one, part in zip(p, parts, strict=True)]
    first = int(np.argmin(each))
    return each[first], first


def looks_taken(study: Study, cells: pd.DataFrame, arms: Sequence[str]) -> tuple[int, ...]:
    """The looks whose seeds are all complete in all of `arms`; `cells` has one row per planned cell."""
    if not study.looks:
        return ()
    whole = cells[cells["arm"].isin(arms) & (cells["state"] == COMPLETE)]
    counts = whole["seed"].value_counts()
    there = set(counts.index[counts == len(set(arms))].tolist())
    return tuple(look for look in study.looks if there.issuperset(study.first_seeds(look)))


def of_look(study: Study, cells: pd.DataFrame, look: int) -> pd.DataFrame:
    """The cells of the first `look` seeds."""
    return cells[cells["seed"].isin(study.first_seeds(look))]


def rule_words(study: Study) -> str:
    """The looks and their shares, as in "looks at 5 and 10 seeds, which get 12.5 and 87.5 % of the level"."""
    parts = [f"{100 * share:.1f}" for share in shares(study.looks)]
    places = listing([str(look) for look in study.looks])
    return f"looks at {places} seeds, which get {listing(parts)} % of the level of a test"


def stopped_arms(cells: pd.DataFrame) -> dict[str, int]:
    """After how many seeds each arm was stopped, of those that were."""
    seeds, stopped = int(cells["seed"].nunique()), cells["arm"][cells["state"] == STOPPED]
    counts = stopped.value_counts(sort=False)
    return {arm: seeds - int(counts[arm]) for arm in dict.fromkeys(stopped)}


def stopped_words(stopped: dict[str, int]) -> str:
    """As in "A and B after 5 seeds and C after 10 seeds"."""
    by_look: dict[int, list[str]] = {}
    for arm, seeds in stopped.items():
        by_look.setdefault(seeds, []).append(arm)
    return listing([f"{listing(by_look[n])} after {count(n, 'seed')}" for n in sorted(by_look)])


def looks_caveats(study: Study, cells: pd.DataFrame, arms: Sequence[Sequence[str]]) -> Iterator[str]:
    """The rule, the looks that each claim has taken, and what stopping does to estimates.

    arms[i] are those that claim i rests on.
    """
    if not study.looks:
        return
    yield (
        f"Sequential rule, declared before the runs: {rule_words(study)}. A p-value is the smallest level at "
        "which the test succeeds at a look taken so far."
    )
    taken: dict[str, list[str]] = {}
    for n, own in enumerate(arms, 1):
        places = looks_taken(study, cells, own)
        words = f"at {listing([str(look) for look in places])} seeds" if places else "none yet"
        taken.setdefault(words, []).append(f"claim {n}")
    if taken:
        each = [f"{words} for {listing(claims)}" for words, claims in taken.items()]
        yield f"Looks taken: {'; '.join(each)}. A look counts once all of its cells are complete."
    yield (
        "The interval of a difference is that of its last look, at the level that the look gets (repeated "
        "confidence interval): it holds at the level stated wherever the study stops. Intervals of means are "
        "not adjusted."
    )
    if stopped := stopped_arms(cells):
        yield (
            f"No undecided claim needed them any more, so these arms were stopped: {stopped_words(stopped)}. "
            "On average an effect that a look has shown early is estimated larger than it is."
        )
