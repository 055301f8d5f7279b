"""Attacks: within their strength, as strong as they say, drawn from a stream of their own; and lost words."""

import itertools
import sys
from dataclasses import replace
from pathlib import Path

import datasets
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ablation.emoji import moods
from ablation.emoji.adversarial import JUDGING_STEPS, Classifier, attack_batch, attacked, measure_robustness
from ablation.emoji.common_evaluation import common_images, measure_common, moods_named, moods_of
from ablation.emoji.cost import run_flops
from ablation.emoji.data.sources import load
from ablation.emoji.data.split import assign_sides
from ablation.emoji.determinism import deterministic
from ablation.emoji.evaluate import as_bytes
from ablation.emoji.experiment import EMOJI
from ablation.emoji.measures import MEASURES, ROBUST
from ablation.emoji.model import Autoencoder
from ablation.emoji.protocols import joint
from ablation.emoji.replicas import run_together
from ablation.emoji.run import run
from ablation.emoji.seeds import generator
from ablation.emoji.spec import AugmentSpec, ModelSpec, RunSpec, TrainSpec
from ablation.emoji.train import fit, losses
from ablation.emoji.training_data import Pictures
from ablation.errors import UserError
from ablation.fingerprint import fingerprint
from ablation.settings import vary
from doubles import draw_faces, small_spec

pytestmark = pytest.mark.skipif(
    sys.version_info >= (3, 14), reason="torchattack, which makes the attacks, wants a Python before 3.14"
)

SMALL = ModelSpec(channels=(4, 8), latent_dim=8)
GRADIENT = ("fgsm", "pgd")
KINDS = ("noise", *GRADIENT)
STRENGTH = 8 / 255


def pictures(count: int = 12) -> tuple[Tensor, Tensor]:
    """Random pictures, in [0, 1] and with black and white values, of two classes."""
    images = torch.rand(count, 3, 64, 64, generator=generator(0, "pictures")) * 1.4 - 0.2
    return images.clamp(0, 1), torch.arange(count) % 2


IMAGES, LABELS = pictures()


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> tuple[Autoencoder, Tensor, Tensor]:
    """A small network that tells drawn faces that smile from those that cry, and these faces."""
    images = load((str(draw_faces(tmp_path_factory.mktemp("faces") / "faces.parquet")),))
    chosen = [n for n, kind in enumerate(images.subgroup) if kind != "plain"]
    labels = torch.tensor([int(images.subgroup[n] == "crying") for n in chosen])
    model, seen = Autoencoder(SMALL, 2, 0), Pictures(images.pixels[chosen], labels)
    spec = TrainSpec(epochs=25, batch_size=8, lr=3e-3, loss_weight=1.0)
    *_, last = fit(model, itertools.repeat(seen), seen, spec, 0)
    assert last.metrics["validation_accuracy"] > 0.9
    return model.eval(), seen.pixels / 255, labels


def changed(
    model: Autoencoder, images: Tensor, labels: Tensor, kind: str, strength: float = STRENGTH, seed: int = 0
) -> Tensor:
    rng = generator(seed, "attack")
    return attacked(Classifier(model), images, labels, kind, strength, JUDGING_STEPS, rng)


def mistakes(model: Autoencoder, images: Tensor, labels: Tensor) -> tuple[float, float]:
    """The classifier's cross-entropy and how much of the pictures it names wrongly."""
    with torch.no_grad():
        _, cross_entropy, right = losses(model.eval()(images), images, labels)
    return cross_entropy.item(), 1 - right.item()


@given(st.sampled_from(KINDS), st.just(0.0) | st.floats(1e-3, 1))
@settings(max_examples=20)
def test_no_value_moves_by_more_than_the_strength_or_leaves_its_range(kind: str, strength: float) -> None:
    seen = changed(Autoencoder(SMALL, 2, 0), IMAGES, LABELS, kind, strength)
    assert (seen - IMAGES).abs().max() <= strength + 1e-6  # what float32 rounds
    assert seen.min() >= 0
    assert seen.max() <= 1
    assert torch.equal(seen, IMAGES) == (strength == 0)


def test_an_attack_makes_more_mistakes_than_noise_and_several_steps_as_many_as_one(
    taught: tuple[Autoencoder, Tensor, Tensor],
) -> None:
    model, images, labels = taught
    errs = {kind: mistakes(model, changed(*taught, kind, strength=0.2), labels) for kind in KINDS}
    clean = mistakes(model, images, labels)
    assert clean[0] < errs["fgsm"][0] <= errs["pgd"][0]
    assert errs["noise"][0] < errs["fgsm"][0]
    assert clean[1] <= errs["noise"][1] < errs["fgsm"][1] <= errs["pgd"][1]


def test_one_step_of_fgsm_is_the_sign_of_the_gradient(taught: tuple[Autoencoder, Tensor, Tensor]) -> None:
    model, images, labels = taught
    given = images.clone().requires_grad_()
    torch.nn.functional.cross_entropy(model(given).logits, labels).backward()
    assert given.grad is not None
    by_hand = (images + STRENGTH * given.grad.sign()).clamp(0, 1)
    model.zero_grad()
    assert torch.allclose(changed(*taught, "fgsm"), by_hand, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_an_attack_leaves_the_network_and_every_other_stream_as_they_were(kind: str) -> None:
    model = Autoencoder(SMALL, 2, 0).train()
    model.from_code.weight.requires_grad_(False)
    before = torch.get_rng_state(), model.dropout.rng.get_state()
    first, again, other = (changed(model, IMAGES, LABELS, kind, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert torch.equal(first, other) == (kind == "fgsm")  # which draws nothing
    assert not first.requires_grad
    assert torch.equal(torch.get_rng_state(), before[0])
    assert torch.equal(model.dropout.rng.get_state(), before[1])
    assert all(part.training for part in model.modules())
    assert [n for n, one in model.named_parameters() if not one.requires_grad] == ["from_code.weight"]
    assert all(one.grad is None for one in model.parameters())
    assert torch.equal(changed(model.eval(), IMAGES, LABELS, kind), first)  # dropout plays no part


@pytest.mark.parametrize("kind", KINDS)
def test_a_share_of_a_batch_is_attacked_and_what_has_no_class_only_by_noise(kind: str) -> None:
    labels = LABELS.clone()
    labels[:2] = -1
    spec = AugmentSpec(attack=kind, attack_strength=STRENGTH, attack_share=0.3)
    model, rng = Autoencoder(SMALL, 2, 0), generator(0, "attack")
    seen = attack_batch(model, IMAGES, labels, spec, rng)
    moved = (seen != IMAGES).flatten(1).any(1).nonzero().flatten().tolist()
    assert moved == ([0, 1, 2, 3] if kind == "noise" else [2, 3])
    unlabelled = attack_batch(model, IMAGES, torch.full_like(labels, -1), spec, rng)
    assert torch.equal(unlabelled, IMAGES) == (kind != "noise")


@pytest.mark.parametrize("kind", KINDS)
def test_the_network_sees_attacked_pictures_and_is_to_reconstruct_the_clean_ones(kind: str) -> None:
    train = Pictures(as_bytes(IMAGES), LABELS)
    augment = AugmentSpec(attack=kind, attack_strength=0.2, attack_steps=3 if kind == "pgd" else 7)
    spec = TrainSpec(epochs=1, batch_size=len(train), loss_weight=0.5)
    model, same = (Autoencoder(SMALL, 2, 0) for _ in range(2))
    (epoch,) = fit(model, [train], train, spec, 0, augment)
    batch = torch.randperm(len(train), generator=generator(0, "order"))
    clean, labels = train.pixels[batch] / 255, train.labels[batch]
    seen = attack_batch(same.train(), clean, labels, augment, generator(0, "attack"))
    mse, cross_entropy, _ = losses(same(seen), clean, labels)
    assert epoch.metrics["train_mse"] == pytest.approx(mse.item())
    assert epoch.metrics["train_cross_entropy"] == pytest.approx(cross_entropy.item())
    assert torch.equal(model.dropout.rng.get_state(), same.dropout.rng.get_state())


def attacked_spec(faces: Path, kind: str = "pgd") -> RunSpec:
    steps = {"augment.attack_steps": 2} if kind == "pgd" else {}
    return vary(small_spec(faces), {"augment.attack": kind, "augment.attack_strength": STRENGTH} | steps)


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_with_an_attack_is_the_same_bit_for_bit_and_another_without(faces: Path, kind: str) -> None:
    spec = attacked_spec(faces, kind)
    with deterministic():
        first, again, without = (run(one, 0) for one in (spec, spec, small_spec(faces)))
    assert first.metrics == again.metrics
    assert first.history[-1].steps == without.history[-1].steps
    assert first.metrics["test_mse"] != without.metrics["test_mse"]


def test_classes_that_mean_moods_are_attacked_by_the_odds_of_the_mood() -> None:
    shipped = load(("emoji",))
    model = Autoencoder(SMALL, 9, 0)
    _, says = moods_of(shipped, torch.arange(4), "face_subgroups")
    with torch.no_grad():
        odds = model.eval()(IMAGES).logits.softmax(1) @ says
        found = Classifier(model, says)(IMAGES).softmax(1)
        own = Classifier(model, torch.eye(9))(IMAGES)
        assert torch.allclose(found, odds / odds.sum(1, keepdim=True), atol=1e-6)
        assert torch.equal(own, Classifier(model)(IMAGES))
    seen = attacked(Classifier(model, says), IMAGES, LABELS, "fgsm", STRENGTH, 1, generator(0))
    assert seen.isfinite().all()


def test_robust_accuracy_is_of_the_same_faces_and_at_strength_0_the_clean_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shipped, spec = load(("emoji",)), vary(moods, {"data.sources": ("emoji",), "data.folds": 0})
    found = common_images(shipped, spec.data, assign_sides(shipped, spec.data, 0))
    model = Autoencoder(SMALL, 2, 0)
    clean = measure_common(model, shipped, found, "mood")[0]["mood_balanced_accuracy"]
    names = [f"robust_accuracy_{kind}_8" for kind in KINDS]
    monkeypatch.setattr("ablation.emoji.adversarial.ROBUST", {name: (name[16:-2], 0.0) for name in names})
    robust = measure_robustness(model, shipped, found.mood, "mood", names, 0)
    assert robust.keys() == set(names)
    for one in robust.values():
        assert torch.equal(one.index, clean.index)
        assert torch.equal(one.weighed, clean.weighed)
    truth, says = moods_of(shipped, found.mood, "mood")
    seen = shipped.pixels[found.mood] / 255
    assert torch.equal(moods_named(model, seen, found.mood, truth, says).values, clean.values)


def test_robust_accuracies_are_taken_where_they_are_asked_and_have_items_with_folds() -> None:
    small = {"model.channels": (4, 8), "model.latent_dim": 8, "train.steps": 2, "augment.copies": 0}
    spec = vary(moods, small | {"data.sources": ("emoji",), "data.folds": 3})
    asked = ("robust_accuracy_pgd_8", "robust_accuracy_fgsm_2")
    plain, found = run(spec, 0), run(spec, 0, measures=asked)
    assert found.metrics.keys() - plain.metrics.keys() == {*asked}
    items = found.items[found.items.measure == asked[0]]
    assert len(items) == found.items.measure.value_counts()["mood_balanced_accuracy"]
    assert items.value.mean() == pytest.approx(found.metrics[asked[0]])
    assert all(map(EMOJI.on_demand, ROBUST))
    assert ROBUST["robust_accuracy_pgd_8"] == ("pgd", STRENGTH)
    assert MEASURES["robust_accuracy_pgd_8"].label == "Happy or sad, PGD 8/255"


def test_attacks_are_trained_apart(faces: Path) -> None:
    assert EMOJI.program(small_spec(faces)) is not None
    for kind in KINDS:
        spec = attacked_spec(faces, kind)
        assert EMOJI.program(spec) is None
        with pytest.raises(UserError, match=r"augment\.attack is set: train them apart"):
            run_together([(spec, 0)])


def test_the_plan_counts_the_gradients_of_an_attack() -> None:
    def flops(**changes: object) -> float:
        return run_flops(vary(joint, {f"augment.{name}": one for name, one in changes.items()}), 100, 5)

    none, noise, one = (flops(), *(flops(attack=kind, attack_strength=0.1) for kind in ("noise", "fgsm")))
    assert none == noise < one < 2 * none
    pgd = {"attack": "pgd", "attack_strength": 0.1}
    assert flops(**pgd, attack_steps=3) - none == pytest.approx(3 * (one - none))
    assert flops(**pgd, attack_share=1.0) - none == pytest.approx(2 * (flops(**pgd) - none))


def test_arms_without_an_attack_keep_their_fingerprint_and_others_have_their_own(faces: Path) -> None:
    before = fingerprint(EMOJI, joint, 0, "data")
    assert fingerprint(EMOJI, replace(joint, augment=replace(joint.augment, attack="none")), 0, "d") != before
    known = {
        fingerprint(EMOJI, vary(joint, {"augment.attack": "pgd"} | changes), 0, "data")
        for changes in (
            {"augment.attack_strength": 0.1},
            {"augment.attack_strength": 0.2},
            {"augment.attack_strength": 0.1, "augment.attack_steps": 3},
            {"augment.attack_strength": 0.1, "augment.attack_share": 1.0},
        )
    }
    assert len({before, *known}) == 5


def test_a_study_that_attacks_says_before_it_runs_that_the_library_is_not_there(
    faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ablation.emoji.extra.ATTACK_LIBRARY", "no_such_library")
    EMOJI.check(small_spec(faces), 0, ("test_mse",))
    EMOJI.check(attacked_spec(faces, "noise"), 0, ("test_mse",))
    with pytest.raises(UserError, match="adversarial examples want the library no_such_library"):
        EMOJI.check(attacked_spec(faces), 0, ("test_mse",))
    with pytest.raises(UserError, match="adversarial examples want the library no_such_library"):
        EMOJI.check(moods, 0, ("robust_accuracy_fgsm_2",))


# The report's own numbers (part 1 a): 408 pictures, of which 204 have a text and a label.
FACES = 204


def test_the_reports_missing_values_are_rows_of_attacked_pictures_without_their_words(tmp_path: Path) -> None:
    """An attack gives pictures and nothing else; a table of them lacks text and label, and is filled up."""
    images = torch.rand(FACES, 3, 64, 64, generator=generator(0))
    labels = torch.arange(FACES) % 2
    bare = [*as_bytes(changed(Autoencoder(SMALL, 2, 0), images, labels, "fgsm")).permute(0, 2, 3, 1).numpy()]
    words = {"text": [f"face {n}" for n in range(FACES)], "label": labels.tolist()}
    own = [*as_bytes(images).permute(0, 2, 3, 1).numpy()]
    picture = {"image": datasets.Image()}
    whole = picture | {"text": datasets.Value("string"), "label": datasets.Value("int64")}
    given = datasets.Dataset.from_dict({"image": own} | words, features=datasets.Features(whole))
    made = datasets.Dataset.from_dict({"image": bare}, features=datasets.Features(picture))
    joined = datasets.concatenate_datasets([given, made])
    framed = pd.concat([pd.DataFrame({"image": own} | words), pd.DataFrame({"image": bare})])
    for table in (joined.with_format("pandas")[:], framed):
        assert table.count().to_dict() == {"image": 2 * FACES, "text": FACES, "label": FACES}
    # The suite refuses such a file. It makes none: words stay with their batch while the pictures change.
    joined.to_parquet(tmp_path / "joined.parquet")
    with pytest.raises(
        UserError, match=f"wants a text, but {FACES} of {2 * FACES} have none, .* row {FACES}"
    ):
        load((str(tmp_path / "joined.parquet"),))
