"""Composites from pixels alone, without a network: what a network's composites have to beat.

Each function under `@baseline` is one way, and the function's name is the method's name in the settings, as
with directions: to add one, add a function here. A baseline has the a, b and c of the same analogies and the
training pictures that directions learn from, and its strength can be chosen on validation as theirs can. It
is judged on the scale of the run's network, whose reconstructions of c and d are a gain of 0 and 1. So what
no network blurs can gain more than 1; `unedited` says how much of it comes from there, and with
`compose.redrawn` the network reconstructs the composite, which then can differ in the composing alone.

The settings read the names from here, in milliseconds: so functions import torch themselves.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class PictureBatch:
    """Pictures in [0, 1]: a, b and c of n analogies, each float32 (n, 3, 64, 64).

    known, (m, 3, 64, 64): the training pictures of their family that directions learn from, too, which are
    those of at most 60 contents (`analogies.CONTENTS`).
    """

    a: "Tensor"
    b: "Tensor"
    c: "Tensor"
    known: "Tensor"


Baseline = Callable[[PictureBatch, float], "Tensor"]
"""From pictures and a strength to the composites, (n, 3, 64, 64)."""

BASELINES: dict[str, Baseline] = {}
"""Every baseline by its name."""


def baseline(function: Baseline) -> Baseline:
    """Make a function a baseline of its own name."""
    BASELINES[function.__name__] = function
    return function


@baseline
def pixel_arithmetic(batch: PictureBatch, strength: float) -> "Tensor":
    """c + strength x (b - a) in pixels, clipped to what a pixel can be."""
    return (batch.c + strength * (batch.b - batch.a)).clamp(0, 1)


@baseline
def nearest_picture(batch: PictureBatch, strength: float) -> "Tensor":
    """The training picture that is nearest to the sum c + strength x (b - a), which need not be a picture.

    It recalls and composes nothing, but is given as much as a method that composes. At strength 0 it is the
    picture nearest to c, which is told nothing of the attribute.
    """
    import torch

    total = batch.c + strength * (batch.b - batch.a)
    found: Tensor = batch.known[torch.cdist(total.flatten(1), batch.known.flatten(1)).argmin(1)]
    return found


@baseline
def unedited(batch: PictureBatch, strength: float) -> "Tensor":
    """Control: c itself. Its gain is what a picture has because no network blurred it."""
    return batch.c
