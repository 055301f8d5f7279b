"""A row of pictures with captions, and what the network makes of each under it, as PNG."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ablation.files import replace

INCHES = 1.25  # a picture
LETTERS = 20  # a line of a caption


@dataclass(frozen=True)
class Frame:
    """picture: uint8 (3, 64, 64); again: its reconstruction, where there is one to show."""

    caption: str
    picture: Any
    again: Any = None


def write_strip(frames: list[Frame], to: Path) -> Path:
    """Draw the frames from left to right into the PNG file `to`, whole or not at all; the path."""
    figure = Figure(figsize=(INCHES * len(frames), 2 * INCHES + 1.1), layout="constrained")
    FigureCanvasAgg(figure)
    for column, frame in zip(figure.subplots(2, len(frames), squeeze=False).T, frames, strict=True):
        for axes, picture in zip(column, (frame.picture, frame.again), strict=True):
            axes.set_axis_off()
            if picture is not None:
                axes.imshow(picture.transpose(1, 2, 0), interpolation="nearest")
        column[0].set_title(_wrapped(frame.caption), fontsize=7).set_parse_math(False)
        if frame.again is not None:
            column[1].set_title("reconstructed", fontsize=6, color="0.4")
    replace(to, lambda path: _save(figure, path))
    return to


def _wrapped(caption: str) -> str:
    return "\n".join(fill(line, LETTERS) for line in caption.split("\n"))


def _save(figure: Figure, path: Path) -> None:
    plain: Any = {"Software": None}
    with warnings.catch_warnings():
        # A text may hold characters that the font lacks; they are drawn as boxes.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(path, dpi=150, format="png", metadata=plain)
