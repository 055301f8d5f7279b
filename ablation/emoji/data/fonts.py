"""From any colour font to the Parquet file of emoji pictures: the shipped one, rebuilt or replaced."""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path

import pyarrow.parquet as pq
from datasets import Dataset, Features, Value
from datasets import Image as ImageFeature
from PIL import Image, ImageChops, ImageDraw, ImageFont, features

from ablation.emoji.data.images import SIDE
from ablation.emoji.data.unicode import Emoji, emojis
from ablation.errors import UserError
from ablation.files import replace

WORDS = ("text", "emoji", "group", "subgroup", "subject")
FEATURES = Features(image=ImageFeature(), **{name: Value("string") for name in WORDS})

SIZES = (109, 160, 136, 128, *range(256, 15, -1))
"""Pixel sizes to try: Noto's bitmap strike, Apple's, other common ones, then all. Outlines take the first."""

PROBES = ("😀", "❤️", "🐱", "🌈", "🍎")
NO_CHARACTER = "\U0010ffff"
VARIATION = "\N{VARIATION SELECTOR-16}"
SEPARATE = [f"-{feature}" for feature in ("ccmp", "liga", "rlig", "clig", "calt")]
"""OpenType features turned off, so that the characters of a sequence keep their own glyphs."""


@dataclass(frozen=True)
class Built:
    """What `build` made: how many pictures, and the texts of the emoji that the font lacks."""

    path: Path
    images: int
    lacking: tuple[str, ...]


def build(font: Path, out: Path) -> Built:
    """Draw every emoji of Unicode 15.0 that the font has, 64x64 on white, into the Parquet file `out`.

    The same font gives the same pictures. `out` is replaced whole or not at all. A file that is not a
    colour font, a font without any of the emoji and a place that cannot be written are `UserError`s.
    """
    drawn = pictures(font)
    if not drawn:
        raise UserError(f"a font of emoji is wanted, but {font} has none of Unicode 15.0: name another font.")
    lacking = tuple(emoji.text for emoji in emojis() if emoji not in drawn)
    words = {name: [getattr(emoji, name) for emoji in drawn] for name in WORDS}
    images = [{"bytes": _encode(picture), "path": None} for picture in drawn.values()]
    table = Dataset.from_dict({"image": images, **words}, features=FEATURES).data.table
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        replace(out, lambda path: pq.write_table(table, path, compression="zstd"))
    except OSError as error:
        raise UserError(
            f"the pictures go to a Parquet file, but {out} cannot be written: {error}."
        ) from error
    return Built(out, len(drawn), lacking)


def pictures(font: Path) -> dict[Emoji, Image.Image]:
    """The emoji that the font has, in Unicode's order, each centred on a white square of 64 pixels.

    All share one scale, so that a small square stays smaller than a large one; reduced by Lanczos.
    """
    glyphs = open_font(font, [emoji.emoji for emoji in emojis()])
    drawn = ((emoji, glyphs.draw(emoji.emoji)) for emoji in emojis())
    return {
        emoji: picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
        for emoji, picture in drawn
        if not glyphs.lacks(emoji.emoji, picture)
    }


def _encode(picture: Image.Image) -> bytes:
    buffer = BytesIO()
    # Lossless: here `quality` and `method` are effort; more of it saves 4 % and takes three times as long.
    picture.save(buffer, "WEBP", lossless=True, quality=50, method=3)
    return buffer.getvalue()


@dataclass(frozen=True)
class Glyphs:
    """A colour font at one size: `cell` pixels hold any emoji, one glyph advances by `advance` pixels."""

    font: ImageFont.FreeTypeFont
    cell: int
    advance: float

    def draw(self, emoji: str, without: list[str] | None = None) -> Image.Image:
        """The emoji on a white square of `cell` pixels, its advance and its height in the middle."""
        left, top, right, bottom = self.font.getbbox(emoji, features=without)
        corner = ((self.cell - right - left) / 2, (self.cell - bottom - top) / 2)
        square = Image.new("RGB", (self.cell, self.cell), "white")
        brush = ImageDraw.Draw(square)
        brush.text(corner, emoji, "black", self.font, features=without, embedded_color=True)
        return square

    def lacks(self, emoji: str, drawn: Image.Image) -> bool:
        """Whether the font has no glyph of its own for the emoji that came out as `drawn`.

        It then drew nothing, the box for missing characters, more than one emoji in a row, or the
        characters of a sequence (of which tags are invisible) as if each stood alone.
        """
        return (
            ImageChops.invert(drawn).getbbox() is None
            or drawn == self._missing
            or self.font.getlength(emoji) > 1.5 * self.advance
            or (len(emoji.rstrip(VARIATION)) > 1 and drawn == self.draw(emoji, SEPARATE))
        )

    @cached_property
    def _missing(self) -> Image.Image:
        return self.draw(NO_CHARACTER)


def open_font(path: Path, emojis: Iterable[str]) -> Glyphs:
    """The font at the first size that draws in colour, with a cell for the largest of `emojis`.

    Bitmap fonts (CBDT, sbix) and layered outlines (COLR version 0) draw in colour; a file that is no
    font, or has no colour that can be drawn, is a `UserError`.
    """
    if not features.check("raqm"):
        raise UserError("emoji sequences are drawn by Raqm, which Pillow cannot load here: install FriBiDi.")
    font = _in_colour(path)
    none = font.getmask(NO_CHARACTER)
    present = [e for e in emojis if len(e) == 1 and bytes(font.getmask(e)) != bytes(none)]
    advance = statistics.median(font.getlength(emoji) for emoji in present or PROBES)
    boxes = [font.getbbox(emoji) for emoji in present]
    sides = [max(right - left, bottom - top) for left, top, right, bottom in boxes]
    return Glyphs(font, round(max(advance, *sides)), advance)


def _in_colour(path: Path) -> ImageFont.FreeTypeFont:
    opened, refusal = False, None
    for size in SIZES:
        try:
            font = ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.RAQM)
        except OSError as error:  # no font, or a bitmap font without this size
            refusal = str(error)
            continue
        if any(_coloured(font, emoji) for emoji in PROBES):
            return font
        opened = True
    what = "has no emoji in colour" if opened else f"is not a font file ({refusal})"
    raise UserError(
        f"a colour font (CBDT, sbix or COLR version 0) is wanted, but {path} {what}: name another."
    )


def _coloured(font: ImageFont.FreeTypeFont, emoji: str) -> bool:
    drawn = Glyphs(font, 2 * round(font.size), 0).draw(emoji)
    red, green, blue = drawn.split()
    return any(ImageChops.difference(red, other).getbbox() for other in (green, blue))
