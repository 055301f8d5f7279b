"""What `emoji show` tells, and the pictures it makes."""

import io
from collections import Counter
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from ablation.emoji.data.images import GAP, grid, picture, png
from ablation.emoji.data.sources import load
from ablation.emoji.data.split import select
from ablation.emoji.data.summary import FONT, _label, contact_sheet, describe
from ablation.emoji.spec import DataSpec
from ablation.errors import UserError
from ablation.texts import one_line


def noise(count: int, height: int, width: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 3, height, width), generator=generator).to(torch.uint8)


def pixels_of(image: Image.Image) -> torch.Tensor:
    flat = torch.frombuffer(bytearray(image.convert("RGB").tobytes()), dtype=torch.uint8)
    return flat.view(image.height, image.width, 3).permute(2, 0, 1)


def test_the_shipped_set_in_numbers() -> None:
    found = describe(load(("emoji",)), DataSpec(classes="happy_sad"))
    assert (found.images, found.subjects, sum(found.sets.values())) == (3655, 1668, 23)
    assert (found.faces, found.clocks, found.people) == (254, 24, 90)
    assert found.groups == {
        "People & Body": 2148,
        "Flags": 269,
        "Objects": 261,
        "Symbols": 223,
        "Travel & Places": 218,
        "Smileys & Emotion": 166,
        "Animals & Nature": 152,
        "Food & Drink": 133,
        "Activities": 85,
    }
    assert found.schemes["happy_sad"] == {"happy": 18, "sad": 5}
    assert found.schemes["five_emotions"] | {"happy": 18, "sad": 5} == found.schemes["five_emotions"]
    assert min(min(classes.values()) for classes in found.schemes.values()) == 5
    assert found.classes["sad"] == {"train": 3, "validation": 1, "test": 1}
    assert sum(found.classes["happy"].values()) == 18
    assert found.sets == {name: sum(each[name] for each in found.classes.values()) for name in found.sets}
    assert found.fingerprint == load(("emoji",)).fingerprint


def test_without_classes_only_the_sets_are_counted() -> None:
    found = describe(load(("emoji",)), DataSpec(keyword=""))
    assert found.classes == {}
    assert sum(found.sets.values()) == 3655


@given(st.integers(1, 12), st.integers(1, 5), st.integers(1, 6), st.integers(1, 6))
def test_a_grid_holds_every_picture_in_its_place_and_white_elsewhere(
    count: int, columns: int, height: int, width: int
) -> None:
    pixels = noise(count, height, width)
    sheet = pixels_of(grid(pixels, columns)).clone()
    for number in range(count):
        top, left = (number // columns) * (height + GAP), (number % columns) * (width + GAP)
        assert torch.equal(sheet[:, top : top + height, left : left + width], pixels[number])
        sheet[:, top : top + height, left : left + width] = 255
    assert sheet.min() == 255


def test_a_picture_survives_png() -> None:
    pixels = noise(1, 5, 7)[0]
    assert torch.equal(pixels_of(Image.open(io.BytesIO(png(picture(pixels))))), pixels)


def test_a_contact_sheet_of_all_shows_each_once_under_its_group(tmp_path: Path) -> None:
    images = load(("emoji",))
    contact_sheet(images, torch.arange(len(images)), tmp_path / "all.png")
    columns, groups = 61, dict(Counter(images.group))
    with Image.open(tmp_path / "all.png") as sheet:
        heights = [24 + 34 * -(-number // columns) for number in groups.values()]
        assert sheet.size == (columns * 34, sum(heights))
        top = 24
        for group, height in zip(groups, heights, strict=True):
            first = images.group.index(group)
            shown = pixels_of(sheet.crop((0, top, 32, top + 32)))
            small = picture(images.pixels[first]).resize((32, 32), Image.Resampling.BOX)
            assert torch.equal(shown, pixels_of(small))
            top += height
    assert (tmp_path / "all.png").stat().st_size < 4_000_000


def test_a_contact_sheet_of_few_is_enlarged_and_says_what_each_is(tmp_path: Path) -> None:
    images = load(("emoji",))
    chosen = select(images, DataSpec(classes="happy_sad"))[:4]
    contact_sheet(images, chosen, tmp_path / "few.png")
    with Image.open(tmp_path / "few.png") as sheet:
        side = 64 * 5
        assert sheet.size == (2 * (side + 2), 24 + 2 * (side + 24 + 2))
        shown = pixels_of(sheet.crop((0, 24, side, 24 + side)))
        large = picture(images.pixels[chosen[0]]).resize((side, side), Image.Resampling.BOX)
        assert torch.equal(shown, pixels_of(large))
        below = pixels_of(sheet.crop((0, 24 + side, side, 24 + side + 24)))
        assert below.min() < 30  # its text


@given(st.text(max_size=300))
def test_a_label_fits_two_lines_of_its_width(text: str) -> None:
    draw = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    lines = _label(text, 96, draw).split("\n")
    assert len(lines) <= 2
    assert all(draw.textlength(line, FONT) <= 96 for line in lines)
    if draw.textlength(one_line(text, 200), FONT) <= 96:
        assert lines == [" ".join(one_line(text, 200).split())]


def test_a_contact_sheet_of_nothing_or_to_nowhere_is_refused(tmp_path: Path) -> None:
    images = load(("emoji",))
    with pytest.raises(UserError, match="at least one image, but got none"):
        contact_sheet(images, torch.tensor([], dtype=torch.int64), tmp_path / "x.png")
    with pytest.raises(UserError, match=r"x\.png cannot be written"):
        contact_sheet(images, torch.tensor([0]), tmp_path / "missing" / "x.png")
