"""The figures of a study: effects as a forest plot, measures by arm, learning curves.

First their numbers, as panels, then the axes. Owns seaborn and matplotlib. Figures are made without pyplot,
so that nothing global is left open, and are saved byte for byte alike.
"""

import textwrap
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
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

from ablation.experiment import SIDES
from ablation.stats.analysis import Analysis
from ablation.stats.cells import planned, values
from ablation.stats.statistics import Estimate

PANEL_WIDTH = 3.3
"""Inches: the width of a column of a two-column paper."""
INK, SOFT, BAND, ALARM = "#22252a", "#7a7f88", "#e9e4da", "#a8431b"
LINES: dict[str, Literal["--", "-"]] = {"train": "--", "validation": "-", "": "-"}
"""How each side of a curve is drawn."""
COLUMNS = 3
DPI = 200
MOST_LINES = 100  # of seeds in one panel: more are a grey surface, and a file of megabytes


@dataclass(frozen=True)
class EffectPanel:
    """Differences in one measure; an arm without a pair of seeds has n = 0.

    others[arm] is the arm that the difference of `arm` is to, where it is not the baseline.
    """

    label: str
    better: str
    sesoi: float
    estimates: dict[str, Estimate]
    others: dict[str, str]


@dataclass(frozen=True)
class MeasurePanel:
    """One measure: the mean and interval of every arm, and points[arm][seed] of `MOST_LINES` seeds at most.

    grey: in words, which seeds these are.
    """

    label: str
    better: str
    estimates: dict[str, Estimate]
    points: dict[str, dict[int, float]]
    grey: str


@dataclass(frozen=True)
class Curve:
    """One arm's mean, least and greatest value over its seeds, by step; all of length (steps,).

    side: "train", "validation", or "" for a curve without sides.
    """

    arm: str
    side: str
    steps: tuple[float, ...]
    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True)
class CurvePanel:
    """The learning curves of one metric, arm by arm, training before validation."""

    label: str
    curves: tuple[Curve, ...]


def effect_panels(analysis: Analysis) -> tuple[EffectPanel, ...]:
    """One panel per measure, the arms in the order of the study."""
    return tuple(
        EffectPanel(
            analysis.study.label(name),
            analysis.study.measure(name).better,
            sesoi,
            {e.arm: e.estimate for e in analysis.effects if e.measure == name},
            analysis.others,
        )
        for name, sesoi in analysis.study.measures.items()
    )


def measure_panels(analysis: Analysis, frame: pd.DataFrame) -> tuple[MeasurePanel, ...]:
    """One panel per measure, with the values of the complete cells of the study's first seeds."""
    study, grey = analysis.study, seeds_in_grey(analysis.seeds)
    last = study.first_seed + MOST_LINES
    cells = planned(study, frame, analysis.seeds)
    panels = []
    for name in study.measures:
        points = {}
        for arm in study.settings:
            seeds, table = values(cells, name, [arm])
            found = zip(seeds, map(float, table[:, 0]), strict=True)
            points[arm] = {seed: value for seed, value in found if seed < last}
        estimates = {arm: analysis.means[arm, name] for arm in study.settings}
        better = study.measure(name).better
        panels.append(MeasurePanel(study.label(name), better, estimates, points, grey))
    return tuple(panels)


def seeds_in_grey(seeds: int) -> str:
    """Which seeds have a line of their own in a panel of measures, in words."""
    if seeds <= MOST_LINES:
        return "one line per seed"
    return f"one line for each of the first {MOST_LINES} of {seeds} seeds"


def curve_panels(analysis: Analysis, curves: pd.DataFrame) -> tuple[CurvePanel, ...]:
    """A panel for each of the experiment's curves that some run recorded.

    `curves` has the columns arm, seed, step, metric and value.
    """
    study = analysis.study
    seeds = {cell.seed for cell in study.cells(analysis.seeds)}
    finite = curves[np.isfinite(curves["value"].astype(float)) & curves["seed"].isin(seeds)]
    # In one pass: to pick every curve out of all points takes most of the time of a large study.
    groups = finite.groupby(["arm", "metric", "step"], observed=True)["value"]
    table = groups.agg(["mean", "min", "max"]).sort_index()
    apart = table.groupby(level=["arm", "metric"], observed=True)
    recorded: dict[Any, pd.DataFrame] = {key: one.droplevel(["arm", "metric"]) for key, one in apart}
    panels = []
    for name, label in study.experiment.curves.items():
        metrics = {side: f"{side}_{name}" if side else name for side in LINES}
        wanted = ((arm, side, (arm, metrics[side])) for arm in study.settings for side in LINES)
        found = tuple(_curve(recorded[key], arm, side) for arm, side, key in wanted if key in recorded)
        if found:
            panels.append(CurvePanel(label, found))
    return tuple(panels)


def _curve(table: pd.DataFrame, arm: str, side: str) -> Curve:
    columns = (tuple(float(v) for v in table[name]) for name in ("mean", "min", "max"))
    return Curve(arm, side, tuple(float(step) for step in table.index), *columns)


def effects(panels: Sequence[EffectPanel]) -> Figure:
    """A forest plot: a panel per measure, a row per arm, the smallest effect that matters as a band."""
    rows = max((len(panel.estimates) for panel in panels), default=1)
    named = max((len(panel.others) for panel in panels), default=0)
    figure = _figure(panels, _effect_axes, height=1.1 + 0.32 * rows + 0.14 * named)
    for i, axes in enumerate(figure.axes):
        axes.tick_params(labelleft=i % COLUMNS == 0)
    return figure


def measures(panels: Sequence[MeasurePanel]) -> Figure:
    """A panel per measure: each arm's mean and interval beside its seeds, joined from arm to arm."""
    figure = _figure(panels, _measure_axes, height=2.7)
    if panels:
        words = f"bars: mean and interval; grey: {panels[0].grey}"
        figure.supxlabel(words, fontsize="x-small", color=SOFT)
    return figure


def curves(panels: Sequence[CurvePanel]) -> Figure:
    """A panel per metric: means over seeds in bands from least to greatest; training is dashed."""
    figure = _figure(panels, _curve_axes, height=2.6)
    arms = list(dict.fromkeys(curve.arm for panel in panels for curve in panel.curves))
    drawn = {curve.side for panel in panels for curve in panel.curves}
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
    """Write `figure` as PNG or PDF, by the suffix of `path`, without the time of writing."""
    with style(), warnings.catch_warnings():
        # An arm's name may hold characters that the font lacks; they are drawn as boxes.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.dpi = DPI
        if figure.axes and (engine := figure.get_layout_engine()):
            # Laid out once, not again for every format: half of the time, and the formats agree.
            engine.execute(figure)
            figure.set_layout_engine("none")
        # By the canvas itself: `savefig` draws everything twice, to lay out once more what is laid out.
        if path.suffix == ".pdf":
            FigureCanvasPdf(figure).print_pdf(path, metadata={"CreationDate": None})
        else:
            FigureCanvasAgg(figure).print_png(path, metadata={"Software": None})


@contextmanager
def style() -> Iterator[None]:
    """What all figures have in common; within it alone."""
    with mpl.rc_context(), sns.axes_style("ticks"), sns.plotting_context("paper", font_scale=0.9):
        mpl.rcParams.update({"font.family": "DejaVu Sans", "pdf.fonttype": 42, "text.usetex": False})
        yield


def _figure(panels: Sequence[Any], draw: Callable[[Axes, Any], None], height: float) -> Figure:
    with style():
        columns = min(max(len(panels), 1), COLUMNS)
        rows = max(-(-len(panels) // columns), 1)
        figure = Figure(figsize=(PANEL_WIDTH * columns, height * rows), layout="constrained")
        FigureCanvasAgg(figure)
        if not panels:
            figure.text(0.5, 0.5, "Nothing was recorded.", ha="center", color=SOFT)
        for i, panel in enumerate(panels, 1):
            draw(figure.add_subplot(rows, columns, i), panel)
        sns.despine(figure)
    return figure


def _effect_axes(axes: Axes, panel: EffectPanel) -> None:
    axes.axvspan(-panel.sesoi, panel.sesoi, color=BAND, lw=0)
    axes.axvline(0, color=SOFT, lw=0.8)
    for y, estimate in enumerate(panel.estimates.values()):
        axes.plot([estimate.low, estimate.high], [y, y], color=INK, lw=1.2, solid_capstyle="butt")
        axes.plot([estimate.mean], [y], "o", color=_colors(1)[0], ms=5)
    axes.set_yticks(range(len(panel.estimates)), _versus(panel))
    axes.set_ylim(len(panel.estimates) - 0.5, -0.5)
    _literal(axes.get_yticklabels())
    axes.set_title(panel.label)
    other = " or the arm named" if panel.others else ""
    axes.set_xlabel(f"difference to the baseline{other}\n{arrow(panel.better)}")
    axes.locator_params(axis="x", nbins=4)


def _measure_axes(axes: Axes, panel: MeasurePanel) -> None:
    arms = list(panel.estimates)
    seeds = sorted({seed for points in panel.points.values() for seed in points})
    values = np.array([[panel.points[arm].get(seed, np.nan) for arm in arms] for seed in seeds])
    if seeds:
        # Two artists, however many seeds: an artist a line takes most of the time of a large study.
        lines = [np.column_stack([np.arange(len(arms)), line]) for line in values]
        axes.add_collection(LineCollection(lines, colors=SOFT, linewidths=0.6, alpha=0.6))
        across = np.broadcast_to(np.arange(len(arms)), values.shape)
        axes.plot(across.ravel(), values.ravel(), "o", color=SOFT, ms=2, alpha=0.6, lw=0)
    for x, (estimate, color) in enumerate(zip(panel.estimates.values(), _colors(len(arms)), strict=True)):
        axes.plot([x, x], [estimate.low, estimate.high], color=color, lw=2, solid_capstyle="butt")
        axes.plot([x], [estimate.mean], "o", color=color, ms=6, mec="white", mew=0.8)
    axes.set_xticks(range(len(arms)), _wrapped(arms), rotation=30, ha="right", rotation_mode="anchor")
    axes.set_xlim(-0.5, len(arms) - 0.5)
    _literal(axes.get_xticklabels())
    axes.set_title(panel.label)
    axes.set_ylabel(f"{panel.better} is better")


def _curve_axes(axes: Axes, panel: CurvePanel) -> None:
    arms = list(dict.fromkeys(curve.arm for curve in panel.curves))
    colors = dict(zip(arms, _colors(len(arms)), strict=True))
    for curve in panel.curves:
        _draw_curve(axes, curve, colors[curve.arm])
    axes.set_title(panel.label)
    axes.set_xlabel("step")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))


def _draw_curve(axes: Axes, curve: Curve, color: Any) -> None:
    axes.plot(curve.steps, curve.mean, color=color, lw=1.3, linestyle=LINES[curve.side])
    if curve.side != "train":
        axes.fill_between(curve.steps, curve.low, curve.high, color=color, alpha=0.15, lw=0)


def arrow(better: str) -> str:
    """Which way is better, for an axis; "" where neither is."""
    return {"lower": "← better", "higher": "better →"}.get(better, "")


def _colors(n: int) -> list[Any]:
    """n colours that the colour-blind can tell apart, as far as there are any."""
    return list(sns.color_palette("colorblind", n))


def _wrapped(names: Iterable[str]) -> list[str]:
    return [textwrap.fill(name, 24) for name in names]


def _versus(panel: EffectPanel) -> list[str]:
    """The arms, each with the arm below it that its difference is to, where that is not the baseline."""
    others = [f"to {panel.others[arm]}" if arm in panel.others else "" for arm in panel.estimates]
    pairs = zip(_wrapped(panel.estimates), _wrapped(others), strict=True)
    return [f"{arm}\n{other}" if other else arm for arm, other in pairs]


def _literal(texts: Iterable[Text]) -> None:
    """Show names as they are: a dollar begins no formula."""
    for text in texts:
        text.set_parse_math(False)
