"""Rules: which arms they weigh and how, what they are called, and the verdicts that follow from them."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ablation import Claim, Difference, Interaction, Level, Same, Study, Trend
from ablation.errors import UserError
from ablation.settings import vary
from ablation.stats.analysis import analyse
from ablation.stats.cells import planned
from ablation.stats.effects import contrast, effects
from ablation.stats.power import power_of
from ablation.stats.verdicts import verdicts
from frames import a_frame, a_study, noisy

ONE, TWO = {"model.latent_dim": 64}, {"augment.copies": 0}
BOTH = Interaction("test_mse", "up", "one", "two", "both")


def a_square(rule: object = BOTH, **changes: object) -> Study:
    arms = {"one": ONE, "two": TWO, "both": ONE | TWO}
    return a_study(arms=arms, claims=(Claim("claimed", rule),), **changes)  # type: ignore[arg-type]


def a_family(**changes: object) -> Study:
    """Three sizes around "middle", and the same without copies, around "bare 128"."""
    arms = dict(a_study().arms) | {f"bare {n}": {"model.latent_dim": n} | TWO for n in (64, 128, 256)}
    against = {"bare 64": "bare 128", "bare 256": "bare 128"}
    return a_study(**({"arms": arms, "against": against, "claims": ()} | changes))


@given(seed=st.integers(0, 10_000))
@settings(max_examples=10, deadline=None)
def test_an_interaction_is_what_is_left_over_and_has_no_order(seed: int) -> None:
    study = a_square()
    frame = a_frame(study, 6, noisy(dict.fromkeys(study.settings, 0.02), 0.003, seed))
    cells = planned(study, frame, 6)
    there = contrast(study, cells, BOTH)
    back = contrast(study, cells, replace(BOTH, first="two", second="one"))
    assert there.differences == pytest.approx(back.differences)
    assert there.p == pytest.approx(back.p)
    table = frame.pivot(index="seed", columns="arm", values="test_mse")
    want = table["both"] - table["one"] - table["two"] + table["baseline"]
    assert there.differences == pytest.approx(list(want))


def test_a_purely_additive_world_has_no_interaction() -> None:
    study = a_square()
    add = {"baseline": 0.0, "one": 0.3, "two": -0.1, "both": 0.3 - 0.1}
    cells = planned(study, a_frame(study, 6, lambda arm, s: 0.1 * s + add[arm]), 6)
    got = contrast(study, cells, BOTH)
    assert got.differences == pytest.approx([0.0] * 6)
    assert got.equal
    study = a_square(seeds=8)
    cells = planned(study, a_frame(study, 8, noisy(add, 1e-4)), 8)
    assert verdicts(study, cells)[0].word == "equivalent"


@pytest.mark.parametrize(("extra", "word"), [(0.02, "supported"), (-0.02, "refuted")])
def test_an_interaction_is_judged_by_its_direction(extra: float, word: str) -> None:
    study = a_square(seeds=8)
    centre = {"baseline": 0.05, "one": 0.06, "two": 0.03, "both": 0.04 + extra}
    analysis = analyse(study, a_frame(study, 8, noisy(centre, 0.0005)), 8)
    verdict = analysis.verdicts[0]
    assert verdict.word == word
    assert verdict.detail.startswith("The interaction of ")
    assert (
        "the change in Test MSE by both beyond the changes by one and by two, added up, lies"
        in verdict.reason
    )
    assert verdict.rule == (
        "Test MSE: the change from baseline to both lies above the changes from it to one and to two, added "
        "up, paired by seed."
    )
    assert {source.arm for source in analysis.sources["claim 1/effect"]} == set(study.settings)
    few = analyse(study, a_frame(study, 3, noisy(centre, 0.0005)), 3).verdicts[0]
    assert "what was seen is an interaction of" in few.reason


@pytest.mark.parametrize(
    ("arms", "message"),
    [
        ({"both": ONE}, "have equal settings"),
        ({"both": ONE | TWO | {"model.dropout": 0.0}}, "wants the changes of 'one' and 'two' in 'both'"),
        ({"both": {"model.dropout": 0.0}}, "and no other: mend its arms"),
        (
            {
                "two": TWO | {"model.latent_dim": 32},
                "both": {"model.latent_dim": 32} | TWO | {"train.lr": 0.1},
            },
            "'one' and 'two' both change model.latent_dim: take it out of one",
        ),
    ],
)
def test_an_interaction_that_is_none_is_refused(arms: dict[str, dict[str, object]], message: str) -> None:
    whole = {"one": ONE, "two": TWO, "both": ONE | TWO} | arms
    with pytest.raises(UserError, match=message):
        a_study(arms=whole, claims=(Claim("x", BOTH),))


def test_an_interaction_wants_four_arms_and_survives_a_smoke_budget() -> None:
    with pytest.raises(UserError, match="three arms beside the baseline, but got baseline, two, both"):
        a_square(replace(BOTH, first="baseline"))
    with pytest.raises(UserError, match="no arm 'three'"):
        a_square(replace(BOTH, first="three"))
    steps = {"train.epochs": 0, "train.steps": 99}
    arms = {"one": ONE, "two": steps, "both": ONE | steps}
    assert a_study(arms=arms, claims=(Claim("x", BOTH),)).smoke().quick


def test_a_difference_is_to_the_arm_it_names_else_to_the_arm_it_is_set_against() -> None:
    study = a_family()
    pairs = [
        (Difference("test_mse", "up", "large"), "middle"),
        (Difference("test_mse", "up", "bare 64"), "bare 128"),
        (Difference("test_mse", "up", "bare 64", to="small"), "small"),
        (Difference("test_mse", "up", "middle", to="large"), "large"),
    ]
    for rule, other in pairs:
        assert rule.weights(study) == {rule.arm: 1.0, other: -1.0}
        assert rule.sentence(study) == (f"Test MSE of {rule.arm} lies above that of {other}, paired by seed.")


def test_a_trend_around_an_arm_is_that_of_the_study_with_it_as_baseline() -> None:
    study = a_family()
    rule = Trend("test_mse", "down", "model.latent_dim", around="bare 128")
    plain = replace(rule, around="")
    bare = {arm: study.arms[arm] for arm in study.arms if arm.startswith("bare")}
    moved = replace(study, baseline=vary(study.baseline, TWO), arms=bare, against={})
    assert rule.weights(study) == plain.weights(moved)
    assert list(plain.weights(study)) == ["small", "middle", "large"]
    assert "from 64 to 256, all else as in bare 128: the change" in rule.sentence(study)
    assert "all else" not in plain.sentence(study)


def test_a_level_is_supported_near_it_refuted_beside_it_and_never_called_equivalent() -> None:
    value = noisy(dict.fromkeys(a_study().settings, 0.02), 0.0003)
    claims = tuple(Claim(f"it is {v}", Level("test_mse", "middle", v)) for v in (0.02, 0.05, 0.0))
    study = a_study(seeds=8, claims=claims)
    judged = analyse(study, a_frame(study, 8, value), 8).verdicts
    assert [v.word for v in judged] == ["supported", "refuted", "refuted"]
    assert "Test MSE of middle minus 0.02 lies between " in judged[0].reason
    assert judged[1].reason.startswith("No: ")
    assert "shows another value than the one claimed" in judged[1].detail
    assert judged[0].rule == "Test MSE of middle is 0.02, give or take 0.002, the smallest that matters."
    assert judged[1].estimate.mean == pytest.approx(judged[0].estimate.mean - 0.03)
    assert judged[0].arms == ("middle",)
    wide = a_frame(study, 8, noisy(dict.fromkeys(study.settings, 0.02), 0.02))
    assert "neither shows another value (p" in analyse(study, wide, 8).verdicts[0].detail
    same = analyse(study, a_frame(study, 8, lambda arm, s: 0.02), 8).verdicts[0]
    assert "every seed gives the same difference to 0.02 (0.0000)" in same.reason


def test_a_sameness_is_supported_inside_the_margin_and_refuted_by_a_difference_in_either_direction() -> None:
    means = {"small": 0.0199, "middle": 0.02, "large": 0.03}
    claims = tuple(Claim(f"{a} and {b}", Same("test_mse", a, b)) for a, b in permutations(means, 2))
    study = a_study(seeds=8, claims=claims)
    judged = analyse(study, a_frame(study, 8, noisy(means, 0.0003)), 8).verdicts
    near = {"small and middle", "middle and small"}
    assert {v.claim.text for v in judged if v.word == "supported"} == near
    assert {v.claim.text for v in judged if v.word == "refuted"} == {c.text for c in claims} - near
    assert judged[0].rule == (
        "Test MSE of small is that of middle, give or take 0.002, the smallest that matters, paired by seed."
    )
    assert "shows that the two differ" in judged[1].detail
    blurred = analyse(study, a_frame(study, 8, noisy(dict.fromkeys(means, 0.02), 0.0015)), 8).verdicts[0]
    assert blurred.word == "inconclusive"
    assert "but chance" not in blurred.reason


def test_effects_follow_the_arm_that_each_is_set_against() -> None:
    study = a_family()
    value = noisy(dict.fromkeys(study.settings, 0.02), 0.002)
    frame = a_frame(study, 6, value)
    analysis = analyse(study, frame, 6)
    effect = analysis.effect("bare 64", "test_mse")
    assert effect is not None
    assert effect.reference == "bare 128"
    own = [value("bare 64", s) - value("bare 128", s) for s in range(6)]
    assert effect.estimate.mean == pytest.approx(np.mean(own))
    assert [s.arm for s in analysis.sources["bare 64/test_mse/difference"]] == ["bare 64", "bare 128"] * 6
    assert {e.arm: e.reference for e in analysis.effects} == {
        "small": "middle",
        "large": "middle",
        "bare 64": "bare 128",
        "bare 128": "middle",
        "bare 256": "bare 128",
    }
    # A gap in the arm that others are set against costs them their test, and no one else.
    frame.loc[(frame["arm"] == "bare 128") & (frame["seed"] == 0), "state"] = "failed"
    tested = {e.arm for e in effects(study, planned(study, frame, 6)) if e.p is not None}
    assert tested == {"small", "large"}


def test_an_arm_that_is_set_against_none_has_the_effect_that_it_always_had() -> None:
    plain, family = a_family(against={}), a_family()
    frame = a_frame(plain, 6, noisy(dict.fromkeys(plain.settings, 0.02), 0.002))
    before, after = analyse(plain, frame, 6), analyse(family, frame, 6)
    assert {e.reference for e in before.effects} == {"middle"}
    # Holm's p-values differ: their family has other members now.
    for arm in ("small", "large", "bare 128"):
        one, other = before.effect(arm, "test_mse"), after.effect(arm, "test_mse")
        assert one is not None
        assert other is not None
        assert (one.estimate, one.p, one.reference) == (other.estimate, other.p, other.reference)
    assert analyse(a_family(against={"bare 64": "middle"}), frame, 6).effects == before.effects


def test_holm_spans_all_arms_whatever_they_are_set_against() -> None:
    study = a_family()
    analysis = analyse(study, a_frame(study, 6, noisy(dict.fromkeys(study.settings, 0.02), 0.002)), 6)
    found = [e for e in analysis.effects if e.measure == "test_mse"]
    least = min(found, key=lambda e: e.p or 1.0)
    assert len(found) == 5
    assert least.p_holm == pytest.approx(min(5 * (least.p or 1.0), 1.0))


def test_the_power_of_a_study_with_any_rule_counts_its_claims() -> None:
    assert power_of(a_square(), 5).comparisons == 1
    assert power_of(a_family(), 5).comparisons == 5
