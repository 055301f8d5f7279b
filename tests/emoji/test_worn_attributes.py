"""Hearts, tears and tongues are measured on faces that training never saw, where they are drawn."""

from dataclasses import replace

import pytest
import torch

from ablation.emoji.data.images import Images
from ablation.emoji.data.sources import load
from ablation.emoji.evaluate import decode, encode
from ablation.emoji.measures import ATTRIBUTE_MSE
from ablation.emoji.model import Autoencoder
from ablation.emoji.protocols import VENDORS
from ablation.emoji.spec import ModelSpec
from ablation.emoji.worn_attributes import PLAIN, PLAIN_HUMAN, measure_worn, worn_pairs
from doubles import made

ASKED = [ATTRIBUTE_MSE]


@pytest.fixture(scope="module")
def model() -> Autoencoder:
    return Autoencoder(ModelSpec(channels=(4, 8), latent_dim=8), 0, 0)


@pytest.fixture
def two() -> Images:
    """A plain face, and one whose left half is red."""
    images = made(
        [PLAIN_HUMAN, "crying face", "crying walrus"], subgroups=["face-smiling", "face-concerned", "animal"]
    )
    pixels = images.pixels.clone()
    pixels[1, 0, :, :32] = 255
    return replace(images, pixels=pixels)


def test_the_shipped_faces_wear_what_their_texts_say() -> None:
    images = load(("emoji",))
    pairs = worn_pairs(images, torch.ones(len(images), dtype=torch.bool))
    cats = ["cat face with tears of joy", "crying cat face", "smiling cat face with heart-shaped eyes"]
    found = {images.text[worn]: images.text[plain] for worn, plain in pairs.tolist()}
    assert sorted(text for text, plain in found.items() if plain == PLAIN["cat-face"]) == cats
    human = {text for text, plain in found.items() if plain == PLAIN_HUMAN}
    assert len(human) == 12
    assert {"face with stuck-out tongue", "crying face", "smiling face with heart-shaped eyes"} <= human


def test_a_face_is_compared_with_the_plain_one_of_its_own_vendor() -> None:
    images = load(tuple(VENDORS.values()))
    pairs = worn_pairs(images, torch.ones(len(images), dtype=torch.bool))
    assert {images.vendor[worn] for worn, _ in pairs.tolist()} == {*VENDORS}
    assert all(images.vendor[worn] == images.vendor[plain] for worn, plain in pairs.tolist())


def test_only_held_out_faces_are_asked_and_only_with_a_plain_one(two: Images) -> None:
    every, plain = torch.ones(3, dtype=torch.bool), torch.tensor([True, False, False])
    assert worn_pairs(two, every).tolist() == [[1, 0]]
    assert worn_pairs(two, plain).shape == (0, 2)
    assert worn_pairs(replace(two, text=("grin", *two.text[1:])), every).shape == (0, 2)


def test_the_error_is_that_of_the_pixels_that_differ_from_the_plain_face(
    model: Autoencoder, two: Images
) -> None:
    pairs = torch.tensor([[1, 0]])
    found = measure_worn(model, two, pairs, ASKED)[ATTRIBUTE_MSE]
    drawn = decode(model, encode(model, two.pixels[[1]]))[0]
    error = (drawn - two.pixels[1] / 255)[:, :, :32].square().mean()
    assert found.index.tolist() == [1]
    assert found.mean == pytest.approx(error.item(), rel=1e-5)
    assert measure_worn(model, two, pairs, []) == {}
    assert measure_worn(model, two, pairs[:0], ASKED) == {}
