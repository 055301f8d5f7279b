"""From any colour font to the Parquet file of emoji pictures: the shipped one, rebuilt or replaced."""

import tempfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pyarrow.parquet as pq
from datasets import Dataset, Features, Value
from datasets import Image as ImageFeature
from PIL import Image

from ablation.emoji.data.glyphs import open_font
from ablation.emoji.data.unicode import Emoji, emojis
from ablation.errors import UserError

SIDE = 64
"""Width and height of every picture, in pixels."""

FEATURES = Features(
    image=ImageFeature(),
    text=Value("string"),
    emoji=Value("string"),
    group=Value("string"),
    subgroup=Value("string"),
    subject=Value("string"),
)


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
    _write(_dataset(drawn), out)
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


def _dataset(drawn: dict[Emoji, Image.Image]) -> Dataset:
    words = {name: [getattr(emoji, name) for emoji in drawn] for name in FEATURES if name != "image"}
    images = [{"bytes": _encode(picture), "path": None} for picture in drawn.values()]
    return Dataset.from_dict({"image": images, **words}, features=FEATURES)


def _encode(picture: Image.Image) -> bytes:
    buffer = BytesIO()
    # Lossless: here `quality` and `method` are effort; more of it saves 4 % and takes three times as long.
    picture.save(buffer, "WEBP", lossless=True, quality=50, method=3)
    return buffer.getvalue()


def _write(dataset: Dataset, out: Path) -> None:
    temporary = None
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=out.parent, suffix=".parquet.part", delete=False) as file:
            temporary = Path(file.name)
            pq.write_table(dataset.data.table, file, compression="zstd")
        temporary.chmod(0o644)  # a temporary file is private to its owner
        temporary.replace(out)
    except OSError as error:
        raise UserError(
            f"the pictures go to a Parquet file, but {out} cannot be written: {error}."
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
