"""The pictures of a run: what training passes over, pass by pass, and what it is measured on."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from ablation.emoji.augment import augment
from ablation.emoji.composition.attributes import attributes
from ablation.emoji.data.classes import classify
from ablation.emoji.data.images import Images
from ablation.emoji.data.split import Items, Splits, split
from ablation.emoji.seeds import generator, network_seed
from ablation.emoji.spec import AugmentSpec, DataSpec

AT_ONCE = 64  # images augmented together: they stay in the processor's cache


@dataclass(frozen=True)
class Pictures:
    """pixels: uint8 (n, 3, 64, 64); labels: int64 (n,), the class of each picture, -1 without one.

    attributes: float32 (n, attributes), as `attributes` has them; none where nobody asks for them.
    """

    pixels: Tensor
    labels: Tensor
    attributes: Tensor | None = None

    def __len__(self) -> int:
        return len(self.pixels)


@dataclass(frozen=True, eq=False)
class TrainingData:
    """The pictures of the three sets, with their classes, augmented where the split has copies.

    sets: which images they are. draw_passes: gives `passes` from their start. Nobody writes to any of it.
    """

    sets: Splits
    validation: Pictures
    test: Pictures
    draw_passes: Callable[[], Iterator[Pictures]]

    @property
    def passes(self) -> Iterator[Pictures]:
        """The training pictures of every pass, without end: copies are drawn once, or anew if `fresh`."""
        return self.draw_passes()


# A seed's arms, which differ in the network alone, follow on each other in a worker: half a second of a run.
@lru_cache(maxsize=1)
def training_data(
    images: Images, data: DataSpec, spec: AugmentSpec, seed: int, fold: int = 0, initialisation: int = 0
) -> TrainingData:
    """The pictures that the seed assigns to each set, and draws of each; see `split_of`."""
    sets = split_of(images, data, spec, seed, fold)
    labels = torch.tensor(classify(images, data.classes), dtype=torch.int64)
    rng = generator(network_seed(seed, data.folds, fold, initialisation), "augment")
    train, validation, test = (
        _pictures(images, labels, items, spec, rng) for items in (sets.train, sets.validation, sets.test)
    )

    def passes() -> Iterator[Pictures]:
        yield train
        own = rng.clone_state()
        while True:
            yield _pictures(images, labels, sets.train, spec, own) if spec.fresh else train

    return TrainingData(sets, validation, test, passes)


def split_of(images: Images, data: DataSpec, spec: AugmentSpec, seed: int, fold: int = 0) -> Splits:
    """The images of the three sets with as many copies as are drawn; see `split` for what is refused."""
    return split(images, data, spec.copies, seed, spec.copies if spec.held_out else 0, fold)


def _pictures(
    images: Images, labels: Tensor, items: Items, spec: AugmentSpec, rng: torch.Generator
) -> Pictures:
    """The items' pixels, copies augmented: copy 0 of an image is the image itself."""
    pixels = images.pixels[items.index].contiguous(memory_format=torch.channels_last)
    copies = (items.copy > 0).nonzero().flatten()
    for part in copies.split(AT_ONCE) if len(copies) else ():
        augmented = augment(pixels[part] / 255, spec, rng)
        pixels[part] = (augmented * 255).round().to(torch.uint8)
    return Pictures(pixels, labels[items.index], attributes(images)[items.index])
