"""A study to a folder: tables, figures, every run, and the way back from each number to its runs."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from ablation.errors import UserError
from ablation.formatting import SMOKE
from ablation.report import figures
from ablation.files import folder, replace, write
from ablation.report.formats import render, tabulate
from ablation.report.panels import curve_panels, effect_panels, measure_panels
from ablation.report.provenance import provenance as provenance_json
from ablation.report.runs_csv import runs_csv
from ablation.report.verdicts_csv import truths_csv, verdicts_csv
from ablation.stats import Analysis, analyse
from ablation.study import Study

FORMATS = ("md", "tex", "csv", "html")


def export(
    study: Study,
    frame: pd.DataFrame,
    curves: pd.DataFrame,
    to: Path,
    provenance: Mapping[str, Mapping[str, Any]] | None = None,
    looks: Sequence[int] = (),
    truths: pd.DataFrame | None = None,
) -> list[Path]:
    """Write tables, figures, runs.csv, verdicts.csv and provenance.json into `to`; return their paths.

    Where the study measures gains, truths.csv has what every truth gained in every run, and verdicts.csv
    the effect of each claim drawn anew over truths and seeds.

    `frame` has one row per cell of the plan, `curves` the columns arm, seed, epoch, metric and value;
    provenance[fingerprint] is added to that run in provenance.json; `looks` are the numbers of seeds that
    the study was run with, in order. A file is replaced whole or not at all.
    """
    seeds = int(frame["seed"].nunique())
    if not seeds:
        raise UserError(f"study {study.name!r} has no cells to export: run it first.")
    analysis = analyse(study, frame, seeds, looks, truths)
    texts = _written(analysis, frame) | {"provenance.json": provenance_json(analysis, provenance)}
    if truths is not None and len(truths):
        texts["truths.csv"] = truths_csv(truths)
    drawn = _drawn(analysis, frame, curves)
    folder(to)
    writers = {name: partial(write, text) for name, text in texts.items()}
    writers |= {f"{n}.{suffix}": partial(figures.save, drawn[n]) for n in drawn for suffix in ("png", "pdf")}
    return [replace(to / name, writer) for name, writer in writers.items()]


def _written(analysis: Analysis, frame: pd.DataFrame) -> dict[str, str]:
    table = tabulate(analysis)
    texts = {f"table.{format}": render(table, format) for format in FORMATS}
    runs = runs_csv(analysis.study, frame, analysis.seeds)
    return texts | {"runs.csv": runs, "verdicts.csv": verdicts_csv(analysis)}


def _drawn(analysis: Analysis, frame: pd.DataFrame, curves: pd.DataFrame) -> dict[str, Figure]:
    drawn = {
        "effects": figures.effects(effect_panels(analysis)),
        "measures": figures.measures(measure_panels(analysis, frame)),
        "curves": figures.curves(curve_panels(analysis, curves)),
    }
    for figure in drawn.values() if analysis.study.quick else ():
        figures.warn(figure, SMOKE)
    return drawn
