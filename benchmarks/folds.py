"""How often 95 % intervals over runs of folds miss, where every study draws a new pool of subjects.

Two arms learn from different features that tell two classes equally well, so that over all pools they do not
differ. In one pool they do: its features are luckier for one arm, under every seed. A learner is the nearest
class mean on a part of its features, which its initialisation draws. An interval may miss two truths: the
difference on new subjects of networks that learn from this pool, and that over new pools to learn from, which
is 0. `python benchmarks/folds.py [studies]`: docs/decisions/0039-folds.md.
"""

import sys

import numpy as np

from ablation.stats.crossed import sampled
from ablation.stats.statistics import interval

Table = np.ndarray
FEATURES, KEPT, SIGNAL, NEW = 20, 10, 0.25, 400
ALPHA = 0.05
DESIGNS = ((55, 5, 5), (55, 10, 5), (55, 20, 5), (55, 10, 10), (20, 10, 5))


def drawn(rng: np.random.Generator, truth: Table) -> Table:
    """The features of both arms, (2, subjects, FEATURES)."""
    return rng.normal(size=(2, len(truth), FEATURES)) + SIGNAL * (2 * truth[:, None] - 1)


def scores(part: Table, learned: Table, truth: Table, new: Table, new_truth: Table, hard: bool) -> Table:
    """What a learner of the subjects `learned` reaches on each new one: right or wrong, or its margin."""
    means = [part[learned & (truth == label)].mean(0) for label in (0, 1)]
    far = [((new - mean) ** 2).sum(1) for mean in means]
    margin = (far[0] - far[1]) * (2 * new_truth - 1)
    return np.asarray((margin > 0).astype(float) if hard else margin)


def study(rng: np.random.Generator, subjects: int, seeds: int, folds: int, hard: bool) -> tuple[Table, float]:
    """One arm less the other on each subject of a pool, (seeds, subjects), and on new subjects on average."""
    truth, new_truth = np.arange(subjects) % 2, np.arange(NEW) % 2
    pool, new = drawn(rng, truth), drawn(rng, new_truth)
    table, on_new = np.empty((seeds, subjects)), []
    for seed in range(seeds):
        fold = np.empty(subjects, dtype=int)
        for label in (0, 1):
            here = rng.permutation(np.flatnonzero(truth == label))
            fold[here] = (np.arange(len(here)) + rng.integers(folds)) % folds
        for k in range(folds):
            tested, learned = fold == k, (fold != k) & (fold != (k + 1) % folds)
            of_arms = []
            for own, others in zip(pool, new, strict=True):
                kept = rng.permutation(FEATURES)[:KEPT]
                part = own[:, kept]
                of_arms.append(
                    (
                        scores(part, learned, truth, part[tested], truth[tested], hard),
                        scores(part, learned, truth, others[:, kept], new_truth, hard).mean(),
                    )
                )
            table[seed, tested] = of_arms[0][0] - of_arms[1][0]
            on_new.append(of_arms[0][1] - of_arms[1][1])
    return table, float(np.mean(on_new))


def missed(table: Table, on_new: float) -> dict[str, bool]:
    """Whether each interval leaves out the difference on new subjects, and that over new pools, 0."""
    found = {
        "chosen": sampled(table, np.arange(table.shape[1])).interval(1 - ALPHA),
        "seeds alone": interval(table.mean(1), 1 - ALPHA, 0.0),
    }
    return {
        f"{name}, {what}": not one.low <= truth <= one.high
        for name, one in found.items()
        for what, truth in (("new subjects", on_new), ("new pools", 0.0))
    }


def main(studies: int) -> None:
    """Print the share of intervals that miss, in percent, a row a design."""
    for hard in (True, False):
        for design in DESIGNS:
            rng = np.random.default_rng(0)
            rows = [missed(*study(rng, *design, hard)) for _ in range(studies)]
            shares = [f"{100 * np.mean([row[name] for row in rows]):.1f} ({name})" for name in rows[0]]
            words = "{} subjects, {} seeds, {} folds".format(*design)
            print(f"{'right or wrong' if hard else 'margin'}: {words}: {', '.join(shares)}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500)
