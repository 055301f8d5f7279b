"""Which images take part, and which of the three sets each is dealt to.

The deal is of the whole source, before any image is chosen: arms that choose different images or
classes still agree on who is held out.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import cycle
from math import gcd

import torch

from ablation.emoji.data.images import Images
from ablation.emoji.data.labels import class_names, classify
from ablation.emoji.spec import DataSpec
from ablation.errors import UserError
from ablation.seeds import generator

SETS = ("train", "validation", "test")
DEALS = 64  # kept: arms that share data share them under a seed, and so does everything that is measured


@dataclass(frozen=True, eq=False)
class Items:
    """Members of a set: item i is copy `copy[i]` (0 the original) of image `index[i]`; both int64 (m,)."""

    index: torch.Tensor
    copy: torch.Tensor

    def __len__(self) -> int:
        return len(self.index)


@dataclass(frozen=True, eq=False)
class Splits:
    """The three sets, each in the order of the images and then of their copies."""

    train: Items
    validation: Items
    test: Items


def select(images: Images, spec: DataSpec) -> torch.Tensor:
    """The images, int64 (m,) in order, whose text has the keyword and, if there are classes, a class.

    The classes are those of `spec.among`, or of `spec.classes` without it. Upper and lower case are
    alike. That none is left is a `UserError`.
    """
    scheme, keyword = spec.among or spec.classes, spec.keyword.casefold()
    classes = classify(images.text, images.subgroup, scheme)
    chosen = [
        number
        for number, text in enumerate(images.text)
        if keyword in text.casefold() and (scheme == "none" or classes[number] >= 0)
    ]
    if not chosen:
        raise UserError(
            f"data.keyword {spec.keyword!r} and {'data.among' if spec.among else 'data.classes'} {scheme!r} "
            f"must leave some image, but leave none of {len(images)}: choose another keyword or scheme."
        )
    return torch.tensor(chosen)


@lru_cache(maxsize=DEALS)
def deal(images: Images, spec: DataSpec, seed: int) -> torch.Tensor:
    """The set of every image, int8 (n,): 0 train, 1 validation, 2 test.

    What is dealt, subjects or images, is put in order of class (under `spec.stratify`), group and
    subgroup, at random within. Along that order the parts repeat in one shuffled pattern, so that with
    3 : 1 : 1 any five neighbours, a class of five included, are dealt exactly three, one and one.
    """
    units: Sequence[Hashable] = images.subject if spec.split == "subject" else range(len(images))
    draws = generator(seed, "split")
    pattern = _shuffled(_pattern(spec.parts), draws)
    order = _order(units, images, spec, draws)
    dealt = dict(zip(order, cycle(pattern), strict=False))
    return torch.tensor([dealt[unit] for unit in units], dtype=torch.int8)


@lru_cache(maxsize=DEALS)
def split(images: Images, spec: DataSpec, copies: int, seed: int, held_out: int = 0) -> Splits:
    """The chosen images in three sets, with `copies` augmented copies of each beside the original.

    "subject" and "image" deal first: only the training set has copies, and what is held out has `held_out`
    of each. "copy" is the report's own
    protocol: originals and copies alike are dealt at random, so that copies of one image land in
    several sets. `spec.train_most` keeps so many training originals, drawn at random: fewer are always
    among more. A set without an image, or without one of the classes, is a `UserError`.
    """
    chosen = select(images, spec)
    if spec.split == "copy":
        splits = _by_copy(chosen, spec, copies, seed)
    else:
        splits = _by_deal(chosen, deal(images, spec, seed), spec.train_most, (copies, held_out), seed)
    _check(splits, images, spec)
    return splits


def _pattern(parts: tuple[int, ...]) -> list[int]:
    unit = gcd(*parts)
    return [number for number, part in enumerate(parts) for _ in range(part // unit)]


def _shuffled(items: list[int], draws: torch.Generator) -> list[int]:
    return [items[place] for place in torch.randperm(len(items), generator=draws)]


def _order(
    units: Sequence[Hashable], images: Images, spec: DataSpec, draws: torch.Generator
) -> list[Hashable]:
    first: dict[Hashable, int] = {}
    classes: dict[Hashable, int] = {}
    labels = classify(images.text, images.subgroup, spec.stratify)
    for number, (unit, label) in enumerate(zip(units, labels, strict=True)):
        first.setdefault(unit, number)
        if label >= 0:
            classes.setdefault(unit, label)
    chance = dict(zip(first, torch.randperm(len(first), generator=draws).tolist(), strict=True))
    last = len(class_names(spec.stratify))

    def place(unit: Hashable) -> tuple[int, str, str, int]:
        number = first[unit]
        return classes.get(unit, last), images.group[number], images.subgroup[number], chance[unit]

    return sorted(first, key=place)


def _by_deal(
    chosen: torch.Tensor, dealt: torch.Tensor, most: int, copies: tuple[int, int], seed: int
) -> Splits:
    train, validation, test = (chosen[dealt[chosen] == number] for number in range(3))
    if most:
        drawn = torch.randperm(len(train), generator=generator(seed, "subset"))[:most]
        train = train[drawn.sort().values]
    return Splits(_items(train, copies[0]), _items(validation, copies[1]), _items(test, copies[1]))


def _by_copy(chosen: torch.Tensor, spec: DataSpec, copies: int, seed: int) -> Splits:
    if spec.train_most:
        raise UserError(
            "data.train_most wants training originals that no other set has, but data.split is 'copy': take "
            "another split."
        )
    everything = _items(chosen, copies)
    count, whole = len(everything), sum(spec.parts)
    train, validation = (count * part // whole for part in spec.parts[:2])
    places = torch.randperm(count, generator=generator(seed, "split"))
    sets = (piece.sort().values for piece in places.split([train, validation, count - train - validation]))
    return Splits(*(Items(everything.index[piece], everything.copy[piece]) for piece in sets))


def _items(index: torch.Tensor, copies: int) -> Items:
    every = torch.arange(copies + 1)
    return Items(index.repeat_interleave(copies + 1), every.repeat(len(index)))


def _check(splits: Splits, images: Images, spec: DataSpec) -> None:
    sets = {name: getattr(splits, name).index.unique().tolist() for name in SETS}
    labels = classify(images.text, images.subgroup, spec.classes)
    _present("an image", {name: len(index) for name, index in sets.items()})
    for number, label in enumerate(class_names(spec.classes)):
        counts = {name: sum(labels[i] == number for i in index) for name, index in sets.items()}
        _present(f"an image of class {label!r}", counts)


def _present(what: str, counts: dict[str, int]) -> None:
    for name in (name for name, count in counts.items() if not count):
        found = ", ".join(f"{count} in {other}" for other, count in counts.items())
        raise UserError(
            f"every set wants {what}, but {name} has none ({found}): take more images, or another data.split "
            "('image' deals images that share a subject apart)."
        )
