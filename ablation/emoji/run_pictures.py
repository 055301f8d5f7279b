"""The pictures that every run keeps: its learning curves, and five inputs beside their reconstructions."""

from pathlib import Path

import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ablation.emoji.composition.measures import Composition
from ablation.emoji.data.pictures import grid
from ablation.emoji.run import Result
from ablation.emoji.train import Epoch

PANEL_WIDTH = 4.0  # inches
LABELS = {"mse": "mean squared error", "cross_entropy": "cross-entropy, nats", "accuracy": "accuracy"}


def save_learning_curves(history: tuple[Epoch, ...], path: Path) -> None:
    """Train and validation curves over epochs, a panel a measure, as PNG.

    Every run draws one, so margins are given, not looked for, and it is drawn once: a third of the time.
    """
    panels = [name for name in LABELS if f"train_{name}" in history[0].metrics]
    figure = Figure(figsize=(PANEL_WIDTH * len(panels), 3.0), dpi=100)
    left, right = 0.8 / PANEL_WIDTH / len(panels), 1 - 0.1 / PANEL_WIDTH / len(panels)
    figure.subplots_adjust(left, bottom=0.16, right=right, top=0.97, wspace=0.29)
    epochs = [epoch.number for epoch in history]
    for axes, name in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        for side, style in (("train", "--"), ("validation", "-")):
            values = [epoch.metrics[f"{side}_{name}"] for epoch in history]
            axes.plot(epochs, values, style, label=side, color="tab:blue")
        axes.set(xlabel="epoch", ylabel=LABELS[name])
        axes.legend(frameon=False)
    FigureCanvasAgg(figure).print_png(path)


def save_composites(composition: Composition, path: Path) -> None:
    """A row an analogy, as PNG: a, b, c, c reconstructed, the composite, d reconstructed, d."""
    strips = composition.strips
    enlarged = strips.flatten(0, 1).repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    grid(enlarged, columns=strips.shape[1]).save(path)


def save_reconstructions(result: Result, path: Path) -> None:
    """The first five test images over their reconstructions, enlarged three times, as PNG."""
    both = torch.cat([result.examples, result.reconstructions])
    enlarged = both.repeat_interleave(3, dim=2).repeat_interleave(3, dim=3)
    grid(enlarged, columns=len(result.examples)).save(path)
