"""Caveats on the report's data: splits, budgets, truths, and what one test picture moves."""

from dataclasses import replace

import pandas as pd
import pytest

from ablation import Study
from ablation.emoji.caveats import (
    budget_caveats,
    duplicate_caveats,
    one_picture,
    split_caveats,
    truth_caveats,
)
from ablation.emoji.protocols import joint
from ablation.errors import UserError
from ablation.settings import vary
from ablation.stats.analysis import analyse
from ablation.stats.cells import planned
from ablation.stats.effects import effects
from frames import a_frame, a_study, noisy

WHAT = ("test", "validation", "test_validation", "common")


def cells_of(study: Study, **columns: object) -> pd.DataFrame:
    frame = a_frame(study, 5, noisy(dict.fromkeys(study.settings, 0.02), 0.01)).assign(**columns)
    return planned(study, frame, 5)


def said_of_splits(study: Study) -> str:
    return " ".join(split_caveats(study, cells_of(study)))


def test_every_caveat_of_the_experiment_stands_under_the_table() -> None:
    study = a_study(seeds=8)
    value = noisy(dict.fromkeys(study.settings, 0.5), 0.01)
    frame = a_frame(study, 8, value, value)
    text = " ".join(analyse(study, frame, 8).caveats)
    assert "and the split, and is paired across arms" in text
    assert "40 to 41 images" in text
    assert "can move the measure: Test accuracy 0.025." in text
    assert "optimiser steps" not in text


def split_study(**arms: dict[str, object]) -> Study:
    return a_study(arms=arms, claims=(), measures={"test_mse": 0.002})


def test_what_training_saw_of_a_test_picture_is_said_by_arm() -> None:
    text = said_of_splits(
        split_study(a={"data.split": "subject"}, b={"data.split": "image"}, c={"data.split": "copy"})
    )
    assert "never saw" not in text
    assert "in c its test pictures are copies of originals that are in its training too" in text
    assert "in b another tone or gender of a test picture may be in its training" in text
    assert "that its training never saw" in said_of_splits(a_study())
    # Without copies nothing parts a copy from its original.
    bare = said_of_splits(split_study(a={"data.split": "copy", "augment.copies": 0}))
    assert "copies of originals" not in bare
    assert "another tone" in bare


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"data.split": "image"}, "data.split"),
        ({"data.parts": (2, 1, 1)}, "data.parts"),
        ({"data.stratify": "none"}, "data.stratify"),
        ({"data.sources": ("emoji", "other")}, "data.sources"),
        ({"data.test_vendors": ("noto",)}, "data.test_vendors"),
        ({"data.split": "copy", "augment.copies": 4}, "data.split and augment.copies"),
    ],
)
def test_splits_that_differ_are_not_called_paired(change: dict[str, object], named: str) -> None:
    text = said_of_splits(split_study(changed=change))
    assert f"but {named} var" in text
    assert "so that the arms' splits differ" in text
    assert "is paired across arms" not in text
    assert "is paired across arms" in said_of_splits(split_study(more={"augment.copies": 4}))


def test_splits_that_differ_between_arms_that_are_not_compared_are_paired() -> None:
    """A study of vendors tests each pair of arms on another vendor's drawings."""
    vendors = {"data.test_vendors": ("noto",)}
    arms = {"a": {}, "b": {"augment.copies": 1}, "c": vendors, "d": vendors | {"augment.copies": 1}}
    study = a_study(arms=arms, against={"c": "c", "d": "c"}, claims=(), measures={"test_mse": 0.002})
    text = said_of_splits(study)
    assert "data.test_vendors varies, but not between arms that are compared, whose splits are paired" in text
    text = said_of_splits(split_study(**arms))
    assert "arms share a seed, not their test images" in text


def test_unequal_steps_are_said() -> None:
    study = a_study(arms={"none": {"augment.copies": 0}, "fifty": {"augment.copies": 50}}, claims=())
    (said,) = budget_caveats(study, cells_of(study))
    assert "augment.copies varies, so that these arms differ in optimiser steps" in said


def test_equal_steps_that_are_not_equal_pictures_are_said() -> None:
    budget = {"train.epochs": 0, "train.steps": 100}
    study = a_study(arms={"few": budget, "many": budget | {"augment.copies": 9}}, claims=())
    frame = a_frame(study, 5, lambda arm, seed: 0.01 * seed)
    frame["images_train"] = [{"few": 65.0, "many": 640.0}.get(arm, 100.0) for arm in frame.arm]
    (said,) = budget_caveats(study, planned(study, frame, 5))
    assert "In 100 steps arms see 3,250 to 6,400 pictures" in said
    frame["images_train"] = 640.0
    assert not [*budget_caveats(study, planned(study, frame, 5))]


def with_duplicates(study: Study, **columns: object) -> str:
    none = {f"{kind}_{what}": 0.0 for kind in ("duplicates", "near_duplicates") for what in WHAT}
    sizes = {"originals_test": 46.0, "originals_validation": 40.0, "images_common": 50.0}
    return " ".join(duplicate_caveats(study, cells_of(study, **(none | sizes | columns))))


def test_test_pictures_that_look_like_training_pictures_are_named_with_an_example() -> None:
    study = a_study()
    assert with_duplicates(study) == ""
    text = with_duplicates(
        study,
        duplicates_test=1.0,
        near_duplicates_test=2.0,
        note_duplicates="'four oclock' like 'five oclock'",
    )
    assert text.startswith(
        "In a run 3 of 46 test pictures (1 pixel for pixel) look like a training picture, such as "
        "'four oclock' like 'five oclock'. Pictures look alike that differ in at most 10 of the 64 bits"
    )
    assert "duplicates.csv" in text


def test_each_set_is_named_whose_pictures_are_in_another() -> None:
    study = a_study(measures={"test_mse": 0.002, "common_mse": 0.002}, claims=())
    columns = {
        "common_mse": 0.02,
        "probe_accuracy": 0.5,
        "near_duplicates_common": 1.0,
        "near_duplicates_validation": 2.0,
    }
    text = with_duplicates(study, **columns, near_duplicates_test_validation=4.0)
    assert "In a run 1 of 50 pictures of the common evaluation looks like a training picture; " in text
    assert "; so do 2 of 40 validation pictures; 4 test pictures look like a validation picture." in text
    # What the study does not measure is no caveat of it.
    other = a_study(measures={"probe_accuracy": 0.01}, claims=())
    assert with_duplicates(other, **columns) == ""


def test_equal_pictures_of_two_classes_are_named() -> None:
    text = with_duplicates(a_study(), duplicates_test=2.0, duplicates_of_another_class=2.0)
    assert (
        "In a run 2 test pictures are equal, pixel for pixel, to a training picture of another class" in text
    )


def test_runs_that_were_not_looked_through_have_no_caveat() -> None:
    assert not [*duplicate_caveats(a_study(), cells_of(a_study()))]


def test_what_gains_rest_on_is_said_aloud() -> None:
    study = a_study(measures={"gain": 0.05}, claims=())
    frame = a_frame(study, 5, mse=noisy({"small": 0, "middle": 0, "large": 0}, 0.1))
    frame = frame.assign(gain=frame.test_mse, truths_faces=2.0 + frame.seed % 2, pool_faces=9.0)
    (text,) = truth_caveats(study, planned(study, frame, 5))
    assert "2 to 3 of 9 (faces) in a run" in text
    assert "effective n" in text
    assert not [*truth_caveats(a_study(), cells_of(a_study()))]


def test_a_mean_over_large_families_and_one_over_all_are_told_apart() -> None:
    def said(measure: str, **columns: float) -> str:
        study = a_study(measures={measure: 0.05}, claims=())
        frame = a_frame(study, 5, mse=noisy({"small": 0, "middle": 0, "large": 0}, 0.1))
        counts = {"truths_faces": 2.0, "truths_tone": 120.0} | columns
        return " ".join(truth_caveats(study, planned(study, frame.assign(**{measure: 0.5}, **counts), 5)))

    judged = said("gain_large", large_faces=0.0, large_tone=1.0)
    assert "The large family is tone: about twenty" in judged
    assert "alike" not in judged
    of_all = said("gain", large_faces=0.0, large_tone=1.0)
    assert "Gain, families alike: the mean is over all families alike" in of_all
    assert "The large" not in of_all
    assert "over all families alike" in said("attribute_gained")  # of an earlier version, without the columns
    assert "alike" not in said("gain_tone")


@pytest.mark.parametrize("name", ["test_accuracy", "test_balanced_accuracy", "test_cross_entropy"])
def test_a_measure_over_classes_is_refused_where_label_sets_differ(name: str) -> None:
    arms = {"two": {}, "five": {"data.classes": "five_emotions"}}
    with pytest.raises(UserError, match=f"^{name} wants the same classes in every arm") as refused:
        a_study(arms=arms, measures={"test_mse": 0.002, name: 0.05}, claims=())
    assert "'happy_sad' in 'two' and 'five_emotions' in 'five': measure mood_balanced" in str(refused.value)
    study = a_study(arms=arms, measures={"test_mse": 0.002, "mood_balanced_accuracy": 0.05}, claims=())
    assert list(study.settings) == ["two", "five"]


def test_of_classes_by_column_the_runs_say_how_many_there_are() -> None:
    study = a_study(baseline=vary(joint, {"data.classes": "column:class"}))
    cells = cells_of(study, classes=4.0, images_test_rarest=5.0)
    assert one_picture(study, cells, "test_balanced_accuracy") == pytest.approx(1 / 20)


@pytest.mark.parametrize(
    ("classes", "measure", "counts", "want"),
    [
        ("happy_sad", "test_accuracy", {"images_test": [40.0, 20.0]}, 1 / 20),
        ("happy_sad", "test_accuracy", {}, 0.0),
        ("happy_sad", "test_balanced_accuracy", {"images_test": [40.0, 20.0]}, 1 / 2),
        ("happy_sad", "test_macro_f1", {"images_test_rarest": [4.0, 5.0]}, 1 / 8),
        ("none", "test_mse", {"images_test": [40.0, 20.0]}, 0.0),
        ("happy_sad", "probe_accuracy", {"images_test": [40.0, 20.0]}, 0.0),
        ("none", "probe_accuracy", {"images_probe": [160.0, 161.0]}, 1 / 160),
        ("none", "mood_balanced_accuracy", {"images_mood_rarest": [7.0, 8.0]}, 1 / 14),
        ("happy_sad", "mood_balanced_accuracy", {"images_test_rarest": [7.0, 8.0]}, 1 / 2),
    ],
)
def test_one_picture_moves_a_measure_by_hand(
    classes: str, measure: str, counts: dict[str, list[float]], want: float
) -> None:
    data = replace(a_study().baseline.data, classes=classes)
    train = replace(a_study().baseline.train, loss_weight=0.5 if classes != "none" else 0.0)
    baseline = replace(a_study().baseline, data=data, train=train)
    study = a_study(baseline=baseline, measures={"test_mse": 0.002}, claims=())
    cells = pd.DataFrame({"state": ["complete", "complete"], **counts})
    assert study.experiment.resolution(study, cells, measure) == pytest.approx(want)


def test_accuracy_among_pictures_without_a_class_does_not_count_those() -> None:
    data = replace(a_study().baseline.data, among="none")
    study = a_study(baseline=replace(a_study().baseline, data=data), claims=())
    cells = pd.DataFrame({"state": ["complete"], "images_test": [250.0], "images_test_rarest": [2.0]})
    assert study.experiment.resolution(study, cells, "test_accuracy") == 1 / 4


@pytest.mark.parametrize("measure", ["test_accuracy", "test_balanced_accuracy"])
def test_a_fine_measure_can_still_be_equivalent(measure: str) -> None:
    study = a_study(measures={measure: 0.05}, claims=())
    value = noisy(dict.fromkeys(a_study().settings, 0.8), 0.005)
    frame = a_frame(study, 8, value, value).assign(images_test=400.0, images_test_rarest=40.0)
    frame = frame.assign(test_balanced_accuracy=frame["test_accuracy"])
    assert {effect.verdict for effect in effects(study, planned(study, frame, 8))} == {"equivalent"}
    if measure == "test_balanced_accuracy":
        coarse = planned(study, frame.drop(columns="images_test_rarest"), 8)
        assert {effect.verdict for effect in effects(study, coarse)} == {"inconclusive"}
