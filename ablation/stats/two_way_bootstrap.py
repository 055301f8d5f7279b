"""Effects over test items and seeds at once: a bootstrap that draws both anew, and the effective n.

Seeds share items and items share seeds, so that neither are independent of the other. The pigeonhole
bootstrap (Owen, The pigeonhole bootstrap, 2007) draws seeds and items separately and weighs every value by
how often its seed and its item were drawn. The interval is Student's around the estimate, with the
bootstrap's spread and as many degrees of freedom as the fewer of seeds and items less one (Cameron, Gelbach
and Miller, Robust inference with multiway clustering, 2011).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from ablation.claims import Rule
from ablation.seeds import derive
from ablation.stats.statistics import Array
from ablation.study import Study

DRAWS = 2000
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Clustered:
    """The effect of a rule on a measure of items. estimate: as over seeds alone; low, high: by bootstrap.

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
    values = table.to_numpy(dtype=np.float64)
    places = table.index.to_frame(index=False)
    seed, group, item = (_numbered(places[names]) for names in (["seed"], ["group"], ["group", "item"]))
    seeds, distinct = int(seed.max()) + 1, int(item.max()) + 1

    def effects(of_items: Array, of_seeds: Array) -> Array:
        return _effects(values, np.array(list(weights.values())), seed, group, of_items, of_seeds)

    rng = np.random.default_rng(derive(0, "crossed", rule.measure))
    seen = effects(np.ones((1, len(values))), np.ones((1, seeds)))[0]
    both = effects(_drawn(rng, item, group), _drawn(rng, np.arange(seeds), np.zeros(seeds, dtype=np.int64)))
    # As if every value were that of an item of its own, and no seed moved its items together.
    apart = _drawn(rng, np.arange(len(values)), _numbered(places[["seed", "group"]]))
    free, spread = (np.nanvar(each) for each in (effects(apart, np.ones((DRAWS, seeds))), both))
    # Percentiles would be too narrow: so few seeds are drawn that the spread needs Student's correction.
    few = min(seeds, distinct)
    reach = (
        float(stats.t.ppf(1 - study.alpha / 2, few - 1) * np.sqrt(spread * few / (few - 1)))
        if few > 1
        else np.inf
    )
    estimate = float(seen) - rule.offset
    return Clustered(
        estimate=estimate,
        low=estimate - reach,
        high=estimate + reach,
        items=distinct,
        seeds=seeds,
        values=len(values),
        effective_n=float(len(values) * free / spread) if spread > 0 else float("inf"),
    )


def _paired(items: pd.DataFrame, arms: list[str]) -> pd.DataFrame:
    """A row a seed, group and item, a column an arm; of the seeds under which every arm has every item."""
    table = items.pivot(index=["seed", "group", "item"], columns="arm", values="value").reindex(columns=arms)
    lacking = table.index.get_level_values("seed")[table.isna().any(axis=1)]
    return table.drop(index=lacking.unique(), level="seed")


def _numbered(places: pd.DataFrame) -> Labels:
    """The number of each row's values among those that there are."""
    return np.asarray(places.groupby(list(places.columns), sort=False).ngroup())


def _drawn(rng: np.random.Generator, labels: Labels, groups: Labels) -> Array:
    """How often each of `labels`, (n,), is drawn, (DRAWS, n): within each group as many as there are."""
    counts = np.zeros((DRAWS, len(labels)))
    for group in np.unique(groups):
        here = groups == group
        names, places = np.unique(labels[here], return_inverse=True)
        times = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=DRAWS)
        counts[:, here] = times[:, places]
    return counts


def _effects(
    values: Array, weights: Array, seed: Labels, group: Labels, of_items: Array, of_seeds: Array
) -> Array:
    """The effect in each draw, (draws,): the mean over seeds of the mean over groups of medians over items.

    values: (n, arms), weighed by `weights`; of_items (draws, n) and of_seeds (draws, seeds): how often each
    was drawn. A group of which nothing was drawn under a seed is left out there.
    """
    total, weight = np.zeros(len(of_items)), np.zeros(len(of_items))
    for one in range(of_seeds.shape[1]):
        groups = [(seed == one) & (group == each) for each in np.unique(group[seed == one])]
        medians = ([_median(arm, of_items[:, here]) for arm in values[here].T] for here in groups)
        found = [np.stack(arms, axis=1) @ weights for arms in medians]
        known = np.isfinite(found)
        mean = np.where(known, found, 0).sum(axis=0) / known.sum(axis=0).clip(min=1)
        times = of_seeds[:, one] * known.any(axis=0)
        total, weight = total + times * mean, weight + times
    drawn = np.full(len(of_items), np.nan)
    drawn[weight > 0] = total[weight > 0] / weight[weight > 0]
    return drawn


def _median(values: Array, counts: Array) -> Array:
    """The median of `values` (n,), taken as often as `counts` (draws, n) says: (draws,), NaN for nothing."""
    order = values.argsort()
    ranked, upto = values[order], counts[:, order].cumsum(axis=1)
    half = upto[:, -1:] / 2
    low, high = (upto >= half).argmax(axis=1), (upto > half).argmax(axis=1)
    return np.where(upto[:, -1] > 0, (ranked[low] + ranked[high]) / 2, np.nan)
