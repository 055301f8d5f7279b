"""The font to the Parquet file: the shipped one comes out again, and every kind of wrong font is named."""

from pathlib import Path

import matplotlib
import pytest
import torch
from datasets import Dataset, Image
from fontTools.feaLib.builder import addOpenTypeFeaturesFromString
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont
from PIL import features

from ablation.emoji.data.build import from_font as build
from ablation.emoji.data.fonts import pictures
from ablation.emoji.data.sources import load
from ablation.emoji.data.unicode import emojis
from ablation.errors import UserError

NOTO = Path("/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf")
COLUMNS = ("text", "emoji", "group", "subgroup", "subject", "vendor")

pytestmark = pytest.mark.skipif(not features.check("raqm"), reason="Pillow finds no FriBiDi for sequences")
needs_noto = pytest.mark.skipif(not NOTO.exists(), reason="the font Noto Color Emoji is not installed")

HANDS = {0x1FAF1: "right", 0x1FAF2: "left", 0x1F3FB: "light", 0x1F3FF: "dark"}
LETTERS = {0x1F1E6 + letter: f"letter{letter}" for letter in range(26)}
CHARACTERS = {0x1F600: "grin", 0x1F44B: "hand", 0x1F3F4: "flag", 0x1F4A9: "nothing", **HANDS, **LETTERS}
SEQUENCES = {"norway": "letter13 letter14", "rightlight": "right light", "leftdark": "left dark"}


def square(side: int, advance: int) -> object:
    """A square in the middle of its advance; side 0 is an empty glyph."""
    left, right = (advance - side) // 2, (advance + side) // 2
    pen = TTGlyphPen(None)
    if side:
        pen.moveTo((left, 0))
        for corner in ((left, side), (right, side), (right, 0)):
            pen.lineTo(corner)
        pen.closePath()
    return pen.glyph()


def tiny_font(path: Path) -> Path:
    """A layered (COLR 0) font that has six emoji, the narrow letters of all flags, and one flag."""
    sizes = {".notdef": (400, 1000), "red": (800, 1000)}
    # Each emoji has a square of its own size: equal pictures of several subjects would be left out.
    sizes |= {name: (700 - 15 * n, 1000) for n, name in enumerate([*CHARACTERS.values(), *SEQUENCES])}
    sizes |= dict.fromkeys(LETTERS.values(), (400, 500)) | {"nothing": (0, 1000)}
    font = FontBuilder(1000, isTTF=True)
    font.setupGlyphOrder(list(sizes))
    font.setupCharacterMap(CHARACTERS)
    font.setupGlyf({name: square(*size) for name, size in sizes.items()})
    font.setupHorizontalMetrics({name: (wide, (wide - side) // 2) for name, (side, wide) in sizes.items()})
    font.setupHorizontalHeader(ascent=800, descent=-200)
    font.setupNameTable({"familyName": "Tiny", "styleName": "Regular"})
    font.setupOS2()
    font.setupPost()
    font.setupCOLR({"grin": [("red", 0)], "norway": [("red", 0)]})
    font.setupCPAL([[(1.0, 0.0, 0.0, 1.0)]])
    rules = " ".join(f"sub {parts} by {name};" for name, parts in SEQUENCES.items())
    addOpenTypeFeaturesFromString(font.font, f"feature ccmp {{ {rules} }} ccmp;")
    font.save(path)
    return path


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return tiny_font(tmp_path / "tiny.ttf")


@pytest.fixture(scope="module")
def rebuilt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("noto") / "emoji.parquet"
    built = build(NOTO, out)
    assert (built.images, built.lacking) == (3655, ())
    return out


@needs_noto
def test_the_shipped_file_comes_out_of_the_font_again(rebuilt: Path) -> None:
    ours, shipped = load((str(rebuilt),)), load(("emoji",))
    assert torch.equal(ours.pixels, shipped.pixels)
    assert all(getattr(ours, name) == getattr(shipped, name) for name in COLUMNS)


@needs_noto
def test_the_file_is_small_and_datasets_reads_its_images(rebuilt: Path, tmp_path: Path) -> None:
    rows = Dataset.from_parquet(str(rebuilt), cache_dir=str(tmp_path))
    assert rows.features["image"] == Image()
    assert rows.column_names == ["image", *COLUMNS]
    assert rows[0]["image"].size == (64, 64)
    assert rebuilt.stat().st_size < 12e6


def test_emoji_that_the_font_has_are_drawn_and_the_others_listed(tiny: Path, tmp_path: Path) -> None:
    built = build(tiny, tmp_path / "new" / "tiny.parquet")
    images = load((str(built.path),))
    assert images.emoji == ("😀", "👋", "🫱", "🫱🏻", "🫲", "🫲🏿", "🏴", "🇳🇴")
    assert built.images == 8
    assert len(built.lacking) == 3655 - 8


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("grinning face with star eyes", "no glyph"),
        ("pile of poo", "an empty glyph"),
        ("waving hand sign: light skin tone", "two glyphs as wide as two emoji"),
        ("flag: sweden", "two glyphs as wide as one emoji"),
        ("handshake: light skin tone, dark skin tone", "two glyphs for four characters"),
        ("flag: england", "a black flag and invisible tags"),
    ],
)
def test_an_emoji_without_a_glyph_of_its_own_is_lacking(tiny: Path, text: str, reason: str) -> None:
    texts = {emoji.text for emoji in emojis()}
    assert text in texts - {emoji.text for emoji in pictures(tiny)}, f"drawn although it is {reason}"


def test_a_picture_is_centred_and_in_the_fonts_colour(tiny: Path, tmp_path: Path) -> None:
    build(tiny, tmp_path / "tiny.parquet")
    pixels = load((str(tmp_path / "tiny.parquet"),)).pixels
    assert pixels[0, :, 32, 32].tolist() == [255, 0, 0]
    assert pixels[1, :, 32, 32].tolist() == [0, 0, 0]
    ink = (pixels[1].float().mean(0) < 128).nonzero()
    assert torch.allclose(ink.float().mean(0), torch.tensor([31.5, 31.5]), atol=1.0)


def test_the_same_font_gives_the_same_bytes(tiny: Path, tmp_path: Path) -> None:
    files = [build(tiny, tmp_path / f"{name}.parquet").path.read_bytes() for name in ("one", "two")]
    assert files[0] == files[1]


def test_equal_pictures_of_two_subjects_are_left_out_but_for_the_first(tmp_path: Path) -> None:
    font = TTFont(tiny_font(tmp_path / "tiny.ttf"))
    for table in ("glyf", "hmtx"):
        font[table]["right"] = font[table]["hand"]
    font.save(tmp_path / "alike.ttf")
    built = build(tmp_path / "alike.ttf", tmp_path / "alike.parquet")
    assert "🫱" not in load((str(built.path),)).emoji
    assert built.left_out == ("rightwards hand (the picture is that of waving hand sign)",)


def test_the_vendor_is_the_fonts_family(tiny: Path, tmp_path: Path) -> None:
    assert {*load((str(build(tiny, tmp_path / "tiny.parquet").path),)).vendor} == {"Tiny"}


def test_every_emoji_keeps_unicodes_order(tiny: Path) -> None:
    drawn = list(pictures(tiny))
    assert drawn == [emoji for emoji in emojis() if emoji in set(drawn)]


def test_a_failed_build_leaves_the_old_file_and_no_debris(tiny: Path, tmp_path: Path) -> None:
    place = tmp_path / "out.parquet"
    place.mkdir()
    (place / "old").touch()
    with pytest.raises(UserError, match="cannot be written"):
        build(tiny, place)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.parquet", "tiny.ttf"]
    assert [path.name for path in place.iterdir()] == ["old"]


def test_a_font_without_colour_is_refused(tmp_path: Path) -> None:
    plain = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    with pytest.raises(UserError, match=r"DejaVuSans\.ttf has no emoji in colour"):
        build(plain, tmp_path / "out.parquet")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["missing.ttf", "text.ttf", "."])
def test_what_is_no_font_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "text.ttf").write_text("this is not a font")
    with pytest.raises(UserError, match="is not a font file"):
        build(tmp_path / name, tmp_path / "out.parquet")
