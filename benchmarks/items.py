"""How often 95 % intervals over seeds and test items miss the truth, by method: docs/decisions/0029-items.md.

python benchmarks/items.py [draws], or `grid [draws]`: the worst rate over components of every size, where
the mean squares are drawn from their own distributions.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product

import numpy as np
from scipy import stats

from ablation.stats.crossed import Sample, sampled

Table = np.ndarray
ALPHAS = (0.05, 0.01)


def linear(
    by_seed: float, by_item: float, rest: float = 1.0
) -> Callable[[np.random.Generator, int, int], Table]:
    def world(rng: np.random.Generator, seeds: int, items: int) -> Table:
        moved = by_seed * rng.normal(size=(seeds, 1)) + by_item * rng.normal(size=(1, items))
        return np.asarray(moved + rng.normal(scale=rest, size=(seeds, items)))

    return world


def right_or_wrong(mean: float) -> Callable[[np.random.Generator, int, int], Table]:
    """The difference of two arms that are right with the same probability: exp(mean) to 1 for most items."""

    def world(rng: np.random.Generator, seeds: int, items: int) -> Table:
        easy = mean + rng.normal(size=items)

        def arm() -> Table:
            own = easy + rng.normal(size=items) + 0.2 * rng.normal(size=(seeds, 1))
            return 1.0 * (rng.logistic(size=(seeds, items)) < own)

        return arm() - arm()

    return world


WORLDS = {
    "seeds and items vary": linear(0.1, 0.3),
    "evenly": linear(0.3, 1.0, 0.3),
    "no variance of seeds": linear(0, 0.5),
    "no variance of items": linear(0.3, 0),
    "neither": linear(0, 0),
    "right in 60 %": right_or_wrong(0.5),
    "right in 93 %": right_or_wrong(3),
    "right in 98 %": right_or_wrong(5),
}
SIZES = ((5, 100), (10, 30), (5, 30), (20, 500))


def methods(
    table: Table, clusters: np.ndarray, rng: np.random.Generator
) -> Iterator[tuple[str, float, float]]:
    """The name of each method, its standard error and its degrees of freedom."""
    found = sampled(table, clusters)
    yield "crossed", found.error(), found.degrees()
    yield "Satterthwaite alone", found.error(), satterthwaite(found)
    few = min(found.seeds, found.clusters)
    yield "fewest - 1", found.error(), few - 1
    yield "bootstrap", bootstrap(table, clusters, rng) * (few / (few - 1)) ** 0.5, few - 1
    yield "t over seeds", float(stats.sem(table.mean(axis=1))), found.seeds - 1
    over = replace(found, by_seed=0.0, by_cluster=found.by_cluster)
    yield "t over clusters", over.error(), found.clusters - 1


def satterthwaite(found: Sample) -> float:
    n, m = found.seeds, found.clusters
    rest = found.rest / n / m
    parts = [(found.by_seed / n + rest if found.by_seed else 0, n - 1)]
    parts += [(found.by_cluster / m + rest if found.by_cluster else 0, m - 1), (rest, (n - 1) * (m - 1))]
    return found.error() ** 4 / sum(part**2 / degrees for part, degrees in parts)


def bootstrap(table: Table, clusters: np.ndarray, rng: np.random.Generator, draws: int = 300) -> float:
    """The deviation of the mean where seeds and clusters are both drawn anew."""
    seeds, count = len(table), int(clusters.max()) + 1
    sums = np.stack([table[:, clusters == c].sum(axis=1) for c in range(count)], axis=1)
    sizes = np.bincount(clusters)
    of_seeds = rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=draws)
    of_clusters = rng.multinomial(count, np.full(count, 1 / count), size=draws)
    means = ((of_seeds @ sums) * of_clusters).sum(axis=1) / seeds / (of_clusters @ sizes)
    return float(means.std())


def main(draws: int) -> None:
    rng = np.random.default_rng(0)
    for seeds, items in SIZES:
        for name, world in WORLDS.items():
            missed: dict[str, list[float]] = {}
            for _ in range(draws):
                table = world(rng, seeds, items)
                if np.ptp(table) == 0:
                    continue  # which no method tests
                for method, error, degrees in methods(table, np.arange(items), rng):
                    p = 2 * stats.t.sf(abs(table.mean()) / error, degrees) if error else 0.0
                    missed.setdefault(method, []).append(p)
            rates = [
                f"{method} " + "/".join(f"{np.mean(np.array(p) < a):.3f}" for a in ALPHAS)
                for method, p in missed.items()
            ]
            print(f"{seeds} x {items}, {name}: {', '.join(rates)}", flush=True)
    unequal(rng, draws)


def unequal(rng: np.random.Generator, draws: int) -> None:
    """Thirty clusters of 1 to 12 items, whose items move together."""
    missed: dict[str, list[float]] = {}
    for _ in range(draws):
        clusters = np.repeat(np.arange(30), rng.integers(1, 13, 30))
        own, moved = rng.normal(size=30)[clusters], 0.2 * rng.normal(size=(5, 1))
        table = own + moved + rng.normal(size=(5, len(clusters)))
        for method, error, degrees in methods(table, clusters, rng):
            missed.setdefault(method, []).append(2 * stats.t.sf(abs(table.mean()) / error, degrees))
        lone = sampled(table, np.arange(len(clusters)))
        missed.setdefault("clusters ignored", []).append(lone.p_value())
    rates = [f"{m} " + "/".join(f"{np.mean(np.array(p) < a):.3f}" for a in ALPHAS) for m, p in missed.items()]
    print(f"5 seeds, 30 clusters of 1 to 12 items: {', '.join(rates)}")


def grid(draws: int) -> None:
    rng = np.random.default_rng(0)
    for n, m in ((5, 10), (5, 200), (10, 30), (30, 10)):
        worst: dict[str, list[list[float]]] = {}
        for by_seed, by_cluster in product((0, 0.5, 1, 2, 4, 8, 16), (0, 0.5, 1, 2, 8, 32)):
            seed = (1 + by_seed) * rng.chisquare(n - 1, draws) / (n - 1)
            cluster = (1 + by_cluster) * rng.chisquare(m - 1, draws) / (m - 1)
            rest = rng.chisquare((n - 1) * (m - 1), draws) / ((n - 1) * (m - 1))
            mean = rng.normal(size=draws) * np.sqrt((1 + by_seed + by_cluster) / (n * m))
            found = [
                Sample(0, n, m, m, 0, max(a - r, 0) / m, max(b - r, 0) / n, r)
                for a, b, r in zip(seed.tolist(), cluster.tolist(), rest.tolist(), strict=True)
            ]
            t = np.abs(mean) / [one.error() for one in found]
            for name, degrees in (("crossed", Sample.degrees), ("Satterthwaite alone", satterthwaite)):
                p = 2 * stats.t.sf(t, [degrees(one) for one in found])
                worst.setdefault(name, []).append([float((p < alpha).mean()) for alpha in ALPHAS])
        shown = [
            f"{name} {'/'.join(f'{x:.3f}' for x in np.max(rates, axis=0))}" for name, rates in worst.items()
        ]
        print(f"{n} x {m}, worst of 42: {', '.join(shown)}", flush=True)


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()] or [2000]
    (grid if "grid" in sys.argv else main)(*numbers)
