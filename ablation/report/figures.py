"""Numbers to axes: effects as a forest plot, measures by arm, learning curves. Owns seaborn and matplotlib.

Figures are made without pyplot, so nothing global is left open, and are saved byte for byte alike.
"""

import textwrap
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator

from ablation.report.panels import Curve, CurvePanel, EffectPanel, MeasurePanel

PANEL_WIDTH = 3.3
"""Inches: the width of a column of a two-column paper."""
INK, SOFT, BAND, ALARM = "#22252a", "#7a7f88", "#e9e4da", "#a8431b"
LINES: dict[str, Literal["--", "-"]] = {"train": "--", "validation": "-"}
COLUMNS = 3
DPI = 200


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
    parts = [part for part in LINES if any(c.part == part for panel in panels for c in panel.curves)]
    handles = [Line2D([], [], color=color, lw=1.6) for color in _colors(len(arms))]
    handles += [Line2D([], [], color=INK, lw=1.2, linestyle=LINES[part]) for part in parts]
    if handles:
        with _style():
            # Labels are set afterwards: a legend drops those that begin with an underscore.
            legend = figure.legend(
                handles,
                ["?"] * len(handles),
                loc="outside lower center",
                ncols=2 * min(len(panels), COLUMNS),
                frameon=False,
            )
        for text, name in zip(legend.get_texts(), _wrapped([*arms, *parts]), strict=True):
            text.set_text(name)
        _literal(legend.get_texts())
    return figure


def warn(figure: Figure, text: str) -> None:
    """Write `text` across the top of `figure`, in the colour of alarm."""
    with _style():
        figure.suptitle(text, fontsize="medium", fontweight="bold", color=ALARM)


def save(figure: Figure, path: Path) -> None:
    """Write `figure` as PNG or PDF, by the suffix of `path`, without the time of writing."""
    with _style(), warnings.catch_warnings():
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
def _style() -> Iterator[None]:
    with mpl.rc_context(), sns.axes_style("ticks"), sns.plotting_context("paper", font_scale=0.9):
        mpl.rcParams.update({"font.family": "DejaVu Sans", "pdf.fonttype": 42, "text.usetex": False})
        yield


def _figure(panels: Sequence[Any], draw: Callable[[Axes, Any], None], height: float) -> Figure:
    with _style():
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
    axes.set_xlabel(f"difference to the baseline{other}\n{_arrow(panel.better)}")
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
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))


def _draw_curve(axes: Axes, curve: Curve, color: Any) -> None:
    axes.plot(curve.epochs, curve.mean, color=color, lw=1.3, linestyle=LINES[curve.part])
    if curve.part == "validation":
        axes.fill_between(curve.epochs, curve.low, curve.high, color=color, alpha=0.15, lw=0)


def _arrow(better: str) -> str:
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
