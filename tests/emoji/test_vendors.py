"""Several vendors' drawings of the same emoji: every analogy and every name stays with one vendor."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from ablation import Claim, Difference, Over, Study, UserError
from ablation.emoji import VENDORS, joint
from ablation.emoji.cli import app
from ablation.emoji.common_evaluation import common_images
from ablation.emoji.composition.analogies import (
    Assignment,
    analogy_tasks,
    assignment_of,
    draw_analogies,
    training_pictures,
)
from ablation.emoji.composition.families import VENDOR, families
from ablation.emoji.composition.latent_editor import find_analogy
from ablation.emoji.data.images import Images
from ablation.emoji.data.names import resolve
from ablation.emoji.data.sources import SHIPPED, load
from ablation.emoji.data.split import TEST, TRAIN, VALIDATION, assign_sides
from ablation.emoji.protocols import composed
from ablation.emoji.run import run
from ablation.emoji.seeds import generator
from ablation.emoji.spec import DataSpec, RunSpec
from ablation.runner.scheduler import run_study
from ablation.settings import vary
from ablation.tracking import Store
from analogies import draw_shapes
from engines import InlineEngine

SMALL = {"model.channels": (8, 16), "model.latent_dim": 8, "train.steps": 5, "train.batch_size": 8}
EVERY = DataSpec(sources=tuple(SHIPPED), keyword="", stratify="none")
UNSEEN = replace(EVERY, train_vendors=("noto", "twemoji", "openmoji"), test_vendors=("fluent",))
HEART, RED_HEART = "blue heart", "red heart"


@pytest.fixture(scope="module")
def four() -> Images:
    return load(tuple(SHIPPED))


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shapes by two vendors, "big" and "small"."""
    return draw_shapes(tmp_path_factory.mktemp("shapes") / "shapes.parquet", ("big", "small"))


@pytest.fixture(scope="module")
def spec(shapes: Path) -> RunSpec:
    return vary(composed, SMALL | {"data.sources": (str(shapes),), "data.common": ""})


@pytest.fixture(scope="module")
def seed(spec: RunSpec) -> int:
    images = load(spec.data.sources)
    return next(n for n in range(20) if analogy_tasks(images, spec.data, n))


# Images.


def test_a_name_says_the_vendor_where_a_text_alone_does_not(four: Images) -> None:
    assert load(("emoji",)).name(0) == "grinning face"
    names = {four.name(index) for index, text in enumerate(four.text) if text == "grinning face"}
    assert names == {f"grinning face by {vendor}" for vendor in ("noto", "twemoji", "openmoji", "fluent")}
    assert len({four.name(index) for index in range(len(four))}) == len(four)


def test_vendors_are_in_the_fingerprint_only_where_there_are_several(shapes: Path) -> None:
    images = load((str(shapes),))
    alone = replace(images, vendor=("one",) * len(images))
    assert replace(images, vendor=("other",) * len(images)).fingerprint == alone.fingerprint
    assert (
        len({images.fingerprint, alone.fingerprint, replace(images, vendor=images.vendor[::-1]).fingerprint})
        == 3
    )


# Analogies.


def test_a_family_has_a_row_for_every_vendor(four: Images) -> None:
    noto = {one.name: one for one in families(load(("emoji",)))}
    assert [one.name for one in families(four)] == [*noto, VENDOR]
    for family in families(four)[:-1]:
        contents = {content for content, _ in family.at}
        owners = {
            content: {four.vendor[index] for (one, _), index in family.at.items() if one == content}
            for content in contents
        }
        assert all(
            len(vendors) == 1 and content.endswith(f" by {next(iter(vendors))}")
            for content, vendors in owners.items()
        )
        own = {
            (content.removesuffix(" by noto"), value)
            for content, value in family.at
            if content.endswith("noto")
        }
        assert own == set(noto[family.name].at)
    faces = next(one for one in families(four) if one.name == "faces")
    assert faces.onto == {f"cat by {vendor}" for vendor in ("noto", "twemoji", "openmoji", "fluent")}


@pytest.mark.parametrize("data", [EVERY, UNSEEN])
def test_every_analogy_but_of_vendors_is_of_one_and_nothing_learned_from_its_truth(
    four: Images, data: DataSpec
) -> None:
    here = assignment_of(four, data, 0)
    trained = {four.subject[index] for index in here.trained.tolist()}
    allowed = {TEST: data.test_vendors, VALIDATION: data.train_vendors, TRAIN: data.train_vendors}
    tasks = analogy_tasks(four, data, 0)
    assert len(tasks) == 6
    for task in tasks:
        for side, analogies in task.analogies.items():
            for one in analogies:
                a, b, c, d = (four.vendor[index] for index in one.corners)
                assert (a == c, b == d) == (True, True)
                assert (a != b) == (task.family.name == VENDOR)
                assert not allowed[side] or d in allowed[side]
                assert four.subject[one.d] not in {four.subject[one.a], four.subject[one.b]}
                assert (four.subject[one.d] in trained) == (side == TRAIN)
            known = [four.vendor[index] for index in task.training[side].values()]
            assert not data.train_vendors or set(known) <= set(data.train_vendors)
            assert {four.subject[i] for i in task.training[side].values()}.isdisjoint(
                four.subject[one.d] for one in analogies
            )
    seen = {four.vendor[one.d] for task in tasks for one in task.analogies[TEST]}
    assert seen == ({*data.test_vendors} or {"noto", "twemoji", "openmoji", "fluent"})


def test_directions_learn_from_no_vendor_that_training_leaves_out(shapes: Path) -> None:
    images = load((str(shapes),))
    data = DataSpec(sources=(str(shapes),), keyword="", stratify="none")
    sides = assign_sides(images, data, 0)
    family = next(one for one in families(images) if one.name == "shape")
    for vendors in ((), ("big",), ("small",)):
        here = Assignment(images, sides, torch.arange(0), vendors)
        known = training_pictures(family, here, (), generator(0, "known"))
        assert {images.vendor[index] for index in known.values()} == {*(vendors or ("big", "small"))}


def test_truths_of_two_vendors_are_two_truths(spec: RunSpec, seed: int) -> None:
    """Their errors were averaged into one, under the text that they share."""
    images = load(spec.data.sources)
    task = next(one for one in analogy_tasks(images, spec.data, seed) if one.family.name == "shape")
    result = run(spec, seed, measures=["gain"])
    truths = {one.d for one in task.analogies[TEST]}
    texts = {images.text[index] for index in truths}
    assert len(truths) > len(texts)
    assert result.metrics["truths_shape"] == len(truths)
    rows = [row for row in result.composition.rows if (row["side"], row["family"]) == ("unseen", "shape")]
    assert {row["d"] for row in rows} == {images.name(index) for index in truths}
    for row in rows:
        assert len({str(row[corner]).rpartition(" by ")[2] for corner in "abcd"}) == 1


def test_the_family_of_vendors_has_one_emoji_of_a_subject_by_each_vendor(four: Images) -> None:
    family = next(one for one in families(four) if one.name == VENDOR)
    assert {value for _, value in family.at} == {"noto", "twemoji", "openmoji", "fluent"}
    subjects: dict[str, set[str]] = {}
    for (content, vendor), index in family.at.items():
        assert (four.text[index], four.vendor[index]) == (content, vendor)
        subjects.setdefault(four.subject[index], set()).add(content)
    assert all(len(contents) == 1 for contents in subjects.values())
    assert len(family.steps) == 12
    assert families(load(("emoji",)))[-1].name != VENDOR


def test_a_drawing_that_equals_another_vendors_is_no_truth(shapes: Path) -> None:
    images = load((str(shapes),))
    big, small = resolve(images, HEART, "big"), resolve(images, HEART, "small")
    pixels = images.pixels.clone()
    pixels[small] = pixels[big]
    before, after = (
        next(one.at for one in families(ones) if one.name == VENDOR)
        for ones in (images, replace(images, pixels=pixels))
    )
    assert before.keys() - after.keys() == {(HEART, "big"), (HEART, "small")}


def test_what_is_shown_is_no_answer(shapes: Path) -> None:
    """A source whose b equals the truth, under another name, would give the answer."""
    images = load((str(shapes),))
    data = DataSpec(sources=(str(shapes),), keyword="", stratify="none", train_vendors=("big",))
    family = next(one for one in families(images) if one.name == VENDOR)
    here = assignment_of(images, replace(data, test_vendors=("small",)), 0)
    asked = draw_analogies(family, here, TEST, 24, generator(0, "some"))
    truths = {one.d for one in asked}
    given = [index for (_, vendor), index in family.at.items() if vendor == "small" and here.on(index, TRAIN)]
    pixels = images.pixels.clone()
    pixels[given[1:]] = pixels[[one.d for one in asked[:1]]]  # all but one source
    copied = replace(here, images=replace(images, pixels=pixels))
    again = draw_analogies(family, copied, TEST, 24, generator(0, "some"))
    assert {one.d for one in again} == truths
    assert {one.b for one in again if one.d == asked[0].d} == {given[0]}


def test_pictures_of_two_vendors_are_no_analogy(shapes: Path) -> None:
    images = load((str(shapes),))
    big, small = (
        [resolve(images, name, vendor) for name in (HEART, "large red circle", RED_HEART)]
        for vendor in ("big", "small")
    )
    target, minus, plus = resolve(images, "large blue circle", "big"), big[1], big[2]
    family, analogy = find_analogy(images, target, plus, minus) or pytest.fail("they are one")
    assert (family.name, analogy.d) == ("shape", big[0])
    assert find_analogy(images, target, small[2], small[1]) is None


# Names.


def test_a_name_is_looked_up_among_the_drawings_of_one_vendor(four: Images) -> None:
    for vendor in ("noto", "twemoji", "openmoji", "fluent"):
        for name in ("grinning face", "😀", "U+1F600", "cat face with heart"):
            assert four.vendor[resolve(four, name, vendor)] == vendor
    assert resolve(four, "grinning face") == 0
    assert four.vendor[resolve(four, "flag: norway")] == "noto"


def test_what_a_vendor_lacks_and_an_unknown_vendor_are_said(four: Images) -> None:
    with pytest.raises(UserError, match="'flag: norway' fits none of fluent"):
        resolve(four, "flag: norway", "fluent")
    with pytest.raises(UserError, match=r"no vendor 'fluency' .did you mean 'fluent'"):
        resolve(four, "grinning face", "fluency")


@pytest.mark.parametrize("vendor", ["", "small"])
def test_compose_takes_all_pictures_of_one_vendor(
    spec: RunSpec, seed: int, blank: Path, tmp_path: Path, vendor: str
) -> None:
    store = Store(Path(shutil.copytree(blank, tmp_path / "store")))
    study = Study(
        name="vendors",
        question="?",
        source="a double",
        baseline=spec,
        arms={"as it is": {}, "mean": {"compose.method": "mean"}},
        measures={"gain": 0.05},
        seeds=1,
        first_seed=seed,
    )
    run_study(study, store, InlineEngine(), 1)
    words = ["compose", "--target", "large blue circle", "--plus", RED_HEART, "--minus", "large red circle"]
    words += ["--store", str(store.root), "--to", str(tmp_path / "strip.png")]
    said = CliRunner().invoke(
        app, [*words, *(["--vendor", vendor] if vendor else [])], catch_exceptions=False
    )
    assert said.exit_code == 0, said.output
    assert f"'blue heart by {vendor or 'big'}'" in " ".join(said.output.split())


# Common evaluation.


def test_held_out_pictures_are_of_the_vendors_that_are_tested_on(four: Images) -> None:
    data = replace(UNSEEN, classes="face_subgroups", stratify="mood", common="face")
    sides = assign_sides(four, data, 0)
    found, every = (common_images(four, one, sides) for one in (data, replace(data, test_vendors=())))
    for part in ("common", "mood", "probe_test"):
        held_out = getattr(found, part).tolist()
        assert {four.vendor[index] for index in held_out} == {"fluent"}
    assert {*found.common.tolist()} < {*every.common.tolist()}
    taught = found.probe_train.tolist()
    assert {four.vendor[index] for index in taught} <= {"noto", "twemoji", "openmoji"}
    subjects = [four.subject[index] for index in (*taught, *found.probe_test.tolist())]
    assert len(subjects) == len(set(subjects))


def test_vendors_are_blocks_of_a_study_on_a_smoke_budget_too() -> None:
    """Where every arm that changes the budget gets a budget of its own, the baselines stay baselines."""
    study = Study(
        name="blocks",
        question="Is it so with every vendor?",
        source="a double",
        baseline=joint,
        arms={"small": {"model.latent_dim": 64}, "long": {"train.epochs": 30}},
        blocks={name: {"data.sources": (source,)} for name, source in VENDORS.items()},
        measures={"test_mse": 0.002},
        claims=(Claim("small is worse", Over(Difference("test_mse", "up", "small"), "these")),),
    )
    for one in (study, study.smoke()):
        assert len(one.settings) == 12
        assert list(one.by_block) == list(VENDORS)
        for name, source in VENDORS.items():
            assert one.reference_of(f"small, {name}") == f"baseline, {name}"
            assert {s.data.sources for arm, s in one.settings.items() if arm.endswith(name)} == {(source,)}
            assert one.by_block[name].reference == "baseline"
