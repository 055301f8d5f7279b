"""Effects over test items and seeds, or blocks and seeds, both random: a crossed analysis of variance.

Seeds share items and items share seeds. With S seeds and C clusters of items, a mean over all of them has the
variance seed / S + cluster / C + rest / (S C). The components follow from the mean squares of the table of
seeds and clusters; one that comes out below 0 counts as 0. Student's degrees of freedom are Satterthwaite's
(An approximate distribution of estimates of variance components, 1946; so in Clark, The language-as-fixed-
effect fallacy, 1973). They are made smaller for few seeds or few clusters, whose mean square is itself
uncertain: docs/decisions/0029-items.md has the rates of error with and without that.

Clusters of unequal size: the mean over items is a ratio of sums over clusters, and is linearised.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt
from scipy import stats

from ablation.blocks import FEWEST_BLOCKS
from ablation.stats.statistics import (
    Array,
    Estimate,
    fewest,
    t_exclusion,
    t_interval,
    t_test,
)

FEWEST_CLUSTERS = 10
"""Below this no effect over items is tested."""
FEWEST = {"test items": FEWEST_CLUSTERS, "blocks": FEWEST_BLOCKS}
LOW = 0.1
"""The quantile of a mean square that the degrees of freedom allow for."""

Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Sample:
    """A mean over seeds and items, and the three components of its variance, NaN below two seeds or clusters.

    items: those that all compared runs have; lacking: those that only some of them have. `of`: what they are,
    "test items" or "blocks", each of which is a cluster then.
    """

    mean: float
    seeds: int
    items: int
    clusters: int
    lacking: int
    by_seed: float
    by_cluster: float
    rest: float
    of: str = "test items"

    def error(self, seeds: int = 0, clusters: int = 0) -> float:
        """The standard error of the mean; over other numbers of seeds and clusters where they are given."""
        n, m = seeds or self.seeds, clusters or self.clusters
        return sqrt(self.by_seed / n + self.by_cluster / m + self.rest / (n * m))

    def degrees(self, seeds: int = 0, clusters: int = 0) -> float:
        """The degrees of freedom of `error`."""
        n, m = (seeds or self.seeds) - 1, (clusters or self.clusters) - 1
        rest = self.rest / (n + 1) / (m + 1)
        one, other = self.by_seed / (n + 1) + rest, self.by_cluster / (m + 1) + rest
        if not one + other > 0:
            return float(min(n, m))
        return min(
            (u + v - rest) ** 2 / (u**2 / n + v**2 / m + rest**2 / (n * m))
            for u, v in ((one * n / stats.chi2.ppf(LOW, n), other), (one, other * m / stats.chi2.ppf(LOW, m)))
        )

    @property
    def unit(self) -> str:
        """What is drawn with its items."""
        return self.of if self.items == self.clusters else f"clusters of {self.of}"

    @property
    def fewest(self) -> int:
        """How many of them it takes for a test."""
        return FEWEST[self.of]

    @property
    def over(self) -> str:
        """How many there are, as in "120 test items" or "30 clusters of test items"."""
        return f"{self.clusters:,} {self.unit}"

    def needed(self, power: Callable[[int, int], float], seeds: int = 0) -> tuple[int | None, int | None]:
        """The fewest seeds with these clusters, and clusters with these seeds, whose power is 80 %.

        None where that of no number up to `statistics.MOST` is. These seeds are the sample's, or `seeds`;
        power(seeds, clusters) is that of a test with so many.
        """
        these = seeds or self.seeds
        return (
            fewest(lambda n: power(n, self.clusters), these),
            fewest(lambda n: power(these, n), self.clusters),
        )

    def interval(self, level: float) -> Estimate:
        """The mean and its interval; its n is that of the seeds, 0 without an item."""
        if np.isnan(self.rest):
            return Estimate(self.mean, float("nan"), float("nan"), self.seeds if self.items else 0)
        return t_interval(self.mean, self.error(), self.degrees(), level, self.seeds)

    def p_value(self) -> float:
        """Two-sided p of a mean of 0; values must differ."""
        return t_test(self.mean, self.error(), self.degrees())

    def exclusion(self, sesoi: float, least_spread: float, sign: int) -> float:
        """p of the one-sided test that `sign` (1 or -1) times the mean is `sesoi` or more; `least_spread` is
        a floor of the deviation over seeds (`statistics.exclusion`).
        """
        error = max(self.error(), least_spread / sqrt(self.seeds))
        return t_exclusion(sign * self.mean, error, self.degrees(), sesoi)


def sampled(table: Array, clusters: Labels, lacking: int = 0, of: str = "test items") -> Sample:
    """The mean of `table` (seeds, items) and its components; clusters[i] numbers the cluster of item i."""
    seeds, items = table.shape
    count = int(clusters.max(initial=-1)) + 1
    mean = float(table.mean()) if table.size else float("nan")
    if seeds < 2 or count < 2:
        nan = float("nan")
        return Sample(mean, seeds, items, count, lacking, nan, nan, nan, of)
    # What each cluster adds to the mean, to first order: for clusters of one item their values themselves.
    sums = np.zeros((seeds, count))
    np.add.at(sums.T, clusters, table.T - mean)
    of_seed, of_cluster = sums.mean(axis=1, keepdims=True), sums.mean(axis=0, keepdims=True)
    scale = (count / items) ** 2
    rest = scale * float(((sums - of_seed - of_cluster) ** 2).sum()) / ((seeds - 1) * (count - 1))
    seed = scale * count * float((of_seed**2).sum()) / (seeds - 1)
    cluster = scale * seeds * float((of_cluster**2).sum()) / (count - 1)
    return Sample(
        mean,
        seeds,
        items,
        count,
        lacking,
        max(seed - rest, 0.0) / count,
        max(cluster - rest, 0.0) / seeds,
        rest,
        of,
    )
