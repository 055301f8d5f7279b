"""The probe of happy and sad: on codes, on those before training and on pixels, for every network alike."""

from pathlib import Path

import pytest
import torch

from ablation import UserError
from ablation.emoji.common_evaluation import CommonImages, common_images
from ablation.emoji.data.images import Images
from ablation.emoji.data.sources import load
from ablation.emoji.data.split import TEST, TRAIN, assign_sides
from ablation.emoji.evaluate import encode
from ablation.emoji.experiment import EMOJI
from ablation.emoji.measures import (
    MOOD_PROBE,
    OTHER_PROBE,
    OVER_PIXELS,
    PIXEL_PROBE,
    PROBES,
    UNTRAINED_PROBE,
)
from ablation.emoji.model import Autoencoder
from ablation.emoji.mood_probe import measure_moods, untrained_codes
from ablation.emoji.protocols import autoencoder
from ablation.emoji.result import distinct_names
from ablation.emoji.run import lacking, run
from ablation.settings import vary
from doubles import small_spec, small_study

SHIPPED = load(("emoji",))
SMALL = {"model.channels": (4, 8), "model.latent_dim": 8, "train.epochs": 0, "train.steps": 2}


def faces_of(seed: int = 0, fold: int = 0, **data: object) -> tuple[CommonImages, torch.Tensor]:
    spec = vary(autoencoder, {f"data.{name}": value for name, value in data.items()})
    sides = assign_sides(SHIPPED, spec.data, seed, fold)
    return common_images(SHIPPED, spec.data, sides), sides


def marked(found: CommonImages, told: bool) -> Images:
    """The shipped images, where each happy face is black and each sad one white; or all of them black."""
    pixels = torch.zeros_like(SHIPPED.pixels)
    sad = torch.tensor([subgroup == "face-concerned" for subgroup in SHIPPED.subgroup])
    pixels[sad] = 255 if told else 0
    return Images(pixels, *(getattr(SHIPPED, n) for n in ("text", "emoji", "group", "subgroup", "subject")))


def test_it_learns_from_faces_of_training_subjects_and_is_asked_about_the_others() -> None:
    found, sides = faces_of()
    assert (sides[found.faces_train] == TRAIN).all()
    assert (sides[found.faces_test] == TEST).all()
    subjects = [{SHIPPED.subject[i] for i in part.tolist()} for part in (found.faces_train, found.faces_test)]
    assert not subjects[0] & subjects[1]
    assert len(found.mood) == 0  # an autoencoder has no classes to ask


def test_folds_ask_about_every_face_once() -> None:
    asked = torch.cat([faces_of(0, fold, folds=10)[0].faces_test for fold in range(10)])
    every = {i for i, one in enumerate(SHIPPED.subgroup) if one in MOODS}
    assert sorted(asked.tolist()) == sorted(every)


MOODS = ("face-smiling", "face-affection", "face-tongue", "face-concerned")


@pytest.mark.parametrize(("told", "score"), [(True, 1.0), (False, 0.5)])
def test_features_that_tell_the_moods_apart_are_right_and_others_are_at_chance(
    told: bool, score: float
) -> None:
    found, _ = faces_of()
    images, model = marked(found, told), Autoencoder(vary(autoencoder, SMALL).model, 0, 0)
    before = untrained_codes(model, images, found, [*PROBES])
    pictures = measure_moods(model, images, found, [*PROBES], before)
    for name in (MOOD_PROBE, PIXEL_PROBE, UNTRAINED_PROBE):
        assert pictures[name].mean == pytest.approx(score)
    assert pictures[OVER_PIXELS].mean == 0


def test_only_what_is_asked_is_taken() -> None:
    found, _ = faces_of()
    model = Autoencoder(vary(autoencoder, SMALL).model, 0, 0)
    assert measure_moods(model, SHIPPED, found, ["test_mse"], None) == {}
    assert untrained_codes(model, SHIPPED, found, ["test_mse"]) is None
    assert measure_moods(model, SHIPPED, found, [OVER_PIXELS], None).keys() == {OVER_PIXELS}
    assert all(EMOJI.on_demand(name) for name in PROBES)
    assert EMOJI.on_demand(OTHER_PROBE)
    assert not EMOJI.on_demand("probe_accuracy")


def test_the_untrained_codes_are_those_before_training() -> None:
    """So that they are the same at any budget, and those of the first weights."""
    spec = vary(autoencoder, SMALL | {"augment.copies": 0})
    longer = vary(spec, {"train.steps": 4})
    one, other = (run(each, 0, measures=[UNTRAINED_PROBE, MOOD_PROBE]) for each in (spec, longer))
    assert one.metrics[UNTRAINED_PROBE] == other.metrics[UNTRAINED_PROBE]
    found, _ = faces_of()
    model = Autoencoder(spec.model, 0, 0)
    before = encode(model, SHIPPED.pixels[found.faces])
    alone = measure_moods(model, SHIPPED, found, [MOOD_PROBE], None)[MOOD_PROBE].mean
    assert one.metrics[UNTRAINED_PROBE] == pytest.approx(alone)
    assert before.shape == (len(found.faces), 8)
    assert one.metrics["images_mood_rarest"] >= 5


def test_over_pixels_is_the_difference_of_both_with_every_picture_an_item() -> None:
    spec = vary(autoencoder, SMALL | {"augment.copies": 0, "data.folds": 3})
    result = run(spec, 0, measures=[*PROBES])
    numbers, of = result.metrics, result.items.groupby("measure").value
    assert numbers[OVER_PIXELS] == pytest.approx(numbers[MOOD_PROBE] - numbers[PIXEL_PROBE])
    for name in PROBES:
        assert of.mean()[name] == pytest.approx(numbers[name])
        assert of.size()[name] == sum(subgroup in MOODS for subgroup in SHIPPED.subgroup)
    items = result.items.set_index(["measure", "item"]).value.unstack("measure")
    assert (items[OVER_PIXELS] - (items[MOOD_PROBE] - items[PIXEL_PROBE])).abs().max() < 1e-9


def test_the_probe_of_other_emoji_is_that_of_all_without_the_faces() -> None:
    spec = vary(autoencoder, SMALL | {"augment.copies": 0, "data.folds": 3})
    result = run(spec, 0, measures=[OTHER_PROBE])
    items = result.items[result.items.measure.isin(["probe_accuracy", OTHER_PROBE])]
    items = items.set_index(["measure", "item"]).value.unstack("measure")
    subgroups = dict(zip(distinct_names(SHIPPED), SHIPPED.subgroup, strict=True))
    other = [not subgroups[name].startswith("face-") for name in items.index]
    assert 0 < sum(other) < len(items)
    assert (items[OTHER_PROBE].notna() == other).all()
    assert (items[OTHER_PROBE][other] == items.probe_accuracy[other]).all()
    assert result.metrics["images_probe_other"] == sum(other)
    assert OTHER_PROBE not in run(spec, 0).metrics


def test_a_source_without_such_faces_is_refused_before_training(faces: Path) -> None:
    assert lacking(small_spec(faces), 0, ["faces"]) == {"faces"}
    study = small_study(faces, measures={MOOD_PROBE: 0.1}, claims=())
    with pytest.raises(
        UserError, match="mood_probe_accuracy wants faces of Unicode's happy and sad subgroups"
    ):
        study.experiment.check(study.baseline, 0, study.measures)
