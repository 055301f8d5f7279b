"""What looks at 5, 10, 15 and 20 seeds cost and save, by how the level is shared over them.

Compared are Bonferroni shares of a power family, as `ablation.stats.sequential` has them, with the boundaries
of an alpha-spending function that count on the correlation of z-tests at different looks (Lan and DeMets
1983, on the scale of significance levels), here applied to t-tests. These boundaries come from the recursion
of Armitage, McPherson and Rowe (1969) and are held against scipy's multivariate normal distribution.
`python benchmarks/looks.py [studies]`: docs/decisions/0040-sequential-rule.md.
"""

import sys
from collections.abc import Callable

import numpy as np
from scipy import stats
from scipy.special import ndtr

Array = np.ndarray
ALPHA, LOOKS = 0.05, (5, 10, 15, 20)
CLOSE = (5, 6, 7, 8, 9, 10)
FAMILIES: dict[str, Callable[[float, Array], Array]] = {
    "O'Brien-Fleming-like": lambda alpha, t: 2 * stats.norm.sf(stats.norm.isf(alpha / 2) / np.sqrt(t)),
    "Pocock-like": lambda alpha, t: alpha * np.log1p((np.e - 1) * t),
    "power 2": lambda alpha, t: alpha * t**2,
    "power 3": lambda alpha, t: alpha * t**3,
}


def spent(family: str, alpha: float, looks: tuple[int, ...]) -> Array:
    """What a one-sided test may use at each look."""
    return np.diff(FAMILIES[family](alpha, np.array(looks) / looks[-1]), prepend=0)


def boundaries(parts: Array, looks: tuple[int, ...]) -> Array:
    """The one-sided levels of z-tests at which so much is spent at each look and no more."""
    n, (x, w) = np.array(looks, dtype=float), np.polynomial.legendre.leggauss(120)
    low, bounds = -9.0, [float(stats.norm.isf(parts[0]))]
    half = (bounds[0] - low) / 2
    u = low + half * (x + 1)
    density = half * w * stats.norm.pdf(u)
    for k in range(1, len(n)):
        root, step, before = np.sqrt(n[k]), np.sqrt(n[k] - n[k - 1]), np.sqrt(n[k - 1])
        least, most = low, 9.0
        for _ in range(60):
            bound = (least + most) / 2
            beyond = float(density @ ndtr((u * before - bound * root) / step))
            least, most = (bound, most) if beyond > parts[k] else (least, bound)
        half = (bound - low) / 2
        v = low + half * (x + 1)
        arrives = stats.norm.pdf((v * root - u[:, None] * before) / step) * root / step
        u, density = v, half * w * (density @ arrives)
        bounds.append(bound)
    return np.asarray(stats.norm.sf(bounds))


def check(looks: tuple[int, ...]) -> None:
    """Refuse boundaries that are not crossed as often as they should be, by scipy's distribution."""
    n = np.array(looks)
    correlation = np.sqrt(np.minimum.outer(n, n) / np.maximum.outer(n, n))
    for family in FAMILIES:
        levels = boundaries(spent(family, ALPHA / 2, looks), looks)
        inside = stats.multivariate_normal(cov=correlation, abseps=1e-7).cdf(stats.norm.isf(levels))
        assert abs(1 - inside - ALPHA / 2) < 1e-5, (family, 1 - inside)


def p_values(rng: np.random.Generator, studies: int, delta: float, looks: tuple[int, ...]) -> Array:
    """Two-sided p of t-tests on the first seeds, (studies, looks), of `delta` standard deviations."""
    values = delta + rng.normal(size=(studies, looks[-1]))
    return np.stack([stats.ttest_1samp(values[:, :n], 0, axis=1).pvalue for n in looks], axis=1)


def show(name: str, levels: Array, p: Array, looks: tuple[int, ...]) -> str:
    shown = p < levels
    ends = np.where(shown.any(axis=1), np.array(looks)[shown.argmax(axis=1)], looks[-1])
    return f"| {name} | {100 * shown.any(axis=1).mean():.1f} | {ends.mean():.1f} |"


def main(studies: int) -> None:
    rng = np.random.default_rng(0)
    for looks, alpha, deltas in (
        (LOOKS, ALPHA, (0.0, 0.66, 1.0, 1.5)),
        (LOOKS, ALPHA / 3, (0.0, 0.8)),
        (CLOSE, ALPHA, (0.0,)),
    ):
        check(looks)
        for delta in deltas:
            p = p_values(rng, studies, delta, looks)
            print(f"\nlooks {looks}, alpha {alpha:.4f}, effect {delta} SD: % found, mean seeds")
            print(show("one test, of all seeds", np.array([alpha]), p[:, -1:], looks[-1:]))
            print(show("the same test at every look", np.full(len(looks), alpha), p, looks))
            for family in FAMILIES:
                parts = spent(family, alpha / 2, looks)
                print(show(f"{family}, z boundaries", 2 * boundaries(parts, looks), p, looks))
            for exponent in (1, 2, 3, 4):
                shares = np.diff((np.array(looks) / looks[-1]) ** exponent, prepend=0)
                print(show(f"power {exponent}, Bonferroni", alpha * shares, p, looks))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200_000)
