"""A search to a folder: every trial as a row of CSV, and the front that they draw as a figure."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator
from seaborn import despine

from ablation.files import folder, replace, write
from ablation.formatting import SMOKE
from ablation.report import drawing
from ablation.report.data_files import as_csv
from ablation.report.figures import arrow
from ablation.stats.pareto import Front, front_of
from ablation.study import Study
from ablation.tuning import Search

SIZE = (drawing.COLUMN, 2.9)
"""Inches."""
FEW_LABELS = 8  # trials on a front that are each named beside their point


def write_search(study: Study, trials: pd.DataFrame, to: Path) -> list[Path]:
    """Write search.csv, pareto.png and pareto.pdf into `to`; return their paths.

    `trials` is what `runner.search.search_results` gives. A file is replaced whole or not at all.
    """
    figure, rows = pareto(trials, study), search_csv(trials, study)
    folder(to)
    drawn = [replace(to / f"pareto.{suffix}", partial(drawing.save, figure)) for suffix in ("png", "pdf")]
    return [replace(to / "search.csv", partial(write, rows)), *drawn]


def search_csv(trials: pd.DataFrame, study: Study) -> str:
    """One row per finished trial, by its number: settings, objectives, and whether it is on the front.

    Numbers have full precision. Run ids, which a store draws at random, are left out.
    """
    search = _search(study)
    columns = ["number", "state", "fingerprint", *search.ranges, *search.objectives]
    first = (study.name or "study", str(study.quick).lower())
    rows = zip(trials[columns].itertuples(index=False), front_of(study, trials).members, strict=True)
    return as_csv(
        ["study", "quick", *columns, "front"],
        ((*first, *row, str(bool(member)).lower()) for row, member in rows),
    )


def pareto(trials: pd.DataFrame, study: Study) -> Figure:
    """Every complete trial by its two objectives, coloured by the first searched setting; the front as steps.

    A trial that the steps separate from the better corner is worse than one of the front in both objectives.
    The caption has the hypervolume and the reference point up to which it is measured.
    """
    search, found = _search(study), front_of(study, trials)
    complete = trials[trials.state == "complete"]
    with drawing.style():
        figure = Figure(figsize=SIZE, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        if complete.empty:
            axes.text(0.5, 0.5, "No trial was completed.", ha="center", transform=axes.transAxes)
        else:
            _draw(figure, axes, complete, found.members[(trials.state == "complete").to_numpy()], study)
        across, up = (
            f"{study.label(name)}   {arrow(study.measure(name).better)}" for name in search.objectives
        )
        axes.set_xlabel(across)
        axes.set_ylabel(up)
        despine(ax=axes)
        words = drawing.wrapped(_caption(trials, found), SIZE[0] - 0.2, "small")
        figure.supxlabel(words, fontsize="small", color=drawing.SOFT)
    if study.quick:
        drawing.warn(figure, SMOKE)
    return figure


def _draw(figure: Figure, axes: Axes, trials: pd.DataFrame, members: Any, study: Study) -> None:
    search = _search(study)
    setting = next(iter(search.ranges))
    first, second = (trials[name].to_numpy(dtype=float) for name in search.objectives)
    coloured = search.ranges[setting]
    norm = (LogNorm if coloured.log else Normalize)(*coloured.ends)
    # The border of what the front dominates: from point to point, always over the worse corner.
    falling = study.measure(search.objectives[0]).better != "lower"
    order = np.argsort(-first[members] if falling else first[members], kind="stable")
    across, up = (np.repeat(values[members][order], 2) for values in (first, second))
    axes.plot(across[1:], up[:-1], color=drawing.INK, lw=1, zorder=1)
    for chosen, size, edge in ((~members, 28, "white"), (members, 46, drawing.INK)):
        points = axes.scatter(
            first[chosen], second[chosen], size, trials[setting].to_numpy(dtype=float)[chosen],
            cmap="viridis", norm=norm, edgecolors=edge, linewidths=0.9, zorder=2,
        )  # fmt: skip
    bar = figure.colorbar(points, ax=axes, pad=0.02)
    bar.set_label(setting)
    bar.outline.set_visible(False)
    bar.ax.yaxis.set_minor_locator(NullLocator())
    if members.sum() <= FEW_LABELS:
        for x, y, number in zip(first[members], second[members], trials.number[members], strict=True):
            axes.annotate(str(number), (x, y), (5, 4), textcoords="offset points", fontsize="small")


def _caption(trials: pd.DataFrame, found: Front) -> str:
    states = trials.state.value_counts()
    parts = [f"{states.get('complete', 0)} trials, {int(found.members.sum())} of them on the front"]
    if diverged := states.get("diverged", 0):
        parts.append(f"{diverged} more diverged")
    corner = ", ".join(f"{value:g}" for value in found.reference)
    parts.append(f"hypervolume {found.hypervolume:.4g} up to ({corner})")
    if found.outside:
        parts.append(f"{found.outside} beyond it")
    return "; ".join(parts)


def _search(study: Study) -> Search:
    assert study.search is not None
    return study.search
