"""The pictures of a run: what training passes over, pass by pass, and what it is measured on."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import repeat

import torch
from torch import Tensor

from ablation.emoji.augment import augment
from ablation.emoji.data.images import Images
from ablation.emoji.data.labels import classify
from ablation.emoji.data.split import Items, Splits
from ablation.emoji.spec import AugmentSpec, RunSpec
from ablation.seeds import generator

AT_ONCE = 64  # images augmented together: they stay in the processor's cache


@dataclass(frozen=True)
class Pictures:
    """pixels: uint8 (n, 3, 64, 64); labels: int64 (n,), the class of each picture, -1 without one."""

    pixels: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.pixels)


@dataclass(frozen=True)
class Learnt:
    """passes: the training pictures of every pass, without end; validation and test are the same in all."""

    passes: Iterator[Pictures]
    validation: Pictures
    test: Pictures

    @property
    def learning(self) -> tuple[Iterator[Pictures], Pictures]:
        """What training sees: the passes, and what is measured after each."""
        return self.passes, self.validation


def learnt(images: Images, sets: Splits, spec: RunSpec) -> Learnt:
    """The pictures of the three sets, with their classes, augmented where the split has copies.

    Copies are drawn once, or, where they are `fresh`, anew in every pass over the training set.
    """
    train, validation, test, drawn = _drawn(images, sets, spec.data.classes, spec.augment, spec.seed)

    def anew() -> Iterator[Pictures]:
        yield train
        rng = generator(spec.seed, "augment")
        rng.set_state(drawn)
        labels = _labels(images, spec.data.classes)
        while True:
            yield _pictures(images, labels, sets.train, spec.augment, rng)

    return Learnt(anew() if spec.augment.fresh else repeat(train), validation, test)


@lru_cache(maxsize=1)  # a seed's arms, which differ in the network alone, follow on each other in a worker
def _drawn(
    images: Images, sets: Splits, classes: str, spec: AugmentSpec, seed: int
) -> tuple[Pictures, Pictures, Pictures, Tensor]:
    """The pictures of the three sets, and the state of their stream after them. Nobody writes to them."""
    labels, rng = _labels(images, classes), generator(seed, "augment")
    train, validation, test = (
        _pictures(images, labels, items, spec, rng) for items in (sets.train, sets.validation, sets.test)
    )
    return train, validation, test, rng.get_state()


def _labels(images: Images, classes: str) -> Tensor:
    return torch.tensor(classify(images.text, images.subgroup, classes), dtype=torch.int64)


def _pictures(
    images: Images, labels: Tensor, items: Items, spec: AugmentSpec, rng: torch.Generator
) -> Pictures:
    """The items' pixels, copies augmented: copy 0 of an image is the image itself."""
    pixels = images.pixels[items.index].contiguous(memory_format=torch.channels_last)
    copies = (items.copy > 0).nonzero().flatten()
    for part in copies.split(AT_ONCE) if len(copies) else ():
        augmented = augment(pixels[part] / 255, spec, rng)
        pixels[part] = (augmented * 255).round().to(torch.uint8)
    return Pictures(pixels, labels[items.index])
