"""Which images take part, and which set each belongs to: train, validation or test.

Every image of the source is assigned before any is selected. So arms that select different images or
classes still hold out the same ones.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import cycle
from math import gcd

import torch

from ablation.emoji.data.classes import check_classes, class_names, classify
from ablation.emoji.data.images import Images
from ablation.emoji.seeds import generator
from ablation.emoji.spec import SCHEME_SETTINGS, DataSpec
from ablation.errors import UserError
from ablation.formatting import listing

SETS = ("train", "validation", "test")
TRAIN, VALIDATION, TEST = range(3)
"""The numbers of the sets in a split assignment."""
SHOWN = 5  # subjects named in a sentence
CACHED = 64  # split assignments kept in memory: the arms of a study share theirs under each seed


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
    classes = classify(images, scheme)
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


@lru_cache(maxsize=CACHED)
def assign_sides(images: Images, spec: DataSpec, seed: int, fold: int = 0) -> torch.Tensor:
    """The split assignment: the set of every image, int8 (n,), TRAIN, VALIDATION or TEST.

    The units, subjects or images, are sorted by class (under `spec.stratify`), group and subgroup, and
    are in random order within these. Along that order the parts repeat in one shuffled pattern. So with
    3 : 1 : 1, of any five neighbours, a class of five included, exactly three, one and one go to the sets.

    With `spec.folds` the folds repeat instead, in one shuffled order: the network `fold` is tested on the
    fold of that number and validated on the next one, and learns from the others.
    """
    units: Sequence[Hashable] = images.subject if spec.split == "subject" else range(len(images))
    draws = generator(seed, "split")
    parts = [side for side, part in enumerate(spec.parts) for _ in range(part // gcd(*spec.parts))]
    if spec.folds:
        parts = [TRAIN] * spec.folds
        parts[fold], parts[(fold + 1) % spec.folds] = TEST, VALIDATION
    pattern = [parts[n] for n in torch.randperm(len(parts), generator=draws)]
    first: dict[Hashable, int] = {}
    classes: dict[Hashable, int] = {}
    labels = classify(images, spec.stratify)
    for number, (unit, label) in enumerate(zip(units, labels, strict=True)):
        first.setdefault(unit, number)
        if label >= 0:
            classes.setdefault(unit, label)
    chance = dict(zip(first, torch.randperm(len(first), generator=draws).tolist(), strict=True))
    last = len(class_names(spec.stratify, images))

    def place(unit: Hashable) -> tuple[int, str, str, int]:
        number = first[unit]
        return classes.get(unit, last), images.group[number], images.subgroup[number], chance[unit]

    sides = dict(zip(sorted(first, key=place), cycle(pattern), strict=False))
    assigned = torch.tensor([sides[unit] for unit in units], dtype=torch.int8)
    if spec.split == "subject":
        check_disjoint(images, {name: (assigned == side).nonzero() for side, name in enumerate(SETS)})
    return assigned


@lru_cache(maxsize=CACHED)
def split(images: Images, spec: DataSpec, copies: int, seed: int, held_out: int = 0, fold: int = 0) -> Splits:
    """The selected images in three sets, with augmented copies beside each original.

    "subject" and "image" split before they copy: each training image has `copies` copies, each held-out
    image has `held_out`. "copy" is the report's own protocol: it copies first, then splits originals and
    copies at random, so that copies of one image are in several sets. `spec.train_most` keeps at most that
    many training originals, drawn at random; a smaller number keeps a part of what a larger one keeps.
    `spec.train_vendors` and `spec.test_vendors` keep the drawings of these vendors; the subjects stay where
    they were. A set without an image, or without an image of some class, is a `UserError`, and so is a
    subject in two sets under "subject". Of several folds (`assign_sides`), a test or validation set may lack
    a class, if it has another: their networks are tested together.
    """
    for setting in SCHEME_SETTINGS:
        if scheme := getattr(spec, setting):
            check_classes(images, f"data.{setting}", scheme)
    chosen = select(images, spec)
    if spec.split == "copy":
        splits = _by_copy(chosen, spec, copies, seed)
    else:
        sides = assign_sides(images, spec, seed, fold)
        learned, tested = (images.drawn_by(ones) for ones in (spec.train_vendors, spec.test_vendors))
        kept = torch.where(sides == TEST, tested, learned)[chosen]
        splits = _by_original(chosen[kept], sides, spec.train_most, (copies, held_out), seed)
    if spec.split == "subject":
        check_disjoint(images, {name: getattr(splits, name).index for name in SETS})
    _check(splits, images, spec)
    return splits


def _by_original(
    chosen: torch.Tensor, sides: torch.Tensor, most: int, copies: tuple[int, int], seed: int
) -> Splits:
    train, validation, test = (chosen[sides[chosen] == side] for side in (TRAIN, VALIDATION, TEST))
    if most:
        drawn = torch.randperm(len(train), generator=generator(seed, "subset"))[:most]
        train = train[drawn.sort().values]
    return Splits(_items(train, copies[0]), _items(validation, copies[1]), _items(test, copies[1]))


def _by_copy(chosen: torch.Tensor, spec: DataSpec, copies: int, seed: int) -> Splits:
    for name, value in (
        ("train_most", spec.train_most),
        ("train_vendors", spec.train_vendors),
        ("test_vendors", spec.test_vendors),
    ):
        if value:
            raise UserError(
                f"data.{name} wants training originals that no other set has, but data.split is 'copy': take "
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


def check_disjoint(images: Images, sets: Mapping[str, torch.Tensor]) -> None:
    """Raise `UserError` where the images of a subject are in two of the sets (int64, any shape)."""
    owners: dict[str, set[str]] = {}
    for name, index in sets.items():
        for number in index.flatten().unique().tolist():
            owners.setdefault(images.subject[number], set()).add(name)
    if shared := [subject for subject, names in owners.items() if len(names) > 1]:
        shown = ", ".join(f"{one!r} in {listing(sorted(owners[one]))}" for one in shared[:SHOWN])
        more = f", and {len(shared) - SHOWN} more" if len(shared) > SHOWN else ""
        raise UserError(
            f"every subject wants to be in one set, but {len(shared)} of {len(owners)} are in more ({shown}"
            f"{more}): nothing is trained on such a split; set data.split to 'image' if that is meant."
        )


def _check(splits: Splits, images: Images, spec: DataSpec) -> None:
    labels = classify(images, spec.classes)
    sets = {name: [labels[i] for i in getattr(splits, name).index.unique().tolist()] for name in SETS}
    counts = {"an image": {name: len(one) for name, one in sets.items()}}
    names = class_names(spec.classes, images)
    if names and spec.folds:
        counts["an image with a class"] = {name: len(one) - one.count(-1) for name, one in sets.items()}
    for number, label in enumerate(names):
        counts[f"an image of class {label!r}"] = {name: one.count(number) for name, one in sets.items()}
    fewer = ", fewer data.folds" if spec.folds else ""
    for what, numbers in counts.items():
        # The networks of a run are tested together: each class needs to be learned by all.
        wanting = ("train",) if spec.folds and " of class " in what else SETS
        for name in (name for name in wanting if not numbers[name]):
            found = ", ".join(f"{count} in {other}" for other, count in numbers.items())
            who = "every set" if wanting == SETS else "training"
            raise UserError(
                f"{who} wants {what}, but {name} has none ({found}): take more images{fewer}, "
                "or another data.split ('image' lets images of one subject be in several sets)."
            )
