"""How well a network draws hearts, tears and tongues on faces it never saw: what a composite should show.

The mean squared error of a whole picture hardly sees them, since they are a few of its pixels. So this one is
taken over the pixels alone in which the face differs from the plain face of the same vendor.
"""

import re
from collections.abc import Collection

import torch
from torch import Tensor

from ablation.emoji.composition.scores import changes, errors
from ablation.emoji.data.images import Images
from ablation.emoji.evaluate import PerPicture, decode, encode
from ablation.emoji.measures import ATTRIBUTE_MSE
from ablation.emoji.model import Autoencoder

PLAIN = {"cat-face": "smiling cat face with open mouth"}
"""The face without any of them, by Unicode's subgroup of cats; every other subgroup has `PLAIN_HUMAN`."""
PLAIN_HUMAN = "smiling face with open mouth"
_WORN = re.compile(r"heart-shaped|hearts|throwing a kiss|\btears?\b|crying|tongue|savouring")


def worn_pairs(images: Images, held_out: Tensor) -> Tensor:
    """The faces of `held_out`, bool (n,), with hearts, tears or a tongue, and the plain face of each.

    Indices of images, int64 (m, 2). A face whose vendor drew no plain one is left out.
    """
    plain = {
        (images.vendor[index], text): index
        for index, text in reversed([*enumerate(images.text)])
        if text in (PLAIN_HUMAN, *PLAIN.values())
    }
    pairs = []
    for index in held_out.nonzero().flatten().tolist():
        kind = images.subgroup[index]
        if kind.startswith(("face-", "cat-face")) and _WORN.search(images.text[index]):
            other = plain.get((images.vendor[index], PLAIN.get(kind, PLAIN_HUMAN)))
            pairs += [] if other is None else [(index, other)]
    return torch.tensor(pairs, dtype=torch.int64).view(-1, 2)


def measure_worn(
    model: Autoencoder, images: Images, pairs: Tensor, asked: Collection[str]
) -> dict[str, PerPicture]:
    """The error of every face of `pairs` (`worn_pairs`) where it differs from the plain one, if `asked`."""
    if ATTRIBUTE_MSE not in asked or not len(pairs):
        return {}
    worn, plain = (images.pixels[index] / 255 for index in pairs.T)
    drawn = decode(model, encode(model, images.pixels[pairs[:, 0]]))
    return {ATTRIBUTE_MSE: PerPicture(pairs[:, 0], errors(drawn, worn, changes(plain, worn)).double())}
