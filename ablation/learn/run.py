"""The only place where data, model, training and evaluation meet: a spec goes in, a `Result` comes out."""

from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter

import torch
from torch import Tensor

from ablation.data.images import Images
from ablation.data.labels import class_names, classify
from ablation.data.sources import load
from ablation.data.split import Items, Splits, deal, split
from ablation.learn.augment import augment
from ablation.learn.evaluate import encode, evaluate, reconstruct
from ablation.learn.model import Autoencoder
from ablation.learn.probe import probe_accuracy, probe_pool
from ablation.learn.train import Diverged, Epoch, Pictures, check_finite, fit
from ablation.seeds import generator
from ablation.spec import AugmentSpec, RunSpec, fingerprint

EXAMPLES = 5  # test images shown beside their reconstructions: always the first of the test set


@dataclass(frozen=True)
class Result:
    """A finished run. metrics: test numbers, probe accuracy and the counts of images.

    examples and reconstructions: uint8 (at most 5, 3, 64, 64).
    """

    spec: RunSpec
    fingerprint: str
    data: str
    history: tuple[Epoch, ...]
    metrics: dict[str, float]
    model: Autoencoder = field(repr=False)
    examples: Tensor = field(repr=False)
    reconstructions: Tensor = field(repr=False)
    seconds: float
    images_per_second: float


@dataclass(frozen=True)
class Identity:
    """fingerprint: of the run; data: of its images. probed: whether they have subgroups for the probe."""

    fingerprint: str
    data: str
    probed: bool


def identify(spec: RunSpec) -> Identity:
    """What identifies the run; loads the data, and refuses a split that lacks a class."""
    images = load(spec.data.sources)
    split(images, spec.data, spec.augment.copies, spec.seed)
    pool = probe_pool(images.subject, images.subgroup)
    probed = len({images.subgroup[index] for index in pool.tolist()}) > 1
    return Identity(fingerprint(spec, images.fingerprint), images.fingerprint, probed)


def run(spec: RunSpec, on_epoch: Callable[[Epoch], None] = lambda epoch: None) -> Result:
    """Train and measure `spec`. Equal specs give equal bits on one machine with one number of threads.

    `on_epoch` sees every epoch as it ends and may raise to stop the run. The test set is read once,
    after training. Raises `Diverged` where a loss or a final number is not finite.
    """
    started = perf_counter()
    torch.use_deterministic_algorithms(True)
    images = load(spec.data.sources)
    sets = split(images, spec.data, spec.augment.copies, spec.seed)
    train, validation, test = _learnt(images, sets, spec)
    model = Autoencoder(spec.model, len(class_names(spec.data.classes)), spec.seed)
    model.to(memory_format=torch.channels_last)  # a twentieth faster on a CPU; `_pictures` come alike
    history = []
    for epoch in fit(model, train, validation, spec.train, spec.seed):
        history.append(epoch)
        on_epoch(epoch)
    return Result(
        spec=spec,
        fingerprint=fingerprint(spec, images.fingerprint),
        data=images.fingerprint,
        history=tuple(history),
        metrics=_measured(model, test, images, spec) | _counts(sets) | _rarest(test, model),
        model=model,
        examples=test.pixels[:EXAMPLES],
        reconstructions=reconstruct(model, test.pixels[:EXAMPLES]),
        seconds=perf_counter() - started,
        images_per_second=sum(epoch.images for epoch in history) / sum(epoch.seconds for epoch in history),
    )


def _learnt(images: Images, sets: Splits, spec: RunSpec) -> list[Pictures]:
    """The pictures of the three sets, with their classes, augmented where the split says so."""
    labels = torch.tensor(classify(images.text, spec.data.classes), dtype=torch.int64)
    rng = generator(spec.seed, "augment")
    return [
        _pictures(images, labels, items, spec.augment, rng)
        for items in (sets.train, sets.validation, sets.test)
    ]


def _measured(model: Autoencoder, test: Pictures, images: Images, spec: RunSpec) -> dict[str, float]:
    final = {f"test_{name}": value for name, value in evaluate(model, test.pixels, test.labels).items()}
    check_finite("after training", final, spec.train)
    return final | {"probe_accuracy": _probe(model, images, spec)}


def _pictures(
    images: Images, labels: Tensor, items: Items, spec: AugmentSpec, rng: torch.Generator
) -> Pictures:
    """The items' pixels, the copies augmented once: copy 0 of an image is the image itself."""
    pixels = images.pixels[items.index].contiguous(memory_format=torch.channels_last)
    copies = (items.copy > 0).nonzero().flatten()
    for part in copies.split(64) if len(copies) else ():  # 64 stay in the processor's cache
        augmented = augment(pixels[part] / 255, spec, rng)
        pixels[part] = (augmented * 255).round().to(torch.uint8)
    return Pictures(pixels, labels[items.index])


def _probe(model: Autoencoder, images: Images, spec: RunSpec) -> float:
    pool = probe_pool(images.subject, images.subgroup)
    side = deal(images, spec.data, spec.seed)[pool]
    train, test = pool[side == 0], pool[side == 2]
    codes = encode(model, images.pixels[torch.cat([train, test])])
    if not codes.isfinite().all():  # a saturated output can hide that the code is infinite
        raise Diverged(f"the trained network's codes are not finite: try a train.lr below {spec.train.lr:g}.")
    names = [[images.subgroup[index] for index in part.tolist()] for part in (train, test)]
    return probe_accuracy(codes[: len(train)], names[0], codes[len(train) :], names[1])


def _rarest(test: Pictures, model: Autoencoder) -> dict[str, float]:
    """How many test images the rarest class has: one of them moves a mean over classes the furthest."""
    if model.classifier is None:
        return {}
    return {"images_test_rarest": float(test.labels.bincount().min())}


def _counts(sets: Splits) -> dict[str, float]:
    named = {"train": sets.train, "validation": sets.validation, "test": sets.test}
    counts = {f"images_{name}": float(len(items)) for name, items in named.items()}
    return counts | {f"originals_{name}": float(len(items.index.unique())) for name, items in named.items()}
