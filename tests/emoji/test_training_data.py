"""What training passes over: copies once or anew, fewer originals among more, the same faces held out."""

from itertools import islice
from pathlib import Path

import pytest
import torch

from ablation.emoji.data.classes import classify
from ablation.emoji.data.sources import load
from ablation.emoji.data.split import split
from ablation.emoji.experiment import EMOJI
from ablation.emoji.protocols import UNCHANGED, joint, moods
from ablation.emoji.run import run
from ablation.emoji.spec import RunSpec
from ablation.emoji.training_data import Pictures, training_data
from ablation.errors import UserError
from ablation.settings import vary
from doubles import small_spec

SHIPPED = load(("emoji",))


def passes(spec: RunSpec, count: int, seed: int = 0) -> list[Pictures]:
    images = load(spec.data.sources)
    return list(islice(training_data(images, spec.data, spec.augment, seed).passes, count))


def numbers(spec: RunSpec) -> dict[str, float]:
    """All metrics of a run but those that tell of the machine."""
    metrics = run(spec, 0).metrics
    return {name: value for name, value in metrics.items() if name not in EMOJI.machine_metrics}


def test_copies_are_the_same_in_every_pass_unless_they_are_fresh(faces: Path) -> None:
    once, again = passes(small_spec(faces), 2)
    assert torch.equal(once.pixels, again.pixels)
    first, second = passes(vary(small_spec(faces), {"augment.fresh": True}), 2)
    assert torch.equal(first.pixels, once.pixels)
    assert torch.equal(first.labels, second.labels)
    # Copy 0 is the original in every pass; the others are drawn anew.
    assert torch.equal(first.pixels[::2], second.pixels[::2])
    assert not torch.equal(first.pixels[1::2], second.pixels[1::2])


def test_copies_that_change_nothing_are_the_bytes_of_their_originals() -> None:
    """Of every vendor: so an arm without augmentation has the batches of one with it."""
    spec = vary(moods, UNCHANGED | {"augment.copies": 1})
    images = load(spec.data.sources)
    sets = training_data(images, spec.data, spec.augment, 0).sets
    (pictures,) = passes(spec, 1)
    assert (sets.train.copy > 0).sum() * 2 == len(pictures)
    assert torch.equal(pictures.pixels, images.pixels[sets.train.index])
    (changed,) = passes(vary(moods, {"augment.copies": 1}), 1)
    assert not torch.equal(changed.pixels, images.pixels[sets.train.index])


def test_a_whole_run_with_fresh_copies_is_the_same_bit_for_bit(faces: Path) -> None:
    spec = vary(small_spec(faces), {"augment.fresh": True})
    assert numbers(spec) == numbers(spec)
    assert numbers(spec)["test_mse"] != numbers(small_spec(faces))["test_mse"]


def test_what_was_drawn_for_a_run_before_is_what_the_next_would_draw(faces: Path) -> None:
    fresh = vary(small_spec(faces), {"augment.fresh": True})
    training_data.cache_clear()
    alone = passes(fresh, 3)
    after_itself = passes(fresh, 3)
    passes(fresh, 1, seed=1)
    after_another = passes(fresh, 3)
    for again in (after_itself, after_another):
        assert all(torch.equal(a.pixels, b.pixels) for a, b in zip(alone, again, strict=True))


@pytest.mark.parametrize(
    ("change", "seed"), [({}, 1), ({"augment.flip": 0.0}, 0), ({"augment.copies": 2}, 0)]
)
def test_another_seed_or_augmentation_never_gets_what_was_drawn_for_this(
    faces: Path, change: dict[str, float], seed: int
) -> None:
    spec = small_spec(faces)
    assert not torch.equal(passes(spec, 1)[0].pixels, passes(vary(spec, change), 1, seed)[0].pixels)


@pytest.mark.parametrize("seed", range(3))
def test_fewer_training_originals_are_among_more_and_nobody_else_is_moved(seed: int) -> None:
    base = vary(joint, {"data.keyword": "", "data.classes": "none", "train.loss_weight": 0.0}).data
    whole = split(SHIPPED, base, 0, seed)
    kept: set[int] = set()
    for most in (100, 500, 2000):
        data = vary(joint, {"data.keyword": "", "data.classes": "none", "train.loss_weight": 0.0})
        some = split(SHIPPED, vary(data, {"data.train_most": most}).data, 0, seed)
        assert len(some.train) == most
        assert kept < set(some.train.index.tolist()) <= set(whole.train.index.tolist())
        assert torch.equal(some.test.index, whole.test.index)
        assert torch.equal(some.validation.index, whole.validation.index)
        kept = set(some.train.index.tolist())


def test_a_part_of_the_originals_has_no_meaning_where_copies_are_split() -> None:
    data = vary(joint, {"data.split": "copy", "data.train_most": 5}).data
    with pytest.raises(UserError, match=r"data.train_most wants .* but data.split is 'copy'"):
        split(SHIPPED, data, 4, 0)


@pytest.mark.parametrize("scheme", ["happy_sad", "five_emotions", "face_subgroups"])
def test_arms_of_other_classes_learn_from_the_same_images(scheme: str) -> None:
    among = {"data.keyword": "", "data.among": "face_subgroups", "data.stratify": "five_emotions"}
    reference = split(SHIPPED, vary(joint, among).data, 0, seed=1)
    sets = split(SHIPPED, vary(joint, among | {"data.classes": scheme}).data, 0, seed=1)
    assert torch.equal(sets.train.index, reference.train.index)
    assert torch.equal(sets.test.index, reference.test.index)
    named = classify(SHIPPED, "face_subgroups")
    assert all(named[index] >= 0 for index in sets.train.index.tolist())


def test_a_class_that_is_too_small_to_split_is_refused_with_its_counts() -> None:
    # Balanced by happy and sad alone, the five neutral faces are left to chance.
    data = vary(joint, {"data.classes": "five_emotions"}).data
    with pytest.raises(
        UserError, match=r"every set wants an image of class '\w+', but \w+ has none \(\d+ in"
    ):
        [split(SHIPPED, data, 0, seed) for seed in range(10)]


@pytest.mark.parametrize("seed", range(2))
def test_held_out_pictures_get_copies_where_asked_and_stay_who_they_are(seed: int) -> None:
    plain = split(SHIPPED, joint.data, 4, seed)
    alike = split(SHIPPED, joint.data, 4, seed, held_out=4)
    assert torch.equal(alike.train.index, plain.train.index)
    for name in ("validation", "test"):
        before, after = getattr(plain, name), getattr(alike, name)
        assert len(after) == 5 * len(before)
        assert torch.equal(after.index.unique(), before.index.unique())
        assert sorted(after.copy.unique().tolist()) == [0, 1, 2, 3, 4]
