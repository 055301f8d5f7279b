"""A table in Markdown, LaTeX, CSV and HTML; each format escapes by itself whatever it is given."""

import csv
import io
import re
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import jinja2

from ablation.errors import unknown
from ablation.report.latex import latex
from ablation.report.table import Table, tabulate

__all__ = ["COLUMNS", "Table", "page", "render", "tabulate"]

COLUMNS = (
    *("study", "measure", "arm", "baseline", "n", "mean", "mean_low", "mean_high"),
    *("difference", "difference_low", "difference_high"),
    *("p_holm", "p_equivalence_holm", "mark", "best", "verdict", "quick", "reference"),
)


class Raw(str):
    """Text that is already in the format of its template."""

    __slots__ = ()


def render(table: Table, format: str) -> str:
    """`table` as text in `format`: md, tex, csv or html. Equal tables give equal text."""
    formats: dict[str, Callable[[Table], str]] = {
        "md": lambda t: _environment("md").get_template("table.md").render(table=t),
        "tex": lambda t: _environment("tex").get_template("table.tex").render(table=t),
        "html": lambda t: page([t]),
        "csv": _csv,
    }
    if format not in formats:
        raise unknown("table format", format, formats)
    return formats[format](table)


def page(tables: Sequence[Table]) -> str:
    """One HTML page, complete in itself, with `tables` one under the other."""
    return _environment("html").get_template("table.html").render(tables=tables)


def markdown(text: str) -> str:
    """`text` as Markdown that reads as itself, on one line, in a paragraph or in a cell of a table."""
    text = re.sub(r"([\\`*<>|#$~&])", r"\\\1", re.sub(r"\s+", " ", text))
    text = re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", text)
    text = re.sub(r"\](?=[(\[:])", r"\\]", text)
    return re.sub(r"^([-+](?=\s)|\d+(?=[.)]\s))", lambda m: _leading(m[1]), text)


def _leading(text: str) -> str:
    """What would begin a list: a bullet is escaped, a number gets its escape behind it."""
    return "\\" + text if text in "-+" else text + "\\"


@cache
def _environment(format: str) -> jinja2.Environment:
    """One environment per format, so that no template can forget to escape."""
    own_marks = {"block_start_string": "<%", "block_end_string": "%>", "comment_start_string": "<#"}
    own_marks |= {"comment_end_string": "#>", "variable_start_string": "<<", "variable_end_string": ">>"}
    escapes: dict[str, Callable[[str], str]] = {"md": markdown, "tex": latex}
    escape = escapes.get(format)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=format == "html",
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=(lambda value: value if isinstance(value, Raw) else escape(str(value))) if escape else None,
        **(own_marks if format == "tex" else {}),  # type: ignore[arg-type]
    )
    environment.filters["label"] = lambda text: Raw(re.sub(r"[^A-Za-z0-9-]+", "-", text))
    environment.filters["marks"] = lambda text: Raw(text.replace("≡", r"\equiv"))
    return environment


def _csv(table: Table) -> str:
    """One row per measure and arm, with the numbers of the other formats, "-" as minus, empty for none."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for panel in table.panels:
        for e in panel.rows:
            yes = [str(flag).lower() for flag in (e.baseline, e.best, table.quick)]
            numbers = [e.mean, e.low, e.high, e.difference, e.difference_low, e.difference_high]
            numbers = [_plain(number) for number in (*numbers, e.p, e.p_equivalence)]
            row = [table.name, panel.measure, e.arm, yes[0], e.n, *numbers]
            writer.writerow([*row, e.mark, yes[1], e.verdict, yes[2], e.reference])
    return text.getvalue()


def _plain(number: str) -> str:
    return number.replace("−", "-").replace("–", "")
