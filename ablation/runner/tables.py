"""Tables of runs: a CSV file, a Parquet file or a data frame, each cell as text.

No library guesses what a cell means: "NA" and "007" stay as they are written, and become numbers only where
a column is read as numbers. What is read otherwise than it stands there is said (`Runs.remarks`), or refused.
"""

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ablation.errors import UserError, unknown
from ablation.formatting import count, listing
from ablation.settings import MISSING, as_number
from ablation.texts import twins, unfit

FINISHED, RUNNING, FAILED, NEVER = "finished", "running", "failed", "missing"
STATE_WORDS = {
    **dict.fromkeys(["finished", "completed", "complete", "succeeded", "success", "done"], FINISHED),
    **dict.fromkeys(["running", "pending", "queued", "scheduled", "preempting"], RUNNING),
    **dict.fromkeys(["failed", "crashed", "killed", "preempted", "canceled", "cancelled", "error"], FAILED),
    "diverged": FAILED,
    "missing": NEVER,  # as our own runs.csv has it
}
STATE_COLUMNS = ("State", "state", "status")
NO_PARAMETERS = frozenset(
    ["", "Name", "ID", "State", "Notes", "User", "Tags", "Created", "Runtime", "Sweep", "run_id"]
)
"""Columns that describe a run in an export of W&B, in pandas' index ("") or in MLflow: no parameters unless a
study declares them; neither are those that begin with "_", such as _step, or are called "Unnamed: 0", as
pandas calls a column without a name.
"""
SUFFIXES = (".csv", ".tsv", ".txt", ".parquet")
DELIMITERS = ",;\t|"
PARQUET = b"PAR1"
PACKED = {b"\x1f\x8b": "packed by gzip", b"PK\x03\x04": "a zip file or a workbook"}
"""How files begin that hold a table and are none."""
MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # begins as UTF-16 does
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""What the byte-order mark at the beginning of a file says of it."""
COMMA = re.compile(r"[+-]?[0-9]+(,[0-9]+)?([eE][+-]?[0-9]+)?")
SURE = re.compile(r"[+-]?(0,[0-9]+|[0-9]+,([0-9]{1,2}|[0-9]{4,})|[0-9]{4,},[0-9]+)([eE][+-]?[0-9]+)?")
"""A number with a decimal comma, which cannot be a thousand with a separator."""
THOUSANDS = re.compile(r"[+-]?[1-9][0-9]{0,2}(\.[0-9]{3})+")
SHORT = {
    **dict.fromkeys(["float16", "halffloat[pyarrow]"], np.float16),
    **dict.fromkeys(["float32", "Float32", "float[pyarrow]"], np.float32),
}
"""Types of columns whose numbers a Python float has with digits that they never had."""


@dataclass(frozen=True)
class Runs:
    """Runs that exist, in order. ids: what they are called. states: FINISHED, RUNNING or FAILED.

    params: what may be a parameter, as text, "" where a run has none. metrics: numbers, NaN where a run has
    none. table: whether both are the columns of a table, so that a number may also be a parameter. parents:
    the ids of those that other runs are nested in. codes: the commits, where they are known. remarks:
    sentences on what is not read, or not as it stands there.
    """

    ids: npt.NDArray[np.object_]
    states: npt.NDArray[np.object_]
    params: Mapping[str, npt.NDArray[np.object_]]
    metrics: Mapping[str, npt.NDArray[np.float64]]
    table: bool = True
    parents: frozenset[str] = frozenset()
    codes: npt.NDArray[np.object_] | None = None
    remarks: tuple[str, ...] = ()

    def measured(self, name: str) -> npt.NDArray[np.float64]:
        """The numbers of a measure; `UserError` where it is text, or where no run has it."""
        if name in self.metrics:
            return self.metrics[name]
        if self.table and name in self.params:
            wrong = next(n for n, text in enumerate(self.params[name]) if as_number(text) is None)
            raise UserError(
                f"the measure {name} wants numbers, but {self.ids[wrong]} has {self.params[name][wrong]!r}: "
                "write it as 0.85 is written, with a point and without a unit, leave the cell empty where "
                "there is no number, or name another column."
            )
        raise unknown("measure among the runs", name, self.metrics)

    @cached_property
    def candidates(self) -> list[str]:
        """The names that may be those of parameters."""
        if not self.table:
            return list(self.params)
        return [name for name in self.params if not _describes(name)]

    def identifies(self, name: str) -> bool:
        """Whether the numbers of a column are names: "007", or whole ones that no float tells apart."""
        return any(
            LEADING_ZERO.match(text) or (text.isdecimal() and int(text[:400]) > 2**53)
            for text in self.params[name]
        )


def _describes(name: str) -> bool:
    return name in NO_PARAMETERS or name.startswith(("_", "Unnamed: "))


LEADING_ZERO = re.compile(r"[+-]?0[0-9]")
"""How an identifier begins that is no number, such as 007."""


def as_text(value: Any) -> str:
    """A value of a data frame as text, "" where there is none."""
    if isinstance(value, str):
        return value
    if isinstance(value, np.ndarray):
        return str(value.tolist())
    if isinstance(value, list | tuple):
        return str(list(value))
    absent = value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and isnan(value))
    return "" if absent else str(value)


def read_table(where: Any) -> Runs:
    """The runs of a table. A row of a file is called by its number there, the header being row 1.

    A row of a data frame or a Parquet file is called by its position, from 0. Raises `UserError` where there
    is no such file, or it holds no table.
    """
    if not isinstance(where, str | Path):
        return _of_frame(where, "the data frame")
    path = Path(where)
    if path.is_dir():
        raise UserError(
            f"{where} wants to be a file with a row for each run, but is a folder: name a file in it, or "
            "write its tables into one."
        )
    if not path.is_file():
        there = path.parent.iterdir() if path.parent.is_dir() else ()
        tables = [one.name for one in there if one.suffix in SUFFIXES]
        raise unknown(f"file in {path.parent.absolute()} called", path.name, tables)
    try:
        content = path.read_bytes()
        if content.startswith(PARQUET) or path.suffix.lower() == ".parquet":
            # From its bytes: a path may have folders called "seed=3", which pandas may take for columns.
            # With Arrow's types: others turn whole numbers with gaps into floats.
            frame = pd.read_parquet(io.BytesIO(content), dtype_backend="pyarrow")
            return _of_frame(frame, path.name)
    except (OSError, ValueError, TypeError, NotImplementedError, KeyError) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"{where} cannot be read as a table ({said}): write it anew as CSV or Parquet, with a name of "
            "its own for each column."
        ) from None
    return _of_text(_decoded(content, path), path.name)


def _decoded(content: bytes, path: Path) -> str:
    """The text of a file, by its byte-order mark, else in UTF-8."""
    packed = next((kind for begin, kind in PACKED.items() if content.startswith(begin)), "")
    if not packed and path.suffix.lower() in (".json", ".jsonl"):
        packed = "JSON"
    if packed:
        raise UserError(f"{path} wants to be CSV or Parquet, but is {packed}: save its table as CSV.")
    coding = next((coding for mark, coding in MARKS.items() if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(coding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UserError(
            f"{path} wants to be text in UTF-8, but has the byte 0x{content[error.start]:02X} in line "
            f"{line}: save it as CSV in UTF-8."
        ) from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise UserError(
            f"{path} wants to be text in UTF-8, but has U+0000 in line {line}, as UTF-16 without a "
            "byte-order mark has: save it as CSV in UTF-8."
        )
    return text


def _of_text(text: str, name: str) -> Runs:
    delimiter = _delimiter(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows, numbers = [], []
    header: list[str] = []
    try:
        for number, row in enumerate(reader, 1):
            if not any(map(str.strip, row)):
                continue  # a blank line
            if not header:
                header = [one.strip() for one in row]
                continue
            if len(row) != len(header):
                shown = listing([repr(one) for one in header[:5]])
                raise UserError(
                    f"row {number} of {name} wants {count(len(header), 'cell')}, as its header has, but has "
                    f"{len(row)} (the header is {shown}{', ...' if len(header) > 5 else ''}): correct it, or "
                    "delete the lines that stand above the header."
                )
            rows.append(row)
            numbers.append(number)
    except csv.Error as error:
        raise UserError(f"{name} is no CSV in line {reader.line_num} ({error}): correct it.") from None
    if not header:
        raise UserError(f"{name} wants a header with the names of its columns, but is empty: fill it.")
    written = [*map(list, zip(*rows, strict=True))] if rows else [[] for _ in header]
    columns = [[*map(str.strip, column)] for column in written]
    remarks = _spaced(header, written, columns, name)
    if delimiter != ",":
        remarks += _pointed(header, columns, numbers, name)
    # What spreadsheets leave on the right of a table: a column without a name and without content.
    kept = [n for n, one in enumerate(header) if one or any(columns[n])]
    return _runs([header[n] for n in kept], [columns[n] for n in kept], numbers, name, tuple(remarks))


def _delimiter(text: str) -> str:
    """The character that the header has most of, outside of quotes."""
    line = text.lstrip("\r\n").partition("\n")[0].partition("\r")[0]
    counts = Counter("".join(line.split('"')[::2]))
    return max(DELIMITERS, key=lambda one: counts[one])


def _spaced(header: list[str], written: list[list[str]], columns: list[list[str]], name: str) -> list[str]:
    """That cells count as the same which differ in the spaces around them alone, where there are such."""
    alike = [
        one
        for one, before, after in zip(header, written, columns, strict=True)
        if before != after and len(set(after)) < len(set(before))
    ]
    if not alike:
        return []
    return [f"In {listing(alike)} of {name}, cells that differ in the spaces around them alone are one."]


def _pointed(header: list[str], columns: list[list[str]], numbers: list[int], name: str) -> list[str]:
    """Write the decimal commas of a file as points, and say so, where they can be nothing else.

    They are, where whole columns are numbers with a comma, some cannot be thousands, and no number of the
    file has a point. Else they stay text, which no measure may be.
    """
    with_comma = [
        n
        for n, column in enumerate(columns)
        if any("," in cell for cell in column)
        and all(cell in MISSING or COMMA.fullmatch(cell) for cell in column)
    ]
    sure = next(((n, cell) for n in with_comma for cell in columns[n] if SURE.fullmatch(cell)), None)
    if sure is None:
        return []
    pointed = {n: [one for one in column if "." in one] for n, column in enumerate(columns)}
    pointed = {n: own for n, own in pointed.items() if own and _numbers(_objects(columns[n])) is not None}
    for n, own in pointed.items():
        if all(map(THOUSANDS.fullmatch, own)):
            raise UserError(
                f"{name} wants numbers of one kind, but {header[sure[0]]} has {sure[1]!r} and {header[n]} "
                f"has {own[0]!r}, which may be thousands: write all with a decimal point and no "
                "separators."
            )
    if pointed:
        return []
    for n in with_comma:
        columns[n] = [cell.replace(",", ".") if COMMA.fullmatch(cell) else cell for cell in columns[n]]
    return [f"The commas of {listing([header[n] for n in with_comma])} in {name} are read as decimal points."]


def _of_frame(frame: pd.DataFrame, name: str) -> Runs:
    if any(one is not None for one in frame.index.names):
        frame, name = frame.reset_index(allow_duplicates=True), f"{name} with its index"
    columns = [_texts(frame.iloc[:, n]) for n in range(frame.shape[1])]
    return _runs([as_text(one).strip() for one in frame.columns], columns, range(len(frame)), name)


def _texts(column: "pd.Series[Any]") -> list[str]:
    """Every value as text; a float of half or single precision with as few digits as tell it from others."""
    short = SHORT.get(str(column.dtype))
    values = column.tolist()
    if short is None:
        return [as_text(one) for one in values]
    return [text and str(short(text)) for text in map(as_text, values)]


def _runs(
    header: Sequence[str],
    columns: Sequence[list[str]],
    numbers: Iterable[int],
    name: str,
    remarks: tuple[str, ...] = (),
) -> Runs:
    if twice := [one for one, times in Counter(header).items() if times > 1]:
        raise UserError(
            f"{name} wants a name for each column, but has {twice[0]!r} twice: rename one."
            if twice[0]
            else f"{name} wants a name for each column, but several have none: name them, or delete the "
            "lines that stand above the header."
        )
    if odd := [one for one in header if unfit(one)]:
        raise UserError(f"{name} wants plain names of columns, but one is {odd[0]!r}: rename it.")
    if pair := twins(header):
        raise UserError(
            f"{name} wants names of columns that can be told apart, but has {pair[0]!a} and "
            f"{pair[1]!a}: rename one."
        )
    ids = np.array([f"row {number}" for number in numbers], dtype=object)
    if not len(ids):
        raise UserError(f"{name} wants a row for each run, but has none: fill it.")
    params = {one: _objects(column) for one, column in zip(header, columns, strict=True)}
    states = np.full(len(ids), FINISHED, dtype=object)
    for column in STATE_COLUMNS:
        if column in params and (ended := _states(column, params[column], ids)) is not None:
            states = ended
            del params[column]
            break
    metrics = {one: found for one, texts in params.items() if (found := _numbers(texts)) is not None}
    return Runs(ids, states, params, metrics, remarks=remarks)


def _states(
    column: str, texts: npt.NDArray[np.object_], ids: npt.NDArray[np.object_]
) -> npt.NDArray[np.object_] | None:
    """The state of each run; None where the column says something else in every row."""
    known = [STATE_WORDS.get(text.casefold()) for text in texts]
    if not any(known):
        return None
    if None in known:
        wrong = known.index(None)
        raise UserError(
            f"the column {column} wants how each run ended ({', '.join(sorted(STATE_WORDS))}), but "
            f"{ids[wrong]} has {texts[wrong]!r}: correct it, or rename the column."
        )
    return _objects(known)


def _numbers(texts: npt.NDArray[np.object_]) -> npt.NDArray[np.float64] | None:
    """The column as numbers; None where a cell is text."""
    found = []
    for text in texts:
        number = as_number(text)
        if number is None:
            return None
        found.append(number)
    return np.array(found, dtype=np.float64)


def _objects(values: Iterable[Any]) -> npt.NDArray[np.object_]:
    values = list(values)
    found = np.empty(len(values), dtype=object)
    found[:] = values
    return found
