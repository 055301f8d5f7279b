"""Inputs over what each arm makes of them, cut from the pictures that the runs keep."""

from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from matplotlib import image

from ablation.report.embed import Picture


@dataclass(frozen=True)
class Rows:
    """The inputs that some arms share, and the reconstructions of each of these arms, by its name."""

    inputs: Picture
    arms: dict[str, Picture]


def reconstructions(anchor: str, sheets: Mapping[str, bytes]) -> tuple[Rows, ...]:
    """The arms' sheets, two rows of pictures each, with equal inputs shown once."""
    found: dict[bytes, Rows] = {}
    for number, (arm, sheet) in enumerate(sheets.items(), 1):
        inputs, outputs = _halves(sheet)
        top = Picture(f"{anchor}-inputs-{len(found) + 1}.png", "Inputs", inputs)
        alt = f"Reconstructions by {arm}"
        bottom = Picture(f"{anchor}-reconstructions-{number}.png", alt, outputs)
        found.setdefault(inputs, Rows(top, {})).arms[arm] = bottom
    return tuple(found.values())


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
