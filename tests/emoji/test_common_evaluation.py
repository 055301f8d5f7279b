"""Common evaluation: the same held-out images for every arm, never learned from; right numbers on them."""

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ablation.emoji.common_evaluation import CommonImages, common_counts, common_images, measure_common
from ablation.emoji.data.sources import load
from ablation.emoji.data.split import assign_sides, split
from ablation.emoji.model import Autoencoder
from ablation.emoji.probe import effective_rank
from ablation.emoji.protocols import autoencoder, joint
from ablation.emoji.run import lacking, run
from ablation.emoji.seeds import generator
from ablation.emoji.spec import RunSpec
from ablation.settings import vary
from doubles import small_spec

SHIPPED = load(("emoji",))
OTHERS = (
    autoencoder,
    vary(autoencoder, {"data.keyword": "", "data.train_most": 250}),
    vary(joint, {"data.keyword": "", "data.among": "face_subgroups", "data.classes": "face_subgroups"}),
)


def common(spec: RunSpec, seed: int = 0) -> CommonImages:
    return common_images(SHIPPED, spec.data, assign_sides(SHIPPED, spec.data, seed))


@pytest.mark.parametrize("spec", OTHERS)
@pytest.mark.parametrize("seed", range(3))
def test_every_arm_is_measured_on_the_same_faces_and_learns_from_none_of_them(
    spec: RunSpec, seed: int
) -> None:
    found = common(spec, seed)
    assert torch.equal(found.common, common(joint, seed).common)
    learned = set(split(SHIPPED, spec.data, 0, seed).train.index.tolist())
    for held_out in (found.common, found.mood, found.probe_test):
        assert not learned & set(held_out.tolist())
    subjects = {SHIPPED.subject[index] for index in learned}
    assert not subjects & {SHIPPED.subject[index] for index in found.common.tolist()}


def test_the_autoencoders_own_test_set_is_the_common_one() -> None:
    own = split(SHIPPED, autoencoder.data, 0, 0).test.index
    assert torch.equal(own, common(autoencoder).common)


def test_after_a_split_by_copies_nothing_is_held_out() -> None:
    copied, needs = vary(joint, {"data.split": "copy"}), {"subgroups", "common", "mood", "analogies"}
    assert lacking(copied, 0, needs) == needs - {"subgroups"}
    assert not lacking(joint, 0, needs)


def test_moods_are_asked_only_of_classes_that_speak_of_them() -> None:
    assert not lacking(joint, 0, ["mood"])
    assert lacking(autoencoder, 0, ["mood"]) == {"mood"}


@pytest.mark.parametrize(("says", "score"), [(0, 0.5), (1, 0.5)])
def test_a_model_that_always_says_one_mood_is_half_right(says: int, score: float) -> None:
    model = Autoencoder(joint.model, classes=2, seed=0)
    assert model.classifier is not None
    with torch.no_grad():
        model.classifier.weight.zero_()
        model.classifier.bias.copy_(torch.tensor([float(says == 0), float(says == 1)]))
    pictures, _ = measure_common(model, SHIPPED, common(joint), joint.data.classes)
    assert pictures["mood_balanced_accuracy"].mean == pytest.approx(score)


def test_finer_classes_are_mapped_back_by_their_odds() -> None:
    """Smiling 30 %, tongue 30 %, concerned 40 %: the likeliest class is sad, the likelier mood is happy."""
    spec = vary(joint, {"data.keyword": "", "data.classes": "face_subgroups"})
    model = Autoencoder(spec.model, classes=9, seed=0)
    assert model.classifier is not None
    shares = torch.full((9,), 1e-9)
    shares[0], shares[2], shares[7] = 0.3, 0.3, 0.4
    with torch.no_grad():
        model.classifier.weight.zero_()
        model.classifier.bias.copy_(shares.log())
    pictures, _ = measure_common(model, SHIPPED, common(spec), spec.data.classes)
    # All happy: every happy face right, no sad one.
    assert pictures["mood_balanced_accuracy"].mean == pytest.approx(0.5)
    assert common_counts(pictures)["images_mood_rarest"] >= 5


def test_a_source_without_faces_or_subgroups_has_no_such_numbers(faces: Path) -> None:
    metrics = run(vary(small_spec(faces), {"data.common": "locomotive"}), 0).metrics
    assert "common_mse" not in metrics
    assert "mood_balanced_accuracy" not in metrics


@given(st.integers(1, 8))
def test_codes_that_spread_evenly_over_k_directions_have_rank_k(k: int) -> None:
    corners = torch.cat([torch.eye(8)[:k], -torch.eye(8)[:k]])
    assert effective_rank(corners) == pytest.approx(k)
    assert effective_rank(corners * 7 + 3) == pytest.approx(k)


def test_rank_lies_between_one_and_the_length_of_the_code_and_is_zero_for_none() -> None:
    codes = torch.randn(50, 6, generator=generator(0, "codes"))
    assert 1 <= effective_rank(codes) <= 6
    assert effective_rank(codes * torch.tensor([100.0, 1, 1, 1, 1, 1])) < effective_rank(codes)
    assert effective_rank(torch.full((5, 6), 0.2)) == 0
