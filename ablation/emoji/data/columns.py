"""The columns of a source: which of them mean something, what they say, and which are not used."""

import datetime
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa

from ablation.emoji.data.images import LABEL, WORDS
from ablation.errors import UserError
from ablation.formatting import count, listing
from ablation.settings import as_number
from ablation.texts import one_line, unfit

IMAGE, FILE = "image", "file_name"
KNOWN = (IMAGE, *WORDS, LABEL)
"""The columns that mean something: docs/data.md."""
MEANT = {
    "subject": "patient person participant individual animal donor speaker user identity subject_name",
    "text": "caption title description name prompt label_text",
    "class": "label category target kind y",
    "image": "img picture photo",
    "vendor": "supplier manufacturer brand",
}
"""Other names that people give to the columns, by the known name."""
OTHER_NAMES = {
    other: known for known, names in MEANT.items() for name in names.split() for other in (name, f"{name}_id")
}
MOST_LETTERS = 10_000  # of a text: it names a picture, in pages that show it many times over
MOST_NAMED = 8  # things that a sentence lists by name


@dataclass(frozen=True)
class Column:
    """values[row], None where there is none. kind: "image" or "binary" (each a mapping with bytes or path),
    "text", "class" (texts by a list of class labels) or "other" (values that a text can say).
    """

    values: Sequence[Any]
    kind: str


@dataclass(frozen=True)
class Words:
    """words[column][row] for every column of WORDS and `class`; and what is to be said, a sentence each."""

    words: dict[str, list[str]]
    said: tuple[str, ...]


def some(names: Sequence[str]) -> str:
    """A few of the names, and how many more there are."""
    shown = [one_line(name, 60) for name in names[:MOST_NAMED]]
    more = len(names) - len(shown)
    return listing([*shown, f"{more} more"] if more else shown)


# From tables to columns.


def columns_of(table: pa.Table, source: str) -> dict[str, Column]:
    """The columns of a table by their names, of any Arrow type; two of a name are a `UserError`."""
    names = table.column_names
    if twice := [name for name in names if names.count(name) > 1]:
        raise UserError(
            f"{source} wants columns with names of their own, but has two of {twice[0]}: rename one."
        )
    declared = _declared(table.schema, source)
    return {name: _column(table.column(name), name, declared.get(name), source) for name in names}


def kinds_of(table: pa.Table, columns: Mapping[str, Column]) -> dict[str, tuple[str, str]]:
    """The type and kind of each column by its name, where types that hold the same values are alike."""
    return {field.name: (str(_plain(field.type)), columns[field.name].kind) for field in table.schema}


def joined(parts: Sequence[Mapping[str, Column]]) -> dict[str, Column]:
    """The columns of several tables that have the same, one after another."""
    if len(parts) == 1:
        return dict(parts[0])
    return {
        name: Column([value for part in parts for value in part[name].values], column.kind)
        for name, column in parts[0].items()
    }


def _plain(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        return _plain(kind.value_type)
    if _is_text(kind):
        return pa.string()
    return pa.binary() if _is_bytes(kind) else kind


def _declared(schema: pa.Schema, source: str) -> dict[str, Any]:
    """What `datasets` wrote of the columns beside their Arrow types."""
    try:
        written = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        return dict(written.get("info", {}).get("features", {}))
    except (ValueError, TypeError, AttributeError) as error:
        raise UserError(
            f"the metadata that `datasets` wrote into {source} cannot be read ({error}): make it anew."
        ) from error


def _column(values: pa.ChunkedArray, name: str, declared: Any, source: str) -> Column:
    kind = _plain(values.type)
    declares = declared if isinstance(declared, Mapping) else {}
    if _is_image(kind) and name not in KNOWN[1:]:
        return Column(_Pictures(values), "image" if declares.get("_type") == "Image" else "binary")
    found = values.to_pylist()
    if declares.get("_type") == "ClassLabel":
        return Column([_class(value, declares.get("names") or (), name, source) for value in found], "class")
    return Column(found, "text" if _is_text(kind) else "other")


def _class(value: Any, names: Sequence[str], name: str, source: str) -> str | None:
    if value is None or value < 0:
        return None
    if value >= len(names):
        raise UserError(
            f"the column {name} of {source} has {count(len(names), 'class label')}, but a row has number "
            f"{value}: make it anew."
        )
    return str(names[value])


class _Pictures(Sequence[Any]):
    """A column of encoded images; a row is read where it is needed, since all may be large."""

    def __init__(self, values: pa.ChunkedArray) -> None:
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, row: Any) -> Any:
        value = self.values[row].as_py()
        if value is None:
            return None
        stored = value if isinstance(value, dict) else {"bytes": value}
        return {"bytes": stored.get("bytes"), "path": stored.get("path")}


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_bytes(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(
        types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind)
        or types.is_fixed_size_binary(kind)
    )  # fmt: skip


def _is_image(kind: pa.DataType) -> bool:
    if not pa.types.is_struct(kind):
        return bool(kind == pa.binary())
    fields = {field.name: field.type for field in kind}
    held = _plain(fields.get("bytes", pa.bool_()))  # of no type where no row has any
    return {*fields} <= {"bytes", "path"} and held in (pa.binary(), pa.null())


def texts_of(values: Sequence[str]) -> Column:
    """A column of a file that has texts alone, "" for no value; one of numbers names no picture."""
    numbers = all(as_number(value) is not None for value in values)
    return Column([value or None for value in values], "other" if numbers else "text")


def plain_values(values: Sequence[Any]) -> Column:
    """A column of a file that has values of any type."""
    texts = all(value is None or isinstance(value, str) for value in values)
    return Column(values, "text" if texts else "other")


# From columns to what they say.


def image_column(columns: Mapping[str, Column], source: str) -> str:
    """The name of the column of images: the one called `image`, else the only one that can be."""
    names = [name for name, column in columns.items() if column.kind == "image"]
    names = names or [name for name, column in columns.items() if column.kind == "binary"]
    names = [IMAGE] if IMAGE in names else names
    if len(names) != 1:
        raise UserError(
            f"{source} wants exactly one column of images, but has {' and '.join(names) or 'none'} among "
            f"{', '.join(columns)}: keep one, or call one image."
        )
    return names[0]


def read_words(
    columns: Mapping[str, Column], rows: int, source: str, files: Sequence[str] | None = None
) -> Words:
    """What the columns say of each row, beside its image; files[row] is its file's path in a folder.

    The text is the column `text`, else the one other column of texts, else the one class label. Of files it
    is the column `text` or one of like meaning, else the name of the folder that the file is in. `subject` is
    the text where a row has none. The class is the column `class`, else the one class label, else that
    folder. Every other column is named as not used. A row without a text is a `UserError`, and so are a
    column `subject` without any value, and a text of more than 10,000 characters or with a control character
    other than tabs and line breaks. A text may be empty, or that of several rows.
    """
    folders = None if files is None else [PurePosixPath(file).parent.name for file in files]
    text = _text_column(columns, source, folders)
    labels = [name for name, column in columns.items() if column.kind == "class" and name not in KNOWN]
    label = LABEL if LABEL in columns else labels[0] if len(labels) == 1 else ""
    texts = _spelt(columns, text, source) if text else [*(folders or ())]
    if missing := [row for row, value in enumerate(texts) if value is None]:
        first = f"row {missing[0]}" + (f" ({files[missing[0]]})" if files else "")
        raise UserError(
            f"every row of {source} wants a text, but {len(missing)} of {len(texts)} have none, "
            f"the first in {first}: fill or drop them."
        )
    found = {"text": [value or "" for value in texts]}
    said = []
    used = {*KNOWN[1:], text, label}
    if unused := [_with_hint(name, columns) for name in columns if name not in used]:
        words = "is the column" if len(unused) == 1 else f"are {len(unused)} columns:"
        said.append(f"{source}: not used {words} {some(unused)}.")
    if text not in ("", "text"):
        said.append(f"{source}: the text is the column {one_line(text, 60)}.")
    for name in WORDS[1:]:
        given = _spelt(columns, name, source) if name in columns else [None] * rows
        found[name] = [value or "" for value in given]
        if name == "subject":
            said += _check_subjects(given, source) if name in columns else ()
            found[name] = [value or other for value, other in zip(given, found["text"], strict=True)]
    classes = _spelt(columns, label, source) if label else folders or [""] * rows
    found[LABEL] = [value or "" for value in classes]
    for name, values in found.items():
        _check(values, name, source)
    return Words(found, tuple(said))


def _check_subjects(given: Sequence[str | None], source: str) -> Iterator[str]:
    missing = sum(not value for value in given)
    if missing == len(given):
        raise UserError(f"the column subject of {source} wants values, but has none: fill it or drop it.")
    if missing:
        yield (
            f"{source}: {missing} of {len(given)} rows have no subject, and are taken for subjects of their "
            "own text."
        )


def _text_column(columns: Mapping[str, Column], source: str, folders: Sequence[str] | None) -> str:
    """The name of the column with the texts; "" where they are the names of the folders."""
    if "text" in columns:
        return "text"
    others = {name: column for name, column in columns.items() if name not in KNOWN}
    texts = [name for name, column in others.items() if column.kind == "text"]
    if folders and all(folders):
        alike = [name for name in texts if meant(name) == "text"]
        return alike[0] if len(alike) == 1 else ""
    likely = [name for name in texts if meant(name) in ("", "text")]
    labels = [name for name, column in others.items() if column.kind == "class"]
    found = likely or labels or texts
    if len(found) == 1:
        return found[0]
    where = "" if folders is None else " in its metadata, or every image in a folder that says its text"
    raise UserError(
        f"{source} wants a column 'text' (or one other column of strings or of class labels){where}, but has "
        f"{', '.join(columns) or 'none'}: rename or add one."
    )


def meant(name: str) -> str:
    """The known column that a column of another name is likely to be; "" for none."""
    plain = name.strip().casefold().replace("-", "_").replace(" ", "_")
    if plain in KNOWN:
        return plain
    near = OTHER_NAMES.get(plain) or OTHER_NAMES.get(plain.removesuffix("s"))
    close = get_close_matches(plain, [one for one in KNOWN if one != name], n=1, cutoff=0.8)
    return near or next(iter(close), "")


def _with_hint(name: str, columns: Mapping[str, Column]) -> str:
    near = meant(name)
    return f"{name} (did you mean {near}?)" if near and near not in columns else name


def _spelt(columns: Mapping[str, Column], name: str, source: str) -> list[str | None]:
    return [spell(value, name, source) for value in columns[name].values]


def spell(value: Any, name: str, source: str) -> str | None:
    """A value as a text, None for none: whole numbers without a point, so that 2 and 2.0 are one subject."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float):
        whole = value == value and value.is_integer()
        return str(int(value)) if whole else repr(value) if value == value else None
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, bool | int | Decimal | datetime.timedelta):
        return str(value)
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    raise UserError(
        f"the column {name} of {source} wants one value in each row, but has {type(value).__name__}: make it "
        "a text or a number."
    )


def _check(values: Sequence[str], name: str, source: str) -> None:
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
