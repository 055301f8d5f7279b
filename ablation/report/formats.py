"""A table as text in each of `FORMATS`; every text in it is escaped as the format wants."""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from ablation.errors import unknown
from ablation.report.data_files import as_csv
from ablation.report.table import Entry, Panel, Table

FORMATS = ("md", "tex", "csv", "html")
"""How the files of a table end."""
COLUMNS = (
    *("study", "measure", "arm", "baseline", "n", "mean", "mean_low", "mean_high"),
    *("difference", "difference_low", "difference_high"),
    *("p_holm", "p_equivalence_holm", "mark", "best", "verdict", "quick", "reference"),
)
"""Of a table as CSV."""


def render(table: Table, format: str) -> str:
    """`table` as text in `format`, one of `FORMATS`. Equal tables give equal text."""
    if format not in FORMATS:
        raise unknown("table format", format, FORMATS)
    return _csv_table(table) if format == "csv" else template(f"table.{format}").render(table=table)


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


def markdown(text: str) -> str:
    """`text` as Markdown that reads as itself, on one line, in a paragraph or in a cell of a table."""
    text = re.sub(r"([\\`*<>|#$~&])", r"\\\1", re.sub(r"\s+", " ", text))
    text = re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", text)
    text = re.sub(r"\](?=[(\[:])", r"\\]", text)
    # What would begin a list: a bullet is escaped, a number gets its escape behind it.
    return re.sub(r"^([-+](?=\s))|^(\d+)(?=[.)]\s)", lambda m: f"\\{m[1]}" if m[1] else f"{m[2]}\\", text)


def latex(text: str) -> str:
    """`text` escaped for LaTeX; a character that LaTeX lacks becomes its code point, as in "U+1F600"."""
    # Two of these in a row would set a dash or a quotation mark.
    apart = re.sub(r"([-',])(?=\1)", "\\1\u200b", re.sub(r"\s+", " ", text))
    return "".join(_latex_character(c) for c in apart).replace(r" \%", r"~\%")


def _latex_character(c: str) -> str:
    if c in LATEX:
        return LATEX[c]
    if c.isascii():
        return c if c.isprintable() else ""
    parts = unicodedata.normalize("NFD", c)
    if len(parts) == 2 and parts[1] in ACCENTS and parts[0].isascii():
        return f"\\{ACCENTS[parts[1]]}{{{parts[0]}}}"
    return f"U+{ord(c):04X}"


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    words = text.split()
    return zip(words[::2], words[1::2], strict=True)


COMMANDS = r"""
\ textbackslash  ~ textasciitilde  ^ textasciicircum  – textendash  — textemdash  … dots
" textquotedblright  “ textquotedblleft  ” textquotedblright  ‘ textquoteleft  ’ textquoteright
ß ss  ø o  Ø O  æ ae  Æ AE  œ oe  Œ OE  ł l  Ł L  ı i
"""
SYMBOLS = """
× times  ± pm  ≡ equiv  ≤ le  ≥ ge  ≈ approx  → to  ∞ infty  · cdot  µ mu
α alpha  β beta  γ gamma  δ delta  ε epsilon  ζ zeta  η eta  θ theta  ι iota  κ kappa  λ lambda  μ mu  ν nu
ξ xi  π pi  ρ rho  σ sigma  τ tau  υ upsilon  φ phi  χ chi  ψ psi  ω omega
Γ Gamma  Δ Delta  Θ Theta  Λ Lambda  Ξ Xi  Π Pi  Σ Sigma  Υ Upsilon  Φ Phi  Ψ Psi  Ω Omega
"""
LATEX = {
    **{c: f"\\{c}" for c in "#$%&_{}"},
    **{c: f"${c}$" for c in "<>|"},
    **{c: f"{{{c}}}" for c in "[]*"},  # after a row's \\ a bracket or a star would be read as an argument
    **{c: f"\\{name}{{}}" for c, name in _pairs(COMMANDS)},
    **{c: f"$\\{name}$" for c, name in _pairs(SYMBOLS)},
    **dict(_pairs("Α A  Β B  Ε E  Ζ Z  Η H  Ι I  Κ K  Μ M  Ν N  Ο O  Ρ P  Τ T  Χ X  ο o")),
    **{"`": r"\`{}", "−": "$-$", "°": r"$^{\circ}$", "\u00a0": "~", "\u200b": "{}"},
}
"""What a character becomes; the Greek capitals that look like Latin ones are those."""
ACCENTS = {
    chr(int(code, 16)): command
    for code, command in _pairs("300 ` 301 ' 302 ^ 303 ~ 304 = 306 u 307 . 308 \" 30a r 30b H 30c v 327 c")
}
"""LaTeX's command of a combining accent."""


def _csv_table(table: Table) -> str:
    """One row per measure and arm, with the numbers of the other formats, "-" as minus, empty for none."""
    return as_csv(COLUMNS, (_csv_row(table, panel, entry) for panel in table.panels for entry in panel.rows))


def _csv_row(table: Table, panel: Panel, e: Entry) -> list[str]:
    baseline, best, quick = (str(flag).lower() for flag in (e.baseline, e.best, table.study.quick))
    numbers = (e.mean, e.low, e.high, e.difference, e.difference_low, e.difference_high)
    plain = [text.replace("−", "-").replace("–", "") for text in (*numbers, e.p, e.p_equivalence)]
    first = [table.study.name or "study", panel.measure, e.arm, baseline, e.n]
    return [*first, *plain, e.mark, best, e.verdict, quick, e.reference]
