"""Analogies a : b :: c : d of a family; nothing learned from their truth d: no network and no direction."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ablation.emoji.composition.families import Family
from ablation.emoji.data.images import Images

TRAIN, VALIDATION, TEST = range(3)  # in a deal
ROWS = 60  # of what stays, that a direction learns from: more cost encoding and hardly move it

Step = tuple[str, str]


@dataclass(frozen=True)
class Analogy:
    """Indices of images: a is to b as c is to d. giver and taker: what stays in a and b, and in c and d."""

    step: Step
    giver: str
    taker: str
    a: int
    b: int
    c: int
    d: int


@dataclass(frozen=True, eq=False)
class Deal:
    """Which set every image is dealt to, int8 (n,), and the indices that training takes in, int64 (m,)."""

    images: Images
    dealt: Tensor
    trained: Tensor

    @cached_property
    def _sides(self) -> list[int]:
        return [int(side) for side in self.dealt]

    @cached_property
    def _learnt(self) -> tuple[set[str], set[bytes]]:
        """The subjects and the pixels that training takes in."""
        indices = self.trained.unique().tolist()
        return {self.images.subject[i] for i in indices}, {self._pixels(i) for i in indices}

    def _pixels(self, index: int) -> bytes:
        return self.images.pixels[index].numpy().tobytes()

    def on(self, index: int, side: int) -> bool:
        """Whether the image is dealt to that set."""
        return self._sides[index] == side

    def unseen(self, index: int) -> bool:
        """Whether training takes in neither this picture nor another of its subject (a tone, a gender)."""
        subjects, pixels = self._learnt
        return self.images.subject[index] not in subjects and self._pixels(index) not in pixels

    def kin(self, one: int, other: int) -> bool:
        """Whether the two show one subject."""
        return self.images.subject[one] == self.images.subject[other]


def analogies(family: Family, deal: Deal, side: int, most: int, draws: torch.Generator) -> list[Analogy]:
    """At most `most` analogies a step whose truth is dealt to `side`; drawn by `draws`, in order.

    On validation and test a truth is unseen; on the training side ("seen") it is not. What is asked for is
    put on a training picture, or on one of the truth's own side; what gives the attribute are two training
    pictures, or, where the family is asked onto one kind alone, any two of another kind: they are no truths.
    """
    return [
        one
        for step in family.steps
        for one in _drawn([*_asked(family, step, deal, side, draws)], most, draws)
    ]


def _drawn(found: list[Analogy], most: int, draws: torch.Generator) -> list[Analogy]:
    return [found[place] for place in sorted(torch.randperm(len(found), generator=draws)[:most].tolist())]


def _asked(family: Family, step: Step, deal: Deal, side: int, draws: torch.Generator) -> Iterator[Analogy]:
    pairs, subject = family.pairs(step), deal.images.subject
    able = {
        giver: (subject[a], subject[b])
        for giver, (a, b) in pairs.items()
        if family.onto or (deal.on(a, TRAIN) and deal.on(b, TRAIN))
    }
    for taker, (c, d) in pairs.items():
        wanted = deal.on(d, side) and deal.unseen(d) != (side == TRAIN)
        if not wanted or family.onto not in ("", taker) or not (deal.on(c, TRAIN) or deal.on(c, side)):
            continue
        givers = [giver for giver, of in able.items() if giver != taker and subject[d] not in of]
        if givers:
            giver = givers[int(torch.randint(len(givers), (), generator=draws))]
            yield Analogy(step, giver, taker, *pairs[giver], c, d)


def known_rows(
    family: Family, deal: Deal, asked: Iterable[Analogy], draws: torch.Generator
) -> dict[tuple[str, str], int]:
    """The pictures that a direction may learn from: training ones, none of a subject that is asked for.

    Of what stays, at most ROWS are drawn.
    """
    truths = {deal.images.subject[one.d] for one in asked}
    free = {
        place: index
        for place, index in family.at.items()
        if deal.on(index, TRAIN) and deal.images.subject[index] not in truths
    }
    stays = list(dict.fromkeys(row for row, _ in free))
    kept = {stays[place] for place in torch.randperm(len(stays), generator=draws)[:ROWS].tolist()}
    return {place: index for place, index in free.items() if place[0] in kept}
