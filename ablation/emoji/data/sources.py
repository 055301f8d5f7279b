"""From the name of a source to its images: the shipped set, a file, a folder or a set on the hub."""

import re
from collections.abc import Sequence
from functools import lru_cache, partial
from importlib.resources import as_file, files
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import torch
from datasets import ClassLabel, Dataset, Features, Value, concatenate_datasets, load_dataset
from datasets import Image as ImageFeature
from datasets.exceptions import DatasetsError
from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError
from pyarrow import ArrowException

from ablation.emoji.data.images import WORDS, Images, decode
from ablation.emoji.protocols import VENDORS
from ablation.errors import UserError, unknown
from ablation.texts import unfit

SHIPPED = {source: f"{source.removeprefix('emoji:')}.parquet" for source in VENDORS.values()}
"""The sources that are shipped, and their files."""
MOST_LETTERS = 10_000  # of a text: it names a picture, in pages that show it many times over
_STRINGS = (Value("string"), Value("large_string"))
HUB_SECONDS = 3.0
"""How long the hub may take to answer; `load_dataset` alone retries for 23 seconds before it gives up."""


def load(sources: tuple[str, ...]) -> Images:
    """The images of all sources, one after another, kept in memory for the next call.

    A source is "emoji" (the shipped set, which Noto drew), "emoji:twemoji", "emoji:openmoji" or
    "emoji:fluent" (the same emoji as these vendors drew them, where they did), a file `*.parquet`, a folder
    of images (text from the column `text` of its metadata file, else the name of the image's folder), or a
    set on the hub, "owner/name" or "owner/name@revision"; of a set with several splits, all. A local source
    is read again once it changed. Everything that cannot be loaded is a `UserError`. Of the files that a
    source names, those of its own folder alone are read.
    """
    return _PROVIDED.get(sources) or _load(sources, tuple(_stamp(source) for source in sources))


_PROVIDED: dict[tuple[str, ...], Images] = {}


def provide(sources: tuple[str, ...], images: Images) -> None:
    """Let `load` give these images for the sources: on a machine that lacks the files they name."""
    _PROVIDED[sources] = images


@lru_cache(maxsize=4)
def _load(sources: tuple[str, ...], _stamps: tuple[object, ...]) -> Images:
    found = []
    for source, (rows, folder) in [(source, _read(source)) for source in sources]:
        try:
            found.append((source, folder, *_columns(rows, source)))
        except UnicodeDecodeError as error:
            raise UserError(
                f"the texts of {source} want to be UTF-8, but some are not ({error}): make it anew."
            ) from error
    pixels = torch.cat([decode(pictures, source, folder) for source, folder, pictures, _ in found])
    return Images(pixels, **{name: tuple(chain(*(words[name] for *_, words in found))) for name in WORDS})


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


def _read(source: str) -> tuple[Dataset, Path | None]:
    """The rows, and the folder of the files that they may name, if any."""
    path = Path(source)
    if source == "emoji" or source.startswith("emoji:"):
        if source not in SHIPPED:
            raise unknown("shipped source", source, SHIPPED)
        with as_file(files("ablation") / "emoji" / "assets" / SHIPPED[source]) as shipped:
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


def snapshot(source: str) -> Path:
    """The folder with the files of "owner/name" or "owner/name@revision", at one resolved commit.

    The hub is asked for the commit first. If it does not answer within 3 seconds, the files that an
    earlier download left on this machine are used; without them, and for a name or a revision that the
    hub does not have, a `UserError`.
    """
    name, _, revision = source.partition("@")
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        raise UserError(
            f"a source is 'emoji', a file *.parquet, a folder of images or a hub name 'owner/name', but "
            f"{source!r} is none of these and no such file or folder exists: check the path."
        )
    download = partial(snapshot_download, name, repo_type="dataset")
    try:
        commit = HfApi().dataset_info(name, revision=revision or None, timeout=HUB_SECONDS).sha
        return Path(download(revision=commit))
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise UserError(
            f"there is no folder and no public data set on the hub called {source!r}: check the name and "
            "the revision, or log in to the hub if it is private."
        ) from error
    except Exception as error:  # the errors of the hub, of HTTP and of the network share no base
        why = type(error).__name__
    try:
        return Path(download(revision=revision or None, local_files_only=True))
    except (OSError, ValueError) as error:
        raise UserError(
            f"the data set {source!r} is wanted from the Hugging Face hub, but the hub cannot be reached "
            f"({why}) and no copy is kept here: connect to the network, or name a Parquet file, a folder "
            "that exists or 'emoji'."
        ) from error


def _columns(rows: Dataset, source: str) -> tuple[list[Any], dict[str, list[str]]]:
    """The images of the rows, not decoded, and their words by the names in `WORDS`.

    The image is the one column of images. The text is the column `text`, else the one column of
    strings, else the one class label. `subject` falls back on the text, the others on "". A set without
    rows, image or text, or with a row that has none, is a `UserError`, and so is a text of more than 10,000
    characters or with a control character other than tabs and line breaks. A text may be empty, or that of
    several rows.
    """
    if not len(rows):
        raise UserError(f"{source} wants at least one image, but it has no rows: choose another source.")
    image, text = _image_column(rows.features, source), _text_column(rows.features, source)
    texts = _strings(rows, text)
    if missing := [row for row, value in enumerate(texts) if value is None]:
        raise UserError(
            f"every row of {source} wants a text, but {len(missing)} of {len(texts)} have none, "
            f"the first in row {missing[0]}: fill or drop them."
        )
    words = {"text": [str(value) for value in texts]}
    for name in WORDS[1:]:
        words[name] = _words(rows, name, words["text"] if name == "subject" else [""] * len(rows))
    for name, values in words.items():
        _check_words(values, name, source)
    return rows.cast_column(image, ImageFeature(decode=False))[image][:], words


def _check_words(values: Sequence[str], name: str, source: str) -> None:
    for row, value in enumerate(values):
        if len(value) > MOST_LETTERS:
            raise UserError(
                f"the column {name} of {source} wants at most {MOST_LETTERS:,} characters in a row, but row "
                f"{row} has {len(value):,}: shorten it."
            )
        if odd := unfit(value):
            raise UserError(
                f"the column {name} of {source} wants text without control characters, but row {row} has "
                f"{odd}: drop it."
            )


def _image_column(features: Features, source: str) -> str:
    names = [name for name, kind in features.items() if isinstance(kind, ImageFeature)]
    names = names or [name for name, kind in features.items() if _encoded(kind)]
    if len(names) != 1:
        raise UserError(
            f"{source} wants exactly one column of images, but has {' and '.join(names) or 'none'} among "
            f"{', '.join(features)}: keep one."
        )
    return str(names[0])


def _encoded(kind: Any) -> bool:
    return kind == Value("binary") or (isinstance(kind, dict) and {*kind} == {"bytes", "path"})


def _text_column(features: Features, source: str) -> str:
    kinds = {name: kind for name, kind in features.items() if name not in WORDS[1:]}
    strings = [name for name, kind in kinds.items() if kind in _STRINGS]
    labels = [name for name, kind in kinds.items() if isinstance(kind, ClassLabel)]
    candidates = [name for name in (*strings, *labels) if name == "text"] or strings or labels
    if len(candidates) == 1:
        return str(candidates[0])
    raise UserError(
        f"{source} wants a column 'text' of strings (or one other column of strings or of class labels), "
        f"but has {', '.join(features)}: rename or add one."
    )


def _strings(rows: Dataset, name: str) -> list[str | None]:
    kind, values = rows.features[name], rows[name][:]
    if not isinstance(kind, ClassLabel):
        return list(values)
    return [None if value is None or value < 0 else kind.int2str(value) for value in values]


def _words(rows: Dataset, name: str, default: list[Any]) -> list[str]:
    if rows.features.get(name) not in _STRINGS:
        return default
    return [other if value is None else value for value, other in zip(rows[name][:], default, strict=True)]


def concatenate(*sets: Dataset) -> Dataset:
    """The rows of all sets, in order; sets whose columns or types differ are a `UserError`.

    `datasets.concatenate_datasets` joins such sets without a word and fills the holes with None: 204
    rows with image, text and label and 204 with an image alone make 408 images and 204 texts, which is
    how the report's augmented set lost half of its texts and labels (part 1 a).
    """
    first = sets[0].features
    for number, other in enumerate((one.features for one in sets[1:]), start=2):
        names = sorted({*first, *other}, key=[*first, *other].index)
        if differing := [name for name in names if first.get(name) != other.get(name)]:
            raise UserError(
                f"sets that are joined want the same columns, but set 1 has {', '.join(first)}, set {number} "
                f"has {', '.join(other)}; they differ in {', '.join(differing)}: add, drop or cast columns."
            )
    return concatenate_datasets(list(sets))
