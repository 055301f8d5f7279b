"""From a font or a package of pictures to the Parquet file of emoji: shipped ones rebuilt, or others."""

from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path

import pyarrow.parquet as pq
from datasets import Dataset, Features, Value
from datasets import Image as ImageFeature
from PIL import Image

from ablation.emoji.data import fonts, packages
from ablation.emoji.data.images import WORDS
from ablation.emoji.data.unicode import Emoji, emojis
from ablation.errors import UserError
from ablation.files import replace

FEATURES = Features(image=ImageFeature(), **{name: Value("string") for name in WORDS})

VENDORS = {
    "Noto Color Emoji": "noto",
    "@twemoji/svg": "twemoji",
    "@iconify-json/openmoji": "openmoji",
    "@lobehub/fluent-emoji-3d": "fluent",
}
"""What the column `vendor` says of a font or a package by the name that it gives itself; else that name."""


@dataclass(frozen=True)
class Built:
    """What was built: how many pictures, the texts of the emoji that have none, and what was left out.

    left_out: files that are no fully-qualified emoji of Unicode 15.0, another spelling of one or another
    vendor's drawing; and texts of emoji that are drawn as one of another subject is.
    """

    path: Path
    vendor: str
    images: int
    lacking: tuple[str, ...]
    left_out: tuple[str, ...] = ()


def from_font(font: Path, out: Path) -> Built:
    """Draw every emoji of Unicode 15.0 that the font has, 64x64 on white, into the Parquet file `out`.

    The same font gives the same pictures. `out` is replaced whole or not at all. A file that is not a
    colour font, a font without any of the emoji and a place that cannot be written are `UserError`s.
    """
    return _write(fonts.pictures(font), fonts.family(font), font, out)


def from_package(package: Path, out: Path) -> Built:
    """Take every emoji of Unicode 15.0 that a package has, 64x64 on white, into the Parquet file `out`.

    `package` is a folder, or a tarball as `npm pack` gives it; `packages.read` says what it may hold. The
    rest is as in `from_font`.
    """
    found = packages.read(package)
    return _write(found.pictures, found.name, package, out, found.left_out)


def _write(
    pictures: dict[Emoji, Image.Image], name: str, source: Path, out: Path, left_out: tuple[str, ...] = ()
) -> Built:
    if not pictures:
        raise UserError(f"emoji of Unicode 15.0 are wanted, but {source} has none of them: name another.")
    vendor = VENDORS.get(name, name)
    pictures, doubles = _of_one_subject(pictures)
    words = {
        word: [vendor if word == "vendor" else getattr(emoji, word) for emoji in pictures] for word in WORDS
    }
    images = [{"bytes": _encode(picture), "path": None} for picture in pictures.values()]
    table = Dataset.from_dict({"image": images, **words}, features=FEATURES).data.table
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        replace(out, partial(pq.write_table, table, compression="zstd"))
    except OSError as error:
        raise UserError(
            f"the pictures go to a Parquet file, but {out} cannot be written: {error}."
        ) from error
    lacking = tuple(emoji.text for emoji in emojis() if emoji not in pictures)
    return Built(out, vendor, len(pictures), lacking, (*left_out, *doubles))


def _of_one_subject(pictures: dict[Emoji, Image.Image]) -> tuple[dict[Emoji, Image.Image], tuple[str, ...]]:
    """The pictures, and a line for each left out: a split by subject must not part equal ones."""
    first: dict[bytes, Emoji] = {}
    kept, doubles = {}, []
    for emoji, drawn in pictures.items():
        owner = first.setdefault(drawn.tobytes(), emoji)
        if owner.subject == emoji.subject:
            kept[emoji] = drawn
        else:
            doubles.append(f"{emoji.text} (the picture is that of {owner.text})")
    return kept, tuple(doubles)


def _encode(picture: Image.Image) -> bytes:
    buffer = BytesIO()
    # Lossless: here `quality` and `method` are effort; more of it saves 4 % and takes three times as long.
    picture.save(buffer, "WEBP", lossless=True, quality=50, method=3)
    return buffer.getvalue()
