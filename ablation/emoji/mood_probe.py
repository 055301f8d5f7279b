"""Happy or sad by a fitted probe: a judge of features that is the same for every arm, whatever it was taught.

The probe (`probe`) is fitted on the faces of Unicode's happy and sad subgroups whose subjects the split
calls train, and tells the moods of those it calls test apart: over the whole source, and not the run's own
selection. Beside the trained network's codes it is fitted on those of the same network before its training,
and on raw pixels: features that nobody trained are what a network has to beat.
"""

from collections.abc import Collection, Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from ablation.emoji.common_evaluation import CommonImages, finite_codes
from ablation.emoji.data.classes import class_names, classify
from ablation.emoji.data.images import Images
from ablation.emoji.evaluate import PerPicture, encode
from ablation.emoji.measures import MOOD_PROBE, OVER_PIXELS, PIXEL_PROBE, UNTRAINED_PROBE
from ablation.emoji.model import Autoencoder
from ablation.emoji.probe import probed

REDUCED = 4  # pixels a side that become one: 16 x 16 are left of 64 x 64


def untrained_codes(
    model: Autoencoder, images: Images, found: CommonImages, asked: Collection[str]
) -> Tensor | None:
    """Codes of the faces, those to learn from first, by a network before its training; None if not asked."""
    return encode(model, images.pixels[found.faces]) if UNTRAINED_PROBE in asked else None


def measure_moods(
    model: Autoencoder, images: Images, found: CommonImages, asked: Collection[str], untrained: Tensor | None
) -> dict[str, PerPicture]:
    """Whether the probe is right about each held-out face, by those of the measures that are `asked`.

    `untrained` is as `untrained_codes` gives it. OVER_PIXELS is 1 where only the trained codes are right, and
    -1 where only the pixels are.
    """
    pixels, features = images.pixels[found.faces], dict[str, Tensor]()
    if not len(found.faces_test):
        return {}
    if {MOOD_PROBE, OVER_PIXELS} & {*asked}:
        features[MOOD_PROBE] = finite_codes(model, pixels)
    if {PIXEL_PROBE, OVER_PIXELS} & {*asked}:
        features[PIXEL_PROBE] = F.avg_pool2d(pixels / 255, REDUCED).flatten(1)
    if untrained is not None:
        features[UNTRAINED_PROBE] = untrained
    right = _right(images, found, features)
    if OVER_PIXELS in asked:
        one, other = right[MOOD_PROBE], right[PIXEL_PROBE]
        right[OVER_PIXELS] = PerPicture(one.index, one.values - other.values, one.classes)
    return {name: one for name, one in right.items() if name in asked}


def _right(images: Images, found: CommonImages, features: Mapping[str, Tensor]) -> dict[str, PerPicture]:
    names, numbers = class_names("mood"), torch.tensor(classify(images, "mood"))
    taught, truth = [names[n] for n in numbers[found.faces_train].tolist()], numbers[found.faces_test]
    right = {}
    for name, each in features.items():
        said = probed(each[: len(taught)], taught, each[len(taught) :])
        guess = torch.tensor([names.index(one) for one in said])
        right[name] = PerPicture(found.faces_test, (guess == truth).double(), truth)
    return right
