"""Effects over test items and seeds at once, where a run's number is a mean over groups of medians.

Seeds share items and items share seeds, so that neither are independent of the other. The variance of an
effect over seeds has in it what each seed does by itself, and what its items do; what the seeds lack is that
they meet the same items. That covariance is added: a bootstrap draws the items of each group anew, the same
ones for all seeds, and compares the variance of the mean over seeds with that of as many seeds that draw for
themselves. The interval is Student's with Satterthwaite's degrees of freedom, as over a table of seeds and
items (`crossed`), each group of items being a sample of its own. docs/decisions/0038-clustered-intervals.md
has how often it misses.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np
import pandas as pd
from scipy import stats

from ablation.claims import Rule
from ablation.seeds import derive
from ablation.stats.statistics import Array
from ablation.study import Study

DRAWS = 2000


@dataclass(frozen=True)
class Clustered:
    """The effect of a rule on a measure of items. estimate: as over seeds alone; low, high: for new seeds and
    new items; infinite where there is one seed, or groups have in all at most one item more than they are.

    items: how many different ones there are; values: how many were measured, those of each seed counted.
    effective_n: how many independent items would give the same spread; inf where nothing varies.
    """

    estimate: float
    low: float
    high: float
    items: int
    seeds: int
    values: int
    effective_n: float


def clustered(study: Study, rule: Rule, items: pd.DataFrame) -> Clustered | None:
    """The effect of `rule`, clustered by item and seed; None where its measure is none of items.

    `items` has the columns arm, seed, measure, group, item and value. The number of a cell is the mean over
    groups of the median over items; items without a group have none. Seeds under which an arm of the rule
    lacks an item are left out.
    """
    weights = rule.weights(study)
    own = items[(items["measure"] == rule.measure) & (items["group"] != "")]
    table = _paired(own, list(weights))
    if table.empty:
        return None
    seeds = table.index.unique("seed")
    groups_of = table.index.to_frame(index=False).groupby("seed")["group"].nunique()
    factors = np.array(list(weights.values()))
    rng = np.random.default_rng(derive(0, "crossed", rule.measure))
    by_seed, together, apart = np.zeros(len(seeds)), {}, 0.0
    for group, here in table.groupby(level="group", sort=True):
        # Of the mean over seeds, of which each is a mean over the groups that it has.
        plain, drawn = (each @ factors for each in _medians(rng, here.droplevel("group"), seeds))
        share = np.array([1 / groups_of[seed] for seed in seeds]) / len(seeds)
        there = np.isfinite(plain)
        by_seed[there] += (plain * share)[there] * len(seeds)
        moved = np.where(np.isfinite(drawn), drawn, plain)[:, there] * share[there]
        count = here.index.unique("item").size
        together[group] = (float(moved.sum(axis=1).var()), count - 1)
        apart += float(moved.var(axis=0).sum())
    estimate, n = float(by_seed.mean()), len(seeds)
    variance, degrees, distinct = 0.0, 0.0, table.reset_index().groupby("group")["item"].nunique().sum()
    if n > 1 and sum(count for _, count in together.values()) > 1:
        variance, degrees = float(by_seed.var(ddof=1)) / n, n - 1.0
        shared = (sum(v for v, _ in together.values()) - apart) * n / (n - 1)
        if shared > 0:
            least = variance**2 / (n - 1) + sum(v**2 / count for v, count in together.values() if count)
            variance += shared
            degrees = variance**2 / least
    reach = float(stats.t.isf(study.alpha / 2, degrees)) * sqrt(variance) if degrees else float("inf")
    return Clustered(
        estimate=estimate - rule.offset,
        low=estimate - rule.offset - reach,
        high=estimate - rule.offset + reach,
        items=int(distinct),
        seeds=n,
        values=len(table),
        effective_n=len(table) * apart / variance if variance > 0 else float("inf"),
    )


def _paired(items: pd.DataFrame, arms: list[str]) -> pd.DataFrame:
    """A row a seed, group and item, a column an arm; of the seeds under which every arm has every item."""
    table = items.pivot(index=["seed", "group", "item"], columns="arm", values="value").reindex(columns=arms)
    lacking = table.index.get_level_values("seed")[table.isna().any(axis=1)]
    return table.drop(index=lacking.unique(), level="seed")


def _medians(rng: np.random.Generator, rows: pd.DataFrame, seeds: pd.Index) -> tuple[Array, Array]:
    """The medians over the items of a group, (seeds, arms), and the same of items drawn anew, (draws, seeds,
    arms); NaN where a seed has, or has drawn, none. rows: by seed and item, a column an arm.
    """
    names = rows.index.unique("item")
    # Of two items the median is the mean, whose variance two draws would halve: one gives it unbiased.
    times = len(names) - (len(names) == 2)
    counts = rng.multinomial(times, np.full(len(names), 1 / len(names)), size=DRAWS).astype(np.float64)
    plain = np.full((len(seeds), rows.shape[1]), np.nan)
    drawn = np.full((DRAWS, *plain.shape), np.nan)
    for n, seed in enumerate(seeds):
        if seed in rows.index.unique("seed"):
            own = rows.xs(seed, level="seed")
            of_items = counts[:, names.get_indexer(own.index)]
            values = own.to_numpy(dtype=np.float64)
            plain[n] = np.median(values, axis=0)
            drawn[:, n] = np.stack([_median(arm, of_items) for arm in values.T], axis=1)
    return plain, drawn


def _median(values: Array, counts: Array) -> Array:
    """The median of `values` (n,), taken as often as `counts` (draws, n) says: (draws,), NaN for nothing."""
    order = values.argsort()
    ranked, upto = values[order], counts[:, order].cumsum(axis=1)
    half = upto[:, -1:] / 2
    low, high = (upto >= half).argmax(axis=1), (upto > half).argmax(axis=1)
    return np.where(upto[:, -1] > 0, (ranked[low] + ranked[high]) / 2, np.nan)
