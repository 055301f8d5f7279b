"""Gains over truths and seeds at once: a bootstrap that draws both anew, and the effective n.

Seeds repeat truths and truths repeat under seeds, so neither may be taken for independent of the other. The
pigeonhole bootstrap (Owen, The pigeonhole bootstrap, 2007) draws seeds and truths apart and weighs every
gain by how often its seed and its truth were drawn. The interval is Student's around the estimate, with the
bootstrap's spread and as many degrees of freedom as the fewer of seeds and truths less one (Cameron, Gelbach
and Miller, Robust inference with multiway clustering, 2011).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from ablation.claims import Rule
from ablation.seeds import derive
from ablation.stats.rules import offset, weights
from ablation.stats.statistics import Array
from ablation.study import Study

DRAWS = 2000
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Crossed:
    """The effect of a rule on a gain. estimate: as over seeds alone; low, high: of the two-way bootstrap.

    gains: how many truths were measured, each seed's counted; effective: how many independent ones would
    have told as much; inf where nothing varies.
    """

    estimate: float
    low: float
    high: float
    truths: int
    seeds: int
    gains: int
    effective: float


def crossed(study: Study, rule: Rule, gains: pd.DataFrame) -> Crossed | None:
    """The effect of `rule`, clustered by truth and seed; None where its measure is not a gain of truths.

    `gains` has the columns arm, seed, measure, family, truth and gain; seeds under which an arm of the rule
    has none are left out.
    """
    parts = weights(study, rule)
    table = _paired(gains[gains["measure"] == rule.measure], list(parts))
    if table.empty:
        return None
    values = table.to_numpy(dtype=np.float64)
    seed, family, truth = (_numbered(table.index.to_frame(index=False)[names]) for names in _PLACES)
    count = int(seed.max()) + 1

    def effects(of_truths: Array, of_seeds: Array) -> Array:
        return _effects(values, np.array(list(parts.values())), seed, family, of_truths, of_seeds)

    rng = np.random.default_rng(derive(0, "crossed", rule.measure))
    seen = effects(np.ones((1, len(values))), np.ones((1, count)))[0]
    clustered = effects(
        _drawn(rng, truth, family), _drawn(rng, np.arange(count), np.zeros(count, dtype=np.int64))
    )
    # As if no truth came back under another seed, and no seed moved its truths together.
    apart = _drawn(
        rng, np.arange(len(values)), _numbered(table.index.to_frame(index=False)[["seed", "family"]])
    )
    free, spread = (np.nanvar(each) for each in (effects(apart, np.ones((DRAWS, count))), clustered))
    # Percentiles would be too narrow: so few seeds are drawn that the spread needs Student's correction.
    few = min(count, int(truth.max()) + 1)
    reach = (
        float(stats.t.ppf(1 - study.alpha / 2, few - 1) * np.sqrt(spread * few / (few - 1)))
        if few > 1
        else np.inf
    )
    estimate = float(seen) - offset(rule)
    return Crossed(
        estimate=estimate,
        low=estimate - reach,
        high=estimate + reach,
        truths=int(truth.max()) + 1,
        seeds=count,
        gains=len(values),
        effective=float(len(values) * free / spread) if spread > 0 else float("inf"),
    )


_PLACES = (["seed"], ["family"], ["family", "truth"])


def _paired(gains: pd.DataFrame, arms: list[str]) -> pd.DataFrame:
    """A row a seed, family and truth, a column an arm; of the seeds under which every arm has every truth."""
    places = ["seed", "family", "truth"]
    table = gains.pivot(index=places, columns="arm", values="gain").reindex(columns=arms)
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
    values: Array, factors: Array, seed: Labels, family: Labels, of_truths: Array, of_seeds: Array
) -> Array:
    """The effect in each draw, (draws,): the mean over seeds of that over families of medians over truths.

    values: (n, arms), weighed by `factors`; of_truths (draws, n) and of_seeds (draws, seeds): how often each
    was drawn. A family of which nothing was drawn under a seed is left out there.
    """
    total, weight = np.zeros(len(of_truths)), np.zeros(len(of_truths))
    for one in range(of_seeds.shape[1]):
        groups = [(seed == one) & (family == group) for group in np.unique(family[seed == one])]
        found = [_medians(values[here], of_truths[:, here]) @ factors for here in groups]
        known = np.isfinite(found)
        mean = np.where(known, found, 0).sum(axis=0) / known.sum(axis=0).clip(min=1)
        times = of_seeds[:, one] * known.any(axis=0)
        total, weight = total + times * mean, weight + times
    drawn = np.full(len(of_truths), np.nan)
    drawn[weight > 0] = total[weight > 0] / weight[weight > 0]
    return drawn


def _medians(values: Array, counts: Array) -> Array:
    """The median of each column of `values` (n, arms), its rows taken as often as `counts` (draws, n) says.

    (draws, arms), NaN where nothing is taken.
    """
    return np.stack([_median(column, counts) for column in values.T], axis=1)


def _median(values: Array, counts: Array) -> Array:
    order = values.argsort()
    ranked, upto = values[order], counts[:, order].cumsum(axis=1)
    half = upto[:, -1:] / 2
    low, high = (upto >= half).argmax(axis=1), (upto > half).argmax(axis=1)
    return np.where(upto[:, -1] > 0, (ranked[low] + ranked[high]) / 2, np.nan)
