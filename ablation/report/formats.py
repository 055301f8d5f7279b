"""A table as text: one function per format, registered by the end of its file's name.

A new format is one function here, and a template where it has one. Each escapes whatever it is given.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from ablation.errors import unknown
from ablation.report.data_files import as_csv
from ablation.report.table import Entry, Panel, Table

FORMATS: dict[str, Callable[[Table], str]] = {}
"""What writes a table, by the end of its file's name: md, tex, csv, html."""
COLUMNS = (
    *("study", "measure", "arm", "baseline", "n", "mean", "mean_low", "mean_high"),
    *("difference", "difference_low", "difference_high"),
    *("p_holm", "p_equivalence_holm", "mark", "best", "verdict", "quick", "reference"),
)
"""Of a table as CSV."""


def table_format(suffix: str) -> Callable[[Callable[[Table], str]], Callable[[Table], str]]:
    """Register the decorated function as the format of files that end in `suffix`."""

    def register(write: Callable[[Table], str]) -> Callable[[Table], str]:
        FORMATS[suffix] = write
        return write

    return register


def render(table: Table, format: str) -> str:
    """`table` as text in `format`, a key of `FORMATS`. Equal tables give equal text."""
    if format not in FORMATS:
        raise unknown("table format", format, FORMATS)
    return FORMATS[format](table)


class Raw(str):
    """Text that is already in the format of its template."""

    __slots__ = ()


def template(name: str) -> jinja2.Template:
    """The template called `name`, which escapes as the end of its name says."""
    return _environment(name.rpartition(".")[2]).get_template(name)


@cache
def _environment(suffix: str) -> jinja2.Environment:
    """One environment per format, so that no template can forget to escape."""
    escape = {"md": markdown, "tex": latex}.get(suffix)
    marks: dict[str, Any] = {}
    if suffix == "tex":  # which has braces of its own
        marks |= {"block_start_string": "<%", "block_end_string": "%>", "comment_start_string": "<#"}
        marks |= {"comment_end_string": "#>", "variable_start_string": "<<", "variable_end_string": ">>"}
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=suffix == "html",
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=(lambda value: value if isinstance(value, Raw) else escape(str(value))) if escape else None,
        **marks,
    )
    environment.filters["label"] = lambda text: Raw(re.sub(r"[^A-Za-z0-9-]+", "-", text))
    environment.filters["marks"] = lambda text: Raw(text.replace("≡", r"\equiv"))
    return environment


@table_format("md")
def _markdown_table(table: Table) -> str:
    return template("table.md").render(table=table)


def markdown(text: str) -> str:
    """`text` as Markdown that reads as itself, on one line, in a paragraph or in a cell of a table."""
    text = re.sub(r"([\\`*<>|#$~&])", r"\\\1", re.sub(r"\s+", " ", text))
    text = re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", text)
    text = re.sub(r"\](?=[(\[:])", r"\\]", text)
    return re.sub(r"^([-+](?=\s)|\d+(?=[.)]\s))", lambda m: _leading(m[1]), text)


def _leading(text: str) -> str:
    """What would begin a list: a bullet is escaped, a number gets its escape behind it."""
    return "\\" + text if text in "-+" else text + "\\"


@table_format("tex")
def _latex_table(table: Table) -> str:
    return template("table.tex").render(table=table)


def latex(text: str) -> str:
    """`text` escaped for LaTeX; a character that LaTeX lacks becomes its code point, as in "U+1F600"."""
    # Two of these in a row would set a dash or a quotation mark.
    apart = re.sub(r"([-',])(?=\1)", "\\1\u200b", re.sub(r"\s+", " ", text))
    return "".join(_latex_character(c) for c in apart).replace(r" \%", r"~\%")


def _latex_character(c: str) -> str:
    if c in SPECIAL:
        return SPECIAL[c]
    if c in "#$%&_":
        return "\\" + c
    if c.isascii():
        return c if c.isprintable() else ""
    parts = unicodedata.normalize("NFD", c)
    if len(parts) == 2 and parts[1] in ACCENTS and parts[0].isascii():
        return f"\\{ACCENTS[parts[1]]}{{{parts[0]}}}"
    return _greek(c) or f"U+{ord(c):04X}"


def _greek(c: str) -> str:
    """A Greek letter by its name, which LaTeX shares with Unicode but for lambda; "" for any other."""
    name = unicodedata.name(c, "")
    found = re.fullmatch(r"GREEK (SMALL|CAPITAL) LETTER (\w+)", name)
    if not found:
        return ""
    if c in SAME_AS_LATIN:
        return SAME_AS_LATIN[c]
    letter = found[2].replace("LAMDA", "LAMBDA").lower()
    if found[1] == "CAPITAL":
        letter = letter.capitalize()
    return f"$\\{letter}$" if letter in GREEK else ""


SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"$<$",
    ">": r"$>$",
    "|": r"$|$",
    '"': r"\textquotedblright{}",
    # After a row's \\ a bracket or a star would be read as an argument.
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
    "`": r"\`{}",
    "−": "$-$",
    "–": r"\textendash{}",
    "—": r"\textemdash{}",
    "×": r"$\times$",
    "±": r"$\pm$",
    "≡": r"$\equiv$",
    "≤": r"$\le$",
    "≥": r"$\ge$",
    "≈": r"$\approx$",
    "→": r"$\to$",
    "∞": r"$\infty$",
    "·": r"$\cdot$",
    "°": r"$^{\circ}$",
    "µ": r"$\mu$",
    "“": r"\textquotedblleft{}",
    "”": r"\textquotedblright{}",
    "‘": r"\textquoteleft{}",
    "’": r"\textquoteright{}",
    "…": r"\dots{}",
    "\u00a0": "~",
    "\u200b": "{}",
    "ß": r"\ss{}",
    "ø": r"\o{}",
    "Ø": r"\O{}",
    "æ": r"\ae{}",
    "Æ": r"\AE{}",
    "œ": r"\oe{}",
    "Œ": r"\OE{}",
    "ł": r"\l{}",
    "Ł": r"\L{}",
    "ı": r"\i{}",
}
ACCENTS = {
    "\u0300": "`",
    "\u0301": "'",
    "\u0302": "^",
    "\u0303": "~",
    "\u0304": "=",
    "\u0306": "u",
    "\u0307": ".",
    "\u0308": '"',
    "\u030a": "r",
    "\u030b": "H",
    "\u030c": "v",
    "\u0327": "c",
}
GREEK = (
    *("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu"),
    *("nu", "xi", "pi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega", "Gamma", "Delta"),
    *("Theta", "Lambda", "Xi", "Pi", "Sigma", "Upsilon", "Phi", "Psi", "Omega"),
)
SAME_AS_LATIN = dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΧο", "ABEZHIKMNOPTXo", strict=True))


@table_format("csv")
def _csv_table(table: Table) -> str:
    """One row per measure and arm, with the numbers of the other formats, "-" as minus, empty for none."""
    return as_csv(COLUMNS, (_csv_row(table, panel, entry) for panel in table.panels for entry in panel.rows))


def _csv_row(table: Table, panel: Panel, e: Entry) -> list[str]:
    baseline, best, quick = (str(flag).lower() for flag in (e.baseline, e.best, table.quick))
    numbers = (e.mean, e.low, e.high, e.difference, e.difference_low, e.difference_high)
    plain = [text.replace("−", "-").replace("–", "") for text in (*numbers, e.p, e.p_equivalence)]
    first = [table.name, panel.measure, e.arm, baseline, e.n]
    return [*first, *plain, e.mark, best, e.verdict, quick, e.reference]


@table_format("html")
def _html_table(table: Table) -> str:
    return page([table])


def page(tables: Sequence[Table]) -> str:
    """One HTML page, complete in itself, with `tables` one under the other."""
    return template("table.html").render(tables=tables)
