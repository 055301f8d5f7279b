"""From the name of a source to its images: the shipped set, a file, a folder or a set on the hub."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib.resources import as_file, files
from itertools import chain
from os.path import relpath
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import HfApi, metadata_load, snapshot_download
from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

from ablation.emoji.data.columns import Words, columns_of, image_column, joined, kinds_of, read_words, some
from ablation.emoji.data.folders import BESIDE, PARQUET, metadata_of, read_table, sentence, walk
from ablation.emoji.data.images import LABEL, WORDS, Images, decode
from ablation.emoji.protocols import VENDORS
from ablation.errors import UserError, unknown
from ablation.formatting import count

SHIPPED = {source: f"{source.removeprefix('emoji:')}.parquet" for source in VENDORS.values()}
"""The sources that are shipped, and their files."""
HUB_SECONDS = 3.0
"""How long the hub may take to answer before the copies on this machine are used."""


@dataclass(frozen=True)
class Rows:
    """What a source has: its encoded images, what it says of each, and what is to be said of all.

    folder: that of the files which the images may name, if any.
    """

    images: Sequence[Mapping[str, Any] | None]
    words: Words
    folder: Path | None = None
    left_out: tuple[str, ...] = ()


def load(sources: tuple[str, ...]) -> Images:
    """The images of all sources, one after another, kept in memory for the next call.

    A source is "emoji" (the shipped set, which Noto drew), "emoji:twemoji", "emoji:openmoji" or
    "emoji:fluent" (the same emoji as these vendors drew them, where they did), a file `*.parquet`, a folder
    of images or of Parquet files, or a set on the hub, "owner/name" or "owner/name@revision", of which all
    files are read, of whatever split. docs/data.md has the rules. A local source is read again once it
    changed.
    Everything that cannot be loaded is a `UserError`, and what is left out is said in `Images.left_out`. Of
    the files that a source names, those of its own folder alone are read.
    """
    return _PROVIDED.get(sources) or _load(sources, tuple(_stamp(source) for source in sources))


_PROVIDED: dict[tuple[str, ...], Images] = {}


def provide(sources: tuple[str, ...], images: Images) -> None:
    """Let `load` give these images for the sources: on a machine that lacks the files they name."""
    _PROVIDED[sources] = images


@lru_cache(maxsize=4)
def _load(sources: tuple[str, ...], _stamps: tuple[object, ...]) -> Images:
    found = []
    for source in sources:
        try:
            found.append((source, _read(source)))
        except UnicodeDecodeError as error:
            raise UserError(
                f"the texts of {source} want to be UTF-8, but some are not ({error}): make it anew."
            ) from error
    pixels = torch.cat([decode(rows.images, source, rows.folder) for source, rows in found])
    words = {name: tuple(chain(*(rows.words.words[name] for _, rows in found))) for name in (*WORDS, LABEL)}
    words["label"] = words.pop(LABEL)
    said = tuple(chain(*((*rows.left_out, *rows.words.said) for _, rows in found)))
    return Images(pixels, **words, left_out=said)


def place(source: str) -> Path:
    """Where a source that is a path lies: a study file's counts from its folder, all others from the working
    folder.
    """
    return Path(getattr(source, "folder", "")) / source


def _looked(source: str) -> str:
    """Where a source was looked for that is not there, as the end of a clause; "" for an absolute path."""
    if Path(source).is_absolute():
        return ""
    folder = getattr(source, "folder", "")
    return f" in {folder}, the folder of the study file" if folder else f" in the working folder {Path.cwd()}"


def _stamp(source: str) -> tuple[object, ...]:
    try:
        path = place(source).resolve()
        if path.is_dir():
            return walk(path).stamp
        about = path.stat() if path.is_file() else None
        return (path, about.st_mtime_ns, about.st_size) if about else ()
    except (OSError, ValueError) as error:  # too long, no Unicode, or in a folder that is closed to us
        raise UserError(
            f"a source wants a file or a folder that can be read, but {source!r} cannot "
            f"({_first_line(error)}): name another."
        ) from error


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__).rstrip(".")


def _read(source: str) -> Rows:
    path = place(source)
    if source == "emoji" or source.startswith("emoji:"):
        if source not in SHIPPED:
            raise unknown("shipped source", source, SHIPPED)
        with as_file(files("ablation") / "emoji" / "assets" / SHIPPED[source]) as shipped:
            return _tables([shipped], source, None)
    if path.is_dir():
        return _folder(path, source)
    if path.is_file() and path.suffix.lower() == PARQUET:
        return _tables([path], source, None)
    if path.exists():
        raise UserError(
            f"a source wants a file *.parquet or a folder of images, but {source} is neither: name "
            "the folder that it lies in, or another."
        )
    return _hub(source)


def _tables(paths: Sequence[Path], source: str, folder: Path | None) -> Rows:
    """The rows of Parquet files that have the same columns, one after another."""
    shown = [source] if folder is None else [f"{source}/{relpath(path, folder)}" for path in paths]
    read = [read_table(path, name) for path, name in zip(paths, shown, strict=True)]
    if not (rows := sum(len(table) for table in read)):
        raise UserError(f"{source} wants at least one image, but it has no rows: choose another source.")
    parts = [columns_of(table, name) for table, name in zip(read, shown, strict=True)]
    first, *others = [kinds_of(table, part) for table, part in zip(read, parts, strict=True)]
    for other, name in zip(others, shown[1:], strict=True):
        if odd := [column for column in {**first, **other} if first.get(column) != other.get(column)]:
            # To fill the holes of such sets lost the report half of its texts and labels (part 1 a).
            raise UserError(
                f"the Parquet files of a source want the same columns, but {shown[0]} has "
                f"{', '.join(first)} and {name} has {', '.join(other)}; they differ in "
                f"{', '.join(odd)}: add, drop or cast columns."
            )
    columns = joined(parts)
    images = columns.pop(image_column(columns, source)).values
    return Rows(images, read_words(columns, rows, source), folder)


def _folder(path: Path, source: str) -> Rows:
    try:
        found = walk(path)
    except OSError as error:
        raise UserError(
            f"a source wants a folder that can be read, but {source} cannot "
            f"({_first_line(error)}): name another."
        ) from error
    if found.tables:
        rows = _tables([path / name for name in found.tables], source, path)
        named = _files_of(rows.images, path) if found.images else set()
        beside = [name for name in (*found.images, *found.metadata) if name not in named]
        left_out = found.left_out | dict.fromkeys(beside, BESIDE)
        return Rows(rows.images, rows.words, path, tuple(sentence(left_out, source)))
    columns = metadata_of(path, found, source)
    said = sentence(found.left_out, source)
    if not found.images:
        there = said[0].removeprefix(f"{source}: ").rstrip(".") if said else "it is empty"
        raise UserError(
            f"{source} wants at least one image that Pillow can read, or a Parquet file, but has "
            f"none: {there}."
        )
    images = [{"bytes": None, "path": name} for name in found.images]
    words = read_words(columns, len(images), source, found.images)
    return Rows(images, words, path, tuple(said))


def _files_of(images: Sequence[Mapping[str, Any] | None], folder: Path) -> set[str]:
    """The files of the folder that rows name in place of bytes, by their relative paths."""
    names = (image["path"] for image in images if image and image["path"] and not image["bytes"])
    return {Path(relpath(folder / name, folder)).as_posix() for name in names}


def _hub(source: str) -> Rows:
    path = snapshot(source)
    names, declared = _readme(path, source)
    if len(names) > 1:
        raise UserError(
            f"a source wants one set of images, but {source} has {count(len(names), 'configuration')} "
            f"({some(names)}): download it, and name the folder or the file of one."
        )
    rows = _folder(path, source)
    if declared not in (0, len(rows.images)) and any(path.rglob(f"*{PARQUET}")):
        raise UserError(
            f"the README of {source} declares {declared:,} rows, but its Parquet files have "
            f"{len(rows.images):,}: download it, and name the file or the folder that you mean."
        )
    return rows


def _readme(folder: Path, source: str) -> tuple[list[str], int]:
    """The configurations that a set on the hub names, and the number of rows that it declares; 0 for none."""
    readme = folder / "README.md"
    try:
        about = (metadata_load(readme) if readme.is_file() else None) or {}
        declared = about.get("dataset_info") or []
        declared = declared if isinstance(declared, list) else [declared]
        configs = about.get("configs") or declared
        names = dict.fromkeys(str(one["config_name"]) for one in configs if "config_name" in one)
        splits = (split for one in declared for split in one.get("splits") or ())
        return list(names), sum(int(split.get("num_examples") or 0) for split in splits)
    except Exception as error:  # what YAML makes of any text
        raise UserError(
            f"the head of README.md of {source} wants to be YAML as the hub's, but cannot be read "
            f"({_first_line(error)}): download it, and name its folder."
        ) from error


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
            f"{source!r} is none of these and no such file or folder exists{_looked(source)}: check the path."
        )
    download = partial(snapshot_download, name, repo_type="dataset")
    try:
        commit = HfApi().dataset_info(name, revision=revision or None, timeout=HUB_SECONDS).sha
        return Path(download(revision=commit))
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise UserError(
            f"there is no folder{_looked(source)} and no public data set on the hub called {source!r}: check "
            "the name and the revision, or log in to the hub if it is private."
        ) from error
    except Exception as error:  # the errors of the hub, of HTTP and of the network share no base
        why = type(error).__name__
    try:
        return Path(download(revision=revision or None, local_files_only=True))
    except (OSError, ValueError) as error:
        raise UserError(
            f"the data set {source!r} is wanted from the Hugging Face hub, since no such folder is there"
            f"{_looked(source)}, but the hub cannot be reached ({why}) and no copy is kept here: "
            "connect to the network, or name a Parquet file, a folder that exists or 'emoji'."
        ) from error
