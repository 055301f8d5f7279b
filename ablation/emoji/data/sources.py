"""From the name of a source to its images: the shipped set, a file, a folder or a set on the hub."""

from functools import lru_cache
from importlib.resources import as_file, files
from pathlib import Path

import pyarrow.parquet as pq
import torch
from datasets import Dataset, load_dataset
from datasets.exceptions import DatasetsError
from pyarrow import ArrowException

from ablation.emoji.data.columns import WORDS, concatenate, normalise
from ablation.emoji.data.hub import snapshot
from ablation.emoji.data.images import Images, decode
from ablation.errors import UserError


def load(sources: tuple[str, ...]) -> Images:
    """The images of all sources, one after another, kept in memory for the next call.

    A source is "emoji" (the shipped set), a file `*.parquet`, a folder of images (text from the column
    `text` of its metadata file, else the name of the image's folder), or a set on the hub, "owner/name"
    or "owner/name@revision"; of a set with several splits, all. A local source is read again once it
    changed. Everything that cannot be loaded is a `UserError`. Of the files that a source names, those of its
    own folder alone are read.
    """
    return _PROVIDED.get(sources) or _load(sources, tuple(_stamp(source) for source in sources))


_PROVIDED: dict[tuple[str, ...], Images] = {}


def provide(sources: tuple[str, ...], images: Images) -> None:
    """Let `load` give these images for the sources: on a machine that lacks the files they name."""
    _PROVIDED[sources] = images


@lru_cache(maxsize=4)
def _load(sources: tuple[str, ...], _stamps: tuple[object, ...]) -> Images:
    read = [_read(source) for source in sources]
    sets = [_normal(rows, source) for (rows, _), source in zip(read, sources, strict=True)]
    pixels = [
        decode(one["image"][:], source, own)
        for one, (_, own), source in zip(sets, read, sources, strict=True)
    ]
    words = concatenate(*(one.remove_columns("image") for one in sets))
    return Images(torch.cat(pixels), **{name: tuple(words[name][:]) for name in WORDS})


def _stamp(source: str) -> tuple[object, ...]:
    try:
        path = Path(source).resolve()
        paths = sorted(path.rglob("*")) if path.is_dir() else [path] if path.is_file() else []
        return tuple((each, each.stat().st_mtime_ns, each.stat().st_size) for each in paths)
    except (OSError, ValueError) as error:  # too long, no Unicode, or in a folder that is closed to us
        raise UserError(
            f"a source wants a file or a folder that can be read, but {source!r} cannot "
            f"({_first_line(error)}): name another."
        ) from error


def _normal(rows: Dataset, source: str) -> Dataset:
    try:
        return normalise(rows, source)
    except UnicodeDecodeError as error:
        raise UserError(
            f"the texts of {source} want to be UTF-8, but some are not ({error}): make it anew."
        ) from error


def _read(source: str) -> tuple[Dataset, Path | None]:
    """The rows, and the folder of the files that they may name, if any."""
    path = Path(source)
    if source == "emoji":
        with as_file(files("ablation") / "emoji" / "assets" / "emoji.parquet") as shipped:
            return _parquet(shipped), None
    if path.is_dir():
        return _folder(source, "imagefolder", data_dir=source), path
    if path.is_file() and path.suffix == ".parquet":
        return _parquet(path), None
    if path.exists():
        raise UserError(f"a source wants a file *.parquet or a folder of images, but {source} is neither.")
    place = snapshot(source)
    return _folder(source, str(place)), place


def _parquet(path: Path) -> Dataset:
    # Not by `Dataset.from_parquet`, which copies the file into a cache on disk.
    try:
        return Dataset(pq.read_table(path))
    except (ArrowException, OSError, ValueError) as error:
        raise UserError(
            f"a Parquet file is wanted, but {path} cannot be read ({_first_line(error)}): make it anew."
        ) from error


def _folder(source: str, *where: str, **options: str) -> Dataset:
    # Streaming leaves no copy on disk; the pictures are decoded later, where a bad one can be named.
    try:
        splits = load_dataset(*where, streaming=True, **options)
        parts = [rows.decode(False) for rows in splits.values()]
        return concatenate(*(Dataset.from_list(list(rows), features=rows.features) for rows in parts))
    except (DatasetsError, ArrowException, OSError, ValueError) as error:
        raise UserError(
            f"a source wants images that `datasets` can load, but {source} cannot be loaded "
            f"({_first_line(error)}): mend it or name another."
        ) from error


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__).rstrip(".")
