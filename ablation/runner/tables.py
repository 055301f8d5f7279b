"""Tables of runs: a CSV file, a Parquet file or a data frame, each cell as text."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ablation.errors import UserError, unknown
from ablation.settings import as_number
from ablation.texts import unfit

FINISHED, RUNNING, FAILED = "finished", "running", "failed"
STATE_WORDS = {
    **dict.fromkeys(["finished", "completed", "complete", "succeeded", "success", "done"], FINISHED),
    **dict.fromkeys(["running", "pending", "queued", "scheduled", "preempting"], RUNNING),
    **dict.fromkeys(["failed", "crashed", "killed", "preempted", "canceled", "cancelled", "error"], FAILED),
    "diverged": FAILED,
}
STATE_COLUMNS = ("State", "state", "status")
NO_PARAMETERS = frozenset(
    ["", "Name", "ID", "State", "Notes", "User", "Tags", "Created", "Runtime", "Sweep", "run_id"]
)
"""Columns that describe a run in an export of W&B, in pandas' index ("") or in MLflow: no parameters unless a
study declares them; neither are those that begin with "_", such as _step.
"""
SUFFIXES = (".csv", ".tsv", ".txt", ".parquet")
DELIMITERS = ",;\t|"


@dataclass(frozen=True)
class Runs:
    """Runs that exist, in order. ids: what they are called. states: FINISHED, RUNNING or FAILED.

    params: what may be a parameter, as text, "" where a run has none. metrics: numbers, NaN where a run has
    none. table: whether both are the columns of a table, so that a number may also be a parameter. parents:
    the ids of those that other runs are nested in. codes: the commits, where they are known.
    """

    ids: npt.NDArray[np.object_]
    states: npt.NDArray[np.object_]
    params: Mapping[str, npt.NDArray[np.object_]]
    metrics: Mapping[str, npt.NDArray[np.float64]]
    table: bool = True
    parents: frozenset[str] = frozenset()
    codes: npt.NDArray[np.object_] | None = None

    def measured(self, name: str) -> npt.NDArray[np.float64]:
        """The numbers of a measure; `UserError` where it is text, or where no run has it."""
        if name in self.metrics:
            return self.metrics[name]
        if self.table and name in self.params:
            wrong = next(n for n, text in enumerate(self.params[name]) if as_number(text) is None)
            raise UserError(
                f"the measure {name} wants numbers, but {self.ids[wrong]} has {self.params[name][wrong]!r}: "
                "correct it, or name another column."
            )
        raise unknown("measure among the runs", name, self.metrics)

    @cached_property
    def candidates(self) -> list[str]:
        """The names that may be those of parameters."""
        if not self.table:
            return list(self.params)
        return [name for name in self.params if name not in NO_PARAMETERS and not name.startswith("_")]


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
    if not path.is_file():
        there = path.parent.iterdir() if path.parent.is_dir() else ()
        tables = [one.name for one in there if one.suffix in SUFFIXES]
        raise unknown(f"file in {path.parent.absolute()} called", path.name, tables)
    try:
        if path.suffix == ".parquet":
            return _of_frame(pd.read_parquet(path), path.name)
        return _of_text(path.read_bytes().decode("utf-8-sig"), path.name)
    except UnicodeDecodeError:
        raise UserError(f"{where} wants to be text in UTF-8, but is not: save it as CSV in UTF-8.") from None
    except (OSError, ValueError, TypeError, NotImplementedError, KeyError) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{where} cannot be read as a table ({said}): give CSV or Parquet.") from None


def _of_text(text: str, name: str) -> Runs:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    rows, numbers = [], []
    try:
        header = [one.strip() for one in next(reader, [])]
        for number, row in enumerate(reader, 2):
            if not any(row):
                continue  # a blank line
            if len(row) != len(header):
                raise UserError(
                    f"row {number} of {name} wants {len(header)} cells, as its header has, but has "
                    f"{len(row)}: correct it."
                )
            rows.append(row)
            numbers.append(number)
    except csv.Error as error:
        raise UserError(f"{name} is no CSV in line {reader.line_num} ({error}): correct it.") from None
    if not any(header):
        raise UserError(f"{name} wants a header with the names of its columns, but is empty: fill it.")
    columns = zip(*rows, strict=True) if rows else [()] * len(header)
    return _runs(header, [[cell.strip() for cell in column] for column in columns], numbers, name)


def _delimiter(text: str) -> str:
    """The character that the header has most of, outside of quotes."""
    line = text.partition("\n")[0]
    counts = Counter("".join(line.split('"')[::2]))
    return max(DELIMITERS, key=lambda one: counts[one])


def _of_frame(frame: pd.DataFrame, name: str) -> Runs:
    if any(one is not None for one in frame.index.names):
        frame, name = frame.reset_index(allow_duplicates=True), f"{name} with its index"
    columns = [[as_text(one) for one in frame.iloc[:, n].tolist()] for n in range(frame.shape[1])]
    return _runs([str(one).strip() for one in frame.columns], columns, range(len(frame)), name)


def _runs(header: list[str], columns: list[list[str]], numbers: Iterable[int], name: str) -> Runs:
    if twice := [one for one, times in Counter(header).items() if times > 1]:
        raise UserError(f"{name} wants a name for each column, but has {twice[0]!r} twice: rename one.")
    if odd := [one for one in header if unfit(one)]:
        raise UserError(f"{name} wants plain names of columns, but one is {odd[0]!r}: rename it.")
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
    return Runs(ids, states, params, metrics)


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
