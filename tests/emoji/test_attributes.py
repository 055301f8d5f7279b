"""Named dimensions: what texts name is taught to the first dimensions of a code, and moved in them alone."""

import itertools
from dataclasses import replace

import pytest
import torch

from ablation.emoji.composition.analogies import analogy_tasks
from ablation.emoji.composition.attributes import ATTRIBUTES, MOST_WEIGHT, attributes, weights
from ablation.emoji.composition.directions import NAMED_DIMS
from ablation.emoji.composition.evaluator import CompositionEvaluator
from ablation.emoji.composition.families import families
from ablation.emoji.composition.quadruples import training_quadruples
from ablation.emoji.data.sources import load
from ablation.emoji.evaluate import encode
from ablation.emoji.experiment import EMOJI
from ablation.emoji.model import Autoencoder
from ablation.emoji.protocols import composed
from ablation.emoji.spec import ModelSpec, TrainSpec
from ablation.emoji.train import analogy_error, attribute_error, fit
from ablation.emoji.training_data import Pictures
from ablation.errors import UserError
from ablation.fingerprint import fingerprint
from ablation.settings import vary
from doubles import made

TEXTS = {
    "smiling cat face with heart-shaped eyes": {"cat", "hearts"},
    "crying face": {"tears"},
    "face with stuck-out tongue": {"tongue"},
    "nerd face": {"glasses"},
    "woman: medium-dark skin tone": {"woman", "medium-dark skin tone"},
    "man: dark skin tone": {"dark skin tone"},
    "kiss: person, person, light skin tone, dark skin tone": {"light skin tone", "dark skin tone"},
    "face with medical mask": set[str](),
    "shark": set[str](),
}
SMALL = ModelSpec(channels=(4, 8), latent_dim=NAMED_DIMS + 3, dropout=0.0)


def test_texts_name_their_attributes() -> None:
    found = attributes(made([*TEXTS]))
    for text, row in zip(TEXTS, found.tolist(), strict=True):
        assert {name for name, value in zip(ATTRIBUTES, row, strict=True) if value == 1} == TEXTS[text]
    gender = dict(zip(TEXTS, found[:, -1].tolist(), strict=True))
    assert gender["man: dark skin tone"] == -1
    assert gender["crying face"] == 0
    assert set(found[:, :-1].unique().tolist()) == {-1, 1}


def test_every_value_of_an_attribute_counts_alike_up_to_a_bound() -> None:
    values = torch.tensor([[1.0, 1.0]] + [[-1.0, 1.0]] * 3)
    found = weights(values)
    assert found[0, 0] == pytest.approx(2.0)
    assert found[1:, 0].sum() == pytest.approx(2.0)
    assert found[:, 1].tolist() == [1.0] * 4
    rare = torch.full((1000, 1), -1.0)
    rare[0] = 1
    assert weights(rare)[0] == MOST_WEIGHT


def test_the_error_is_of_the_first_dimensions_alone() -> None:
    wanted = torch.ones(2, NAMED_DIMS)
    codes = torch.cat([wanted, torch.full((2, 3), 9.0)], dim=1)
    assert attribute_error(codes, wanted, torch.ones_like(wanted)) == 0
    codes[0, 0] = -1
    assert attribute_error(codes, wanted, 2 * torch.ones_like(wanted)) == pytest.approx(8 / wanted.numel())


def test_training_teaches_the_named_dimensions_and_repeats_bit_for_bit() -> None:
    images = made([*TEXTS] * 3)
    rng = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, images.pixels.shape, generator=rng, dtype=torch.uint8)
    taught = attributes(images)
    pictures = Pictures(pixels, torch.full((len(images),), -1), taught)
    errors, models = {}, []
    for weight in (0.0, 1.0, 1.0):
        model = Autoencoder(SMALL, 0, 0)
        spec = TrainSpec(steps=60, batch_size=9, lr=3e-3, attribute_weight=weight)
        list(fit(model, itertools.repeat(pictures), pictures, spec, 0))
        errors[weight] = attribute_error(encode(model, pixels), taught, torch.ones_like(taught)).item()
        models.append([*model.state_dict().values()])
    assert errors[1.0] < errors[0.0] / 2
    assert all(itertools.starmap(torch.equal, zip(models[1], models[2], strict=True)))


def test_quadruples_move_the_named_dimensions_alone() -> None:
    model = Autoencoder(SMALL, 0, 0).eval()
    a, b, c, d = pictures = torch.rand(4, 2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for part in model.parameters():
            part.mul_(4)  # so that codes lie apart
        step = model.encode(b) - model.encode(a)
        step[:, NAMED_DIMS:] = 0
        wanted = (model.decode(model.encode(c) + step) - d).square().mean()
        assert analogy_error(model, pictures, named=True).item() == pytest.approx(wanted.item(), rel=1e-5)
        assert analogy_error(model, pictures).item() != pytest.approx(wanted.item(), rel=1e-3)


def test_quadruples_for_named_dimensions_change_an_attribute() -> None:
    images = load(("emoji",))
    every, named = torch.arange(len(images)), attributes(images)
    found = training_quadruples(images, every, named)
    assert {one.family for one in found.tables} == {"faces", "tone", "gender"}
    assert {one.family for one in training_quadruples(images, every).tables} == {
        family.name for family in families(images)
    }
    pairs = [pair for one in found.tables for pair in (*one.sources, *one.targets)]
    assert not any(torch.equal(named[before], named[after]) for before, after in pairs)


def test_a_probe_says_which_dimensions_tell_the_attribute() -> None:
    images = load(("emoji",))
    (task,) = (one for one in analogy_tasks(images, composed.data, 900) if one.family.name == "tone")
    evaluator = CompositionEvaluator(Autoencoder(SMALL, 0, 0), images, (task,), composed.compose, 900)
    taught = attributes(images)[list(evaluator.place)]
    evaluator.codes = torch.cat([taught, torch.zeros(len(taught), 3)], dim=1)
    named, free = evaluator.told(task)
    assert named == 1
    assert free < 0.3  # one tone of six for all
    evaluator.codes = torch.cat([torch.zeros_like(taught), taught], dim=1)
    assert evaluator.told(task)[1] == 1


def test_without_the_weight_nothing_is_another_run_and_a_short_code_is_refused() -> None:
    before = fingerprint(EMOJI, composed, 0, "data")
    taught = vary(composed, {"train.attribute_weight": 0.1})
    assert fingerprint(EMOJI, vary(composed, {"train.attribute_weight": 0.0}), 0, "data") == before
    assert fingerprint(EMOJI, taught, 0, "data") != before
    assert EMOJI.program(taught) is None
    with pytest.raises(UserError, match=f"names {NAMED_DIMS} dimensions"):
        replace(taught, model=replace(taught.model, latent_dim=NAMED_DIMS))
