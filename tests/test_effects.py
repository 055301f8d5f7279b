"""Effects: paired by seed, blind to the order of rows, opposite when arm and baseline change places."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ablation import Study, Trend
from ablation.errors import UserError
from ablation.report.table import tabulate
from ablation.settings import vary
from ablation.stats.analysis import analyse
from ablation.stats.cells import planned
from ablation.stats.effects import Effect, contrast, effects
from ablation.stats.statistics import coarsest_step, exclusion
from frames import ODD, Coarse, a_frame, a_study, noisy

CENTRE = {"small": 0.020, "middle": 0.018, "large": 0.016}


def found(study: Study, frame: pd.DataFrame, seeds: int) -> dict[tuple[str, str], Effect]:
    return {(e.arm, e.measure): e for e in effects(study, planned(study, frame, seeds))}


def test_effect_by_hand() -> None:
    # Differences of "large" over five seeds: -1, -2, -3, -4, -5 thousandths, whatever the seed adds.
    study = a_study()
    frame = a_frame(study, 5, lambda arm, s: 0.1 * s - (0.001 * (s + 1) if arm == "large" else 0.0))
    effect = found(study, frame, 5)["large", "test_mse"]
    p = 2 * stats.t.sf(3 / math.sqrt((1 / 5 + 1 / 3) * 2.5), 4)
    assert effect.estimate.mean == pytest.approx(-0.003)
    assert effect.p == pytest.approx(p)
    # "small" equals the baseline in every seed: it is not tested, and Holm still doubles the other.
    assert effect.p_holm == pytest.approx(2 * p)
    assert effect.seeds == (0, 1, 2, 3, 4)
    small = found(study, frame, 5)["small", "test_mse"]
    assert (small.p, small.p_holm, small.p_equivalence_holm) == (None, None, None)
    assert (small.verdict, small.equal) == ("inconclusive", True)


def test_differences_that_are_equal_to_within_rounding_are_not_tested() -> None:
    study = a_study()
    frame = a_frame(study, 5, lambda arm, s: 0.1 * s + (0.05 if arm == "large" else 0.0))
    got = contrast(study, planned(study, frame, 5), study.claims[0].rule)
    assert np.ptp(got.differences) > 0
    assert (got.p, got.p_equivalence, got.equal) == (None, None, True)
    # A gap is the graver reason.
    gap = contrast(study, planned(study, frame[frame["seed"] != 1], 5), study.claims[0].rule)
    assert (gap.p, gap.equal) == (None, False)


def test_the_reference_has_no_effect_and_every_other_arm_has_one_per_measure() -> None:
    study = a_study()
    keys = list(found(study, a_frame(study, 5, noisy(CENTRE, 0.001)), 5))
    assert keys == [(arm, name) for name in study.measures for arm in ("small", "large")]


@pytest.mark.parametrize(("shift", "verdict"), [(-0.01, "better"), (0.01, "worse")])
def test_direction_of_better_is_the_measures(shift: float, verdict: str) -> None:
    study = a_study()
    value = noisy(dict(CENTRE, large=0.018 + shift), 1e-4)
    by_mse = found(study, a_frame(study, 8, value), 8)["large", "test_mse"]
    by_accuracy = found(study, a_frame(study, 8, value, lambda a, s: -20 * value(a, s)), 8)[
        "large", "test_accuracy"
    ]
    assert by_mse.verdict == by_accuracy.verdict == verdict


def test_a_measure_without_a_better_end_is_higher_or_lower_and_none_is_best() -> None:
    study = a_study(measures={"effective_rank": 0.5}, claims=())
    frame = a_frame(study, 8, lambda arm, seed: 0.0)
    rank = {"small": 2.0, "middle": 5.0, "large": 9.0}
    frame["effective_rank"] = [
        rank[arm] + 0.01 * (seed % 3) for arm, seed in zip(frame.arm, frame.seed, strict=True)
    ]
    frame.loc[frame.arm == "large", "effective_rank"] += 0.02 * (frame.seed % 2)
    frame.loc[frame.arm == "small", "effective_rank"] -= 0.02 * (frame.seed % 2)
    words = {effect.arm: effect.verdict for effect in effects(study, planned(study, frame, 8))}
    assert words == {"small": "lower", "large": "higher"}
    (panel,) = tabulate(analyse(study, frame, 8)).panels
    assert not any(row.best for row in panel.rows)


def test_an_arm_that_is_set_against_itself_is_a_baseline_and_takes_no_place_in_the_family() -> None:
    study = a_study()
    frame = a_frame(study, 8, noisy({"small": 0.3, "middle": 0.4, "large": 0.9}, 0.01))
    own = replace(study, against={"large": "large"}, claims=())
    before, after = found(study, frame, 8), found(own, frame, 8)
    assert {arm for arm, _ in after} == {"small"}
    assert after["small", "test_mse"].estimate == before["small", "test_mse"].estimate
    assert after["small", "test_mse"].p_holm == after["small", "test_mse"].p
    assert [row.baseline for row in tabulate(analyse(own, frame, 8)).panels[0].rows] == [False, True, True]


def test_noise_is_inconclusive_not_equivalent() -> None:
    study = a_study()
    effect = found(study, a_frame(study, 5, noisy(dict.fromkeys(CENTRE, 0.02), 0.004)), 5)[
        "large", "test_mse"
    ]
    assert effect.verdict == "inconclusive"


@given(seed=st.integers(0, 10_000))
@settings(max_examples=10, deadline=None)
def test_order_of_rows_does_not_matter(seed: int) -> None:
    study = a_study()
    frame = a_frame(study, 5, noisy(CENTRE, 0.001, seed), noisy(dict.fromkeys(CENTRE, 0.5), 0.1, seed))
    shuffled = frame.sample(frac=1, random_state=seed)
    assert analyse(study, frame, 5) == analyse(study, shuffled, 5)


@given(seed=st.integers(0, 10_000), test=st.sampled_from(["corrected_t", "t", "sign_flip"]))
@settings(max_examples=10, deadline=None)
def test_changing_places_with_the_baseline_turns_the_effect_around(seed: int, test: str) -> None:
    study = a_study(test=test)
    swapped = replace(study, baseline=vary(study.baseline, {"model.latent_dim": 256}), claims=())
    frame = a_frame(study, 6, noisy(CENTRE, 0.002, seed))
    there, back = found(study, frame, 6)["large", "test_mse"], found(swapped, frame, 6)["middle", "test_mse"]
    assert back.estimate.mean == pytest.approx(-there.estimate.mean)
    assert (back.estimate.low, back.estimate.high) == pytest.approx(
        (-there.estimate.high, -there.estimate.low)
    )
    assert back.p == pytest.approx(there.p)
    opposite = {"better": "worse", "worse": "better"}
    # The families differ by the third arm; alone, an effect and its mirror image agree.
    if there.p is not None and (there.p < 0.02 or there.p > 0.06):
        assert opposite.get(there.verdict, there.verdict) in (back.verdict, "inconclusive", "equivalent")


def test_a_seed_with_a_gap_is_left_out_and_the_effect_untested() -> None:
    study = a_study()
    frame = a_frame(study, 6, noisy(CENTRE, 0.001))
    gone = (frame["arm"] == "large") & (frame["seed"] == 2)
    frame.loc[gone, "state"] = "diverged"
    frame.loc[gone, ["test_mse", "test_accuracy"]] = np.nan
    got = found(study, frame, 6)
    assert got["large", "test_mse"].seeds == (0, 1, 3, 4, 5)
    assert got["large", "test_mse"].p is got["large", "test_mse"].p_holm is None
    assert got["large", "test_mse"].verdict == "inconclusive"
    # The arm without a gap is tested, in a family that is no smaller for it.
    small = got["small", "test_mse"]
    assert small.p_holm == pytest.approx(min(2 * small.p, 1))  # type: ignore[operator]


def test_a_trend_rests_on_the_arms_that_differ_in_its_setting_alone() -> None:
    arms = dict(a_study().arms) | {"large, bare": {"model.latent_dim": 512, "augment.copies": 0}}
    study, centre = a_study(arms=arms), CENTRE | {"large, bare": 9.0}
    frame = a_frame(study, 6, noisy(centre, 0.001))
    frame.loc[(frame["arm"] == "large, bare") & (frame["seed"] == 2), "state"] = "diverged"
    got = contrast(study, planned(study, frame, 6), study.claims[0].rule)
    assert got.arms == ("small", "middle", "large")
    assert got.seeds == (0, 1, 2, 3, 4, 5)
    assert got.p is not None
    assert abs(got.estimate.mean) < 0.01
    analysis = analyse(study, frame, 6)
    assert "from 64 to 256" in analysis.verdicts[0].rule
    assert {source.arm for source in analysis.sources["claim 1/effect"]} == {"small", "middle", "large"}


def test_a_value_left_by_a_failed_run_is_not_used() -> None:
    study = a_study()
    frame = a_frame(study, 6, noisy(CENTRE, 0.001))
    frame.loc[(frame["arm"] == "large") & (frame["seed"] == 2), ["state", "test_mse"]] = ["failed", 1e9]
    assert abs(found(study, frame, 6)["large", "test_mse"].estimate.mean) < 1


def test_rows_without_a_cell_are_missing_and_rows_beyond_the_plan_are_ignored() -> None:
    study = a_study()
    frame = a_frame(study, 6, noisy(CENTRE, 0.001))
    cells = planned(study, frame[frame["seed"] != 1], 5)
    assert list(zip(cells["arm"], cells["seed"], strict=True)) == [(c.arm, c.seed) for c in study.cells(5)]
    assert set(cells.loc[cells["seed"] == 1, "state"]) == {"missing"}
    assert set(cells.loc[cells["seed"] != 1, "state"]) == {"complete"}


def test_frames_that_cannot_be_are_refused() -> None:
    study = a_study()
    frame = a_frame(study, 5, noisy(CENTRE, 0.001))
    with pytest.raises(UserError, match="arm 'small', seed 0 has two"):
        planned(study, pd.concat([frame, frame.head(1)]), 5)
    with pytest.raises(UserError, match="lack test_accuracy"):
        planned(study, frame.drop(columns="test_accuracy"), 5)
    assert set(planned(study, frame.assign(state="running"), 5)["state"]) == {"running"}
    with pytest.raises(UserError, match="state 'late'"):
        planned(study, frame.assign(state="late"), 5)


def test_before_the_first_run_everything_is_missing() -> None:
    study = a_study()
    frame = pd.DataFrame({"arm": [], "seed": [], "state": [], "fingerprint": [], "run_id": []})
    analysis = analyse(study, frame, 5)
    assert all(effect.estimate.n == 0 for effect in analysis.effects)
    assert {verdict.word for verdict in analysis.verdicts} == {"inconclusive"}
    assert "15 of 15 cells" in analysis.verdicts[0].reason


@pytest.mark.parametrize("scale", ["log2", "linear", "rank"])
def test_trend_is_the_slope_of_a_line_fitted_per_seed(scale: str) -> None:
    study = a_study()
    rule = Trend("test_mse", "up", "model.latent_dim", scale)  # type: ignore[arg-type]
    frame = a_frame(study, 5, noisy(CENTRE, 0.003))
    x = {"log2": [6.0, 7.0, 8.0], "linear": [64.0, 128.0, 256.0], "rank": [1.0, 2.0, 3.0]}[scale]
    table = frame.pivot(index="seed", columns="arm", values="test_mse")[
        ["small", "middle", "large"]
    ].to_numpy()
    want = [np.polyfit(x, y, 1)[0] * (x[-1] - x[0]) for y in table]
    got = contrast(study, planned(study, frame, 5), rule)
    assert got.differences == pytest.approx(want)
    assert got.arms == ("small", "middle", "large")


def test_a_straight_line_has_its_whole_change_as_effect_and_a_constant_none() -> None:
    weights = np.array([*Trend("test_mse", "up", "model.latent_dim").weights(a_study()).values()])
    assert weights @ np.array([3.0, 5.0, 7.0]) == pytest.approx(4.0)
    assert weights @ np.ones(3) == pytest.approx(0.0)


def test_a_level_of_zero_has_no_logarithm() -> None:
    study = a_study(arms={"none": {"augment.copies": 0}, "four": {"augment.copies": 4}}, claims=())
    with pytest.raises(UserError, match=r'above 0, but augment\.copies has 0: say scale="rank" or'):
        Trend("test_mse", "up", "augment.copies").weights(study)
    linear = Trend("test_mse", "up", "augment.copies", "linear").weights(study)
    assert sum(linear.values()) == pytest.approx(0)


def test_a_null_study_is_better_or_worse_no_more_often_than_alpha() -> None:
    """200 studies of ten seeds and three equal arms, through the whole of `effects`."""
    study, studies, called = a_study(measures={"test_mse": 0.002}, claims=()), 200, 0
    cells = planned(study, a_frame(study, 10, lambda arm, s: 0.0), 10)
    rng = np.random.default_rng(0)
    for _ in range(studies):
        # Each arm's mean over the pool of splits is itself uncertain: what the correction is for.
        values = rng.normal(size=(10, 3)) + math.sqrt(1 / 3) * rng.normal(size=(1, 3))
        words = {e.verdict for e in effects(study, cells.assign(test_mse=values.ravel()))}
        called += bool(words & {"better", "worse"})
    assert 1 <= called <= 0.05 * studies + 3 * math.sqrt(0.05 * 0.95 * studies)


def balanced(rng: np.random.Generator, studies: int, delta: float, on_sad: bool) -> np.ndarray:
    """(studies, 5 seeds, 2): balanced accuracy of 4 happy and 1 sad picture in an arm and the baseline.

    The arm's true value lies `delta` below. `on_sad`: the sad picture alone loses, while happy ones are
    guessed anew in a tenth of the cases; else every picture loses alike.
    """
    happy, sad = rng.random((studies, 5, 4)) < 0.9, rng.random((studies, 5)) < (1.0 if on_sad else 0.9)
    lose = 2 * delta if on_sad else delta / 0.9
    again = np.where(rng.random(happy.shape) < 0.1, rng.random(happy.shape) < 0.9, happy)
    other = again if on_sad else happy & (rng.random(happy.shape) >= lose)
    lost = sad & (rng.random(sad.shape) >= lose)
    return np.stack([(other.mean(2) + lost) / 2, (happy.mean(2) + sad) / 2], axis=2)


@pytest.mark.parametrize("on_sad", [True, False])
@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("sesoi", [0.05, 0.125, 0.2])
def test_a_coarse_measure_is_called_equivalent_no_more_often_than_alpha(
    sesoi: float, times: int, on_sad: bool
) -> None:
    """400 studies of five seeds whose true difference is the SESOI or twice it, through `effects`.

    Were equal differences tested, up to 41 % of them would be called equivalent; with that rule alone, and no
    floor of the spread, up to 11 % at a SESOI of one step (0.125) or more; with both, none of 4000.
    """
    studies, name = 400, "test_balanced_accuracy"
    arms = {"other": {"model.latent_dim": 64}, "base": {"model.latent_dim": 128}}
    # One sad picture of two classes: it alone moves the measure by a half.
    study = a_study(arms=arms, measures={name: sesoi}, claims=(), train=Coarse(**{name: 1 / 2}))
    cells = planned(study, a_frame(study, 5, lambda arm, s: 0.0).assign(**{name: 0.0}), 5)
    values = balanced(np.random.default_rng(0), studies, times * sesoi, on_sad)
    words = [effects(study, cells.assign(**{name: one.ravel()}))[0].verdict for one in values]
    # Three standard errors of a rate of alpha over this many studies.
    assert words.count("equivalent") <= studies * 0.05 + 3 * math.sqrt(studies * 0.05 * 0.95)


@pytest.mark.parametrize(("step", "verdict"), [(1 / 400, "equivalent"), (1 / 4, "inconclusive")])
def test_a_measure_is_called_equivalent_where_its_step_is_fine(step: float, verdict: str) -> None:
    study = a_study(measures={"test_accuracy": 0.05}, claims=(), train=Coarse(test_accuracy=step))
    value = noisy(dict.fromkeys(CENTRE, 0.8), 0.005)
    cells = planned(study, a_frame(study, 8, value, value), 8)
    assert {effect.verdict for effect in effects(study, cells)} == {verdict}


def test_arm_names_may_be_anything() -> None:
    study = a_study(arms={ODD: {"model.latent_dim": 64}, "b": {"model.latent_dim": 128}}, claims=())
    frame = a_frame(study, 5, lambda arm, s: 0.01 * s)
    analysis = analyse(study, frame, 5)
    assert analysis.means[ODD, "test_mse"].n == 5
    assert len(analysis.sources[f"{ODD}/test_mse/difference"]) == 10


def test_the_share_of_seeds_under_which_an_arm_is_better() -> None:
    """Lower is better for the error: three seeds of five, and a tie; for accuracy the same is worse."""
    study = a_study()
    moved = dict(enumerate([-0.01, -0.02, -0.01, 0.0, 0.01]))
    frame = a_frame(study, 5, lambda arm, s: 0.1 * s + moved[s] * (arm == "large"))
    frame["test_accuracy"] = frame["test_mse"]
    effects_ = found(study, frame, 5)
    error, accuracy = (effects_["large", name] for name in study.measures)
    assert (error.above, error.better(study).mean, error.better(study).n) == (1.5, 0.7, 5)
    assert accuracy.better(study).mean == pytest.approx(0.3)
    assert accuracy.better(study).low == pytest.approx(1 - error.better(study).high)
    # An arm that never differs is better half of the time.
    assert effects_["small", "test_mse"].better(study).mean == 0.5


def pooled(rng: np.random.Generator, studies: int, n: int, pictures: int, lost: float) -> np.ndarray:
    """(studies, n): the change of a balanced accuracy of two classes under splits drawn from one pool.

    The rarer class has `pictures` in the test set of a split and five times as many in the pool. The arm
    loses each picture of the pool with probability `lost`, under every seed that tests it.
    """
    pool = rng.random((studies, 5 * pictures)) < lost
    order = rng.random((n, studies, 5 * pictures)).argsort(axis=2)[..., :pictures]
    return np.stack([-np.take_along_axis(pool, one, 1).mean(1) / 2 for one in order], axis=1)


@pytest.mark.simulation
@pytest.mark.parametrize("n", [5, 10, 20])
def test_the_floor_of_the_spread_costs_nothing_from_twice_the_pictures_on(n: int) -> None:
    """Where one picture moves a measure by what matters, equivalence cannot be shown, and is not where it is
    false; without the floor it would be, in up to 8 %. With twice the pictures it can.
    """
    studies, sesoi, rng, ratio = 4000, 0.1, np.random.default_rng(n), 1 / 3
    error = 3 * math.sqrt(0.05 * 0.95 / studies)

    def rate(values: np.ndarray, step: float) -> float:
        spread = values.std(axis=1, ddof=1)
        some = values[spread > 1e-12]
        p = [max(exclusion(sign * one, sesoi, ratio, step) for sign in (1, -1)) for one in some]
        return float(np.sum(np.array(p) < 0.05)) / studies

    false = {pictures: pooled(rng, studies, n, pictures, 2 * sesoi) for pictures in (5, 10, 20)}
    assert max(rate(values, 0.0) for values in false.values()) > 0.05
    for pictures, values in false.items():
        assert rate(values, 1 / (2 * pictures)) <= 0.05 + error
        step, least = 1 / (2 * pictures), coarsest_step(sesoi, n, ratio, 0.05)
        # Guesses that change by chance, and no picture that the arm loses.
        calm = rng.integers(-1, 2, (studies, n)) / (2 * pictures)
        assert (rate(calm, step) > 0) == (step < least)
    assert coarsest_step(sesoi, n, ratio, 0.05) < 0.1
    assert coarsest_step(sesoi, n, ratio, 0.05) > 0.05
