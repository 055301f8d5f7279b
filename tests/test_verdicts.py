"""Verdicts follow from the rule alone; what is not shown is never called absent."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest

from ablation.stats import Analysis, analyse, outlook
from ablation.stats.statistics import power, smallest_detectable
from ablation.study import Claim, Difference, Study
from frames import Value, a_frame, a_study, noisy

FALLING = {"small": 0.030, "middle": 0.020, "large": 0.010}
RISING = {"small": 0.010, "middle": 0.020, "large": 0.030}
LEVEL = dict.fromkeys(FALLING, 0.020)
MORE = {"small": 0.3, "middle": 0.4, "large": 0.9}


def judged(mse: Value, accuracy: Value, seeds: int = 8, study: Study | None = None) -> Analysis:
    study = study or a_study(seeds=seeds)
    return analyse(study, a_frame(study, seeds, mse, accuracy), seeds)


def words(analysis: Analysis) -> list[str]:
    return [verdict.word for verdict in analysis.verdicts]


@pytest.mark.parametrize(
    ("centre", "sd", "word", "reason"),
    [
        (
            FALLING,
            0.001,
            "supported",
            r"in the direction claimed \(p < 0.001 after Holm\), and larger than 0.0020",
        ),
        (RISING, 0.001, "refuted", "against the direction claimed"),
        (LEVEL, 0.0001, "equivalent", "lies within ±0.0020, the smallest effect that matters"),
        (LEVEL, 0.01, "inconclusive", "neither shows a change"),
    ],
)
def test_the_rule_gives_the_word(centre: dict[str, float], sd: float, word: str, reason: str) -> None:
    first = judged(noisy(centre, sd), noisy(MORE, 0.01)).verdicts[0]
    assert first.word == word
    assert re.search(reason, first.reason)


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
        "Every seed gives the same fitted change (0.0000): Test MSE is too coarse, or the seeds too few, to "
        "show a spread, so no test is made."
    )
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
    assert judged(noisy(FALLING, 0.001), noisy(MORE, 0.01)).conclusion == "Size matters."
    other = judged(noisy(LEVEL, 0.01), noisy(MORE, 0.01)).conclusion
    assert other == (
        "Not shown: size matters (supported: “large is more accurate”; inconclusive: “larger is sharper”)."
    )
    study = a_study(claims=())
    assert (
        "makes no claim that decides it"
        in judged(noisy(LEVEL, 0.01), noisy(MORE, 0.01), study=study).conclusion
    )


@pytest.mark.parametrize("sd", [0.0001, 0.001, 0.003, 0.01])
def test_not_significant_is_never_called_no_effect(sd: float) -> None:
    analysis = judged(noisy(LEVEL, sd), noisy(dict.fromkeys(MORE, 0.5), sd * 10))
    text = " ".join([analysis.conclusion, *analysis.caveats, *(v.reason for v in analysis.verdicts)])
    assert not re.search(r"no (effect|difference|change|influence)|not affect|same as", text)


def test_seeds_needed_reach_the_power_promised() -> None:
    study = a_study(test="t", seeds=8)
    value = noisy(LEVEL, 0.004)
    first = judged(value, noisy(MORE, 0.01), study=study).verdicts[0]
    found = re.search(r"about (\d+) seeds would find 0.0020", first.reason)
    assert found
    # Both claims stand in Holm's family; the fitted change is that from the first to the last arm.
    sd = float(np.std([value("large", s) - value("small", s) for s in range(8)], ddof=1))
    n = int(found[1])
    assert power(0.002, sd, n, 0, 0.025) >= 0.8 > power(0.002, sd, n - 1, 0, 0.025)
    assert first.detectable == pytest.approx(sd * smallest_detectable(8, 0, 0.025))


def test_splits_of_one_pool_may_never_suffice() -> None:
    first = judged(noisy(LEVEL, 0.01), noisy(MORE, 0.01)).verdicts[0]
    assert "no number of seeds would find 0.0020" in first.reason


def test_more_seeds_are_never_advised_where_fewer_would_do() -> None:
    reasons = []
    for seed in range(60):
        value = noisy(dict(LEVEL, large=0.0208), 0.0008, seed)
        analysis = judged(value, noisy(MORE, 0.01), 8, a_study(test="t", seeds=8))
        reasons.append(analysis.verdicts[0].reason)
    advised = [int(n) for reason in reasons for n in re.findall(r"about (\d+) seeds would find", reason)]
    assert all(n > 8 for n in advised)
    chance = [reason for reason in reasons if "is a matter of chance" in reason]
    assert chance
    assert "8 seeds find 0.0020 with 80 % power at the spread seen or more, so these should have" in chance[0]


def test_rules_in_words() -> None:
    first, second = judged(noisy(LEVEL, 0.01), noisy(MORE, 0.01)).verdicts
    assert first.rule.startswith("Test MSE falls as model.latent_dim grows from 64 to 256")
    assert second.rule == "Test accuracy of large lies above that of middle, paired by seed."


def test_caveats_name_what_limits_the_numbers() -> None:
    analysis = judged(noisy(LEVEL, 0.01), noisy(MORE, 0.01), 8, a_study(seeds=10))
    text = " ".join(analysis.caveats)
    for words in (
        "declares 10 seeds, but this is an analysis of 8",
        "and the split",
        "95 % Student t intervals with the variance of Nadeau and Bengio",
        "corrected resampled t-test",
        "Holm",
        "Test MSE 0.0020 and Test accuracy 0.050",
        "40 to 41 images",
    ):
        assert words in text
    assert "train.lr = 0.001" in analysis.fixed
    assert "latent_dim" not in analysis.fixed
    assert "optimiser steps" not in text


def caveats_of(study: Study, **columns: object) -> str:
    frame = a_frame(study, 5, noisy(dict.fromkeys(study.specs, 0.02), 0.01)).assign(**columns)
    return " ".join(analyse(study, frame, 5).caveats)


def split_study(**arms: dict[str, object]) -> Study:
    return a_study(arms=arms, claims=(), measures={"test_mse": 0.002})


def test_what_training_saw_of_a_test_picture_is_said_by_arm() -> None:
    text = caveats_of(
        split_study(a={"data.split": "subject"}, b={"data.split": "image"}, c={"data.split": "copy"})
    )
    assert "never saw" not in text
    assert "in c its test pictures are copies of originals that are in its training too" in text
    assert "in b another tone or gender of a test picture may be in its training" in text
    assert "that its training never saw" in caveats_of(a_study())
    # Without copies nothing parts a copy from its original.
    bare = caveats_of(split_study(a={"data.split": "copy", "augment.copies": 0}))
    assert "copies of originals" not in bare
    assert "another tone" in bare


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"data.split": "image"}, "data.split"),
        ({"data.parts": (2, 1, 1)}, "data.parts"),
        ({"data.stratify": "none"}, "data.stratify"),
        ({"data.sources": ("emoji", "other")}, "data.sources"),
        ({"data.split": "copy", "augment.copies": 4}, "data.split and augment.copies"),
    ],
)
def test_splits_that_differ_are_not_called_paired(change: dict[str, object], named: str) -> None:
    text = caveats_of(split_study(changed=change))
    assert f"but {named} var" in text
    assert "so that the arms' splits differ" in text
    assert "is paired across arms" not in text
    assert "is paired across arms" in caveats_of(split_study(more={"augment.copies": 4}))


def test_seeds_added_on_the_way_are_said() -> None:
    study = a_study()
    frame = a_frame(study, 5, noisy(LEVEL, 0.01), noisy(MORE, 0.01))
    grown = " ".join(analyse(study, frame, 5, (5, 10)).caveats)
    assert "results could be seen (5, then 10), so the p-values are optimistic unless" in grown
    for looks in ((), (5,), (5, 5)):
        assert "Seeds were added" not in " ".join(analyse(study, frame, 5, looks).caveats)


def test_runs_of_several_versions_are_said() -> None:
    study = a_study()
    first, second = "0123456789abcdef", "fedcba9876543210+dirty"
    text = caveats_of(study, code=[first] * 7 + [second] * 7 + [""], packages=["torch 2"] * 14 + ["torch 3"])
    assert "from 2 versions of the code: 0123456789 and fedcba9876+dirty." in text
    assert "from 2 sets of packages: (torch 2) and (torch 3)." in text
    assert "versions of the code" not in caveats_of(study, code=first, packages=None)


def test_the_floor_of_the_spread_is_said() -> None:
    assert "the rarest class, can move the measure: Test accuracy 0.025." in " ".join(
        judged(noisy(LEVEL, 0.01), noisy(MORE, 0.01)).caveats
    )
    assert "can move the measure" not in caveats_of(split_study(more={"augment.copies": 4}))


def test_pairing_that_did_not_help_is_said() -> None:
    analysis = judged(lambda arm, s: 0.02 + 0.001 * s * (-1 if arm == "large" else 1), noisy(MORE, 0.01))
    caveat = next(c for c in analysis.caveats if c.startswith("Pairing"))
    assert "large on Test MSE" in caveat
    assert "small on Test MSE" not in caveat


def test_unequal_steps_are_said() -> None:
    study = a_study(arms={"none": {"augment.copies": 0}, "fifty": {"augment.copies": 50}}, claims=())
    analysis = analyse(study, a_frame(study, 5, lambda a, s: 0.01 * s), 5)
    assert any(
        "augment.copies varies, so that these arms differ in optimiser steps" in c for c in analysis.caveats
    )


def test_every_number_names_its_cells() -> None:
    analysis = judged(noisy(LEVEL, 0.01), noisy(MORE, 0.01), 5)
    assert [s.seed for s in analysis.sources["small/test_mse/mean"]] == [0, 1, 2, 3, 4]
    assert {s.arm for s in analysis.sources["small/test_mse/difference"]} == {"small", "middle"}
    assert len(analysis.sources["claim 1/effect"]) == 15
    assert len(analysis.sources["claim 2/effect"]) == 10
    assert analysis.sources["small/test_mse/mean"][3].run_id == "run-small-3"


def test_outlook_by_hand() -> None:
    look = outlook(a_study(test="t", claims=a_study().claims[:1]), 10)
    assert (look.cells, look.seeds, look.comparisons, look.least_p, look.limit) == (30, 10, 1, 0.0, 0.0)
    assert look.detectable == pytest.approx(1.00, abs=0.01)
    assert look.warnings == ()
    assert look.sentences[0] == "3 arms × 10 seeds = 30 cells."


def test_outlook_warns_of_what_cannot_succeed() -> None:
    flips = outlook(a_study(test="sign_flip"), 5)
    assert flips.least_p == 0.0625
    assert flips.detectable == math.inf
    assert flips.sentences[-1] == "With 5 seeds no effect can be found, however large."
    assert (
        "0.0625, not below the 0.025 that Holm's first step asks for: give at least 7 seeds"
        in (flips.warnings[0])
    )
    enough = outlook(a_study(test="sign_flip"), 7)
    assert enough.warnings == ()
    assert enough.detectable < math.inf
    assert "exploratory" in outlook(a_study(), 3).warnings[0]
    assert "Smoke" in outlook(a_study().smoke(), 2).warnings[0]
    assert "no number of seeds gets below" in " ".join(outlook(a_study(), 5).sentences)


def test_the_conclusion_rests_on_the_claims_that_count() -> None:
    study = a_study()
    whole = analyse(study, a_frame(study, 8, lambda arm, seed: 0.01 * seed), 8)
    beside = a_study(claims=tuple(replace(claim, counts=False) for claim in study.claims))
    found = analyse(beside, a_frame(beside, 8, lambda arm, seed: 0.01 * seed), 8)
    assert [v.word for v in found.verdicts] == [v.word for v in whole.verdicts]
    assert "makes no claim that decides it" in found.conclusion


def test_equal_steps_that_are_not_equal_pictures_are_said() -> None:
    budget = {"train.epochs": 0, "train.steps": 100}
    study = a_study(arms={"few": budget, "many": budget | {"augment.copies": 9}}, claims=())
    frame = a_frame(study, 5, lambda arm, seed: 0.01 * seed)
    frame["images_train"] = [{"few": 65.0, "many": 640.0}.get(arm, 100.0) for arm in frame.arm]
    said = " ".join(analyse(study, frame, 5).caveats)
    assert "In 100 steps arms see 3,250 to 6,400 pictures" in said
    frame["images_train"] = 640.0
    assert "arms see" not in " ".join(analyse(study, frame, 5).caveats)


def test_what_gains_rest_on_is_said_aloud() -> None:
    study = a_study(measures={"gain": 0.05}, claims=())
    frame = a_frame(study, 5, mse=noisy({"small": 0, "middle": 0, "large": 0}, 0.1))
    frame = frame.assign(gain=frame.test_mse, truths_faces=2.0 + frame.seed % 2, pool_faces=9.0)
    text = " ".join(analyse(study, frame, 5).caveats)
    assert "2 to 3 of 9 (faces) in a run" in text
    assert "effective n" in text
    assert "effective n" not in caveats_of(a_study())
