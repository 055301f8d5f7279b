"""A table as text in each of `FORMATS`; every text in it is escaped as the format wants."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from math import isfinite
from pathlib import Path
from typing import Any

import jinja2

from ablation.errors import unknown
from ablation.report.data_files import as_csv, verdicts_frame
from ablation.report.latex import breakable, latex
from ablation.report.latex_tables import Appendix, cut_names, floats
from ablation.report.table import NO_ESTIMATE, Table

FORMATS = ("md", "tex", "csv", "html")
"""How the files of a table end."""
SUPPLEMENTS = ("appendix.tex", "notes.tex", "notes.md")
COLUMNS = (
    *("study", "measure", "arm", "baseline", "n", "mean", "mean_low", "mean_high"),
    *("difference", "difference_low", "difference_high"),
    *("p_holm", "p_equivalence_holm", "mark", "best", "verdict", "quick", "reference"),
    *("better", "better_low", "better_high"),
)
"""Of a table as CSV."""


def render(table: Table, format: str) -> str:
    """`table` as text in `format`, one of `FORMATS`. Equal tables give equal text."""
    if format not in FORMATS:
        raise unknown("table format", format, FORMATS)
    if format == "csv":
        rows = ([str(v).lower() if isinstance(v, bool) else v for v in row] for row in exact_rows(table))
        return as_csv(COLUMNS, rows)
    shown = {"floats": floats(table)} if format == "tex" else {}
    return template(f"table.{format}").render(table=table, **shown)


def supplements(table: Table) -> dict[str, str]:
    """What goes with a table into a paper, by the names of the files: all effects, and what limits them."""
    whole = table.whole()
    known = {"table": whole, "whole": Appendix(whole), "cut": cut_names(whole)}
    return {name: template(name).render(known) for name in SUPPLEMENTS}


def document(table: Table) -> str:
    """`table` as one JSON document: exact numbers, null where there is none; rows as in the CSV."""
    analysis, study = table.analysis, table.study
    verdicts = verdicts_frame(analysis).astype(object).to_dict("records")
    content = {
        "study": study.name or "study",
        "question": study.question,
        "quick": study.quick,
        "conclusion": analysis.conclusion,
        "baseline": study.reference,
        "alpha": study.alpha,
        "test": study.test,
        "effects": [dict(zip(COLUMNS, row, strict=True)) for row in exact_rows(table)],
        "verdicts": [
            row | {"reason": v.reason, "detail": v.detail}
            for row, v in zip(verdicts, analysis.verdicts, strict=True)
        ],
        "gates": [
            {
                "gate": one.gate.text,
                "measure": one.gate.measure,
                "arm": one.arm,
                "above": one.gate.above,
                "below": one.gate.below,
                "of": one.gate.of,
                "n": one.estimate.n,
                "mean": one.estimate.mean,
                "low": one.estimate.low,
                "high": one.estimate.high,
                "p": one.p,
                "passed": one.passed,
            }
            for one in analysis.gates
        ],
        "caveats": analysis.caveats,
        "fixed": study.fixed,
    }
    return json.dumps(_plain(content), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    """`value` with None for NaN and lists for tuples."""
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not isfinite(value) else value


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
    environment.filters["breakable"] = lambda text, em: Raw(breakable(text, em))
    environment.filters["raw"] = Raw
    return environment


def markdown(text: str) -> str:
    """`text` as Markdown that reads as itself, on one line, in a paragraph or in a cell of a table."""
    text = re.sub(r"([\\`*<>|#$~&])", r"\\\1", re.sub(r"\s+", " ", text))
    text = re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", text)
    text = re.sub(r"\](?=[(\[:])", r"\\]", text)
    # What would begin a list: a bullet is escaped, a number gets its escape behind it.
    return re.sub(r"^([-+](?=\s))|^(\d+)(?=[.)]\s)", lambda m: f"\\{m[1]}" if m[1] else f"{m[2]}\\", text)


def exact_rows(table: Table) -> Iterator[list[Any]]:
    """A row per arm and measure, with `COLUMNS`: numbers with all digits, None or NaN where there is none."""
    analysis = table.analysis
    for panel in table.panels:
        for e in panel.rows:
            mean, effect = analysis.means[e.arm, panel.measure], analysis.effect(e.arm, panel.measure)
            gap = effect.estimate if effect else NO_ESTIMATE
            share = effect.better(table.study) if effect else NO_ESTIMATE
            yield [
                *(table.study.name or "study", panel.measure, e.arm, e.baseline, mean.n),
                *(mean.mean, mean.low, mean.high, gap.mean, gap.low, gap.high),
                *((effect.p_holm, effect.p_equivalence_holm) if effect else (None, None)),
                *(e.mark + e.seeds_mark, e.best, e.verdict, table.study.quick, e.reference),
                *(share.mean, share.low, share.high),
            ]
