"""Pictures that two sets share: planted copies are found, other drawings and other colours are not."""

from collections.abc import Callable
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from ablation.emoji.data.duplicates import duplicates, look_alikes
from ablation.emoji.data.images import Images, picture
from ablation.emoji.data.sources import load
from ablation.emoji.data.split import Items, Splits
from ablation.emoji.experiment import EMOJI, NOTE
from ablation.settings import vary
from doubles import FakeRun, made, small_spec

SHIPPED = load(("emoji",))
SOME = torch.arange(0, len(SHIPPED), 37)


def saved(format: str, quality: int) -> Callable[[Image.Image], Image.Image]:
    def again(image: Image.Image) -> Image.Image:
        file = BytesIO()
        image.save(file, format, quality=quality)
        return Image.open(file).convert("RGB")

    return again


def resized(side: int) -> Callable[[Image.Image], Image.Image]:
    return lambda image: image.resize((side, side)).resize((64, 64))


def darker(image: Image.Image) -> Image.Image:
    return image.point(lambda value: int(value * 0.95))


def shifted(image: Image.Image) -> Image.Image:
    """By a pixel."""
    moved = Image.new("RGB", image.size, "white")
    moved.paste(image, (1, 0))
    return moved


def pixels_of(*images: Image.Image) -> torch.Tensor:
    arrays = [np.asarray(image.convert("RGB")).copy() for image in images]
    return torch.stack([torch.from_numpy(array).permute(2, 0, 1) for array in arrays])


def beside(*images: Image.Image, texts: list[str] | None = None) -> Images:
    return replace(made(texts or [f"picture {n}" for n in range(len(images))]), pixels=pixels_of(*images))


def heart(colour: str) -> Image.Image:
    image = Image.new("RGB", (64, 64), "white")
    pen = ImageDraw.Draw(image)
    pen.ellipse((6, 8, 34, 36), fill=colour)
    pen.ellipse((30, 8, 58, 36), fill=colour)
    pen.polygon([(8, 28), (56, 28), (32, 58)], fill=colour)
    return image


# What is found.


@pytest.mark.parametrize(
    "again",
    [saved("JPEG", 75), saved("WEBP", 75), resized(48), resized(32), resized(128), darker, shifted],
    ids=["jpeg", "webp", "to 48", "to 32", "to 128", "darker", "shifted"],
)
def test_nearly_every_copy_that_was_saved_or_resized_is_found(
    again: Callable[[Image.Image], Image.Image],
) -> None:
    originals = [picture(SHIPPED.pixels[n]) for n in SOME.tolist()]
    images = beside(*originals, *map(again, originals))
    count = len(originals)
    found = look_alikes(images, torch.arange(count, 2 * count), torch.arange(count))
    assert len(found) >= 0.97 * count


def test_an_equal_picture_is_found_whatever_it_is_called() -> None:
    images = beside(heart("red"), heart("blue"), heart("red"), texts=["a", "b", "c"])
    (pair,) = look_alikes(images, torch.tensor([2]), torch.tensor([1, 0]))
    assert pair == (2, 0, True, 0)


def test_a_picture_that_is_in_both_sets_is_no_pair_but_others_may_look_like_it() -> None:
    images = beside(heart("red"), heart("red"))
    both = torch.tensor([0, 1])
    assert not look_alikes(images, both, both)
    assert [pair.like for pair in look_alikes(images, both, torch.tensor([0]))] == [0]


def test_a_set_without_pictures_has_no_pairs() -> None:
    images, none = beside(heart("red")), torch.empty(0, dtype=torch.int64)
    assert not look_alikes(images, torch.tensor([0]), none)
    assert not look_alikes(images, none, torch.tensor([0]))


# What is not.


def test_hearts_of_other_colours_do_not_look_alike() -> None:
    colours = ["red", "orange", "yellow", "green", "blue", "purple", "brown", "black", "grey", "pink"]
    images = beside(*map(heart, colours))
    every = range(len(colours))
    for one in every:
        others = torch.tensor([other for other in every if other != one])
        assert not look_alikes(images, torch.tensor([one]), others)


def test_of_the_shipped_emoji_few_pictures_of_other_subjects_look_alike() -> None:
    first = {subject: n for n, subject in reversed(list(enumerate(SHIPPED.subject)))}
    index = torch.tensor(sorted(first.values()))
    found = {
        frozenset((SHIPPED.text[pair.image], SHIPPED.text[pair.like]))
        for one in index.tolist()
        for pair in look_alikes(SHIPPED, torch.tensor([one]), index[index != one])
    }
    assert frozenset(("flag: romania", "flag: chad")) in found
    assert any("clock face four oclock" in pair for pair in found)
    assert len(index) > 1000
    assert len(found) < 60
    assert not [pair for pair in found if any("heart" in text for text in pair)]


# What a run says of it.


def of(images: Images, train: list[int], validation: list[int], test: list[int]) -> Splits:
    return Splits(*(Items(torch.tensor(one), torch.zeros(len(one))) for one in (train, validation, test)))


def test_the_numbers_of_a_run_tell_equal_from_near_and_classes_apart() -> None:
    red, jpeg = heart("red"), saved("JPEG", 75)(heart("red"))
    images = beside(red, heart("blue"), red, jpeg, heart("green"), texts=["r", "b", "r2", "r3", "g"])
    splits = of(images, train=[0, 1], validation=[4], test=[2, 3])
    shared = duplicates(images, splits, torch.tensor([3]), [0, 1, 1, 1, 0])
    assert shared.numbers == {
        "duplicates_test": 1.0,
        "near_duplicates_test": 1.0,
        "duplicates_validation": 0.0,
        "near_duplicates_validation": 0.0,
        "duplicates_test_validation": 0.0,
        "near_duplicates_test_validation": 0.0,
        "duplicates_common": 0.0,
        "near_duplicates_common": 1.0,
        "duplicates_of_another_class": 1.0,
    }
    assert shared.example == "'r2' like 'r'"
    assert [(row["set"], row["text"], row["like"], row["equal"]) for row in shared.rows] == [
        ("test", "r2", "r", True),
        ("test", "r3", "r", False),
        ("common", "r3", "r", False),
    ]


def test_copies_beside_their_original_are_the_declared_leak_and_no_duplicates() -> None:
    images = beside(heart("red"), heart("blue"))
    splits = of(images, train=[0, 0, 1], validation=[1], test=[0, 1])
    assert not any(duplicates(images, splits, torch.tensor([0]), [0, 1]).numbers.values())


def test_a_run_records_what_its_sets_share(faces: object, tmp_path: object) -> None:
    run = FakeRun(tmp_path)  # type: ignore[arg-type]
    spec = vary(small_spec(faces), {"train.epochs": 1})  # type: ignore[arg-type]
    numbers = EMOJI.train(spec, 0, run)
    rows = run.artifacts["duplicates.csv"].decode().splitlines()[1:]
    assert len([row for row in rows if row.startswith("test,")]) == (
        numbers["duplicates_test"] + numbers["near_duplicates_test"]
    )
    assert run.notes[NOTE].count("face") == 2
    assert EMOJI.section("near_duplicates_test") == "size"
