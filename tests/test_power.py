"""What the seeds of a study can detect, said before any is spent."""

import math
import re

import pytest

from ablation import Claim, Same
from ablation.stats.power import Power, piloted, power_of, said
from ablation.stats.statistics import coarsest_step, equivalence_power, power
from frames import Coarse, a_frame, a_study, noisy

MORE = {"small": 0.3, "middle": 0.4, "large": 0.9}


def test_power_by_hand() -> None:
    found = power_of(a_study(test="t", claims=a_study().claims[:1]), 10)
    assert (found.comparisons, found.least_p, found.limit) == (1, 0.0, 0.0)
    assert found.detectable == pytest.approx(1.00, abs=0.01)
    assert found.warnings == ()
    assert found.sentences[0] == "3 arms × 10 seeds = 30 cells."


def test_power_warns_of_what_cannot_succeed() -> None:
    flips = power_of(a_study(test="sign_flip"), 5)
    assert flips.least_p == 0.0625
    assert flips.detectable == math.inf
    assert flips.sentences[-1] == "With 5 seeds no effect can be found, however large."
    assert (
        "0.0625, not below the 0.025 that Holm's first step asks for: give at least 7 seeds"
        in (flips.warnings[0])
    )
    enough = power_of(a_study(test="sign_flip"), 7)
    assert enough.warnings == ()
    assert enough.detectable < math.inf
    assert "exploratory" in power_of(a_study(), 3).warnings[0]
    assert "Smoke" in power_of(a_study().smoke(), 2).warnings[0]
    assert "no number of seeds finds it" in " ".join(power_of(a_study(), 5).sentences)


def test_before_any_run_the_spread_that_suffices_is_said_in_the_unit_of_the_measure() -> None:
    study = a_study(test="t", claims=a_study().claims[:1])
    found = power_of(study, 10)
    (sentence,) = [one for one in found.sentences if one.startswith("Test MSE")]
    bound = float(re.search(r"is at most ([0-9.]+)\.$", sentence)[1])  # type: ignore[index]
    assert bound == pytest.approx(0.002 / found.detectable, abs=1e-5)
    assert power(0.002, bound, 10, 0, 0.05) == pytest.approx(0.8, abs=0.01)


def planned(sd: float, seeds: int, **changes: object) -> Power:
    """The power of a study with 8 seeds there, whose arms differ by nothing but noise of `sd`."""
    study = a_study(**changes)
    frame = a_frame(study, 8, noisy(dict.fromkeys(study.settings, 0.02), sd), noisy(MORE, 0.001))
    return power_of(study, seeds, piloted(study, frame))


def test_runs_tell_what_more_seeds_would_find() -> None:
    few, many = planned(0.002, 8, test="t"), planned(0.002, 60, test="t")
    first = few.effects[0]
    assert not first.suffices
    assert (first.pilot, first.seeds, first.matters) == (8, 8, 0.002)
    assert first.needed is not None
    assert 8 < first.needed <= 60
    sentence = said(a_study(test="t"), first)
    assert sentence in few.warnings
    assert f"It takes about {first.needed} seeds to find it 80 times in 100." in sentence
    assert planned(0.002, first.needed, test="t").effects[0].suffices
    assert not planned(0.002, first.needed - 1, test="t").effects[0].suffices
    assert many.effects[0].suffices
    assert said(a_study(test="t"), many.effects[0]) in many.sentences
    assert (
        "The spread is that of 8 seeds that ran; the true one may be 0.7 to 2.0 times as large."
        in " ".join(many.sentences)
    )


def test_a_study_that_no_seeds_can_settle_is_told_so_in_its_unit() -> None:
    found = planned(0.01, 1000)
    (sentence,) = [one for one in found.warnings if "Test MSE" in one]
    assert re.match(
        r"“larger is sharper”: 1000 seeds find an effect of 0\.0\d+ or more in Test MSE; the smallest",
        sentence,
    )
    assert "the n_test / n_train of 0.333 that it assumes" in sentence
    assert sentence.endswith("As declared, this cannot succeed.")
    enough, spread = map(float, re.findall(r"(?:deviation|one) of ([0-9.]+\d)", sentence))
    assert power(0.002, enough, 1000, 1 / 3, 0.025) == pytest.approx(0.8, abs=0.02)
    assert power(0.002, spread, 10_000, 1 / 3, 0.025) < 0.8
    assert found.effects[0].needed is None
    independent = planned(0.01, 10, test="t", measures={"test_mse": 1e-6, "test_accuracy": 0.05})
    assert "10,000 seeds would not do" in independent.warnings[0]
    assert "less than 1 times" not in planned(0.004, 8, test="t").warnings[0]


def test_what_does_not_vary_and_a_smoke_budget_tell_no_spread() -> None:
    study = a_study()
    frame = a_frame(study, 8, lambda arm, s: 0.02, lambda arm, s: 0.5)
    found = power_of(study, 5, piloted(study, frame))
    assert found.effects == ()
    assert "“larger is sharper”: the 8 seeds that ran give the same difference, which shows no spread." in (
        found.sentences
    )
    assert planned(0.004, 3).effects == ()


def test_each_effect_has_the_seeds_that_ran_for_it() -> None:
    study = a_study(test="t")
    frame = a_frame(study, 8, noisy(dict.fromkeys(study.settings, 0.02), 0.004), noisy(MORE, 0.001))
    frame.loc[(frame.arm == "small") & (frame.seed > 2), "state"] = "failed"
    found = power_of(study, 8, piloted(study, frame))
    assert [one.pilot for one in found.effects] == [3, 8]
    assert "that of 3 to 8 seeds that ran; the true one may be 0.5 to 6.3 times as large, where 3 ran." in (
        " ".join(found.sentences)
    )


def test_power_is_a_number_however_small_the_spread() -> None:
    assert power(5.0, 1e-9, 20, 0, 0.05) == 1.0


def test_claims_that_count_are_planned_as_a_family_of_their_own() -> None:
    beside = tuple(Claim(f"beside {n}", Same("test_accuracy", "large"), counts=False) for n in range(3))
    alone, both = power_of(a_study(), 8), power_of(a_study(claims=(*a_study().claims, *beside)), 8)
    assert (both.comparisons, both.detectable, both.limit) == (2, alone.detectable, alone.limit)
    assert "Holm over 2 claims, alpha" in alone.sentences[1]
    assert "Holm over 2 claims that count, and apart over 3 claims that do not, alpha" in both.sentences[1]
    one = power_of(a_study(claims=(a_study().claims[0], beside[0])), 8)
    assert "Holm over 1 claim that counts, and apart over 1 claim that does not, alpha" in one.sentences[1]
    assert power_of(a_study(claims=beside), 8).comparisons == 3
    changes = {"test": "t", "claims": (*a_study().claims, *beside)}
    first, *_ = planned(0.002, 8, **changes).effects
    assert first.detectable == planned(0.002, 8, test="t").effects[0].detectable


def test_of_a_claim_of_sameness_the_plan_says_how_often_it_would_be_shown() -> None:
    """Where there is no difference: the equivalence that supports it, and not the effect that refutes it."""
    claims = (Claim("as sharp", Same("test_mse", "large")),)
    few = planned(0.002, 8, test="t", claims=claims)
    (one,) = few.effects
    assert one.power == pytest.approx(equivalence_power(0.002, one.spread, 8, 0, 0.05))
    assert equivalence_power(one.detectable, one.spread, 8, 0, 0.05) == pytest.approx(0.8, abs=1e-6)
    assert (one.needed or 0) > 8
    text = said(a_study(test="t", claims=claims), one)
    assert re.search(
        r"8 seeds show an effect of 0 to be within ±0\.00\d+ in Test MSE; .* which they would show \d+ times "
        rf"in 100\. It takes about {one.needed} seeds to show it 80 times in 100\.$",
        text,
    )
    assert text in few.warnings
    many = planned(0.002, one.needed or 0, test="t", claims=claims).effects[0]
    assert many.suffices
    assert not planned(0.002, (one.needed or 0) - 1, test="t", claims=claims).effects[0].suffices


@pytest.mark.parametrize("share", [0.99, 1.01])
def test_a_measure_that_is_too_coarse_for_equivalence_is_named_before_the_runs(share: float) -> None:
    """Where one test item moves it by more than the tests can allow for, however many runs agree."""
    least = coarsest_step(0.002, 20, 1 / 3, 0.025)
    found = planned(0.0001, 20, train=Coarse(test_mse=share * least))
    warned = [one for one in found.warnings if "however the runs turn out" in one]
    trend = found.effects[0]
    # A trend over log2 from 64 to 256 is the difference of its ends.
    assert trend.step == pytest.approx(share * least)
    assert trend.too_coarse == (share > 1) == bool(warned)
    if warned:
        assert warned[0].startswith(
            "“larger is sharper”: 20 seeds cannot show the effect to be within ±0.002"
        )
        assert "It takes at least 1.1 times as many test items" in warned[0]
