"""The emoji of any colour font as pictures."""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw, ImageFont, features

from ablation.emoji.data.images import SIDE
from ablation.emoji.data.unicode import Emoji, emojis
from ablation.errors import UserError

SIZES = (109, 160, 136, 128, *range(256, 15, -1))
"""Pixel sizes to try: Noto's bitmap strike, Apple's, other common ones, then all. Outlines take the first."""

PROBES = ("😀", "❤️", "🐱", "🌈", "🍎")
NO_CHARACTER = "\U0010ffff"
VARIATION = "\N{VARIATION SELECTOR-16}"
SEPARATE = [f"-{feature}" for feature in ("ccmp", "liga", "rlig", "clig", "calt")]
"""OpenType features turned off, so that the characters of a sequence keep their own glyphs."""


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


def family(font: Path) -> str:
    """The name of the family that the font says it is of; that of its file where it says none."""
    return _in_colour(font).getname()[0] or font.stem


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
