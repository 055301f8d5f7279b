"""What the figures show, as numbers: the first half of every figure, without an axis in sight."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ablation.measures import measure as find_measure
from ablation.stats import Analysis, Estimate
from ablation.stats.cells import planned, values

CURVES = (("mse", "MSE"), ("cross_entropy", "Cross-entropy, nats"), ("accuracy", "Accuracy"))
PARTS = ("train", "validation")
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
    """One arm's mean, least and greatest value over its seeds, by epoch; all of length (epochs,)."""

    arm: str
    part: str
    epochs: tuple[float, ...]
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
            find_measure(name).label,
            find_measure(name).better,
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
        for arm in study.specs:
            seeds, table = values(cells, name, [arm])
            found = zip(seeds, map(float, table[:, 0]), strict=True)
            points[arm] = {seed: value for seed, value in found if seed < last}
        estimates = {arm: analysis.means[arm, name] for arm in study.specs}
        label, better = find_measure(name).label, find_measure(name).better
        panels.append(MeasurePanel(label, better, estimates, points, grey))
    return tuple(panels)


def seeds_in_grey(seeds: int) -> str:
    """Which seeds have a line of their own in a panel of measures, in words."""
    if seeds <= MOST_LINES:
        return "one line per seed"
    return f"one line for each of the first {MOST_LINES} of {seeds} seeds"


def curve_panels(analysis: Analysis, curves: pd.DataFrame) -> tuple[CurvePanel, ...]:
    """A panel for each metric of `CURVES` that was recorded; `curves` has arm, seed, epoch, metric, value."""
    seeds = {cell.seed for cell in analysis.study.cells(analysis.seeds)}
    finite = curves[np.isfinite(curves["value"].astype(float)) & curves["seed"].isin(seeds)]
    # In one pass: to pick every curve out of all points takes most of the time of a large study.
    groups = finite.groupby(["arm", "metric", "epoch"], observed=True)["value"]
    table = groups.agg(["mean", "min", "max"]).sort_index()
    apart = table.groupby(level=["arm", "metric"], observed=True)
    recorded: dict[Any, pd.DataFrame] = {key: one.droplevel(["arm", "metric"]) for key, one in apart}
    panels = []
    for metric, label in CURVES:
        wanted = ((arm, part, (arm, f"{part}_{metric}")) for arm in analysis.study.specs for part in PARTS)
        found = tuple(_curve(recorded[key], arm, part) for arm, part, key in wanted if key in recorded)
        if found:
            panels.append(CurvePanel(label, found))
    return tuple(panels)


def _curve(table: pd.DataFrame, arm: str, part: str) -> Curve:
    columns = (tuple(float(v) for v in table[name]) for name in ("mean", "min", "max"))
    return Curve(arm, part, tuple(float(epoch) for epoch in table.index), *columns)
