"""The analogies a : b :: c : d that a run is measured on, and the pictures that directions learn from.

Nothing learns from the truth d of an analogy: no network, and no direction.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

import torch
from torch import Tensor

from ablation.emoji.composition.families import VENDOR, Family, Key, Step, families
from ablation.emoji.data.images import Images
from ablation.emoji.data.split import CACHED, TEST, TRAIN, VALIDATION, assign_sides, split
from ablation.emoji.seeds import generator
from ablation.emoji.spec import DataSpec

MOST = {TEST: 24, VALIDATION: 12, TRAIN: 2}  # analogies of each step
MOST_BY_VENDOR = {TEST: 10, VALIDATION: 5, TRAIN: 1}  # of four vendors' twelve steps: as many as tones have
CONTENTS = 60  # that a direction learns from: more cost time to encode and hardly change the direction
LEAST_TRUTHS = 20  # unseen ones a run that a family wants to judge methods


@dataclass(frozen=True)
class Analogy:
    """Indices of images: a is to b as c is to d, the truth.

    source: the content of a and b; target: that of c and d.
    """

    step: Step
    source: str
    target: str
    a: int
    b: int
    c: int
    d: int

    @property
    def corners(self) -> tuple[int, int, int, int]:
        """The four indices, in order."""
        return self.a, self.b, self.c, self.d


def corners(analogies: Iterable[Analogy]) -> list[tuple[int, ...]]:
    """All a, all b, all c and all d of the analogies."""
    return list(zip(*(one.corners for one in analogies), strict=True))


@dataclass(frozen=True, eq=False)
class Assignment:
    """Which images a run learns from.

    sides: the set of every image, int8 (n,), of `assign_sides`. trained: the images of the training set,
    int64 (m,). train_vendors, test_vendors: those of `DataSpec`.
    """

    images: Images
    sides: Tensor
    trained: Tensor
    train_vendors: tuple[str, ...] = ()
    test_vendors: tuple[str, ...] = ()

    @cached_property
    def _sides(self) -> list[int]:
        return [int(side) for side in self.sides]

    @cached_property
    def _learned(self) -> tuple[set[str], set[bytes]]:
        """The subjects and the looks of the training set."""
        indices = self.trained.unique().tolist()
        return {self.images.subject[i] for i in indices}, {self.images.digests[i] for i in indices}

    def on(self, index: int, side: int) -> bool:
        """Whether the image is assigned to that set."""
        return self._sides[index] == side

    @cached_property
    def _drawn(self) -> tuple[list[bool], list[bool]]:
        """Whether each image is drawn by a vendor that is trained and validated on, and by one tested on."""
        train, test = (self.images.drawn_by(ones) for ones in (self.train_vendors, self.test_vendors))
        return train.tolist(), test.tolist()

    def takes(self, index: int, side: int) -> bool:
        """Whether the image is on that side, and of a vendor whose drawings that set takes."""
        return self.on(index, side) and self._drawn[side == TEST][index]

    def unseen(self, index: int) -> bool:
        """Whether training has neither this picture nor another of its subject (a skin tone, a gender)."""
        subjects, looks = self._learned
        return self.images.subject[index] not in subjects and self.images.digests[index] not in looks

    def same_subject(self, one: int, other: int) -> bool:
        """Whether the two images show one subject."""
        return self.images.subject[one] == self.images.subject[other]


@dataclass(frozen=True, eq=False)
class AnalogyTask:
    """The analogies of a family, by the side of their truths, where there are some.

    training: the pictures that directions learn from, by the same side. large: whether the family judges
    methods, as `judges` says.
    """

    family: Family
    analogies: dict[int, list[Analogy]]
    training: dict[int, dict[Key, int]]
    large: bool

    @property
    def images(self) -> set[int]:
        """The indices of all pictures that take part."""
        drawn = {index for ones in self.analogies.values() for one in ones for index in one.corners}
        return drawn | {i for pictures in self.training.values() for i in pictures.values()}


def assignment_of(images: Images, data: DataSpec, seed: int, copies: int = 0) -> Assignment:
    """Which images a run of these data, with so many copies of each, learns from under the seed."""
    sides, trained = assign_sides(images, data, seed), split(images, data, copies, seed).train.index
    return Assignment(images, sides, trained, data.train_vendors, data.test_vendors)


@lru_cache(maxsize=CACHED)
def analogy_tasks(images: Images, data: DataSpec, seed: int) -> tuple[AnalogyTask, ...]:
    """A task for each family, the same for every model that learns from these data under this seed.

    There is no task after a split by copies, nor where some family has no unseen truth in the test or the
    validation set.
    """
    found = families(images)
    if not found or data.split == "copy":
        return ()
    assignment = assignment_of(images, data, seed)
    tasks = tuple(_task(family, assignment, seed, judges(family, images, data)) for family in found)
    return tasks if all({TEST, VALIDATION} <= task.analogies.keys() for task in tasks) else ()


def judges(family: Family, images: Images, data: DataSpec) -> bool:
    """Whether the family has so many truths that about LEAST_TRUTHS of them are tested in a run.

    Seeds and arms do not enter, so that a mean over such families means the same in all of them. Drawings of
    one emoji by several vendors count once: they are on one side, and no further subjects.
    """
    truths = {images.text[index] for index in family.truths}
    return len(truths) * data.parts[TEST] >= LEAST_TRUTHS * sum(data.parts)


def _task(family: Family, assignment: Assignment, seed: int, large: bool) -> AnalogyTask:
    draws = generator(seed, "analogies", family.name)
    limits = MOST_BY_VENDOR if family.name == VENDOR else MOST
    drawn = {side: draw_analogies(family, assignment, side, most, draws) for side, most in limits.items()}
    unseen = training_pictures(family, assignment, (), draws)
    seen = training_pictures(family, assignment, drawn[TRAIN], draws)
    training = {TEST: unseen, VALIDATION: unseen, TRAIN: seen}
    found = {side: ones for side, ones in drawn.items() if ones and training[side]}
    return AnalogyTask(family, found, training, large)


def draw_analogies(
    family: Family, assignment: Assignment, side: int, most: int, draws: torch.Generator
) -> list[Analogy]:
    """At most `most` analogies of each step whose truth is on `side`, drawn by `draws`, in order.

    On the validation and the test side training has not seen the truth; on the training side it has. c is a
    training picture or on the side of the truth. a and b are training pictures; in a family with `onto` they
    are any pictures of another content, since these are never truths. They show nothing of the truth's
    subject and do not equal it. b is drawn by the vendor of the truth, one of those whose drawings the set
    of the truth takes, and a by that of c.
    """
    drawn: list[Analogy] = []
    for step in family.steps:
        found = [*_possible(family, step, assignment, side, draws)]
        drawn += [found[n] for n in sorted(torch.randperm(len(found), generator=draws)[:most].tolist())]
    return drawn


def _possible(
    family: Family, step: Step, assignment: Assignment, side: int, draws: torch.Generator
) -> Iterator[Analogy]:
    """An analogy for every truth of the step, its source drawn."""
    pairs, images = family.pairs(step), assignment.images
    able: dict[str, list[str]] = {}  # sources by the vendor of b
    told: dict[tuple[str, str | bytes], list[int]] = {}  # and which of them show a subject or some pixels
    for source, (a, b) in pairs.items():
        if family.onto is not None or (assignment.on(a, TRAIN) and assignment.on(b, TRAIN)):
            vendor = images.vendor[b]
            place = len(able.setdefault(vendor, []))
            able[vendor].append(source)
            for one in (a, b):
                for shown in (images.subject[one], images.digests[one]):
                    told.setdefault((vendor, shown), []).append(place)
    for target, (c, d) in pairs.items():
        wanted = assignment.takes(d, side) and assignment.unseen(d) != (side == TRAIN)
        fits = family.asks(target) and (assignment.on(c, TRAIN) or assignment.on(c, side))
        if not (wanted and fits):
            continue
        vendor = images.vendor[d]
        sources = able.get(vendor, [])
        barred = {
            place
            for shown in (images.subject[d], images.digests[d])
            for place in told.get((vendor, shown), [])
        }
        if len(sources) > len(barred):
            place = int(torch.randint(len(sources) - len(barred), (), generator=draws))
            for one in sorted(barred):  # counting only those that are not barred
                place += one <= place
            yield Analogy(step, sources[place], target, *pairs[sources[place]], c, d)


def training_pictures(
    family: Family, assignment: Assignment, analogies: Iterable[Analogy], draws: torch.Generator
) -> dict[Key, int]:
    """The training pictures of the family that show no subject of a truth of `analogies`.

    At most CONTENTS contents are drawn.
    """
    truths = {assignment.images.subject[one.d] for one in analogies}
    free = {
        key: index
        for key, index in family.at.items()
        if assignment.takes(index, TRAIN) and assignment.images.subject[index] not in truths
    }
    contents = list(dict.fromkeys(content for content, _ in free))
    kept = {contents[n] for n in torch.randperm(len(contents), generator=draws)[:CONTENTS].tolist()}
    return {key: index for key, index in free.items() if key[0] in kept}
