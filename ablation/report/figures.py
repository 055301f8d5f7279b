"""The figures of a study: effects as a forest plot, measures by arm, learning curves.

Owns seaborn and matplotlib. Figures are made without pyplot, so that nothing global is left open, and are
saved byte for byte alike.
"""

import textwrap
import warnings
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator

from ablation.experiment import SIDES, panel_of
from ablation.stats.analysis import Analysis
from ablation.stats.cells import COMPLETE, planned
from ablation.stats.statistics import Array
from ablation.study import Study

PANEL_WIDTH = 3.3
"""Inches: the width of a column of a two-column paper."""
INK, SOFT, BAND, ALARM = "#22252a", "#7a7f88", "#e9e4da", "#a8431b"
LINES: dict[str, Literal["--", "-"]] = {"train": "--", "validation": "-", "": "-"}
"""How each side of a curve is drawn."""
COLUMNS = 3
DPI = 200
SCREEN_DPI = 96  # of a browser
MOST_LINES = 100  # of seeds in one panel: more are a grey surface, and a file of megabytes


class Drawing(Figure):
    """A figure that a notebook shows, though pyplot knows nothing of it."""

    def _repr_png_(self) -> bytes:
        return encoded(self, ".png")


class Figures(dict[str, Figure]):
    """Figures by name, which a notebook shows one below the other."""

    def _repr_html_(self) -> str:
        from ablation.report.formats import template

        pngs = {name: b64encode(encoded(one, ".png")).decode() for name, one in self.items()}
        widths = {name: round(one.get_figwidth() * SCREEN_DPI) for name, one in self.items()}
        return template("figures.html").render(pngs=pngs, widths=widths)


Curves = dict[tuple[str, str], pd.DataFrame]
"""By arm and side ("train", "validation", or "" for a curve without sides): mean, min and max by step."""


def effects(analysis: Analysis, names: Sequence[str] = ()) -> Figure:
    """A forest plot: a panel per measure, a row per arm, the smallest effect that matters as a band.

    `names` are the measures to show; all where none is named.
    """
    rows = len({effect.arm for effect in analysis.effects})
    height = 1.1 + 0.32 * rows + 0.14 * len(analysis.others)
    figure = _figure(names or [*analysis.study.measures], partial(_effect_axes, analysis), height)
    for i, axes in enumerate(figure.axes):
        axes.tick_params(labelleft=i % COLUMNS == 0)
    return figure


def measures(analysis: Analysis, frame: pd.DataFrame, names: Sequence[str] = ()) -> Figure:
    """A panel per measure: each arm's mean and interval beside its seeds, joined from arm to arm.

    `frame` has a row a cell; `names` is as in `effects`.
    """
    cells = planned(analysis.study, frame, analysis.seeds)
    figure = _figure(names or [*analysis.study.measures], partial(_measure_axes, analysis, cells), height=2.7)
    words = f"bars: mean and interval; grey: {seeds_in_grey(analysis.seeds)}"
    figure.supxlabel(words, fontsize="x-small", color=SOFT)
    return figure


def seeds_in_grey(seeds: int) -> str:
    """Which seeds have a line of their own in a panel of measures, in words."""
    if seeds <= MOST_LINES:
        return "one line per seed"
    return f"one line for each of the first {MOST_LINES} of {seeds} seeds"


def recorded_curves(analysis: Analysis, curves: pd.DataFrame) -> list[tuple[str, Curves]]:
    """The label of each of the experiment's curves that some run recorded, with its values.

    Of an experiment that declares none, those are all that stand in `curves`, each under its own name.

    `curves` has the columns arm, seed, step, metric and value.
    """
    study = analysis.study
    seeds = {cell.seed for cell in study.cells(analysis.seeds)}
    values = curves.assign(value=curves["value"].astype(float))
    finite = values[np.isfinite(values["value"]) & values["seed"].isin(seeds)]
    # In one pass: to pick every curve out of all points takes most of the time of a large study.
    groups = finite.groupby(["arm", "metric", "step"], observed=True)["value"]
    table = groups.agg(["mean", "min", "max"]).sort_index()
    apart = table.groupby(level=["arm", "metric"], observed=True)
    recorded: dict[Any, pd.DataFrame] = {key: one.droplevel(["arm", "metric"]) for key, one in apart}
    panels = []
    logged = {name: name for name in sorted(map(panel_of, curves["metric"].unique()))}
    for name, label in (study.experiment.curves or logged).items():
        wanted = {
            (arm, side): (arm, f"{side}_{name}" if side else name) for arm in study.settings for side in LINES
        }
        found = {line: recorded[key] for line, key in wanted.items() if key in recorded}
        if found:
            panels.append((label, found))
    return panels


def curves(panels: Sequence[tuple[str, Curves]]) -> Figure:
    """A panel per metric: means over seeds in bands from least to greatest; training is dashed."""
    figure = _figure(panels, _curve_axes, height=2.6)
    arms = list(dict.fromkeys(arm for _, lines in panels for arm, _ in lines))
    drawn = {side for _, lines in panels for _, side in lines}
    sides = [side for side in SIDES if side in drawn]
    handles = [Line2D([], [], color=color, lw=1.6) for color in _colors(len(arms))]
    handles += [Line2D([], [], color=INK, lw=1.2, linestyle=LINES[side]) for side in sides]
    if handles:
        with style():
            # Labels are set afterwards: a legend drops those that begin with an underscore.
            legend = figure.legend(
                handles,
                ["?"] * len(handles),
                loc="outside lower center",
                ncols=2 * min(len(panels), COLUMNS),
                frameon=False,
            )
        for text, name in zip(legend.get_texts(), _wrapped([*arms, *sides]), strict=True):
            text.set_text(name)
        _literal(legend.get_texts())
    return figure


def warn(figure: Figure, text: str) -> None:
    """Write `text` across the top of `figure`, in the colour of alarm."""
    with style():
        figure.suptitle(text, fontsize="medium", fontweight="bold", color=ALARM)


def save(figure: Figure, path: Path) -> None:
    """Write `figure` as PNG or PDF, by the suffix of `path`."""
    path.write_bytes(encoded(figure, path.suffix))


def encoded(figure: Figure, suffix: str) -> bytes:
    """`figure` as ".png" or ".pdf", without the time of writing."""
    file = BytesIO()
    with style(), warnings.catch_warnings():
        # An arm's name may hold characters that the font lacks; they are drawn as boxes.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.dpi = DPI
        if figure.axes and (engine := figure.get_layout_engine()):
            # Laid out once, not again for every format: half of the time, and the formats agree.
            engine.execute(figure)
            figure.set_layout_engine("none")
        # By the canvas itself: `savefig` draws everything twice, to lay out once more what is laid out.
        if suffix == ".pdf":
            FigureCanvasPdf(figure).print_pdf(file, metadata={"CreationDate": None})
        else:
            FigureCanvasAgg(figure).print_png(file, metadata={"Software": None})
    return file.getvalue()


@contextmanager
def style() -> Iterator[None]:
    """What all figures have in common; within it alone."""
    with mpl.rc_context(), sns.axes_style("ticks"), sns.plotting_context("paper", font_scale=0.9):
        mpl.rcParams.update({"font.family": "DejaVu Sans", "pdf.fonttype": 42, "text.usetex": False})
        yield


def _figure(panels: Sequence[Any], draw: Callable[[Any, Axes], None], height: float) -> Figure:
    with style():
        columns = min(max(len(panels), 1), COLUMNS)
        rows = max(-(-len(panels) // columns), 1)
        figure = Drawing(figsize=(PANEL_WIDTH * columns, height * rows), layout="constrained")
        FigureCanvasAgg(figure)
        if not panels:
            figure.text(0.5, 0.5, "Nothing was recorded.", ha="center", color=SOFT)
        for i, panel in enumerate(panels, 1):
            draw(panel, figure.add_subplot(rows, columns, i))
        sns.despine(figure)
    return figure


def _effect_axes(analysis: Analysis, name: str, axes: Axes) -> None:
    study, others = analysis.study, analysis.others
    found = [effect for effect in analysis.effects if effect.measure == name]
    axes.axvspan(-study.measures[name], study.measures[name], color=BAND, lw=0)
    axes.axvline(0, color=SOFT, lw=0.8)
    for y, effect in enumerate(found):
        estimate = effect.estimate
        axes.plot([estimate.low, estimate.high], [y, y], color=INK, lw=1.2, solid_capstyle="butt")
        axes.plot([estimate.mean], [y], "o", color=_colors(1)[0], ms=5)
    arms = [[arm, f"to {others[arm]}"] if arm in others else [arm] for arm in (e.arm for e in found)]
    axes.set_yticks(range(len(found)), ["\n".join(_wrapped(names)) for names in arms])
    axes.set_ylim(len(found) - 0.5, -0.5)
    _literal(axes.get_yticklabels())
    axes.set_title(study.label(name))
    other = " or the arm named" if others else ""
    axes.set_xlabel(f"difference to the baseline{other}\n{arrow(study.measure(name).better)}")
    axes.locator_params(axis="x", nbins=4)


def _measure_axes(analysis: Analysis, cells: pd.DataFrame, name: str, axes: Axes) -> None:
    study = analysis.study
    arms = list(study.settings)
    values = _values_by_seed(study, cells, name)
    if len(values):
        # Two artists, however many seeds: an artist a line takes most of the time of a large study.
        lines = [np.column_stack([np.arange(len(arms)), line]) for line in values]
        axes.add_collection(LineCollection(lines, colors=SOFT, linewidths=0.6, alpha=0.6))
        across = np.broadcast_to(np.arange(len(arms)), values.shape)
        axes.plot(across.ravel(), values.ravel(), "o", color=SOFT, ms=2, alpha=0.6, lw=0)
    for x, (arm, color) in enumerate(zip(arms, _colors(len(arms)), strict=True)):
        estimate = analysis.means[arm, name]
        axes.plot([x, x], [estimate.low, estimate.high], color=color, lw=2, solid_capstyle="butt")
        axes.plot([x], [estimate.mean], "o", color=color, ms=6, mec="white", mew=0.8)
    axes.set_xticks(range(len(arms)), _wrapped(arms), rotation=30, ha="right", rotation_mode="anchor")
    axes.set_xlim(-0.5, len(arms) - 0.5)
    _literal(axes.get_xticklabels())
    axes.set_title(study.label(name))
    axes.set_ylabel(f"{study.measure(name).better} is better")


def _values_by_seed(study: Study, cells: pd.DataFrame, name: str) -> Array:
    """The values of the complete cells of the first `MOST_LINES` seeds, (seeds, arms); NaN for the others."""
    values = cells.assign(value=cells[name].astype(float))
    first = sorted(set(cells["seed"].tolist()))[:MOST_LINES]
    shown = (cells["state"] == COMPLETE) & cells["seed"].isin(first)
    table = values[shown & np.isfinite(values["value"])].pivot(index="seed", columns="arm", values="value")
    return np.asarray(table.reindex(columns=list(study.settings)), dtype=np.float64)


def _curve_axes(panel: tuple[str, Curves], axes: Axes) -> None:
    label, lines = panel
    arms = list(dict.fromkeys(arm for arm, _ in lines))
    colors = dict(zip(arms, _colors(len(arms)), strict=True))
    for (arm, side), table in lines.items():
        steps, low, mean, high = table.reset_index()[["step", "min", "mean", "max"]].to_numpy(dtype=float).T
        axes.plot(steps, mean, color=colors[arm], lw=1.3, linestyle=LINES[side])
        if side != "train":
            axes.fill_between(steps, low, high, color=colors[arm], alpha=0.15, lw=0)
    axes.set_title(label)
    axes.set_xlabel("step")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))


def arrow(better: str) -> str:
    """Which way is better, for an axis; "" where neither is."""
    return {"lower": "← better", "higher": "better →"}.get(better, "")


def _colors(n: int) -> list[Any]:
    """n colours that the colour-blind can tell apart, as far as there are any."""
    return list(sns.color_palette("colorblind", n))


def _wrapped(names: Iterable[str]) -> list[str]:
    return [textwrap.fill(name, 24) for name in names]


def _literal(texts: Iterable[Text]) -> None:
    """Show names as they are: a dollar begins no formula."""
    for text in texts:
        text.set_parse_math(False)
