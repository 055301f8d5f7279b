"""Quadruples to train on are of training pictures alone; their term leaves every other draw as it is."""

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from ablation.emoji.composition.analogies import Assignment, analogy_tasks, draw_analogies
from ablation.emoji.composition.families import Step, families
from ablation.emoji.composition.quadruples import Quadruples, Table, training_quadruples
from ablation.emoji.data.images import Images
from ablation.emoji.data.sources import load
from ablation.emoji.data.split import TEST, TRAIN, VALIDATION, assign_sides, split
from ablation.emoji.experiment import EMOJI
from ablation.emoji.model import Autoencoder
from ablation.emoji.protocols import VENDORS, composed
from ablation.emoji.run import lacking, run
from ablation.emoji.seeds import generator
from ablation.emoji.spec import DataSpec, ModelSpec, RunSpec, TrainSpec, training
from ablation.emoji.train import analogy_error, fit
from ablation.emoji.training_data import Pictures
from ablation.errors import UserError
from ablation.fingerprint import fingerprint
from ablation.settings import vary
from analogies import draw_shapes
from doubles import made

EVERY = DataSpec(keyword="", stratify="none")
SEEDS = (0, 900)
LARGER = ModelSpec(channels=(8, 16), latent_dim=16, dropout=0.0)


@pytest.fixture(scope="module")
def emoji() -> Images:
    return load(("emoji",))


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> RunSpec:
    parquet = draw_shapes(tmp_path_factory.mktemp("shapes") / "shapes.parquet")
    small = {"model.channels": (4, 8), "model.latent_dim": 8, "train.steps": 6, "train.batch_size": 8}
    return vary(composed, small | {"data.sources": (str(parquet),), "data.common": ""})


def drawn(images: Images, seed: int, count: int = 4000) -> torch.Tensor:
    trained = split(images, EVERY, 0, seed).train.index
    return training_quadruples(images, trained).draw(count, generator(seed, "test"))


def relations(images: Images) -> dict[tuple[int, int], set[tuple[str, Step]]]:
    """The family and the step of every pair of pictures that is one."""
    found: dict[tuple[int, int], set[tuple[str, Step]]] = {}
    for family in families(images):
        for step in family.steps:
            for pair in family.pairs(step).values():
                found.setdefault(pair, set()).add((family.name, step))
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_no_quadruple_has_a_picture_that_is_held_out_nor_another_of_its_subject(
    emoji: Images, seed: int
) -> None:
    used = {*drawn(emoji, seed).flatten().tolist()}
    sides = assign_sides(emoji, EVERY, seed)
    held_out = {emoji.subject[i] for i in (sides != TRAIN).nonzero().flatten().tolist()}
    assert used
    assert not {emoji.subject[i] for i in used} & held_out
    truths = {
        one.d
        for task in analogy_tasks(emoji, EVERY, seed)
        for side in (TEST, VALIDATION)
        for one in task.analogies[side]
    }
    assert truths
    assert not {emoji.subject[i] for i in used} & {emoji.subject[i] for i in truths}
    assert not {emoji.digests[i] for i in used} & {emoji.digests[i] for i in truths}


def test_no_vendors_drawing_of_a_truth_is_in_a_quadruple() -> None:
    images = load(tuple(VENDORS.values()))
    used = {images.subject[i] for i in drawn(images, 900).flatten().tolist()}
    truths = {
        images.subject[one.d]
        for task in analogy_tasks(images, EVERY, 900)
        for side in (TEST, VALIDATION)
        for one in task.analogies[side]
    }
    assert truths
    assert not used & truths


def test_every_table_that_training_holds_is_drawn_and_each_family_as_often(emoji: Images) -> None:
    trained = split(emoji, EVERY, 0, 900).train.index
    found = training_quadruples(emoji, trained)
    steps = relations(emoji)
    counts = dict.fromkeys((one.family for one in found.tables), 0)
    for a, b, c, d in found.draw(4000, generator(0, "test")).T.tolist():
        ((name, _),) = steps[a, b] & steps[c, d]
        assert (a, b) != (c, d)
        counts[name] += 1
    assert set(counts) == {family.name for family in families(emoji)}
    assert min(counts.values()) > 4000 / len(counts) * 0.8


def test_the_control_decodes_the_answers_of_the_same_quadruples_from_their_own_codes(
    shapes: RunSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, taken = load(shapes.data.sources), list[torch.Tensor]()
    found, draw = training_quadruples(images, torch.arange(len(images))), Quadruples.draw

    def recorded(*asked: Any) -> torch.Tensor:
        taken.append(draw(*asked))
        return taken[-1]

    monkeypatch.setattr(Quadruples, "draw", recorded)
    pictures, asked = (
        Pictures(images.pixels, torch.full((len(images),), -1)),
        draw(found, 64, generator(1, "test")),
    )
    d, rule, own = images.pixels[asked[3]] / 255, [], []
    for kind in ("matched", "answer"):
        spec = TrainSpec(steps=80, batch_size=24, lr=3e-3, analogy_weight=3.0, quadruples=kind)
        model = Autoencoder(LARGER, 0, 0)
        list(fit(model, itertools.repeat(pictures), pictures, spec, 0, quadruples=found))
        with torch.no_grad():
            rule.append(analogy_error(model.eval(), images.pixels[asked] / 255).item())
            own.append((model.decode(model.encode(d)) - d).square().mean().item())
    assert torch.equal(torch.stack(taken[:80]), torch.stack(taken[80:]))
    assert rule[0] < rule[1]
    assert own[1] < own[0]


def test_equal_streams_draw_equal_quadruples_and_a_table_of_two_pairs_takes_both() -> None:
    table = Table("shape", ("circle", "heart"), ((0, 1), (2, 3)), ((0, 1), (2, 3)))
    found = Quadruples(made(["w", "x", "y", "z"]), (table,))
    one, same = (found.draw(50, generator(0, "test")) for _ in range(2))
    assert torch.equal(one, same)
    assert {tuple(row) for row in one.T.tolist()} == {(0, 1, 2, 3), (2, 3, 0, 1)}


def test_what_stays_out_of_training_leaves_the_tables(emoji: Images) -> None:
    here = Assignment(emoji, assign_sides(emoji, EVERY, 0), split(emoji, EVERY, 0, 0).train.index)
    shape = next(family for family in families(emoji) if family.name == "shape")
    gone = draw_analogies(shape, here, TRAIN, 12, generator(0, "analogies"))[0].d
    left = here.trained[here.trained != gone]
    before, after = (
        {i for one in training_quadruples(emoji, trained).tables for pair in one.targets for i in pair}
        for trained in (here.trained, left)
    )
    assert gone in before
    assert gone not in after


def test_the_error_of_a_quadruple_is_that_of_the_decoded_sum() -> None:
    model = Autoencoder(ModelSpec(channels=(4, 8), latent_dim=8), 0, 0).eval()
    pictures = torch.rand(4, 3, 3, 64, 64, generator=generator(0, "test"))
    a, b, c, d = pictures
    with torch.no_grad():
        wanted = (model.decode(model.encode(c) + model.encode(b) - model.encode(a)) - d).square().mean()
        assert analogy_error(model, pictures).item() == pytest.approx(wanted.item(), rel=1e-5)
        same = analogy_error(model, torch.stack([a, a, c, d])).item()
        assert same == pytest.approx((model.decode(model.encode(c)) - d).square().mean().item(), rel=1e-5)


def test_training_on_quadruples_lowers_their_error(shapes: RunSpec) -> None:
    images = load(shapes.data.sources)
    trained = torch.arange(len(images))
    found, budget = training_quadruples(images, trained), TrainSpec(steps=250, batch_size=24, lr=3e-3)
    pictures = Pictures(images.pixels, torch.full((len(images),), -1))
    asked = images.pixels[found.draw(64, generator(1, "test"))] / 255
    errors = {}
    for weight in (0.0, 3.0):
        model, spec = Autoencoder(LARGER, 0, 0), replace(budget, analogy_weight=weight)
        list(fit(model, itertools.repeat(pictures), pictures, spec, 0, quadruples=found if weight else None))
        with torch.no_grad():
            errors[weight] = analogy_error(model.eval(), asked).item()
    assert errors[3.0] < errors[0.0]


def test_the_term_draws_from_a_stream_of_its_own_and_is_repeated_bit_for_bit(shapes: RunSpec) -> None:
    with_term = vary(shapes, {"train.analogy_weight": 1.0})
    plain, first, again = run(shapes, 0), run(with_term, 0), run(with_term, 0)
    weights = [[*one.model.state_dict().values()] for one in (plain, first, again)]
    assert all(itertools.starmap(torch.equal, zip(weights[1], weights[2], strict=True)))
    assert not all(itertools.starmap(torch.equal, zip(weights[0], weights[1], strict=True)))
    states = [one.model.dropout.rng.get_state() for one in (plain, first)]
    assert torch.equal(*states)
    assert plain.history[-1].images == first.history[-1].images


def test_runs_without_the_term_keep_their_fingerprint_and_the_control_is_another_training(
    shapes: RunSpec,
) -> None:
    golden = fingerprint(EMOJI, composed, 0, "data")
    assert golden == "7317e2a0e589c7ec"
    specs = [vary(composed, {"train.analogy_weight": w}) for w in (0.0, 1.0)]
    specs.append(vary(specs[1], {"train.quadruples": "answer"}))
    assert fingerprint(EMOJI, specs[0], 0, "data") == golden
    assert len({fingerprint(EMOJI, one, 0, "data") for one in specs}) == 3
    assert all(training(one) == one for one in specs)
    assert EMOJI.program(specs[0]) is not None
    assert EMOJI.program(specs[1]) is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"train.quadruples": "answer"}, "train.analogy_weight is 0"),
        ({"train.analogy_weight": 1.0, "data.split": "copy"}, "data.split is 'copy'"),
        ({"train.analogy_weight": -1.0}, "at least 0"),
    ],
)
def test_a_term_without_meaning_is_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(UserError, match=said):
        vary(composed, changes)


def test_pictures_without_quadruples_are_refused_before_training(shapes: RunSpec, faces: Path) -> None:
    other = vary(shapes, {"data.sources": (str(faces),), "train.analogy_weight": 1.0})
    with pytest.raises(UserError, match="but they have none"):
        lacking(other, 0, ())
