"""Attributes that texts name, each with a dimension of its own at the start of a code.

With `train.attribute_weight` the first dimensions of a code are taught to be 1 where an image has the
attribute of that place and -1 where it has not; the others are free.
"""

import re
from functools import cache

import torch
from torch import Tensor

from ablation.emoji.composition.directions import NAMED_DIMS
from ablation.emoji.data.images import Images

_TONES = tuple(f"{tone} skin tone" for tone in ("light", "medium-light", "medium", "medium-dark", "dark"))
_WORDS = {
    "cat": r"\bcat\b",
    "hearts": r"heart-shaped|hearts|throwing a kiss",
    "tears": r"\btears?\b|crying",
    "tongue": r"tongue|savouring",
    "glasses": r"glasses|nerd|monocle",
    **{tone: rf"[:,] {tone}" for tone in _TONES},
    "woman": r"\bwoman\b",
}
ATTRIBUTES = tuple(_WORDS)
"""The attributes, in the order of their dimensions."""
MOST_WEIGHT = 10.0
"""How much more than the average image one with a rare value may count: some attributes have ten images."""
assert len(ATTRIBUTES) == NAMED_DIMS


@cache
def attributes(images: Images) -> Tensor:
    """1 where the text names the attribute, else -1, float32 (n, attributes).

    The last is 1 for a woman, -1 for a man and 0 for neither or both.
    """
    texts = [text.casefold() for text in images.text]
    found = torch.tensor(
        [[1.0 if re.search(one, text) else -1.0 for one in _WORDS.values()] for text in texts]
    )
    man = torch.tensor([1.0 if re.search(r"\bman\b", text) else -1.0 for text in texts])
    found[:, -1] = (found[:, -1] - man) / 2
    return found


def weights(values: Tensor) -> Tensor:
    """How much each value counts, of the shape of `values`, (n, attributes): rare ones more.

    n images with m of that value, of k values, count n / (k m), at most MOST_WEIGHT.
    """
    columns = []
    for column in values.T:
        _, place, count = column.unique(return_inverse=True, return_counts=True)
        columns.append((len(column) / (len(count) * count[place])).clamp(max=MOST_WEIGHT))
    return torch.stack(columns, dim=1)
