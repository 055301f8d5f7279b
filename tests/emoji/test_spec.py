"""Specs: frozen, checked, varied by name, and identified by their fingerprint."""

import dataclasses
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablation.emoji.experiment import EMOJI
from ablation.emoji.protocols import autoencoder, joint
from ablation.emoji.spec import RunSpec, TrainSpec
from ablation.errors import UserError
from ablation.fingerprint import fingerprint
from ablation.settings import flat, setting, vary


def test_varying_nothing_changes_nothing() -> None:
    assert vary(joint, {}) == joint


def test_varying_changes_the_named_setting_alone() -> None:
    changed = flat(vary(joint, {"model.latent_dim": 64}))
    assert {name for name, value in flat(joint).items() if changed[name] != value} == {"model.latent_dim"}


@given(st.sampled_from(sorted(flat(joint))), st.integers(3, 9))
def test_equal_specs_and_only_they_have_equal_fingerprints(name: str, number: int) -> None:
    value = flat(joint)[name]
    # Settings that make no sense alone come with what they need.
    needed = {
        "train.steps": {"train.epochs": 0},
        "compose.rank": {"compose.method": "pca"},
        "refine.steps": {"refine.kind": "plain"},
        "augment.attack_steps": {"augment.attack": "pgd", "augment.attack_strength": 0.1},
    }
    if type(value) is int:
        other = vary(joint, {name: value + number} | needed.get(name, {}))
        assert fingerprint(EMOJI, other, 0, "data") != fingerprint(EMOJI, joint, 0, "data")
        assert fingerprint(EMOJI, vary(other, flat(joint)), 0, "data") == fingerprint(EMOJI, joint, 0, "data")


def test_fingerprint_depends_on_the_data_and_the_seed() -> None:
    assert fingerprint(EMOJI, joint, 0, "data") != fingerprint(EMOJI, joint, 1, "data")
    assert fingerprint(EMOJI, joint, 0, "data") != fingerprint(EMOJI, joint, 0, "other data")


def test_fingerprint_is_the_same_in_every_process_and_version() -> None:
    # A golden value: a change of it makes every recorded run unknown (docs/decisions/0001-fingerprint.md).
    assert fingerprint(EMOJI, joint, 0, "data") == "258fff5f0d340f50"
    imports = "from ablation.emoji import joint; from ablation.fingerprint import fingerprint"
    code = f"{imports}; print(fingerprint(joint.experiment, joint, 0, 'data'))"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == fingerprint(EMOJI, joint, 0, "data")


def test_a_new_setting_at_its_neutral_value_keeps_the_fingerprint() -> None:
    before = fingerprint(EMOJI, autoencoder, 0, "data")
    new = setting(1, "added later", neutral=1)
    wider = dataclasses.make_dataclass(
        "TrainSpec", [("clip", int, new)], bases=(TrainSpec,), frozen=True, kw_only=True
    )
    train = dataclasses.asdict(autoencoder.train)
    same = dataclasses.replace(autoencoder, train=wider(**train))
    other = dataclasses.replace(autoencoder, train=wider(**train, clip=2))
    assert fingerprint(EMOJI, same, 0, "data") == before
    assert fingerprint(EMOJI, other, 0, "data") != before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model.latnt_dim": 3}, "no setting 'model.latnt_dim' (did you mean 'model.latent_dim'"),
        ({"model.latent_dim": "many"}, "model.latent_dim wants a whole number, but got 'many'"),
        ({"model.latent_dim": 0}, "model.latent_dim must be at least 1, but got 0"),
        ({"train.lr": 0.0}, "train.lr must be above 0"),
        ({"model.activation": "rlu"}, "model.activation must be one of 'relu'"),
        ({"data.parts": (1, 2)}, "data.parts wants 3 values"),
        ({"train.epochs": True}, "train.epochs wants a whole number, but got True"),
        ({"train.steps": 10}, "a budget in epochs or in steps, but got epochs=10 and steps=10"),
        ({"data.classes": "none"}, "train.loss_weight is 0.5 but data.classes is 'none'"),
        ({"augment.attack_strength": 0.1}, "augment.attack_strength is of an attack, but augment.attack is"),
        ({"augment.attack_steps": 3}, "augment.attack_steps is of an attack"),
        ({"augment.attack_share": 1.0}, "augment.attack_share is of an attack"),
        ({"augment.attack": "fgsm"}, "augment.attack 'fgsm' wants a strength above 0"),
        (
            {"augment.attack": "fgsm", "augment.attack_strength": 0.1, "augment.attack_steps": 3},
            "augment.attack_steps is of the attack 'pgd', but augment.attack is 'fgsm'",
        ),
        (
            {"augment.attack": "pgd", "augment.attack_strength": 0.1}
            | {"data.classes": "none", "train.loss_weight": 0.0},
            "augment.attack 'pgd' attacks the classifier, but data.classes is 'none'",
        ),
    ],
)
def test_a_wrong_setting_is_refused_in_a_sentence(changes: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message.replace("(", r"\(")):
        vary(joint, changes)


def test_a_whole_number_serves_as_a_float() -> None:
    assert vary(joint, {"train.loss_weight": 1}) == vary(joint, {"train.loss_weight": 1.0})
    assert isinstance(vary(joint, {"train.loss_weight": 1}).train.loss_weight, float)


def test_specs_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        joint.train = autoencoder.train  # type: ignore[misc]
    assert isinstance(hash(joint), int)
    assert isinstance(joint, RunSpec)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"compose.method": "mean", "compose.rank": 2}, "has no subspace"),
        ({"compose.weigh": True, "compose.strength": 0.5}, "chooses the strength"),
        ({"compose.redrawn": True}, "is for baselines of pixels"),
        ({"compose.method": "magic"}, "must be one of 'pair'"),
    ],
)
def test_an_edit_that_would_ignore_a_setting_is_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(UserError, match=said):
        vary(joint, changes)
