"""Pictures that two sets of a split share: equal pixel for pixel, or nearly so.

What is nearly the same picture is decided by two rules. Its difference hash (Krawetz 2013, "Kind of Like
That": 64 bits, whether each cell of a reduced picture is brighter than its neighbour) differs in at most
`HASH_BITS`; and no cell of 8 x 8 pixels differs in its mean colour by more than `COLOUR`. The hash alone
ignores colour and contrast: it takes hearts of two colours for one. Copies that were saved as JPEG, or
reduced and enlarged again, pass both rules; tests/emoji/test_duplicates.py holds them to it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import imagehash
import numpy as np
import numpy.typing as npt
import torch
from torch.nn.functional import avg_pool2d

from ablation.emoji.data.images import SIDE, Images, picture
from ablation.emoji.data.split import Splits
from ablation.emoji.measures import COLOUR, HASH_BITS
from ablation.texts import one_line

CELLS = 8  # in a row, of the hash and of the colours
LETTERS = 60  # of a text in a sentence
AT_ONCE = 1024  # pictures whose colours are compared together: bounds memory, not the result


class Pair(NamedTuple):
    """A picture and the one of another set that it looks like; bits: of their hashes that differ."""

    image: int
    like: int
    equal: bool
    bits: int


@dataclass(frozen=True, eq=False)
class Looks:
    """Of n images: equal (int64 (n,)) is one number for equal pictures; hashes uint64 (n,); colours
    uint8 (n, 192), the mean colour of each cell."""

    equal: npt.NDArray[np.int64]
    hashes: npt.NDArray[np.uint64]
    colours: npt.NDArray[np.uint8]


@lru_cache(maxsize=2)  # half a second for 3,655 pictures; every run of a process needs them
def looks(images: Images) -> Looks:
    """What of each image is compared."""
    numbers: dict[bytes, int] = {}
    equal = [numbers.setdefault(one, len(numbers)) for one in images.digests]
    bits = [imagehash.dhash(picture(one), CELLS).hash.ravel() for one in images.pixels]
    hashes = np.packbits(np.array(bits), axis=1).view(np.uint64).ravel()
    colours = torch.cat([avg_pool2d(part.float(), SIDE // CELLS) for part in images.pixels.split(AT_ONCE)])
    rounded = colours.round().to(torch.uint8).flatten(1).numpy()
    return Looks(np.array(equal, dtype=np.int64), hashes, rounded)


def look_alikes(images: Images, index: torch.Tensor, among: torch.Tensor) -> list[Pair]:
    """Those of the pictures `index` (int64) that look like one `among` others, each with the most alike.

    A picture that is itself among the others is left out: a split that parts copies from their original is
    declared, and says so itself.
    """
    look, others = looks(images), np.unique(among.numpy())
    first: dict[int, int] = {}
    for other, number in zip(others.tolist(), look.equal[others].tolist(), strict=True):
        first.setdefault(number, other)
    pairs = []
    for one in np.setdiff1d(index.numpy(), among.numpy()).tolist():
        if (same := first.get(int(look.equal[one]))) is not None:
            pairs.append(Pair(one, same, True, 0))
        elif (near := _nearest(look, one, others)) is not None:
            pairs.append(near)
    return pairs


def _nearest(look: Looks, one: int, others: npt.NDArray[np.int64]) -> Pair | None:
    bits = np.bitwise_count(look.hashes[others] ^ look.hashes[one])
    order = np.argsort(bits, kind="stable")
    order = order[: int((bits <= HASH_BITS).sum())]
    own = look.colours[one].astype(np.int16)
    for start in range(0, len(order), AT_ONCE):
        part = order[start : start + AT_ONCE]
        alike = np.abs(look.colours[others[part]] - own).max(1) <= COLOUR
        if alike.any():
            found = part[int(alike.argmax())]
            return Pair(one, int(others[found]), False, int(bits[found]))
    return None


@dataclass(frozen=True, eq=False)
class Duplicates:
    """What the sets of a run share. pairs[what]: as `look_alikes` gives them, in the order of the images.

    what: "test", "validation" and "common" are pictures of these sets that look like one that training sees;
    "test_validation" are test pictures that look like one of the validation set. images: of the whole source.
    classes: the class of each, -1 for none.
    """

    pairs: Mapping[str, Sequence[Pair]]
    images: Images
    classes: Sequence[int]

    @property
    def numbers(self) -> dict[str, float]:
        """Metrics of the run.

        duplicates_WHAT: how many pictures are equal pixel for pixel; near_duplicates_WHAT: how many others
        look alike; duplicates_of_another_class: how many test pictures equal one of another class.
        """
        counts: dict[str, float] = {}
        for what, pairs in self.pairs.items():
            equal = sum(pair.equal for pair in pairs)
            counts |= {
                f"duplicates_{what}": float(equal),
                f"near_duplicates_{what}": float(len(pairs) - equal),
            }
        apart = [one for one in self.pairs["test"] if one.equal and self._contradicts(one)]
        return counts | {"duplicates_of_another_class": float(len(apart))}

    @property
    def example(self) -> str:
        """The closest pair of a test and a training picture by their texts; "" where there is none."""
        closest = min(self.pairs["test"], key=lambda one: (one.bits, not one.equal, one.image), default=None)
        if closest is None:
            return ""
        one, like = (one_line(self.images.text[n], LETTERS) for n in (closest.image, closest.like))
        return f"{one!r} like {like!r}"

    @property
    def rows(self) -> list[dict[str, object]]:
        """A row a pair: set, text, like (the text of the other), equal, bits, another_class."""
        return [
            {
                "set": what,
                "text": self.images.text[one.image],
                "like": self.images.text[one.like],
                "equal": one.equal,
                "bits": one.bits,
                "another_class": self._contradicts(one),
            }
            for what, pairs in self.pairs.items()
            for one in pairs
        ]

    def _contradicts(self, pair: Pair) -> bool:
        return self.classes[pair.image] != self.classes[pair.like]


def all_duplicates(parts: Sequence[Duplicates]) -> Duplicates:
    """Those of several splits of the same images, one after another."""
    pairs = {what: [pair for one in parts for pair in one.pairs[what]] for what in parts[0].pairs}
    return Duplicates(pairs, parts[0].images, parts[0].classes)


def duplicates(images: Images, splits: Splits, common: torch.Tensor, classes: Sequence[int]) -> Duplicates:
    """What the sets share; common: the images (int64) of the common evaluation."""
    train, validation, test = (one.index for one in (splits.train, splits.validation, splits.test))
    compared = {
        "test": (test, train),
        "validation": (validation, train),
        "test_validation": (test, validation),
        "common": (common, train),
    }
    pairs = {what: look_alikes(images, *two) for what, two in compared.items()}
    return Duplicates(pairs, images, classes)
