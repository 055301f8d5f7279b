"""The figures of a study: effects as a forest plot, measures by arm, learning curves.

The form of a point says the verdict (`MARKS`), and everything that colours tell apart has marks or dashes, so
that no printer needs colours.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import ceil
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ablation.experiment import SIDES, panel_of
from ablation.report.drawing import (
    BAND,
    COLUMN,
    INK,
    SOFT,
    TALLEST,
    Figures,
    Look,
    Panel,
    Sheet,
    background,
    colors,
    extent,
    figures_of,
    literal,
    style,
    wrapped,
)
from ablation.stats.analysis import Analysis
from ablation.stats.cells import COMPLETE, planned
from ablation.stats.effects import Effect
from ablation.stats.statistics import Array
from ablation.study import Study

LINES: dict[str, Literal["--", "-"]] = {"train": "--", "validation": "-", "": "-"}
"""How each side of a curve is drawn."""
MARKERS = ("o", "s", "^", "D")
"""Of arms in one panel, which no printer needs colours to tell apart."""
MOST_TOGETHER = len(MARKERS)
"""Arms in one panel of curves; more have a panel each."""
MOST_LINES = 100  # of seeds in one panel: more are a grey surface, and a file of megabytes
ROW, AROUND = 0.16, 1.4  # inches: an arm's row of one line, and what stands above and below a panel's rows
COLUMN_WIDE = Look()

Curves = dict[tuple[str, str], pd.DataFrame]
"""By arm and side ("train", "validation", or "" for a curve without sides): mean, min and max by step."""


@dataclass(frozen=True)
class Mark:
    """How the point of an effect is drawn, and what its form says."""

    words: str
    marker: str
    filled: bool = True


SIGNIFICANT = Mark("significant", "o")
MARKS = {
    **dict.fromkeys(("better", "worse", "higher", "lower"), SIGNIFICANT),
    "equivalent": Mark("equivalent", "D"),
    "inconclusive": Mark("inconclusive", "o", filled=False),
    "not judged": Mark("not judged", "|"),
    "": Mark("not tested", "x"),
}
"""By the verdict of an effect; "" where none was tested."""


def mark_of(effect: Effect) -> Mark:
    """How the effect's point is drawn."""
    return MARKS["" if effect.p is None else effect.verdict]


def drawn(analysis: Analysis, frame: pd.DataFrame, points: pd.DataFrame, look: Look = COLUMN_WIDE) -> Figures:
    """All figures of a study: "effects", "measures" and "curves"; what goes on in a further one: "effects_2".

    `frame` is as in `measures`, and `points` as in `recorded_curves`.
    """
    parts = {
        "effects": effects(analysis, look=look),
        "measures": measures(analysis, frame, look=look),
        "curves": curves(analysis, recorded_curves(analysis, points), look),
    }
    return Figures(
        (name if n == 1 else f"{name}_{n}", figure)
        for name, figures in parts.items()
        for n, figure in enumerate(figures, 1)
    )


def effects(analysis: Analysis, names: Sequence[str] = (), look: Look = COLUMN_WIDE) -> tuple[Figure, ...]:
    """A forest plot: a panel per measure, a row per arm, the smallest effect that matters as a band.

    `names` are the measures to show; all where none is named. The form of a point is its verdict (`MARKS`).
    """
    study, others = analysis.study, analysis.others
    marks = {mark_of(effect) for effect in analysis.effects}
    arms = {
        effect.arm: [effect.arm, *([f"to {others[effect.arm]}"] if effect.arm in others else [])]
        for effect in analysis.effects
    }
    foot = f"difference to {baseline_words(study)}{', or to the arm named' if others else ''}"
    with style(look.own):
        key = [
            *((_point(mark), mark.words) for mark in dict.fromkeys(MARKS.values()) if mark in marks),
            (_line(INK), f"{analysis.level_words} interval"),
            (Patch(color=BAND), "too small to matter"),
        ]
        sheet = Sheet(look, _columns(look), 0.0, foot, key, study.quick)
        return _rows(study, names or [*study.measures], arms, partial(_effect_axes, analysis), sheet)


def measures(
    analysis: Analysis, frame: pd.DataFrame, names: Sequence[str] = (), look: Look = COLUMN_WIDE
) -> tuple[Figure, ...]:
    """A panel per measure: each arm's mean and interval beside its seeds, joined from arm to arm.

    `frame` has a row a cell; `names` is as in `effects`.
    """
    study = analysis.study
    cells = planned(study, frame, analysis.seeds)
    named = {study.reference: f"{study.reference} (baseline)"} if study.reference != "baseline" else {}
    arms = {arm: [named.get(arm, arm)] for arm in study.settings}
    with style(look.own):
        key = [
            (_line(colors()[0], 1.6, marker="o", ms=4.5), f"mean and {analysis.level_words} interval"),
            (_line(SOFT, 0.6, marker="o", ms=2), seeds_in_grey(analysis.seeds)),
        ]
        sheet = Sheet(look, _columns(look), 0.0, "", key, study.quick)
        return _rows(study, names or [*study.measures], arms, partial(_measure_axes, analysis, cells), sheet)


def baseline_words(study: Study) -> str:
    """The baseline by its name, as in "middle (the baseline)"."""
    return "the baseline" if study.reference == "baseline" else f"{study.reference} (the baseline)"


def seeds_in_grey(seeds: int) -> str:
    """Which seeds have a line of their own in a panel of measures, in words."""
    if seeds <= MOST_LINES:
        return "one line per seed"
    return f"one line for each of the first {MOST_LINES} of {seeds} seeds"


def recorded_curves(analysis: Analysis, curves: pd.DataFrame) -> list[tuple[str, Curves]]:
    """The label of each of the experiment's curves that some run recorded, with its values.

    Of an experiment that declares none, those are all that stand in `curves`, each under its own name.

    `curves` has the columns arm, seed, step, metric and value. Where seeds logged at different steps, each
    has the values of the lines between its own, from where the last seed begins to where the first ends.
    """
    study = analysis.study
    seeds = {cell.seed for cell in study.cells(analysis.seeds)}
    values = curves.assign(value=curves["value"].astype(float))
    finite = values[np.isfinite(values["value"]) & values["seed"].isin(seeds)]
    # In one pass: to pick every curve out of all points takes most of the time of a large study.
    groups = finite.groupby(["arm", "metric", "step"], observed=True)["value"]
    table = groups.agg(["mean", "min", "max", "size"]).sort_index()
    apart = table.groupby(level=["arm", "metric"], observed=True)
    recorded: dict[Any, pd.DataFrame] = {key: one.droplevel(["arm", "metric"]) for key, one in apart}
    many = finite.groupby(["arm", "metric"], observed=True)["seed"].nunique()
    uneven = {key for key, one in recorded.items() if one.pop("size").min() < many[key]}
    for key, one in finite.groupby(["arm", "metric"], observed=True) if uneven else ():
        if key in uneven:
            recorded[key] = _between_steps(one)
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


def _between_steps(points: pd.DataFrame) -> pd.DataFrame:
    """mean, min and max over seeds at every step of `points`, which some seeds have between steps alone."""
    wide = points.pivot_table(index="step", columns="seed", values="value").sort_index()
    begun, ended = wide.notna().idxmax().max(), wide.notna()[::-1].idxmax().min()
    lines = wide.interpolate(method="index", limit_area="inside")
    # Beyond the end of a seed the mean would be that of the others alone, and jump.
    lines = lines.loc[begun:ended] if begun <= ended else lines
    return pd.DataFrame({name: lines.agg(name, axis=1) for name in ("mean", "min", "max")})


def curves(
    analysis: Analysis, panels: Sequence[tuple[str, Curves]], look: Look = COLUMN_WIDE
) -> tuple[Figure, ...]:
    """Means over seeds in bands from least to greatest, a panel per metric; training is dashed, without band.

    Arms that share their training have the same curves, and are drawn once. More than `MOST_TOGETHER` arms
    have a panel each, with the baseline in grey.
    """
    study = analysis.study
    names = {
        arm: f"{arm} (and {len(same)} with the same curves)" if same else arm
        for arm, same in drawn_once(study, panels).items()
    }
    arms = [arm for arm in study.settings if arm in names]
    apart = len(arms) > MOST_TOGETHER
    drawn_sides = {side for _, lines in panels for _, side in lines}
    key: list[tuple[Artist, str]] = []
    with style(look.own):
        if "train" in drawn_sides:
            sides = [side for side in SIDES if side in drawn_sides]
            key += [(_line(INK, 1.2, linestyle=LINES[side]), side) for side in sides]
        if apart and study.reference in arms:
            key.append((_line(SOFT, 0.8), baseline_words(study)))
        if drawn_sides - {"train"}:
            key.append((Patch(color=SOFT, alpha=0.3, lw=0), "least to greatest seed"))
        if apart:
            multiples = [one for panel in panels for one in _small_multiples(study.reference, names, *panel)]
            sheet = Sheet(look, int(look.width / 1.6), 0.0, "step", key, study.quick)
            return figures_of(multiples, sheet)
        together = [_all_arms(arms, names, look, *panel) for panel in panels]
        return figures_of(together, Sheet(look, int(look.width / COLUMN), 0.0, "step", key, study.quick))


def drawn_once(study: Study, panels: Sequence[tuple[str, Curves]]) -> dict[str, list[str]]:
    """The arms whose curves are drawn, each with those that have the same: the baseline or the first."""
    found: dict[str, list[str]] = {}
    recorded = {arm for _, lines in panels for arm, _ in lines}
    for arm in sorted(study.settings, key=lambda one: one != study.reference):
        if arm in recorded:
            first = next((one for one in found if _equal(one, arm, panels)), "")
            found.setdefault(first or arm, []).extend([arm] if first else [])
    return found


def _equal(one: str, other: str, panels: Sequence[tuple[str, Curves]]) -> bool:
    """Whether two arms have the same curves, number by number."""
    pairs = [(lines.get((one, side)), lines.get((other, side))) for _, lines in panels for side in LINES]
    return all(a is b if a is None or b is None else a.equals(b) for a, b in pairs)


def arrow(better: str) -> str:
    """Which way is better, for an axis; "" where neither is."""
    return {"lower": "← better", "higher": "better →"}.get(better, "")


def _columns(look: Look) -> int:
    """Panels with a row an arm that stand beside each other."""
    return int(look.width / 2.2)


def _rows(
    study: Study,
    names: Sequence[str],
    arms: Mapping[str, Sequence[str]],
    draw: Callable[[str, Mapping[str, float], Axes], None],
    sheet: Sheet,
) -> tuple[Figure, ...]:
    """A panel a measure with a row an arm, whose words, arms[name], stand on the left.

    draw(measure, places, axes) draws a panel, places[arm] being the inches from its top to the row's middle.
    """
    size, width = mpl.rcParams["ytick.labelsize"], sheet.look.width
    most = width * (0.36 if width <= COLUMN else 0.22)
    labels = {arm: "\n".join(wrapped(line, most, size) for line in lines) for arm, lines in arms.items()}
    heights = {arm: max(ROW, extent(text, size)[1] + 0.05) for arm, text in labels.items()}
    blocks: list[list[str]] = [[]]
    for arm, height in heights.items():
        if blocks[-1] and sum(heights[one] for one in blocks[-1]) + height > TALLEST - AROUND:
            blocks.append([])
        blocks[-1].append(arm)

    def panel(name: str, block: Sequence[str]) -> Panel:
        ends = np.cumsum([heights[arm] for arm in block])
        places = {arm: float(end) - heights[arm] / 2 for arm, end in zip(block, ends, strict=True)}
        height = float(ends[-1]) if block else ROW

        def rows(axes: Axes) -> None:
            axes.set_ylim(height, 0)
            axes.set_yticks([*places.values()], [labels[arm] for arm in block])
            axes.tick_params(axis="y", length=0)
            axes.grid(axis="y", color=BAND, lw=0.4)
            axes.set_axisbelow(True)
            literal(axes.get_yticklabels())
            draw(name, places, axes)

        return Panel(study.label(name), height, rows, under=arrow(study.measure(name).better))

    left = max((extent(text, size)[0] for text in labels.values()), default=0.0) + 0.08
    panels = [panel(name, block) for block in blocks for name in names]
    return figures_of(panels, replace(sheet, left=left))


def _effect_axes(analysis: Analysis, name: str, places: Mapping[str, float], axes: Axes) -> None:
    matters = analysis.study.measures[name]
    axes.axvspan(-matters, matters, color=BAND, lw=0)
    axes.axvline(0, color=SOFT, lw=0.7)
    for effect in analysis.effects:
        if effect.measure == name and effect.arm in places:
            estimate, y, mark = effect.estimate, places[effect.arm], mark_of(effect)
            axes.plot([estimate.low, estimate.high], [y, y], color=INK, lw=1.0, solid_capstyle="butt")
            axes.add_line(_point(mark, estimate.mean, y))
    axes.autoscale_view(scaley=False)


def _point(mark: Mark, *place: float) -> Line2D:
    color = colors()[0]
    inner = color if mark.filled else background()
    x, y = ([one] for one in place) if place else ([], [])
    return Line2D(x, y, ls="", marker=mark.marker, ms=4.5, mfc=inner, mec=color, mew=1.1, zorder=3)


def _line(color: Any, width: float = 1.0, **more: Any) -> Line2D:
    return Line2D([], [], color=color, lw=width, **more)


def _measure_axes(
    analysis: Analysis, cells: pd.DataFrame, name: str, places: Mapping[str, float], axes: Axes
) -> None:
    arms = list(places)
    heights = np.array([places[arm] for arm in arms])
    values = _values_by_seed(arms, cells, name)
    if len(values):
        # Two artists, however many seeds: an artist a line takes most of the time of a large study.
        lines = [np.column_stack([line, heights]) for line in values]
        axes.add_collection(LineCollection(lines, colors=SOFT, linewidths=0.5, alpha=0.5))
        across = np.broadcast_to(heights, values.shape)
        axes.plot(values.ravel(), across.ravel(), "o", color=SOFT, ms=2, alpha=0.6, lw=0)
    color, edge = colors()[0], background()
    for arm, y in places.items():
        estimate = analysis.means[arm, name]
        axes.plot([estimate.low, estimate.high], [y, y], color=color, lw=1.6, solid_capstyle="butt")
        axes.plot([estimate.mean], [y], "o", color=color, ms=4.5, mec=edge, mew=0.6)


def _values_by_seed(arms: Sequence[str], cells: pd.DataFrame, name: str) -> Array:
    """The values of the complete cells of the first `MOST_LINES` seeds, (seeds, arms); NaN for the others."""
    values = cells.assign(value=cells[name].astype(float))
    first = sorted(set(cells["seed"].tolist()))[:MOST_LINES]
    shown = (cells["state"] == COMPLETE) & cells["seed"].isin(first)
    table = values[shown & np.isfinite(values["value"])].pivot(index="seed", columns="arm", values="value")
    return np.asarray(table.reindex(columns=arms), dtype=np.float64)


def _all_arms(arms: Sequence[str], names: Mapping[str, str], look: Look, label: str, lines: Curves) -> Panel:
    """A panel of all arms, each named beside the end of its line."""
    size = mpl.rcParams["legend.fontsize"]
    most = look.width * (0.3 if look.width <= COLUMN else 0.15)
    lines = {(arm, side): table for (arm, side), table in lines.items() if arm in names}
    shown = [arm for arm in arms if any(arm == one for one, _ in lines)]
    labels = {arm: wrapped(names[arm], most, size) for arm in shown}
    rooms = {arm: extent(text, size)[1] + 0.03 for arm, text in labels.items()}
    height = max(1.3, sum(rooms.values()))
    low, high = limits = _limits(lines.values())

    def draw(axes: Axes) -> None:
        ends, last = {}, {}
        for (arm, side), table in lines.items():
            place = arms.index(arm)
            _draw_curve(axes, table, side, colors()[place], MARKERS[place], place)
            if arm not in ends or side != "train":
                ends[arm] = (float(table["mean"].iloc[-1]) - low) / (high - low) * height
                last[arm] = float(table.index.max())
        axes.set_xlim(*_steps(lines.values()))
        beside = axes.get_position().width * look.width  # inches
        for arm, y in _moved_apart(ends, rooms, height).items():
            color, marker = colors()[arms.index(arm)], MARKERS[arms.index(arm)]
            more: dict[str, Any] = {"color": color, "clip_on": False, "transform": axes.transAxes}
            # A curve that ends before the others is known by its colour and mark alone.
            if last[arm] == max(last.values()):
                axes.plot([1, 1 + 0.07 / beside], [ends[arm] / height, y / height], lw=0.6, **more)
            axes.plot([1 + 0.11 / beside], [y / height], marker=marker, ms=4, lw=0, **more)
            words: dict[str, Any] = {"va": "center", "fontsize": size, "transform": axes.transAxes}
            literal([axes.text(1 + 0.18 / beside, y / height, labels[arm], **words)])

    right = max(extent(text, size)[0] for text in labels.values()) + 0.22
    return Panel(label, height, draw, y=limits, right=right, whole=True)


def _moved_apart(ends: Mapping[str, float], rooms: Mapping[str, float], height: float) -> dict[str, float]:
    """Where the words of each arm stand, in inches from the bottom: at its line's end, if all have room.

    rooms[arm]: inches that they take. All together they take at most `height`.
    """
    found, ceiling = {}, height
    for arm in sorted(ends, key=lambda one: -ends[one]):
        found[arm] = min(ends[arm], ceiling - rooms[arm] / 2)
        ceiling = found[arm] - rooms[arm] / 2
    floor = 0.0
    for arm in reversed(found):
        found[arm] = max(found[arm], floor + rooms[arm] / 2)
        floor = found[arm] + rooms[arm] / 2
    return found


def _small_multiples(baseline: str, names: Mapping[str, str], label: str, lines: Curves) -> list[Panel]:
    """A panel an arm of one metric, all on the same axes, with the baseline in grey."""
    limits, steps = _limits(lines.values()), _steps(lines.values())

    def draw(arm: str, axes: Axes) -> None:
        for one, color, marker in ((baseline, SOFT, ""), (arm, colors()[0], MARKERS[0])):
            for side in LINES:
                if (one, side) in lines:
                    _draw_curve(axes, lines[one, side], side, color, marker)
        axes.set_xlim(*steps)

    others = [arm for arm in names if arm != baseline and any(arm == one for one, _ in lines)]
    return [Panel(names[arm], 0.85, partial(draw, arm), label, limits, whole=True) for arm in others]


def _draw_curve(axes: Axes, table: pd.DataFrame, side: str, color: Any, marker: str, place: int = 0) -> None:
    """One line; where it has marks, they stand at some of its steps, and a band goes with it."""
    steps, low, mean, high = table.reset_index()[["step", "min", "mean", "max"]].to_numpy(dtype=float).T
    every = max(ceil(len(steps) / 6), 1)
    marks: dict[str, Any] = {
        "marker": marker,
        "ms": 2.8,
        "markevery": (place * every // MOST_TOGETHER, every),
    }
    axes.plot(steps, mean, color=color, lw=1.1 if marker else 0.8, linestyle=LINES[side], **marks)
    if side != "train" and marker:
        axes.fill_between(steps, low, high, color=color, alpha=0.18, lw=0)


def _steps(tables: Iterable[pd.DataFrame]) -> tuple[float, float]:
    """The horizontal limits that show all of the curves."""
    found = [(float(table.index.min()), float(table.index.max())) for table in tables]
    low, high = min(first for first, _ in found), max(last for _, last in found)
    return (low, high) if low < high else (low - 0.5, high + 0.5)


def _limits(tables: Iterable[pd.DataFrame]) -> tuple[float, float]:
    """The vertical limits that show all of the curves."""
    tables = list(tables)
    low = min(float(table["min"].min()) for table in tables)
    high = max(float(table["max"].max()) for table in tables)
    margin = 0.05 * (high - low) or 0.05 * abs(high) or 0.05
    return low - margin, high + margin
