"""Paired statistics on arrays of differences: differences[i] is arm minus reference under seed i.

`ratio` is n_test / n_train of one split where splits are resampled from one pool, 0 where replications
are independent. Nadeau and Bengio (Inference for the generalization error, Machine Learning 52, 2003)
give the mean of such differences the variance (1/n + ratio) s^2.

Equal differences show no spread, and without one there is nothing to test against: their p-values are NaN.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize, stats

from ablation.errors import check_known

Array = npt.NDArray[np.float64]

TESTS = {
    "corrected_t": "corrected resampled t-test (Nadeau and Bengio 2003)",
    "t": "paired t-test",
    "sign_flip": "exact sign-flip permutation test",
    "crossed": "t-test over test items and seeds, both random (crossed analysis of variance)",
}
"""The tests in words."""
BY_SEED = ("corrected_t", "t", "sign_flip")
"""The tests on differences by seed; the other is one on a table of seeds and items (`crossed`)."""
ROUNDING = 1e-12
"""Differences are equal where they lie this close, relative to the values that they come from."""
WANTED_POWER = 0.8
"""The power that "detectable" and "seeds needed" refer to."""
MOST = 10_000
"""Most seeds, or clusters of items, that are looked at for how many are needed."""
EXACT_UP_TO = 20
"""Most differences whose 2^n sign flips are all enumerated; more are sampled, from a fixed seed."""


@dataclass(frozen=True)
class Estimate:
    """A mean over n seeds and its interval; low and high are NaN where n < 2, all three where n = 0."""

    mean: float
    low: float
    high: float
    n: int


def equal(values: Array, scale: float | None = None) -> bool:
    """Whether at least two `values` (n,) agree to within rounding of `scale`, by default their own size."""
    size = float(np.max(np.abs(values), initial=0)) if scale is None else scale
    return len(values) > 1 and bool(np.ptp(values) <= ROUNDING * size)


def standard_error(values: Array, ratio: float) -> float:
    """sqrt(1/n + ratio) times the sample deviation of `values` (n,); NaN for n < 2, 0 if all are equal."""
    if len(values) < 2:
        return float("nan")
    if equal(values):
        return 0.0
    return float(np.std(values, ddof=1) * np.sqrt(1 / len(values) + ratio))


def interval(values: Array, level: float, ratio: float) -> Estimate:
    """Mean of `values` (n,) and its Student t interval of n - 1 degrees of freedom.

    Equal values give an interval of no width: they show no spread to build one from.
    """
    n = len(values)
    if n == 0:
        return Estimate(float("nan"), float("nan"), float("nan"), 0)
    return t_interval(float(np.mean(values)), standard_error(values, ratio), max(n - 1, 1), level, n)


def t_interval(mean: float, error: float, degrees: float, level: float, n: int) -> Estimate:
    """Student's interval around `mean`, whose standard error has these degrees of freedom."""
    reach = float(stats.t.isf((1 - level) / 2, degrees)) * error
    return Estimate(mean, mean - reach, mean + reach, n)


def share(wins: float, n: int, level: float) -> Estimate:
    """The share of `wins` in n seeds, a tie being half a win, and Wilson's score interval of it.

    Of independent seeds; it covers as often as it says on average over the true shares, also for few seeds
    (Brown, Cai and DasGupta, Interval estimation for a binomial proportion, 2001).
    """
    if n == 0:
        return Estimate(float("nan"), float("nan"), float("nan"), 0)
    p, z2 = wins / n, float(stats.norm.isf((1 - level) / 2)) ** 2
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    reach = float(np.sqrt(z2 * p * (1 - p) / n + (z2 / (2 * n)) ** 2)) / (1 + z2 / n)
    return Estimate(p, max(centre - reach, 0.0), min(centre + reach, 1.0), n)


def t_test(mean: float, error: float, degrees: float) -> float:
    """Two-sided p of Student's test that `mean`, with this standard error above 0, is one of 0."""
    return float(2 * stats.t.sf(abs(mean) / error, degrees))


def t_exclusion(mean: float, error: float, degrees: float, sesoi: float) -> float:
    """p of the one-sided t test that `mean` is one of `sesoi` or more."""
    return float(stats.t.sf((sesoi - mean) / error, degrees))


def p_value(differences: Array, test: str, ratio: float = 0.0) -> float:
    """Two-sided p of a mean difference of 0 by `test`; NaN for n < 2 or equal differences."""
    check_known("test", test, BY_SEED)
    if len(differences) < 2 or equal(differences):
        return float("nan")
    if test == "sign_flip":
        return _sign_flip(differences)
    return t_test(float(np.mean(differences)), standard_error(differences, ratio), len(differences) - 1)


def exclusion(differences: Array, sesoi: float, ratio: float = 0.0, least_spread: float = 0.0) -> float:
    """p of the one-sided t test that the mean difference is `sesoi` or more.

    NaN for n < 2 or equal differences. A sample deviation below `least_spread`, the step of a coarse
    measure, counts as that step: over a few seeds its differences can agree by luck, where no seed met the
    rare item that would have shown the effect. The test for a difference has no such floor: luck would have
    to take its interval off 0, which is rarer.
    """
    n = len(differences)
    if n < 2 or equal(differences):
        return float("nan")
    error = max(standard_error(differences, ratio), least_spread * float(np.sqrt(1 / n + ratio)))
    return t_exclusion(float(np.mean(differences)), error, n - 1, sesoi)


def _sign_flip(differences: Array) -> float:
    result = stats.permutation_test(
        (differences,),
        lambda x, axis: np.mean(x, axis=axis),
        permutation_type="samples",
        n_resamples=2 ** min(len(differences), EXACT_UP_TO),
        batch=2**14,
        rng=np.random.default_rng(0),
    )
    return float(result.pvalue)


def holm(p: Sequence[float | None]) -> tuple[float | None, ...]:
    """Holm's adjusted p-values, in the order given.

    A None (a comparison that cannot be tested) stays None, yet keeps its place in the family as 1, so
    that a lost comparison never makes the others look stronger.
    """
    family = np.array([1.0 if one is None else one for one in p])
    order = np.argsort(family, kind="stable")
    # Not statsmodels' multipletests: it collects the garbage of the whole process at every call, 0.2 s.
    stepped = np.maximum.accumulate(family[order] * np.arange(len(family), 0, -1)).clip(max=1)
    adjusted = np.empty_like(stepped)
    adjusted[order] = stepped
    return tuple(None if q is None else float(a) for a, q in zip(adjusted, p, strict=True))


def holm_excluded(p: Sequence[float | None], equivalent: Sequence[float | None]) -> tuple[float | None, ...]:
    """Adjusted p-values of one-sided exclusions, p[i], which share a family with tests of equivalence.

    equivalent[i] is Holm's p of the equivalence that claim i's exclusion is one half of. An exclusion is
    shown at alpha where p[i] is at most alpha over the number of claims not shown equivalent at alpha: only
    with both of its halves shown does a claim leave the family, since either half may be the false one. Of
    all claims at once, one that is falsely called equivalent or ruled out then comes with at most alpha:
    docs/decisions/0037-false-verdicts.md.
    """
    steps = [0.0, *sorted(1.0 if one is None else one for one in equivalent)]
    family = len(p)
    return tuple(
        None if one is None else min(1.0, *(max((family - k) * one, steps[k]) for k in range(family)))
        for one in p
    )


def power(delta: float, sd: float, n: int, ratio: float, alpha: float) -> float:
    """Chance that the two-sided t test at `alpha` finds a true difference `delta`, by the noncentral t.

    `sd` is the deviation of the paired differences within a study, n the number of seeds.
    """
    return t_power(abs(delta) / (sd * float(np.sqrt(1 / n + ratio))), n - 1, alpha) if n > 1 else 0.0


def t_power(centre: float, degrees: float, alpha: float) -> float:
    """Chance that the two-sided t test at `alpha` finds a true difference of `centre` standard errors."""
    critical = stats.t.isf(alpha / 2, degrees)
    # The far tail underflows to NaN in scipy when the centre is large; it is 0 there.
    wrong_side = np.nan_to_num(stats.nct.cdf(-critical, degrees, centre), nan=0.0)
    # And the near one, where it is 1, from some 1e9 on.
    right_side = np.nan_to_num(stats.nct.sf(critical, degrees, centre), nan=1.0)
    return float(right_side + wrong_side)


def smallest_detectable(n: int, ratio: float, alpha: float, least: float = 0.0) -> float:
    """The difference, in deviations of the paired differences, found with 80 % power.

    inf where none is: for n < 2, or where `least`, the smallest p that the test can give, is not below alpha.
    """
    if n < 2 or least >= alpha:
        return float("inf")
    return t_detectable(n - 1, alpha) * float(np.sqrt(1 / n + ratio))


def t_detectable(degrees: float, alpha: float) -> float:
    """The difference, in standard errors with these degrees of freedom, found with 80 % power."""
    # Past this many standard errors the power is within 1e-9 of 1, whatever the degrees.
    far = (stats.t.isf(alpha / 2, degrees) + 8) * 8
    return float(optimize.brentq(lambda d: t_power(d, degrees, alpha) - WANTED_POWER, 0.0, far))


def detectable_limit(ratio: float, alpha: float) -> float:
    """What `smallest_detectable` tends to as n grows: 0 for independent replications."""
    return float((stats.norm.isf(alpha / 2) + stats.norm.ppf(WANTED_POWER)) * np.sqrt(ratio))


def seeds_needed(delta: float, sd: float, ratio: float, alpha: float) -> int | None:
    """The fewest seeds that find `delta` with 80 % power; None where 10,000 do not suffice.

    With ratio > 0 the power has a limit that no number of seeds passes, since splits of one pool overlap.
    """
    if sd == 0:
        return 2
    return fewest(lambda n: power(delta, sd, n, ratio, alpha))


def t_equivalence_power(
    sesoi: float, error: float, degrees: float, alpha: float, least_error: float = 0.0
) -> float:
    """Chance that two one-sided t tests at `alpha` show a true difference of 0 to lie within ±sesoi.

    error: the true standard error; one that comes out below `least_error` counts as that.
    """
    # The mean is normal and independent of its estimated error: the average over quantiles of the latter.
    scale = np.sqrt(stats.chi2.ppf((np.arange(500) + 0.5) / 500, degrees) / degrees)
    room = sesoi - stats.t.isf(alpha, degrees) * np.maximum(error * scale, least_error)
    return float(np.mean(2 * stats.norm.cdf(np.maximum(room, 0) / error) - 1))


def equivalence_power(
    sesoi: float, sd: float, n: int, ratio: float, alpha: float, least_spread: float = 0.0
) -> float:
    """`t_equivalence_power` of `equivalence` with n seeds, whose paired differences deviate by `sd`."""
    if n < 2:
        return 0.0
    stretch = float(np.sqrt(1 / n + ratio))
    return t_equivalence_power(sesoi, sd * stretch, n - 1, alpha, least_spread * stretch)


def smallest_shown(chance: Callable[[float], float], least: float) -> float:
    """The bound that two one-sided tests show in 80 % where there is no difference, from `least` upwards.

    chance(bound) is the power for it, which grows with the bound.
    """
    high = least
    while chance(high) < WANTED_POWER:
        high *= 2
    return float(optimize.brentq(lambda bound: chance(bound) - WANTED_POWER, 0.0, high))


def coarsest_step(sesoi: float, n: int, ratio: float, alpha: float) -> float:
    """The largest step of a measure with which n seeds that differ by 0 on average are shown equivalent.

    `least_spread` of `exclusion` above it makes every p of `equivalence` larger than alpha.
    """
    if n < 2:
        return 0.0
    return float(sesoi / (stats.t.isf(alpha, n - 1) * np.sqrt(1 / n + ratio)))


def fewest(chance: Callable[[int], float], least: int = 2) -> int | None:
    """The fewest seeds, from `least` to `MOST`, whose `chance` is 80 %; None where none's is."""
    numbers = range(least, MOST + 1)
    place = bisect_left(numbers, WANTED_POWER, key=chance)
    return numbers[place] if place < len(numbers) else None


def least_p(n: int, test: str) -> float:
    """The smallest two-sided p that `test` can give with n seeds: 2/2^n for sign flips, 0 for t tests."""
    check_known("test", test, TESTS)
    if n < 2:
        return 1.0
    return 2.0 / 2 ** min(n, EXACT_UP_TO) if test == "sign_flip" else 0.0
