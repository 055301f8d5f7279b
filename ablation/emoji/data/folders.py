"""A folder of images: every file below it is an image, a table, or left out with its reason.

Nothing is inferred from a name but what the name of an image's folder says, and nothing in a name is a
pattern. Links are followed.
"""

import csv
import json
import os
import stat
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePosixPath
from posixpath import normpath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, ImageFile

from ablation.emoji.data.columns import FILE, Column, columns_of, plain_values, some, texts_of
from ablation.errors import UserError
from ablation.formatting import count
from ablation.texts import one_line

PARQUET = ".parquet"
METADATA = ("metadata.csv", "metadata.jsonl", f"metadata{PARQUET}")
TABLES = (".csv", ".tsv", ".json", ".jsonl", ".xlsx", ".ods")
ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".arrow")
FOREIGN = tuple(
    f".{kind}"
    for kind in [
        "svg",
        "svgz",
        "heic",
        "heif",
        "avif",
        "jxl",
        "dng",
        "cr2",
        "cr3",
        "nef",
        "arw",
        "orf",
        "raf",
        "rw2",
        "raw",
        "ai",
        "xcf",
        "dcm",
        "nii",
        "emf",
    ]
)
"""The endings of pictures that Pillow does not decode here, or not without another program."""
MOST_FOLDERS = 200  # one in another

HIDDEN = "hidden"
UNREADABLE = "Pillow cannot read them"
ARCHIVE = "not unpacked"
TABLE = "a table is read if it is called metadata.csv"
OTHER = "no images"
BROKEN = "links to nothing"
CYCLE = "a link back to a folder that it is in"
DEEP = f"more than {MOST_FOLDERS} folders deep"
SPECIAL = "no regular files"
BESIDE = "beside Parquet files that do not name them"
ROWLESS = "no row of the metadata names them"


@dataclass
class Files:
    """What is below a folder, by paths relative to it with "/", sorted; every file is in one of the four.

    images; tables: Parquet files of rows; metadata: files that say something of images; left_out[path]: why.
    stamp: what changes when a file does.
    """

    images: list[str] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    metadata: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    stamp: tuple[object, ...] = ()


def walk(folder: Path) -> Files:
    """Every file below the folder; one that cannot be listed is an `OSError`."""
    found = Files()
    stamp: list[object] = []
    for name, path, reason in sorted(_entries(folder, "", ())):
        if reason:
            found.left_out[name] = reason
            stamp.append((str(path), reason))
            continue
        about = path.stat()
        stamp.append((str(path), about.st_mtime_ns, about.st_size))
        last, kind = PurePosixPath(name).name, PurePosixPath(name).suffix.lower()
        if not stat.S_ISREG(about.st_mode):
            found.left_out[name] = SPECIAL
        elif last in METADATA:
            found.metadata.append(name)
        elif kind == PARQUET:
            found.tables.append(name)
        elif kind in _readable():
            found.images.append(name)
        else:
            found.left_out[name] = _reason(kind)
    found.stamp = tuple(stamp)
    return found


def _entries(
    folder: Path, before: str, above: tuple[tuple[int, int], ...], hidden: bool = False
) -> Iterator[tuple[str, Path, str]]:
    """The relative name of every file below, its path, and why it is left out, if that is known."""
    about = folder.stat()
    here = (about.st_dev, about.st_ino)
    if here in above or len(above) > MOST_FOLDERS:
        yield before.rstrip("/"), folder, CYCLE if here in above else DEEP
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            name, path = before + entry.name, folder / entry.name
            own = hidden or entry.name.startswith(".")
            if entry.is_dir():
                yield from _entries(path, f"{name}/", (*above, here), own)
            elif own:
                yield name, path, HIDDEN
            else:
                yield name, path, "" if path.exists() else BROKEN


def _reason(kind: str) -> str:
    if kind in TABLES:
        return TABLE
    if kind in ARCHIVES:
        return ARCHIVE
    return UNREADABLE if kind in FOREIGN else OTHER


@cache
def _readable() -> frozenset[str]:
    """The endings, as in ".png", of files that Pillow decodes itself."""
    Image.init()
    known = Image.registered_extensions()
    return frozenset(end for end, kind in known.items() if kind in Image.OPEN and not _is_stub(kind))


def _is_stub(kind: str) -> bool:
    """Whether Pillow only knows the format by name, and wants another program for the rest."""
    reader = Image.OPEN[kind][0]
    return kind == "MPEG" or (isinstance(reader, type) and issubclass(reader, ImageFile.StubImageFile))


def sentence(left_out: Mapping[str, str], source: str) -> list[str]:
    """What is left out of a folder and why, counted by ending and reason: one sentence, or none."""
    kinds = Counter((reason, _kind(name)) for name, reason in left_out.items())
    parts = [f"{number} {kind} ({reason})" for (reason, kind), number in kinds.most_common()]
    are = "is" if len(left_out) == 1 else "are"
    return [f"{source}: {count(len(left_out), 'file')} {are} left out: {some(parts)}."] if parts else []


def _kind(name: str) -> str:
    path = PurePosixPath(name)
    return f"*{path.suffix.lower()}" if path.suffix else path.name


# What the metadata says of images.


def metadata_of(folder: Path, files: Files, source: str) -> dict[str, Column]:
    """The columns that the metadata files give to `files.images`; images that no row names are left out.

    A metadata file says of the images in its folder and below it. Each row names one file; a row that names
    none, or that of another row, is a `UserError`.
    """
    if not files.metadata:
        return {}
    known = _spellings([*files.images, *files.left_out])
    rows: dict[str, tuple[str, int]] = {}
    tables: dict[str, dict[str, Column]] = {}
    for name in files.metadata:
        base = str(PurePosixPath(name).parent)
        if twice := [other for other in tables if str(PurePosixPath(other).parent) == base]:
            raise UserError(
                f"{source} wants one metadata file in a folder, but has {twice[0]} and {name}: keep one."
            )
        tables[name] = _metadata(folder / name, f"{source}/{name}")
        for row, file in enumerate(tables[name].pop(FILE).values):
            image = _named(file, base, known, f"row {row} of {source}/{name}")
            if image in rows:
                raise UserError(
                    f"each image of {source} wants one row in its metadata, but {image} has row "
                    f"{rows[image][1]} of {rows[image][0]} and row {row} of {name}: drop one."
                )
            rows[image] = (name, row)
    bases = {PurePosixPath(name).parent for name in files.metadata}
    described = [name for name in files.images if bases & {*PurePosixPath(name).parents}]
    files.left_out |= {name: ROWLESS for name in described if name not in rows}
    files.images = [name for name in files.images if name not in files.left_out]
    return {
        column: _gathered(column, tables, files.images, rows) for table in tables.values() for column in table
    }


def _gathered(
    column: str,
    tables: Mapping[str, Mapping[str, Column]],
    images: Sequence[str],
    rows: Mapping[str, tuple[str, int]],
) -> Column:
    kinds = {table[column].kind for table in tables.values() if column in table}
    values = []
    for image in images:
        name, row = rows.get(image, ("", 0))
        own = tables.get(name, {}).get(column)
        values.append(None if own is None else own.values[row])
    return Column(values, kinds.pop() if len(kinds) == 1 else "other")


def _named(file: object, base: str, known: Mapping[str, str], where: str) -> str:
    """The file that a row of metadata names, as it is spelt on the disk."""
    if not isinstance(file, str) or not file:
        raise UserError(f"{where} wants a {FILE}, but has none: fill or drop it.")
    name = normpath(f"{base}/{file}")
    found = known.get(name) or known.get(unicodedata.normalize("NFC", name))
    if found is None:
        raise UserError(f"{where} wants a file of its folder, but {file!r} is none: mend or drop the row.")
    return found


def _spellings(names: Sequence[str]) -> dict[str, str]:
    """The files by their names, and by those that look the same: a Mac's disk parts accents from letters."""
    return {unicodedata.normalize("NFC", name): name for name in names} | {name: name for name in names}


def _metadata(path: Path, source: str) -> dict[str, Column]:
    readers: dict[str, Callable[[Path, str], dict[str, Column]]] = {
        ".csv": _csv,
        ".jsonl": _jsonl,
        PARQUET: lambda path, source: columns_of(read_table(path, source), source),
    }
    try:
        found = readers[path.suffix](path, source)
    except UnicodeDecodeError as error:
        raise UserError(f"{source} wants to be UTF-8, but is not ({error}): save it as UTF-8.") from error
    except (OSError, ValueError, RecursionError, csv.Error) as error:
        raise UserError(
            f"a table is wanted in {source}, but it cannot be read ({error}): mend it."
        ) from error
    if FILE not in found:
        raise UserError(
            f"{source} wants a column {FILE}, the path of each image from its folder, but has "
            f"{', '.join(found) or 'none'}: rename or add it."
        )
    return found


def _csv(path: Path, source: str) -> dict[str, Column]:
    """The columns of a CSV file, which are of texts; separated by a comma, a semicolon or a tab."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        head = file.readline()
        fits = (mark for mark in ",;\t" if FILE in next(csv.reader([head], delimiter=mark), []))
        mark = next(fits, ",")
        file.seek(0)
        lines = csv.reader(file, delimiter=mark, strict=True)
        names = next(lines, [])
        if twice := [name for name in names if names.count(name) > 1]:
            raise UserError(f"{source} wants columns with names of their own, but has two of {twice[0]!r}.")
        rows = []
        for row in lines:
            if len(row) not in (0, len(names)):
                raise UserError(
                    f"{source} wants {count(len(names), 'value')} in each row, but line {lines.line_num} has "
                    f"{len(row)}: mend it, with quotes around a value that has a {mark!r}."
                )
            rows += [row] if row else []
    return {name: texts_of([row[n] for row in rows]) for n, name in enumerate(names)}


def _jsonl(path: Path, source: str) -> dict[str, Column]:
    lines = path.read_text(encoding="utf-8-sig").split("\n")
    rows = [json.loads(line, object_pairs_hook=_object) for line in lines if line.strip()]
    if odd := [number for number, row in enumerate(rows, 1) if not isinstance(row, dict)]:
        raise UserError(f"{source} wants a JSON object on each line, but row {odd[0]} is none: mend it.")
    names: dict[str, Any] = dict.fromkeys(name for row in rows for name in row)
    return {name: plain_values([row.get(name) for row in rows]) for name in names}


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"an object has two values of {twice[0]!r}")
    return dict(pairs)


def read_table(path: Path, source: str) -> pa.Table:
    """The rows of one Parquet file, with the columns that are in it and no others."""
    # `Dataset.from_parquet` copies the file into a cache on disk; `pq.read_table` makes columns of folders
    # with a "=" in their names.
    try:
        with pq.ParquetFile(path) as file:
            return file.read()
    except (pa.ArrowException, OSError, ValueError) as error:
        first = next(iter(str(error).splitlines()), type(error).__name__).rstrip(".")
        raise UserError(
            f"a Parquet file is wanted, but {one_line(source, 300)} cannot be read ({first}): make it anew."
        ) from error
