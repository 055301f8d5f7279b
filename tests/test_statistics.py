"""Laws of the paired statistics, golden numbers by hand, and their rates on simulated studies."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import integrate, stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.weightstats import DescrStatsW, ttost_paired

from ablation.errors import UserError
from ablation.stats.statistics import (
    BY_SEED,
    coarsest_step,
    detectable_limit,
    equal,
    equivalence_power,
    exclusion,
    holm,
    holm_excluded,
    interval,
    least_p,
    p_value,
    power,
    seeds_needed,
    share,
    smallest_detectable,
    smallest_shown,
    standard_error,
)
from frames import a_study

GOLDEN = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
anything = st.lists(st.integers(-1000, 1000).map(lambda k: k / 16), min_size=2, max_size=9).map(np.array)
samples = anything.filter(lambda values: np.ptp(values) > 0)
ratios = st.sampled_from([0.0, 0.25, 1 / 3, 1.0])


def equivalence(values: np.ndarray, sesoi: float, ratio: float = 0.0, floor: float = 0.0) -> float:
    """p of two one-sided tests, as an effect has it; NaN where one is."""
    return float(np.max([exclusion(sign * values, sesoi, ratio, floor) for sign in (1, -1)]))


def differences(n: int, ratio: float, delta: float, studies: int, seed: int) -> np.ndarray:
    """(studies, n) under Nadeau and Bengio's model: correlation ratio / (1 + ratio), deviation 1 within."""
    rng = np.random.default_rng(seed)
    shared = math.sqrt(ratio) * rng.normal(size=(studies, 1))
    return delta + shared + rng.normal(size=(studies, n))


def test_interval_by_hand() -> None:
    # mean 3, s^2 = 2.5, t(0.975, 4) = 2.776445; (1/5 + 1/3) * 2.5 = 4/3
    got = interval(GOLDEN, 0.95, 1 / 3)
    assert (got.mean, got.n) == (3.0, 5)
    assert got.high - 3 == pytest.approx(2.776445 * math.sqrt(4 / 3), rel=1e-6)
    assert 3 - got.low == pytest.approx(got.high - 3)


def test_without_correction_it_is_the_textbook_t() -> None:
    values = np.array([0.3, -0.1, 0.8, 0.4, 0.2, 0.9])
    low, high = DescrStatsW(values).tconfint_mean(0.05)
    got = interval(values, 0.95, 0.0)
    assert (got.low, got.high) == pytest.approx((low, high))
    assert p_value(values, "t") == pytest.approx(stats.ttest_1samp(values, 0).pvalue)
    assert equivalence(values, 0.9) == pytest.approx(
        max(stats.ttest_1samp(values, b, alternative=a).pvalue for b, a in ((-0.9, "greater"), (0.9, "less")))
    )


def test_corrected_p_by_hand() -> None:
    t = 3.0 / math.sqrt((1 / 5 + 1 / 3) * 2.5)
    assert p_value(GOLDEN, "corrected_t", 1 / 3) == pytest.approx(2 * stats.t.sf(t, 4))
    assert p_value(GOLDEN, "corrected_t", 1 / 3) > p_value(GOLDEN, "t")


@given(samples)
def test_sign_flips_are_all_counted(values: np.ndarray) -> None:
    flips = np.array(list(itertools.product([-1, 1], repeat=len(values))))
    beyond = (np.abs(flips @ values) >= abs(values.sum()) - 1e-9).mean()
    assert p_value(values, "sign_flip") == pytest.approx(beyond)


def test_sign_flip_of_many_seeds_is_repeatable() -> None:
    values = np.random.default_rng(3).normal(0.5, 1, 24)
    assert p_value(values, "sign_flip") == p_value(values, "sign_flip")
    assert p_value(values, "sign_flip") == pytest.approx(p_value(values, "t"), abs=0.02)


@pytest.mark.parametrize("test", ["corrected_t", "t", "sign_flip"])
@given(values=samples, ratio=ratios)
def test_p_lies_between_its_least_and_one_and_has_no_direction(
    test: str, values: np.ndarray, ratio: float
) -> None:
    p = p_value(values, test, ratio)
    assert least_p(len(values), test) - 1e-12 <= p <= 1 + 1e-12
    assert p == pytest.approx(p_value(-values, test, ratio))


@given(values=samples, ratio=ratios, level=st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_interval_contains_its_mean_and_turns_with_its_sign(
    values: np.ndarray, ratio: float, level: float
) -> None:
    there, back = interval(values, level, ratio), interval(-values, level, ratio)
    assert there.low <= there.mean <= there.high
    assert (back.low, back.mean, back.high) == pytest.approx((-there.high, -there.mean, -there.low))


@given(values=samples, ratio=ratios)
def test_more_of_the_same_narrows_the_interval_and_reuse_widens_it(values: np.ndarray, ratio: float) -> None:
    wide, narrow = interval(values, 0.95, ratio), interval(np.tile(values, 3), 0.95, ratio)
    assert narrow.high - narrow.low <= wide.high - wide.low
    assert standard_error(values, ratio + 0.1) >= standard_error(values, ratio)


@given(values=samples, ratio=ratios)
def test_interval_and_p_agree(values: np.ndarray, ratio: float) -> None:
    got, p = interval(values, 0.95, ratio), p_value(values, "corrected_t", ratio)
    if abs(p - 0.05) > 1e-9:
        assert (p < 0.05) == (got.low > 0 or got.high < 0)


@given(values=samples, ratio=ratios, sesoi=st.floats(0.5, 50))
def test_equivalent_means_the_90_percent_interval_lies_inside(
    values: np.ndarray, ratio: float, sesoi: float
) -> None:
    got, p = interval(values, 0.90, ratio), equivalence(values, sesoi, ratio)
    if abs(p - 0.05) > 1e-9:
        assert (p < 0.05) == (-sesoi < got.low and got.high < sesoi)


def test_one_difference_has_no_spread() -> None:
    got = interval(np.array([0.5]), 0.95, 0.0)
    assert got.mean == 0.5
    assert got.n == 1
    assert math.isnan(got.low)
    assert math.isnan(got.high)
    assert math.isnan(p_value(np.array([0.5]), "t"))
    assert math.isnan(equivalence(np.array([0.5]), 1.0))
    assert interval(np.array([]), 0.95, 0.0).n == 0


@pytest.mark.parametrize("value", [0.0, 0.5, -2.0])
def test_equal_differences_are_not_tested(value: float) -> None:
    values = np.full(6, value)
    got = interval(values, 0.95, 1 / 3)
    assert got.low == got.mean == got.high == value
    assert all(math.isnan(p_value(values, test, 1 / 3)) for test in BY_SEED)
    assert math.isnan(equivalence(values, 1.0, 1 / 3))


def test_equal_is_to_within_rounding() -> None:
    rounded = np.array([0.85 - 0.8, 0.45 - 0.4, 0.05])
    assert np.ptp(rounded) > 0
    assert equal(rounded)
    assert not equal(np.array([0.05, 0.05, 0.05 + 1e-9]))
    assert equal(np.array([0.0, 1e-17]), 1.0)
    assert not equal(np.array([0.0, 1e-17]))
    assert not equal(np.array([1.0]))


@given(values=samples, ratio=ratios, sesoi=st.floats(0.5, 50), floor=st.floats(0, 50))
def test_a_floor_of_the_spread_only_makes_equivalence_harder(
    values: np.ndarray, ratio: float, sesoi: float, floor: float
) -> None:
    plain, floored = equivalence(values, sesoi, ratio), equivalence(values, sesoi, ratio, floor)
    assume(plain < 0.5)
    assert floored >= plain
    if floor < np.std(values, ddof=1) * 0.999:
        assert floored == plain


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx((0.03, 0.06, 0.06))
    assert holm([]) == ()


def test_a_lost_comparison_keeps_its_place() -> None:
    assert holm([0.01, None, 0.04]) == (pytest.approx(0.03), None, pytest.approx(0.08))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_never_lowers_a_p_nor_reorders(ps: list[float]) -> None:
    adjusted = holm(ps)
    assert all(a >= p or a == pytest.approx(p) for a, p in zip(adjusted, ps, strict=True))
    for (p, a), (q, b) in itertools.combinations(zip(ps, adjusted, strict=True), 2):
        assert (p - q) * (a - b) >= 0


def test_holm_agrees_with_statsmodels() -> None:
    for ps in np.random.default_rng(0).random((5, 6)).tolist():
        assert holm(ps) == pytest.approx(tuple(multipletests(ps, method="holm")[1]))


def test_power_agrees_with_statsmodels() -> None:
    for n, d in ((5, 1.68), (10, 1.0), (20, 0.4)):
        want = TTestPower().power(d, n, 0.05, alternative="two-sided")
        assert power(d * 3, 3.0, n, 0.0, 0.05) == pytest.approx(want, abs=1e-6)
    assert smallest_detectable(5, 0.0, 0.05) == pytest.approx(1.68, abs=0.01)
    assert smallest_detectable(10, 0.0, 0.05) == pytest.approx(1.00, abs=0.01)


@given(n=st.integers(2, 60), ratio=ratios, alpha=st.sampled_from([0.05, 0.01, 0.005]))
def test_the_smallest_detectable_is_found_as_often_as_wanted(n: int, ratio: float, alpha: float) -> None:
    detectable = smallest_detectable(n, ratio, alpha)
    assert power(detectable, 1.0, n, ratio, alpha) == pytest.approx(0.8, abs=1e-6)
    assert detectable > detectable_limit(ratio, alpha)
    assert power(detectable * 1000, 1.0, n, ratio, alpha) == pytest.approx(1.0, abs=1e-6)


def test_power_without_an_effect_is_alpha_and_without_seeds_nothing() -> None:
    assert power(0.0, 1.0, 10, 1 / 3, 0.05) == pytest.approx(0.05)
    assert power(5.0, 1.0, 1, 1 / 3, 0.05) == 0
    assert smallest_detectable(1, 0.0, 0.05) == math.inf
    assert smallest_detectable(5, 0.0, 0.025, least=least_p(5, "sign_flip")) == math.inf
    assert smallest_detectable(7, 0.0, 0.025, least=least_p(7, "sign_flip")) < math.inf


@pytest.mark.parametrize("delta", [0.3, 0.5, 1.0, 2.0])
def test_seeds_needed_is_the_first_that_suffices(delta: float) -> None:
    n = seeds_needed(delta, 1.0, 0.0, 0.05)
    assert n is not None
    assert power(delta, 1.0, n, 0.0, 0.05) >= 0.8 > power(delta, 1.0, n - 1, 0.0, 0.05)


def test_no_number_of_seeds_passes_the_limit_of_one_pool() -> None:
    limit = detectable_limit(1 / 3, 0.05)
    assert seeds_needed(limit * 0.99, 1.0, 1 / 3, 0.05) is None
    assert seeds_needed(limit * 1.05, 1.0, 1 / 3, 0.05) is not None
    assert seeds_needed(0.1, 0.0, 1 / 3, 0.05) == 2


def test_the_least_p_and_tests_that_are_none() -> None:
    assert least_p(5, "sign_flip") == 0.0625
    assert p_value(np.array([1.0, 2, 3, 4, 5]), "sign_flip") == 0.0625
    assert least_p(5, "t") == 0
    for call in (lambda: least_p(5, "u"), lambda: p_value(GOLDEN, "u")):
        with pytest.raises(UserError, match="there is no test 'u'"):
            call()


def test_the_ratio_is_that_of_the_split_for_the_corrected_test_alone() -> None:
    assert [a_study(test=test).ratio for test in BY_SEED] == [1 / 3, 0, 0]
    assert (a_study().test, a_study().ratio) == ("corrected_t", 1 / 3)
    with pytest.raises(UserError, match="wants 'corrected_t', 't', 'sign_flip' or 'crossed', but got 'u'"):
        a_study(test="u")


def test_a_null_is_called_different_no_more_often_than_alpha() -> None:
    # Three arms whose differences share half of their variance through the baseline.
    studies, ratio = 1500, 1 / 3
    common = differences(10, ratio, 0.0, studies, 1)
    arms = [common + differences(10, ratio, 0.0, studies, k) for k in (2, 3, 4)]
    families = [[p_value(a, "corrected_t", ratio) for a in family] for family in zip(*arms, strict=True)]
    single = np.mean([p[0] < 0.05 for p in families])
    whole = np.mean([min(holm(p)) < 0.05 for p in families])
    assert single == pytest.approx(0.05, abs=0.017)  # three standard errors
    assert 0.01 < whole <= 0.05 + 0.01


def test_without_the_correction_the_null_would_be_called_different_too_often() -> None:
    found = [p_value(d, "t") < 0.05 for d in differences(10, 1 / 3, 0.0, 500, 1)]
    assert np.mean(found) > 0.2


def test_a_planted_effect_is_found_at_the_predicted_power() -> None:
    found = [p_value(d, "corrected_t", 1 / 3) < 0.05 for d in differences(10, 1 / 3, 2.0, 2000, 5)]
    assert np.mean(found) == pytest.approx(power(2.0, 1.0, 10, 1 / 3, 0.05), abs=0.03)


def test_a_null_is_called_equivalent_at_the_predicted_rate() -> None:
    n, ratio, sesoi = 10, 1 / 3, 2.0
    error, t = math.sqrt(1 / n + ratio), stats.t.isf(0.05, n - 1)

    def inside(s: float) -> float:
        """P(|mean| < sesoi - t s error) for sample deviation s, times the density of s."""
        room = max(sesoi - t * s * error, 0) / error
        return (2 * stats.norm.cdf(room) - 1) * stats.chi.pdf(s * math.sqrt(n - 1), n - 1) * math.sqrt(n - 1)

    predicted = integrate.quad(inside, 0, sesoi / (t * error))[0]
    found = [equivalence(d, sesoi, ratio) < 0.05 for d in differences(n, ratio, 0.0, 2000, 6)]
    assert 0.3 < predicted < 0.99
    assert np.mean(found) == pytest.approx(predicted, abs=0.035)


@given(values=samples, sesoi=st.floats(0.5, 50))
def test_exclusion_and_equivalence_are_scipys_and_statsmodels_tests(values: np.ndarray, sesoi: float) -> None:
    one_sided = stats.ttest_1samp(values, sesoi, alternative="less").pvalue
    assert exclusion(values, sesoi) == pytest.approx(one_sided)
    assert equivalence(values, sesoi) == pytest.approx(
        ttost_paired(values, np.zeros_like(values), -sesoi, sesoi)[0]
    )


@given(values=samples, ratio=ratios, sesoi=st.floats(0.5, 50))
def test_an_effect_is_ruled_out_where_its_90_percent_interval_ends_below(
    values: np.ndarray, ratio: float, sesoi: float
) -> None:
    p = exclusion(values, sesoi, ratio)
    if abs(p - 0.05) > 1e-9:
        assert (p < 0.05) == (interval(values, 0.90, ratio).high < sesoi)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=6))
def test_exclusions_share_a_family_with_equivalence(pairs: list[tuple[float, float]]) -> None:
    p = [min(pair) for pair in pairs]
    equivalent = holm([max(pair) for pair in pairs])
    found = holm_excluded(p, equivalent)
    for one, adjusted, equal_p in zip(p, found, equivalent, strict=True):
        assert adjusted is not None
        assert equal_p is not None
        # No easier than alone, no harder than Bonferroni's, and a half is shown where the whole is.
        assert one <= adjusted + 1e-12
        assert adjusted <= min(1.0, one * len(p)) + 1e-12
        assert adjusted <= equal_p + 1e-12
        for alpha in (0.01, 0.05, 0.2, 0.7):
            left = sum(other > alpha for other in equivalent if other is not None)
            if all(abs(x - alpha) > 1e-9 for x in (adjusted, one * left, *equivalent)):  # type: ignore[operator]
                assert (adjusted < alpha) == (one * left < alpha)
    # Two halves that are one: Holm's own.
    assert holm_excluded(p, holm(p)) == pytest.approx(holm(p))
    assert holm_excluded([None, *p], (None, *equivalent))[0] is None


@pytest.mark.parametrize(("n", "ratio", "sd"), [(5, 0.0, 0.5), (10, 1 / 3, 1.0), (20, 0.0, 2.0)])
def test_the_power_of_equivalence_is_its_integral(n: int, ratio: float, sd: float) -> None:
    error, t, sesoi = math.sqrt(1 / n + ratio), stats.t.isf(0.05, n - 1), 2.0

    def inside(s: float) -> float:
        room = max(sesoi / sd - t * s * error, 0) / error
        return (2 * stats.norm.cdf(room) - 1) * stats.chi.pdf(s * math.sqrt(n - 1), n - 1) * math.sqrt(n - 1)

    want = integrate.quad(inside, 0, sesoi / sd / (t * error))[0]
    assert equivalence_power(sesoi, sd, n, ratio, 0.05) == pytest.approx(want, abs=1e-3)
    bound = smallest_shown(lambda b: equivalence_power(b, sd, n, ratio, 0.05), sd)
    assert equivalence_power(bound, sd, n, ratio, 0.05) == pytest.approx(0.8, abs=1e-6)
    assert equivalence_power(2.0, sd, 1, ratio, 0.05) == 0
    # A floor of the spread takes power, and all of it from a step on that no runs make up for.
    coarsest = coarsest_step(sesoi, n, ratio, 0.05)
    assert equivalence_power(sesoi, sd, n, ratio, 0.05, 0.9 * coarsest) < want
    assert equivalence_power(sesoi, sd, n, ratio, 0.05, coarsest) < 1e-12


@given(values=samples, ratio=ratios, sesoi=st.floats(0.5, 50))
def test_above_the_coarsest_step_nothing_is_equivalent(
    values: np.ndarray, ratio: float, sesoi: float
) -> None:
    step = coarsest_step(sesoi, len(values), ratio, 0.05)
    assert equivalence(values, sesoi, ratio, step * 1.001) > 0.05
    centred = (values - values.mean()) * 0.1 * step / np.ptp(values)
    assert equivalence(centred, sesoi, ratio, step * 0.999) < 0.05


@pytest.mark.parametrize("n", [5, 10, 20])
def test_a_share_of_seeds_has_wilsons_interval(n: int) -> None:
    for wins in range(n + 1):
        got = share(wins, n, 0.95)
        assert (got.low, got.high) == pytest.approx(
            proportion_confint(wins, n, 0.05, method="wilson"), abs=1e-12
        )
        assert (got.mean, got.n) == (wins / n, n)
    tie, one, other = share(n / 2, n, 0.95), share(n / 2 - 0.5, n, 0.95), share(n / 2 + 0.5, n, 0.95)
    assert one.low < tie.low < other.low
    assert tie.low == pytest.approx(1 - tie.high)
    assert math.isnan(share(0, 0, 0.95).mean)
    # On average over the true shares it covers as often as it says.
    true = (np.arange(200) + 0.5) / 200
    held = [
        sum(
            stats.binom.pmf(k, n, p)
            for k in range(n + 1)
            if share(k, n, 0.95).low <= p <= share(k, n, 0.95).high
        )
        for p in true
    ]
    assert np.mean(held) == pytest.approx(0.95, abs=0.012)
