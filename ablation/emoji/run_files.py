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
from PIL import Image

from ablation.emoji.composition.evaluator import Composition
from ablation.emoji.composition.scores import gains_by_measure
from ablation.emoji.data.images import GAP, SIDE, grid
from ablation.emoji.measures import CURVES
from ablation.emoji.result import Result
from ablation.emoji.train import Epoch

if TYPE_CHECKING:
    from ablation.report.gallery import Gallery

SHEET = "reconstructions.png"
DUPLICATES = "duplicates.csv"
CAPTION = "Pictures that training never saw; a rule chose them."
ANALOGIES = (
    "Analogies whose answers training never saw; a rule chose them. The inputs are, from above, the target, "
    "the picture to add, the picture to take away, and the answer; below are the composites."
)
TIMES = 3  # how much a sheet enlarges a picture
ROW = TIMES * SIDE + GAP
RECONSTRUCTIONS, COMPOSITES = "Reconstructions", "Composites"
"""What the arms' pictures of a gallery are."""
PANEL_WIDTH = 4.0  # inches


def write_files(result: Result, folder: Path) -> list[Path]:
    """Write the run's files; the paths.

    Learning curves; the sheet (`sheet_of`); the pictures that two sets share, if any (`Duplicates.rows`);
    and, where the run composed, the record of every analogy, with strips of some: a, b, c, c reconstructed,
    the composite, d reconstructed, d.
    """
    written = [folder / "learning_curves.png", folder / SHEET]
    save_learning_curves(result.history, written[0])
    sheet_of(result).save(written[1])
    if result.composition.rows:
        written += [folder / "composites.png", folder / "composition.csv"]
        strips = result.composition.strips
        grid(strips.flatten(0, 1), columns=strips.shape[1], times=2).save(written[2])
        pd.DataFrame(result.composition.rows).to_csv(written[3], index=False)
    if rows := result.duplicates.rows:
        written.append(folder / DUPLICATES)
        pd.DataFrame(rows).to_csv(written[-1], index=False)
    return written


def sheet_of(result: Result) -> Image.Image:
    """The examples over their reconstructions; below them, where the run composed, c, b, a, d and composite.

    Each column of the lower part is an analogy, of those that have strips.
    """
    both = torch.cat([result.examples, result.reconstructions])
    upper = grid(both, columns=len(result.examples), times=TIMES)
    if not len(strips := result.composition.strips):
        return upper
    a, b, c, _, made, _, d = strips.unbind(1)
    lower = grid(torch.cat([c, b, a, d, made]), columns=len(strips), times=TIMES)
    sheet = Image.new("RGB", (max(upper.width, lower.width), upper.height + GAP + lower.height), "white")
    sheet.paste(upper)
    sheet.paste(lower, (0, upper.height + GAP))
    return sheet


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
        # Not matplotlib's "best" place, which it warns of where a busy machine takes a second to find it.
        axes.legend(frameon=False, loc="lower right" if name == "accuracy" else "upper right")
    FigureCanvasAgg(figure).print_png(path)


def gallery(sheets: Mapping[str, bytes]) -> "list[Gallery]":
    """Inputs over what each arm makes of them, of sheets by `write_files`; equal inputs once."""
    from ablation.report.gallery import Gallery, Png

    tops: dict[tuple[str, bytes], Png] = {}
    rows: dict[tuple[str, bytes], dict[str, Png]] = {}
    for number, (arm, sheet) in enumerate(sheets.items(), 1):
        for what, (inputs, outputs) in _parts(sheet).items():
            tops.setdefault((what, inputs), Png(f"inputs-{len(tops) + 1}.png", "Inputs", inputs))
            made = Png(f"{what.casefold()}-{number}.png", f"{what} by {arm}", outputs)
            rows.setdefault((what, inputs), {})[arm] = made
    captions = {RECONSTRUCTIONS: CAPTION, COMPOSITES: ANALOGIES}
    return [Gallery(captions[key[0]], top, rows[key]) for key, top in tops.items()]


def _parts(sheet: bytes) -> dict[str, tuple[bytes, bytes]]:
    """Inputs and outputs of a sheet, by what the outputs are."""
    pixels = (image.imread(BytesIO(sheet), format="png") * 255).round().astype(np.uint8)
    if len(pixels) <= 2 * ROW:
        return {RECONSTRUCTIONS: _halves(pixels)}
    upper, lower = (_without_margin(part) for part in (pixels[: 2 * ROW - GAP], pixels[2 * ROW :]))
    return {
        RECONSTRUCTIONS: _halves(upper),
        COMPOSITES: (_png(lower[: 4 * ROW - GAP]), _png(lower[4 * ROW :])),
    }


def _without_margin(pixels: Any) -> Any:
    """Without the columns of pictures on the right in which all is white."""
    inked = np.flatnonzero((pixels[..., :3] < 255).any(axis=(0, 2)))
    columns = int(inked.max(initial=0)) // ROW + 1
    return pixels[:, : columns * ROW - GAP]


def _halves(pixels: Any) -> tuple[bytes, bytes]:
    """The upper and the lower row, each with half of the gap between them."""
    half = len(pixels) // 2
    return _png(pixels[:half]), _png(pixels[-half:])


def _png(pixels: Any) -> bytes:
    buffer = BytesIO()
    plain: Any = {"Software": None}
    image.imsave(buffer, np.ascontiguousarray(pixels), format="png", metadata=plain)
    return buffer.getvalue()
