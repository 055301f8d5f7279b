"""Families cross contents with the values of an attribute; nothing learns from a truth."""

from dataclasses import replace
from pathlib import Path

import pytest

from ablation.emoji.composition.analogies import (
    Analogy,
    Assignment,
    analogy_tasks,
    draw_analogies,
    judges,
    training_pictures,
)
from ablation.emoji.composition.families import NO_TONE, TWINS, VENDOR, Family, families
from ablation.emoji.data.images import Images
from ablation.emoji.data.sources import load
from ablation.emoji.data.split import TEST, TRAIN, VALIDATION, assign_sides, split
from ablation.emoji.measures import FAMILIES
from ablation.emoji.seeds import generator
from ablation.emoji.spec import DataSpec

EVERY = DataSpec(keyword="", stratify="none")


@pytest.fixture(scope="module")
def emoji() -> Images:
    return load(("emoji",))


@pytest.fixture(scope="module")
def found(emoji: Images) -> dict[str, Family]:
    return {family.name: family for family in families(emoji)}


def drawn(emoji: Images, family: Family, side: int) -> tuple[Assignment, list[Analogy]]:
    here = Assignment(emoji, assign_sides(emoji, EVERY, 0), split(emoji, EVERY, 0, 0).train.index)
    return here, draw_analogies(family, here, side, 12, generator(0, "analogies", family.name))


def test_the_embedded_emoji_have_five_families(found: dict[str, Family]) -> None:
    sizes = {name: tuple(len(set(part)) for part in zip(*one.at, strict=True)) for name, one in found.items()}
    assert sizes == {
        "faces": (2, 9),
        "tone": (305, 6),
        "gender": (80, 2),
        "shape": (9, 3),
        "clock": (12, 2),
    }
    assert len(found["faces"].steps) == 72
    assert {step[0] for step in found["tone"].steps} == {NO_TONE}


def test_the_red_heart_is_not_black_whatever_its_name(emoji: Images, found: dict[str, Family]) -> None:
    assert emoji.text[found["shape"].at["black", "heart"]] == "black heart"
    assert ("red", "heart") not in found["shape"].at


def test_tones_and_genders_are_of_one_subject(emoji: Images, found: dict[str, Family]) -> None:
    for name in ("tone", "gender"):
        rows: dict[str, set[str]] = {}
        for (content, _), index in found[name].at.items():
            rows.setdefault(content, set()).add(emoji.subject[index])
        assert all(len(subjects) == 1 for subjects in rows.values())


def test_every_cat_has_its_twin(emoji: Images, found: dict[str, Family]) -> None:
    cats = [text for text, group in zip(emoji.text, emoji.subgroup, strict=True) if group == "cat-face"]
    assert sorted(cats) == sorted(TWINS)
    assert {index for (_, _), index in found["faces"].at.items()} == {
        emoji.text.index(text) for pair in TWINS.items() for text in pair
    }


@pytest.mark.parametrize("name", ["faces", "tone", "gender", "shape", "clock"])
@pytest.mark.parametrize("side", [TEST, VALIDATION])
def test_nothing_learns_from_a_truth_or_its_subject(
    emoji: Images, found: dict[str, Family], name: str, side: int
) -> None:
    here, asked = drawn(emoji, found[name], side)
    assert asked
    trained = {emoji.subject[index] for index in here.trained.tolist()}
    known = training_pictures(found[name], here, asked, generator(0, "known"))
    for one in asked:
        assert here.sides[one.d] == side
        assert emoji.subject[one.d] not in trained
        assert not any(here.same_subject(one.d, index) for index in known.values())
        assert not here.same_subject(one.a, one.d)
        assert not here.same_subject(one.b, one.d)
        assert here.on(one.c, TRAIN) or here.on(one.c, side)
    assert all(here.on(index, TRAIN) for index in known.values())


def test_an_analogy_is_two_rows_and_two_columns(emoji: Images, found: dict[str, Family]) -> None:
    for family in found.values():
        for one in drawn(emoji, family, TEST)[1]:
            places = [(one.source, one.step[0]), (one.source, one.step[1])]
            places += [(one.target, one.step[0]), (one.target, one.step[1])]
            assert [family.at[place] for place in places] == [one.a, one.b, one.c, one.d]


def test_faces_are_the_sources_and_cats_the_targets(emoji: Images, found: dict[str, Family]) -> None:
    assert {(one.source, one.target) for one in drawn(emoji, found["faces"], TEST)[1]} == {("human", "cat")}


def test_seen_truths_are_kept_from_directions_too(emoji: Images, found: dict[str, Family]) -> None:
    here, asked = drawn(emoji, found["tone"], TRAIN)
    known = training_pictures(found["tone"], here, asked, generator(0, "known"))
    assert asked
    assert all(here.on(one.d, TRAIN) for one in asked)
    assert not {emoji.subject[i] for i in known.values()} & {emoji.subject[one.d] for one in asked}


def test_a_truth_that_is_planted_in_training_is_no_truth_any_more(
    emoji: Images, found: dict[str, Family]
) -> None:
    here, asked = drawn(emoji, found["shape"], TEST)
    truth, other = asked[0].d, int(here.trained[0])
    pixels = emoji.pixels.clone()
    pixels[other] = pixels[truth]  # under another name and subject
    planted = Assignment(replace(emoji, pixels=pixels), here.sides, here.trained)
    assert here.unseen(truth)
    assert not planted.unseen(truth)
    again = draw_analogies(found["shape"], planted, TEST, 12, generator(0, "analogies", "shape"))
    assert truth not in {one.d for one in again}


def test_equal_seeds_have_equal_tasks_and_others_differ(emoji: Images) -> None:
    one, same, other = (
        analogy_tasks(emoji, data, seed) for data, seed in ((EVERY, 0), (replace(EVERY), 0), (EVERY, 1))
    )
    assert one is same
    assert [task.analogies for task in one] != [task.analogies for task in other]


def test_every_seed_has_a_task_of_every_family(emoji: Images) -> None:
    for seed in range(10):
        assert len(analogy_tasks(emoji, EVERY, seed)) == 5


def test_families_that_judge_methods_have_twenty_truths_in_a_run(
    emoji: Images, found: dict[str, Family]
) -> None:
    large = {name for name, family in found.items() if judges(family, emoji, EVERY)}
    assert large == {"tone", "gender"}
    for seed in range(10):
        for task in analogy_tasks(emoji, EVERY, seed):
            truths = {one.d for one in task.analogies[TEST]}
            assert task.large == (task.family.name in large)
            assert (len(truths) >= 20) == task.large
    many = replace(EVERY, parts=(1, 1, 98))  # whose test set has nearly all
    assert judges(found["clock"], emoji, many)


def test_every_family_has_a_measure(found: dict[str, Family]) -> None:
    assert [*FAMILIES] == [*found, VENDOR]


def test_what_is_split_by_copies_or_has_no_family_has_no_task(emoji: Images, faces: Path) -> None:
    assert analogy_tasks(emoji, replace(EVERY, split="copy"), 0) == ()
    assert analogy_tasks(load((str(faces),)), replace(EVERY, sources=(str(faces),)), 0) == ()
