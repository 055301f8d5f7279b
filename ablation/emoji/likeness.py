"""How like real pictures the network's reconstructions of test pictures look, beside their squared error.

All of it is taken on demand, with the refiner where a run has one. Nothing here learns from a run.
"""

from collections.abc import Collection
from functools import cache

import torch
from torch import Tensor, nn

from ablation.emoji.evaluate import BATCH, PerPicture, reconstruct
from ablation.emoji.measures import KERNEL_DISTANCE, NEARER_TO_TRAINING, RECOGNISED, SHARPNESS
from ablation.emoji.model import Autoencoder, seeded

MAPS = (32, 64, 128)
"""Maps of each of the three layers of random convolutions whose means are the features of a picture."""
FAINT = 0.5
"""The largest threshold of the first layer's filters, which have length 1: so grain and edges differ."""


def measure_likeness(
    model: Autoencoder, real: Tensor, index: Tensor, trained: Tensor, asked: Collection[str]
) -> tuple[dict[str, PerPicture], dict[str, float]]:
    """Those of the measures that are `asked`: of single pictures, and of all of them together.

    real: the test pictures, uint8 (n, 3, 64, 64), whose images are `index`. trained: the training originals,
    uint8 (m, 3, 64, 64). Sharpness leaves out pictures of one colour. RECOGNISED is whether no other test
    picture is nearer to a reconstruction than its own is, NEARER_TO_TRAINING whether a training picture is.
    """
    pictures: dict[str, PerPicture] = {}
    if not {SHARPNESS, RECOGNISED, NEARER_TO_TRAINING, KERNEL_DISTANCE} & {*asked}:
        return pictures, {}
    drawn = reconstruct(model, real)
    if SHARPNESS in asked:
        edges = edge_energy(real / 255)
        some = edges > 0
        if some.any():
            pictures[SHARPNESS] = PerPicture(index[some], edge_energy(drawn / 255)[some] / edges[some])
    if {RECOGNISED, NEARER_TO_TRAINING} & {*asked}:
        among = squared_distances(drawn, real)
        own = among.diagonal()
        if RECOGNISED in asked:
            pictures[RECOGNISED] = PerPicture(index, (own <= among.amin(1)).double())
        if NEARER_TO_TRAINING in asked:
            nearest = squared_distances(drawn, trained).amin(1)
            pictures[NEARER_TO_TRAINING] = PerPicture(index, (nearest < own).double())
    whole = {}
    if KERNEL_DISTANCE in asked and len(real) > 1:
        whole[KERNEL_DISTANCE] = kernel_distance(*scaled(features(drawn), features(real)))
    return pictures, whole


def edge_energy(pictures: Tensor) -> Tensor:
    """Mean squared difference of neighbouring pixels, float64 (n,), of pictures (n, 3, 64, 64) in [0, 1].

    Squares, because the plain sum of differences over an edge is the same however blurred the edge is.
    """
    given = pictures.double()
    steps = given.diff(dim=2), given.diff(dim=3)
    return torch.stack([one.square().mean((1, 2, 3)) for one in steps]).mean(0)


def squared_distances(one: Tensor, other: Tensor) -> Tensor:
    """Between pictures (n, 3, 64, 64) and (m, 3, 64, 64), both uint8: exact, float64 (n, m), in bytes."""
    left, right = (given.flatten(1).double() for given in (one, other))
    return left.square().sum(1)[:, None] + right.square().sum(1) - 2 * (left @ right.T)


def kernel_distance(one: Tensor, other: Tensor) -> float:
    """Squared maximum mean discrepancy of features (n, k) and (m, k), unbiased: so below 0 by chance, too.

    With the polynomial kernel (x . y / k + 1)^3 of the kernel inception distance (Binkowski et al. 2018).
    """

    def kernel(left: Tensor, right: Tensor) -> Tensor:
        return (left @ right.T / left.shape[1] + 1) ** 3

    def within(given: Tensor) -> Tensor:
        found, count = kernel(given, given), len(given)
        return (found.sum() - found.trace()) / (count * (count - 1))

    return float(within(one) + within(other) - 2 * kernel(one, other).mean())


def scaled(one: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
    """Both sets of features, moved and scaled alike: those of real pictures have mean 0, and on average
    variance 1.

    By one factor for all: some features hardly vary among real pictures, and would count most by their own.
    """
    mean, deviation = real.mean(0), real.var(0).mean().sqrt().clamp(min=1e-9)
    return (one - mean) / deviation, (real - mean) / deviation


def features(pictures: Tensor) -> Tensor:
    """What random convolutions see of pictures, uint8 (n, 3, 64, 64): float64 (n, sum of MAPS).

    Nobody trained them, and they are the same in every run (Naeem et al. 2020 compare such features with
    those of ImageNet). Filters of the first layer see differences alone, each above a threshold of its own:
    they tell faint and strong edges and strokes, hardly colours, and nothing of what a picture shows.
    """
    found = []
    with torch.inference_mode():
        for part in pictures.split(BATCH):
            maps, means = part / 255, []
            for layer in _convolutions():
                maps = layer(maps)
                means.append(maps.mean((2, 3)))
            found.append(torch.cat(means, dim=1))
    return torch.cat(found).double()


@cache
def _convolutions() -> nn.ModuleList:
    def make() -> nn.ModuleList:
        first, *others = zip((3, *MAPS), MAPS, strict=False)
        edges = nn.Conv2d(*first, 3, stride=2)  # without a margin, whose black would be an edge
        with torch.no_grad():
            edges.weight -= edges.weight.mean((2, 3), keepdim=True)
            edges.weight /= edges.weight.square().sum((1, 2, 3), keepdim=True).sqrt()
            edges.bias = nn.Parameter(-FAINT * torch.linspace(0, 1, MAPS[0]))
        more = [nn.Conv2d(*shape, 3, stride=2, padding=1, bias=False) for shape in others]
        return nn.ModuleList(nn.Sequential(layer, nn.ReLU()) for layer in (edges, *more))

    return seeded(0, "random features", make).requires_grad_(False)
