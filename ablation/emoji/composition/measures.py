"""How near composites come to their truths, as numbers of a run: analogies, encoded, edited and decoded."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean

import torch
from torch import Tensor

from ablation.emoji.composition.evaluator import SIDES, CompositionEvaluator
from ablation.emoji.composition.gains import UNSEEN, Row, by_family, column, gain, portions
from ablation.emoji.composition.tasks import askings
from ablation.emoji.data.images import Images
from ablation.emoji.model import Autoencoder
from ablation.emoji.spec import RunSpec

FLOORS = ("b alone", "pixel arithmetic", "a random offset", "the mean of its kind", "the nearest known")
MEANS = ("hit", "hit of all", "attribute gained", "identity kept", "inside the change", "off the manifold")


@dataclass(frozen=True)
class Composition:
    """numbers: metrics of the run. rows: a record an analogy. strips: uint8 (m, 7, 3, 64, 64).

    A strip is a, b, c, the input's reconstruction, the composite, the truth's reconstruction and the truth.
    """

    numbers: dict[str, float] = field(default_factory=dict)
    rows: tuple[Row, ...] = ()
    strips: Tensor = field(
        default_factory=lambda: torch.empty(0, 7, 3, 64, 64, dtype=torch.uint8), repr=False
    )


def composition(model: Autoencoder, images: Images, spec: RunSpec) -> Composition:
    """Every analogy of the run composed by `spec.compose` and measured; empty where there is none."""
    asks = askings(images, spec.data, spec.seed)
    if not asks:
        return Composition()
    bench = CompositionEvaluator(model, images, asks, spec)
    rows = tuple(
        row for ask in asks for side in SIDES if side in ask.asked for row in bench.measured(ask, side)
    )
    numbers = _numbers(rows) | {name: v for ask in asks for name, v in bench.settings(ask).items()}
    return Composition(numbers, rows, torch.cat([bench.strips(ask) for ask in asks]))


def _numbers(rows: Sequence[Row]) -> dict[str, float]:
    """The metrics: gains by family and their mean, and the means over families of the other numbers."""
    unseen = by_family(rows, UNSEEN)
    numbers = {name: fmean(map(gain, parts.values())) for name, parts in portions(rows).items()}
    for floor in FLOORS:
        found = [gain(part, f"error of {floor}") for part in unseen.values()]
        numbers[f"gain_of_{floor}".replace(" ", "_")] = fmean(found)
    for name in MEANS:
        numbers[name.replace(" ", "_")] = fmean(fmean(column(part, name)) for part in unseen.values())
    return numbers | {
        f"truths_{name}": len({row["d"] for row in part}) * 1.0 for name, part in unseen.items()
    }
