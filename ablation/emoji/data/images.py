"""A set of images as one uint8 tensor: decoded from files of any size and mode, and back to pictures."""

import hashlib
import json
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from os.path import normpath
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageOps

from ablation.errors import UserError, check_known

SIDE = 64
"""Width and height of every picture, in pixels."""

WORDS = ("text", "emoji", "group", "subgroup", "subject", "vendor")
"""What a set says of each image, by the names of the columns and fields."""
LABEL = "class"
"""The column of the field `label`: its own name is a word of Python's."""
GAP = 2  # pixels between the pictures of a grid
COLOURS = 64  # of a small PNG


@dataclass(frozen=True, eq=False)
class Images:
    """A set of pictures with their words: entry i of every field is image i.

    pixels: uint8 (n, 3, 64, 64), red, green and blue. text: what it is called. emoji, group, subgroup:
    the character and Unicode's grouping, "" where the source has none. subject: what it shows once
    skin tone and gender are taken off; the text itself where the source has none. vendor: who drew it;
    label: its class, by the column `class`, a class label or the folder; "" where the source has none.
    left_out: what lies in the sources and is not among the images, counted and with its reason, and what else
    loading assumed; a sentence each.
    """

    pixels: torch.Tensor
    text: tuple[str, ...]
    emoji: tuple[str, ...]
    group: tuple[str, ...]
    subgroup: tuple[str, ...]
    subject: tuple[str, ...]
    vendor: tuple[str, ...] = ()
    label: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Fill the words that are not given."""
        for name in ("vendor", "label"):
            object.__setattr__(self, name, getattr(self, name) or ("",) * len(self))

    def __len__(self) -> int:
        return len(self.text)

    def column(self, name: str) -> tuple[str, ...]:
        """What the images have in a column: one of WORDS, or "class"."""
        found: tuple[str, ...] = getattr(self, "label" if name == LABEL else name)
        return found

    @cached_property
    def several_vendors(self) -> bool:
        """Whether more than one vendor drew them, so that a text alone may name several."""
        return len({*self.vendor}) > 1

    @cached_property
    def digests(self) -> tuple[bytes, ...]:
        """A hash of the pixels of each image: equal pictures have equal ones."""
        return tuple(hashlib.blake2b(one.numpy().tobytes(), digest_size=16).digest() for one in self.pixels)

    def name(self, index: int) -> str:
        """The text of the image, with its vendor where there are several."""
        text, vendor = self.text[index], self.vendor[index]
        return f"{text} by {vendor or 'no vendor'}" if self.several_vendors else text

    def drawn_by(self, vendors: tuple[str, ...]) -> torch.Tensor:
        """Whether one of the vendors drew the image, bool (n,); true of all where none is named.

        Raises `UserError` for a vendor that drew none of them.
        """
        for vendor in vendors:
            check_known("vendor", vendor, {*self.vendor} - {""})
        return torch.tensor([not vendors or one in vendors for one in self.vendor])

    @cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits: a hash of all that can change a result, in order, and of nothing else.

        That is the pixels and the words that select, classify and split the images; not where the
        images came from, how they were encoded or when. The vendor is one of them only where there are
        several, and the label where it is not the text.
        """
        words = [self.text, self.subject, self.group, self.subgroup]
        if self.several_vendors:
            words.append(self.vendor)
        if any(self.label) and self.label != self.text:
            words.append((LABEL, *self.label))
        digest = hashlib.sha256(self.pixels.numpy().tobytes())
        digest.update(json.dumps(words).encode())
        return digest.hexdigest()[:16]


def decode(
    stored: Iterable[Mapping[str, Any] | None], source: str, folder: Path | None = None
) -> torch.Tensor:
    """uint8 (n, 3, 64, 64) of encoded images, each a mapping with its `bytes` or else its `path` in `folder`.

    Transparency is laid on white. An image of another size is reduced or enlarged (Lanczos, which
    filters before it reduces) to fit, its aspect kept, and padded with white; of an animated one, the first
    picture. An image that declares more than 89 million pixels is not decoded, nor one that would be thinner
    than a pixel once it fits.
    An image that cannot be decoded is a `UserError` naming its row, counted from 0, and its file if it has
    one.
    """
    raw = bytearray()
    for row, image in enumerate(stored):
        try:
            raw += _square(_open(image, folder)).tobytes()
        except Exception as error:  # broken bytes make Pillow raise nearly anything
            own = folder and image and not image["bytes"] and image["path"]
            file = f" ({own})" if own else ""
            raise UserError(
                f"every row of {source} wants an 8-bit image, but row {row}{file} cannot be decoded "
                f"({error or type(error).__name__}): mend or drop it."
            ) from error
    return torch.frombuffer(raw, dtype=torch.uint8).view(-1, SIDE, SIDE, 3).permute(0, 3, 1, 2).contiguous()


def _open(image: Mapping[str, Any] | None, folder: Path | None) -> Image.Image:
    if image is None or not (image["bytes"] or image["path"]):
        raise ValueError("it is empty")
    data = image["bytes"] or _within(folder, image["path"]).read_bytes()
    with warnings.catch_warnings(action="error", category=Image.DecompressionBombWarning):
        return Image.open(BytesIO(data))


def _within(folder: Path | None, name: str) -> Path:
    """The path in the folder, if it is a file's: a set from elsewhere may name any file of this machine."""
    # By its words: the hub's cache links each file to a place outside of the folder.
    path = None if folder is None else folder / name
    if (
        folder is None
        or path is None
        or not _plain(path).is_relative_to(_plain(folder))
        or not path.is_file()
    ):
        raise ValueError("it has no bytes and names no file of the source's own folder")
    return path


def _plain(path: Path) -> Path:
    return Path(normpath(path.absolute()))


def _square(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        raise ValueError(f"its mode is {image.mode}")  # converting would clip, not scale
    image = ImageOps.exif_transpose(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    image = image.convert("RGB")
    if image.size == (SIDE, SIDE):
        return image
    if min(image.size) * SIDE < max(image.size):
        wide, high = image.size
        raise ValueError(f"of {wide} x {high} pixels less than one is left once it fits {SIDE} x {SIDE}")
    return ImageOps.pad(image, (SIDE, SIDE), Image.Resampling.LANCZOS, color="white")


def picture(pixels: torch.Tensor) -> Image.Image:
    """The picture of one uint8 tensor (3, h, w)."""
    return Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy())


def grid(pixels: torch.Tensor, columns: int, times: int = 1) -> Image.Image:
    """The pictures of a uint8 tensor (n, 3, h, w), row by row, with a white gap of 2 pixels between them.

    Each is enlarged so many times.
    """
    pixels = pixels.repeat_interleave(times, dim=2).repeat_interleave(times, dim=3)
    count, _, height, width = pixels.shape
    rows = -(-count // columns)
    size = (columns * (width + GAP) - GAP, rows * (height + GAP) - GAP)
    sheet = Image.new("RGB", size, "white")
    for place, pixel in enumerate(pixels):
        row, column = divmod(place, columns)
        sheet.paste(picture(pixel), (column * (width + GAP), row * (height + GAP)))
    return sheet


def small_png(image: Image.Image) -> bytes:
    """The picture as PNG in COLOURS colours: half of the bytes, and at this size it looks the same."""
    return png(image.quantize(COLOURS, dither=Image.Dither.NONE))


def png(image: Image.Image) -> bytes:
    """The picture as the bytes of a PNG file."""
    buffer = BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
