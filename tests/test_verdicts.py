"""Verdicts follow from the rule alone; what is not shown is never called absent."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ablation import Claim, Difference, Same, Study
from ablation.formatting import number
from ablation.stats.analysis import Analysis, analyse
from ablation.stats.statistics import coarsest_step, equivalence_power, power, smallest_detectable
from ablation.stats.verdicts import Verdict, conclusion
from frames import Coarse, Value, a_frame, a_study, noisy

FALLING = {"small": 0.030, "middle": 0.020, "large": 0.010}
SLIGHTLY = {"small": 0.022, "middle": 0.020, "large": 0.018}
RISING = {"small": 0.010, "middle": 0.020, "large": 0.030}
LEVEL = dict.fromkeys(FALLING, 0.020)
MORE = {"small": 0.3, "middle": 0.4, "large": 0.9}


def judged(mse: Value, accuracy: Value, seeds: int = 8, study: Study | None = None) -> Analysis:
    study = study or a_study(seeds=seeds)
    return analyse(study, a_frame(study, seeds, mse, accuracy), seeds)


def words(analysis: Analysis) -> list[str]:
    return [verdict.word for verdict in analysis.verdicts]


@pytest.mark.parametrize(
    ("centre", "sd", "word", "reason", "detail"),
    [
        (FALLING, 0.001, "supported", "Yes: .*, beyond 0.0020, the", r"claimed \(p < 0.001 after Holm\)"),
        (SLIGHTLY, 0.0008, "supported", "Yes: .*; whether it reaches 0.0020, .* open", r"claimed \(p = 0.00"),
        (RISING, 0.001, "refuted", "No, the opposite: .*, beyond 0.0020", "against the direction claimed"),
        (
            LEVEL,
            0.0001,
            "equivalent",
            "No difference that matters: .*, within ±0.0020",
            "lies within ±0.0020",
        ),
        (
            LEVEL,
            0.01,
            "inconclusive",
            "Not settled: .*; the smallest that matters is 0.0020.",
            "neither shows",
        ),
    ],
)
def test_the_rule_gives_the_word_and_both_sentences(
    centre: dict[str, float], sd: float, word: str, reason: str, detail: str
) -> None:
    first = judged(noisy(centre, sd), noisy(MORE, 0.01)).verdicts[0]
    assert first.word == word
    assert re.match(reason, first.reason)
    between = f"lies between {number(first.estimate.low, 4, True)} and {number(first.estimate.high, 4, True)}"
    assert f"the change in Test MSE as model.latent_dim grows from 64 to 256 {between}" in first.reason
    assert "p " not in first.reason
    assert re.search(detail, first.detail)


def told(differences: list[float], rule: str = "difference", claims: int = 1, **changes: Any) -> Verdict:
    """The first of so many verdicts on middle and large, which differ so under each seed; 0.002 matters."""
    first = Same("test_mse", "large", "middle")
    if rule == "difference":
        first = Difference("test_mse", "up", "large", "middle")  # type: ignore[assignment]
    others = [Claim(str(n), Same("test_accuracy", "large")) for n in range(claims - 1)]
    study = a_study(**{"claims": (Claim("it is larger", first), *others), "test": "t", "seeds": 8} | changes)

    def value(arm: str, seed: int) -> float:
        return 0.02 + 0.001 * seed + (differences[seed] if arm == "large" else 0.0)

    n = len(differences)
    return analyse(study, a_frame(study, n, value, noisy(dict.fromkeys(MORE, 0.5), 0.1)), n).verdicts[0]


@given(
    st.lists(st.floats(-0.01, 0.01), min_size=5, max_size=9),
    st.sampled_from(["t", "sign_flip"]),
    st.sampled_from(["difference", "same"]),
    st.integers(1, 6),
)
@settings(max_examples=300, deadline=None)
def test_a_sentence_never_contradicts_its_interval(
    differences: list[float], test: str, rule: str, claims: int
) -> None:
    """Holm, one-sided tests and sign flips may differ from the interval: a sentence says so."""
    verdict = told(differences, rule, claims, test=test)
    low, high, said = verdict.estimate.low, verdict.estimate.high, verdict.reason
    if verdict.p is None:
        assert said.startswith("Not tested")
        return
    shown, within = low > 0 or high < 0, max(-low, high) <= 0.002
    assert ("beyond 0.002" in said) <= (low >= 0.002 or high <= -0.002)
    assert ("is open" in said) <= (not within)
    assert "1 claim count" not in said
    if verdict.word in ("supported", "refuted") and "within ±" not in said:
        assert ("lies between" in said) == shown
    elif verdict.word == "inconclusive":
        assert ("a difference from 0" in said) == shown
        assert ("the interval is within it" in said) == within


@pytest.mark.parametrize(
    ("differences", "options", "word", "said"),
    [
        ([0.01] * 5 + [0.3001], {"test": "sign_flip"}, "supported", r"is \+0.0583; whether it .* is open"),
        (
            [0.010, 0.011, 0.012, 0.009, 0.0105],
            {"test": "sign_flip"},
            "inconclusive",
            r"between \+0.0091 and \+0.0119, but so few sign flips do not show a difference from 0",
        ),
        (
            [0.0016, 0.0009, 0.0019, 0.0014, 0.0008, 0.0018],
            {"claims": 6, "rule": "same"},
            "refuted",
            r"between \+0.0009 and \+0.0019, within ±0.0020, .* that is not shown after Holm's correction "
            "over 6 claims",
        ),
        (
            [0.004, 0.001, 0.003, 0.002, 0.0035, 0.0015],
            {},
            "supported",
            r"; whether it reaches 0.0020, the smallest that matters, is open",
        ),
    ],
)
def test_a_sentence_where_test_and_interval_part(
    differences: list[float], options: dict[str, Any], word: str, said: str
) -> None:
    verdict = told(differences, **options)
    assert (verdict.word, verdict.estimate.n) == (word, len(differences)), verdict
    assert re.search(said, verdict.reason), verdict.reason


def test_an_end_that_is_not_the_smallest_that_matters_is_not_printed_as_it() -> None:
    verdict = told([0.00209 + 0.00006 * (-1) ** n for n in range(8)])
    low = verdict.estimate.low
    assert number(low, 4) == "0.0020" != low
    assert f"+{low:.5f}" in verdict.reason


def test_the_same_difference_under_every_seed_is_not_tested_and_says_why() -> None:
    analysis = judged(lambda arm, s: 0.001 * s, noisy(MORE, 0.01))
    first, second = analysis.verdicts
    assert (first.word, first.p, first.p_equivalence_holm, first.detectable) == (
        "inconclusive",
        None,
        None,
        None,
    )
    assert first.reason == (
        "Not tested: every seed gives the same fitted change (0.0000): does the training use what the arms "
        "vary? Or Test MSE is too coarse, or the seeds too few, to show a spread."
    )
    assert first.detail == ""
    assert second.p_holm == pytest.approx(2 * second.p)  # type: ignore[operator]
    text = " ".join(analysis.caveats)
    assert "the same difference for small on Test MSE and large on Test MSE" in text


def test_a_claim_downwards_is_the_mirror_of_one_upwards() -> None:
    claims = tuple(Claim(d, Difference("test_mse", d, "large")) for d in ("up", "down"))  # type: ignore[arg-type]
    study = a_study(claims=claims)
    assert words(judged(noisy(FALLING, 0.001), noisy(MORE, 0.01), study=study)) == ["refuted", "supported"]


def test_equivalent_comes_before_significant() -> None:
    # A tenth of the smallest effect that matters, measured almost without noise.
    tiny = {"small": 0.0201, "middle": 0.0200, "large": 0.0199}
    first = judged(noisy(tiny, 1e-6), noisy(MORE, 0.01)).verdicts[0]
    assert first.p_holm is not None
    assert first.p_holm < 0.001
    assert first.word == "equivalent"


def test_an_effect_that_may_be_too_small_to_matter_says_so() -> None:
    small = {"small": 0.0213, "middle": 0.0200, "large": 0.0187}
    first = judged(noisy(small, 0.0005), noisy(MORE, 0.01), 10).verdicts[0]
    assert first.word == "supported"
    assert "whether it reaches 0.0020, the smallest that matters, is open" in first.reason


@pytest.mark.parametrize("state", ["missing", "running", "failed", "diverged"])
def test_what_rests_on_an_incomplete_cell_is_inconclusive_with_the_count(state: str) -> None:
    study = a_study(seeds=8)
    frame = a_frame(study, 8, noisy(FALLING, 0.001), noisy(MORE, 0.01))
    frame.loc[(frame["arm"] == "small") & (frame["seed"] < 2), "state"] = state
    analysis = analyse(study, frame, 8)
    # The second claim compares "large" with the baseline and does not rest on "small".
    assert words(analysis) == ["inconclusive", "supported"]
    assert f"2 of 24 cells that it rests on are not complete (2 {state})" in analysis.verdicts[0].reason
    assert any(f"2 {state}" in caveat for caveat in analysis.caveats)


@pytest.mark.parametrize("seeds", [1, 2, 4])
def test_fewer_than_five_seeds_are_exploratory_and_print_no_p(seeds: int) -> None:
    analysis = judged(noisy(FALLING, 0.001), noisy(MORE, 0.01), seeds)
    assert analysis.exploratory
    assert words(analysis) == ["inconclusive", "inconclusive"]
    assert all(e.p is e.p_holm is e.p_equivalence_holm is None for e in analysis.effects)
    assert all(v.p is v.p_holm is v.p_equivalence_holm is None for v in analysis.verdicts)
    assert not re.search(r"p [<=]", " ".join(v.reason for v in analysis.verdicts))
    assert analysis.caveats[0].startswith("Exploratory")


def test_a_smoke_budget_proves_nothing_even_with_many_seeds() -> None:
    study = replace(a_study().smoke(), seeds=8)
    analysis = analyse(study, a_frame(study, 8, noisy(FALLING, 0.001), noisy(MORE, 0.01)), 8)
    assert words(analysis) == ["inconclusive", "inconclusive"]
    assert analysis.caveats[0] == "Smoke budget: these numbers mean nothing."


def test_holm_spans_the_claims() -> None:
    analysis = judged(noisy(LEVEL, 0.01), noisy(MORE, 0.01))
    first, second = analysis.verdicts
    assert second.p is not None
    assert second.p_holm == pytest.approx(2 * second.p)
    assert first.p_holm == pytest.approx(first.p)


def test_the_conclusion_is_the_studys_only_if_every_claim_is_supported() -> None:
    assert judged(noisy(FALLING, 0.001), noisy(MORE, 0.01)).conclusion == (
        "2 of 2 claims supported: size matters."
    )
    other = judged(noisy(LEVEL, 0.01), noisy(MORE, 0.01)).conclusion
    assert other == (
        "1 of 2 claims supported; not shown: size matters. Supported: “large is more accurate”. "
        "Inconclusive: “larger is sharper”."
    )
    study = a_study(claims=())
    assert (
        "declares no claim that decides it"
        in judged(noisy(LEVEL, 0.01), noisy(MORE, 0.01), study=study).conclusion
    )


@pytest.mark.parametrize("sd", [0.0001, 0.001, 0.003, 0.01])
def test_not_significant_is_never_called_no_effect(sd: float) -> None:
    analysis = judged(noisy(LEVEL, sd), noisy(dict.fromkeys(MORE, 0.5), sd * 10))
    open_ = [v for v in analysis.verdicts if v.word == "inconclusive"]
    said = [analysis.conclusion, *analysis.caveats, *(v.reason.lower() for v in open_)]
    text = " ".join([*said, *(v.detail for v in analysis.verdicts)])
    assert not re.search(r"no (effect|difference|change|influence)|not affect|same as", text)


def test_seeds_needed_reach_the_power_promised() -> None:
    study = a_study(test="t", seeds=8)
    value = noisy(LEVEL, 0.004)
    first = judged(value, noisy(MORE, 0.01), study=study).verdicts[0]
    found = re.search(r"about (\d+) seeds would find an effect of 0.0020", first.reason)
    assert found
    # Both claims stand in Holm's family; the fitted change is that from the first to the last arm.
    sd = float(np.std([value("large", s) - value("small", s) for s in range(8)], ddof=1))
    n = int(found[1])
    assert power(0.002, sd, n, 0, 0.025) >= 0.8 > power(0.002, sd, n - 1, 0, 0.025)
    assert first.detectable == pytest.approx(sd * smallest_detectable(8, 0, 0.025))


def test_splits_of_one_pool_may_never_suffice() -> None:
    first = judged(noisy(LEVEL, 0.01), noisy(MORE, 0.01)).verdicts[0]
    assert "no number of seeds would find an effect of 0.0020 (80 % power), since the variance of Nadeau" in (
        first.reason
    )
    # What is assumed is named, and the spread that would do does: nothing is promised of more data.
    assert "n_test / n_train of 0.333 that it assumes" in first.reason
    assert not re.search("images|more data", first.reason)
    found = re.search(
        r"(\d+) seeds would do if .* deviation of ([0-9.]+), and they have one of ([0-9.]+)\.$", first.reason
    )
    assert found
    assert power(0.002, float(found[2]), int(found[1]), 1 / 3, 0.025) == pytest.approx(0.8, abs=0.01)
    assert power(0.002, float(found[3]), 10_000, 1 / 3, 0.025) < 0.8


def test_independent_seeds_may_be_too_many_to_give() -> None:
    study = a_study(test="t", measures={"test_mse": 1e-6, "test_accuracy": 0.05})
    first = judged(noisy(LEVEL, 0.01), noisy(MORE, 0.01), study=study).verdicts[0]
    assert "it would take more than 10,000 seeds to find an effect of 0.0000010 (80 % power)." in first.reason


def test_more_seeds_are_never_advised_where_fewer_would_do() -> None:
    reasons = []
    for seed in range(60):
        value = noisy(dict(LEVEL, large=0.0192), 0.0008, seed)
        analysis = judged(value, noisy(MORE, 0.01), 8, a_study(test="t", seeds=8))
        reasons.append(analysis.verdicts[0].reason)
    advised = [int(n) for reason in reasons for n in re.findall(r"about (\d+) seeds would find", reason)]
    assert all(n > 8 for n in advised)
    enough = [reason for reason in reasons if "8 seeds find an effect of 0.0020 (80 % power)" in reason]
    assert enough
    assert enough[0].endswith(
        ": it may be smaller than that, or missed here by chance, and more seeds would tell."
    )


def test_rules_in_words() -> None:
    first, second = judged(noisy(LEVEL, 0.01), noisy(MORE, 0.01)).verdicts
    assert first.rule.startswith("Test MSE falls as model.latent_dim grows from 64 to 256")
    assert second.rule == "Test accuracy of large lies above that of middle, paired by seed."


def test_every_number_names_its_cells() -> None:
    analysis = judged(noisy(LEVEL, 0.01), noisy(MORE, 0.01), 5)
    assert [s.seed for s in analysis.sources["small/test_mse/mean"]] == [0, 1, 2, 3, 4]
    assert {s.arm for s in analysis.sources["small/test_mse/difference"]} == {"small", "middle"}
    assert len(analysis.sources["claim 1/effect"]) == 15
    assert len(analysis.sources["claim 2/effect"]) == 10
    assert analysis.sources["small/test_mse/mean"][3].run_id == "run-small-3"


def test_the_conclusion_rests_on_the_claims_that_count() -> None:
    study = a_study()
    whole = analyse(study, a_frame(study, 8, lambda arm, seed: 0.01 * seed), 8)
    beside = a_study(claims=tuple(replace(claim, counts=False) for claim in study.claims))
    found = analyse(beside, a_frame(beside, 8, lambda arm, seed: 0.01 * seed), 8)
    assert [v.word for v in found.verdicts] == [v.word for v in whole.verdicts]
    assert "declares no claim that decides it" in found.conclusion


def test_claims_that_do_not_count_never_raise_the_p_of_those_that_do() -> None:
    """Nor the other way round: each of the two is a family of its own."""
    beside = tuple(Claim(f"beside {n}", Same("test_accuracy", "large"), counts=False) for n in range(5))
    study = a_study()
    both = a_study(claims=(beside[0], *study.claims, *beside[1:]))
    values = noisy(SLIGHTLY, 0.002), noisy(dict.fromkeys(MORE, 0.5), 0.1)
    alone, found = judged(*values), judged(*values, study=both)
    assert found.verdicts[1:3] == alone.verdicts
    apart = judged(*values, study=a_study(claims=tuple(replace(claim, counts=True) for claim in beside)))
    for one, other in zip((found.verdicts[0], *found.verdicts[3:]), apart.verdicts, strict=True):
        assert (one.word, one.p_holm, one.detectable) == (other.word, other.p_holm, other.detectable)
    assert any("over the claims that count, and apart over those that do not" in c for c in found.caveats)
    assert not any("that do not" in caveat for caveat in alone.caveats)


@pytest.mark.parametrize("direction", ["up", "down"])
def test_an_effect_that_matters_can_be_ruled_out_in_the_direction_claimed(direction: str) -> None:
    sign = 1 if direction == "up" else -1
    rule = Difference("test_mse", direction, "large", "middle")  # type: ignore[arg-type]
    claims = (Claim("it moves", rule),)
    moved = [-0.001 * sign + 0.0016 * (-1) ** n for n in range(8)]
    found = told([*moved], claims=1)
    assert found.word == ("ruled out" if direction == "up" else "inconclusive")
    study = a_study(claims=claims, test="t", seeds=8)
    frame = a_frame(study, 8, lambda arm, seed: 0.02 + 0.001 * seed + moved[seed] * (arm == "large"))
    (verdict,) = analyse(study, frame, 8).verdicts
    assert verdict.word == "ruled out"
    assert verdict.p_ruled_out_holm is not None
    assert verdict.p_ruled_out_holm < 0.05 <= min(verdict.p_holm or 0, verdict.p_equivalence_holm or 0)
    side = "below +0.0020" if direction == "up" else "above −0.0020"
    assert verdict.reason.startswith(
        "No effect that matters in the direction claimed: Test MSE of large minus"
    )
    assert f", {side}, the smallest that matters; one that matters in the other direction" in verdict.reason
    more = "+0.0020 or more" if direction == "up" else "−0.0020 or less"
    assert f"rules out one of {more} (one-sided test, p < 0.001 after Holm)" in verdict.detail


def test_a_claim_without_a_direction_is_never_ruled_out() -> None:
    found = told([-0.001 + 0.0016 * (-1) ** n for n in range(8)], "same")
    assert (found.word, found.p_ruled_out_holm) == ("inconclusive", None)


@given(st.lists(st.floats(-0.006, 0.006), min_size=5, max_size=9), st.integers(1, 4))
@settings(max_examples=100, deadline=None)
def test_what_is_against_the_claim_is_never_shown_without_what_follows_from_it(
    differences: list[float], claims: int
) -> None:
    """An effect that is equivalent, or of the other sign, is not as large as claimed either."""
    verdict = told(differences, claims=claims)
    if verdict.p is None:
        assert verdict.p_ruled_out_holm is None
        return
    assert verdict.p_ruled_out_holm is not None
    assert verdict.p_equivalence_holm is not None
    assert verdict.p_ruled_out_holm <= verdict.p_equivalence_holm + 1e-12
    if verdict.word == "ruled out":
        assert verdict.estimate.mean < 0.002
        assert ("lies between" in verdict.reason) == (verdict.estimate.high < 0.002)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("refuted", "refuted"),
            "0 of 2 claims supported; does not hold: size matters. Refuted: “a” and “b”.",
        ),
        (("refuted", "ruled out"), "does not hold: size matters. Refuted: “a”. Ruled out: “b”."),
        (("supported", "refuted"), "1 of 2 claims supported; not as a whole: size matters. Supported: “a”."),
        (("inconclusive", "refuted"), "0 of 2 claims supported; not as a whole: size matters. Refuted: “b”."),
        (("supported", "inconclusive"), "1 of 2 claims supported; not shown: size matters. Supported: “a”."),
    ],
)
def test_a_conclusion_says_what_was_shown_against_it(words: tuple[Any, Any], said: str) -> None:
    """What is refuted is not merely "not shown"."""
    study = a_study()
    pairs = zip(judged(noisy(LEVEL, 0.01), noisy(MORE, 0.01)).verdicts, words, "ab", strict=True)
    verdicts = [replace(v, word=word, claim=replace(v.claim, text=text)) for v, word, text in pairs]
    assert said in conclusion(study, verdicts)


def test_what_a_claim_of_sameness_takes_is_about_equivalence() -> None:
    """Not about finding a difference, which would not support it."""
    differences = [0.0016 * (-1) ** n + 0.0002 for n in range(8)]
    one, many = told(differences, "same"), told(differences, "same", claims=9)
    assert one.word == "supported"
    assert many.word == "inconclusive"
    assert "but that is not shown after Holm's correction over 9 claims (the table corrects" in many.reason
    sd = float(np.std(differences, ddof=1))
    found = re.search(r"about (\d+) seeds would show an effect of 0 to be within ±0.0020", many.reason)
    assert found
    n = int(found[1])
    assert (
        equivalence_power(0.002, sd, n, 0, 0.05 / 9) >= 0.8 > equivalence_power(0.002, sd, n - 1, 0, 0.05 / 9)
    )
    for verdict in (one, many):
        assert "find" not in verdict.reason


def test_a_study_with_power_that_shows_nothing_is_not_called_chance_alone() -> None:
    """Under a true null the power to find an effect of the smallest size says nothing of what is there."""
    reasons = []
    for seed in range(40):
        study = a_study(
            test="t", seeds=10, claims=(Claim("it is larger", Difference("test_mse", "up", "large")),)
        )
        analysis = judged(noisy(dict(LEVEL, large=0.0205), 0.0012, seed), noisy(MORE, 0.01), 10, study)
        reasons += [v.reason for v in analysis.verdicts if v.word == "inconclusive"]
    enough = [reason for reason in reasons if "10 seeds find an effect" in reason]
    assert enough
    assert all("it may be smaller than that, or missed here by chance" in reason for reason in enough)


def test_where_a_step_of_the_measure_is_too_coarse_for_equivalence_the_verdict_says_so() -> None:
    def found(step: float) -> Verdict:
        claim = Claim("the same", Same("test_accuracy", "large"))
        study = a_study(claims=(claim,), test="t", seeds=8, train=Coarse(test_accuracy=step))
        value = noisy(dict.fromkeys(MORE, 0.5), 0.02)
        return analyse(study, a_frame(study, 8, value, value), 8).verdicts[0]

    least = coarsest_step(0.05, 8, 0, 0.05)
    fine, coarse = found(0.5 * least), found(1.01 * least)
    assert (fine.word, coarse.word) == ("supported", "inconclusive")
    assert "8 seeds cannot show the effect to be within ±0.0500, however the runs turn out" in coarse.reason
    assert (
        f"one test item can move it by {1.01 * least:.4f}, and that may be at most {least:.4f}"
        in coarse.reason
    )
