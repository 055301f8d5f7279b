"""The files that a run keeps beside its weights, and how a report page shows those of several arms."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from matplotlib import image
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ablation.emoji.composition.evaluator import Composition
from ablation.emoji.composition.scores import gains_by_measure
from ablation.emoji.data.images import grid
from ablation.emoji.measures import CURVES
from ablation.emoji.result import Result
from ablation.emoji.train import Epoch

if TYPE_CHECKING:
    from ablation.report.gallery import Gallery

SHEET = "reconstructions.png"
DUPLICATES = "duplicates.csv"
CAPTION = "Pictures that training never saw; a rule chose them."
PANEL_WIDTH = 4.0  # inches


def write_files(result: Result, folder: Path) -> list[Path]:
    """Write the run's files; the paths.

    Learning curves; the examples over their reconstructions; the pictures that two sets share, if any
    (`Duplicates.rows`); and, where the run composed, the record of every analogy, with strips of some: a, b,
    c, c reconstructed, the composite, d reconstructed, d.
    """
    written = [folder / "learning_curves.png", folder / SHEET]
    save_learning_curves(result.history, written[0])
    both = torch.cat([result.examples, result.reconstructions])
    grid(both, columns=len(result.examples), times=3).save(written[1])
    if result.composition.rows:
        written += [folder / "composites.png", folder / "composition.csv"]
        strips = result.composition.strips
        grid(strips.flatten(0, 1), columns=strips.shape[1], times=2).save(written[2])
        pd.DataFrame(result.composition.rows).to_csv(written[3], index=False)
    if rows := result.duplicates.rows:
        written.append(folder / DUPLICATES)
        pd.DataFrame(rows).to_csv(written[-1], index=False)
    return written


def items_of(composed: Composition) -> pd.DataFrame:
    """What every truth gained, by measure and family: measure, group, item and value.

    Of the records of analogies, a measure of gain is the mean over families of the median over truths.
    """
    found = [
        (measure, family, truth, gain)
        for measure, families in gains_by_measure(composed.rows, composed.large).items()
        for family, truths in families.items()
        for truth, gain in truths.items()
    ]
    return pd.DataFrame(found, columns=["measure", "group", "item", "value"])


def save_learning_curves(history: Sequence[Epoch], path: Path) -> None:
    """Train and validation curves over optimiser steps, a panel a measure, as PNG.

    Every run draws one, so margins are given, not looked for, and it is drawn once: a third of the time.
    """
    panels = [name for name in CURVES if f"train_{name}" in history[0].metrics]
    figure = Figure(figsize=(PANEL_WIDTH * len(panels), 3.0), dpi=100)
    left, right = 0.8 / PANEL_WIDTH / len(panels), 1 - 0.1 / PANEL_WIDTH / len(panels)
    figure.subplots_adjust(left, bottom=0.16, right=right, top=0.97, wspace=0.29)
    steps = [epoch.steps for epoch in history]
    for axes, name in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        for side, style in (("train", "--"), ("validation", "-")):
            values = [epoch.metrics[f"{side}_{name}"] for epoch in history]
            axes.plot(steps, values, style, label=side, color="tab:blue")
        axes.set(xlabel="step", ylabel=CURVES[name])
        axes.legend(frameon=False)
    FigureCanvasAgg(figure).print_png(path)


def gallery(sheets: Mapping[str, bytes]) -> "list[Gallery]":
    """Inputs over what each arm makes of them, of sheets by `write_files`; equal inputs once."""
    from ablation.report.gallery import Gallery, Png

    tops: dict[bytes, Png] = {}
    rows: dict[bytes, dict[str, Png]] = {}
    for number, (arm, sheet) in enumerate(sheets.items(), 1):
        inputs, outputs = _halves(sheet)
        tops.setdefault(inputs, Png(f"inputs-{len(tops) + 1}.png", "Inputs", inputs))
        made = Png(f"reconstructions-{number}.png", f"Reconstructions by {arm}", outputs)
        rows.setdefault(inputs, {})[arm] = made
    return [Gallery(CAPTION, top, rows[inputs]) for inputs, top in tops.items()]


def _halves(sheet: bytes) -> tuple[bytes, bytes]:
    """The upper and the lower row of a sheet, each with half of the gap between them."""
    pixels = (image.imread(BytesIO(sheet), format="png") * 255).round().astype(np.uint8)
    half = len(pixels) // 2
    return _png(pixels[:half]), _png(pixels[-half:])


def _png(pixels: Any) -> bytes:
    buffer = BytesIO()
    plain: Any = {"Software": None}
    image.imsave(buffer, np.ascontiguousarray(pixels), format="png", metadata=plain)
    return buffer.getvalue()
