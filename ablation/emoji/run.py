"""The only place where data, model, training and evaluation meet: a spec goes in, a `Result` comes out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from time import perf_counter

import torch
from torch import Tensor

from ablation.emoji.common_evaluation import measured, suffice, yardsticks
from ablation.emoji.composition.measures import Composition, composition
from ablation.emoji.data.images import Images
from ablation.emoji.data.labels import class_names
from ablation.emoji.data.sources import load
from ablation.emoji.data.split import Splits, split
from ablation.emoji.determinism import settle
from ablation.emoji.evaluate import evaluate, reconstruct
from ablation.emoji.model import Autoencoder
from ablation.emoji.spec import RunSpec, fingerprint
from ablation.emoji.train import Epoch, check_finite, fit
from ablation.emoji.training_data import Learnt, Pictures, learnt

EXAMPLES = 5  # held-out images shown beside their reconstructions


@dataclass(frozen=True)
class Result:
    """A finished run. metrics: test numbers, yardsticks and the counts of images.

    examples and reconstructions: uint8 (at most 5, 3, 64, 64).
    """

    spec: RunSpec
    fingerprint: str
    data: str
    history: tuple[Epoch, ...]
    metrics: dict[str, float]
    model: Autoencoder = field(repr=False)
    composition: Composition = field(repr=False)
    examples: Tensor = field(repr=False)
    reconstructions: Tensor = field(repr=False)
    seconds: float
    images_per_second: float


@dataclass(frozen=True)
class Trained:
    """What a run of the same trunk left: its weights by name, its learning curves, and its MLflow run."""

    weights: dict[str, Tensor] = field(repr=False)
    history: tuple[Epoch, ...] = field(repr=False)
    run_id: str


@dataclass(frozen=True)
class Identity:
    """fingerprint: of the run; data: of its images."""

    fingerprint: str
    data: str


def identify(spec: RunSpec) -> Identity:
    """What identifies the run; loads the data, and refuses a split that lacks a class."""
    images = load(spec.data.sources)
    _sets(images, spec)
    return Identity(fingerprint(spec, images.fingerprint), images.fingerprint)


def measurable(spec: RunSpec, need: str) -> bool:
    """Whether the run's held-out images suffice for what `Measure.needs` names."""
    return suffice(load(spec.data.sources), spec, need)


def sizes(spec: RunSpec) -> tuple[int, int]:
    """How many pictures the run trains on in a pass, and how many it is validated on after it."""
    sets = _sets(load(spec.data.sources), spec)
    return len(sets.train), len(sets.validation)


@dataclass(frozen=True)
class Prepared:
    """A run before its training: the deal, the pictures of its sets, the untrained model; since `started`."""

    spec: RunSpec
    images: Images
    sets: Splits
    pictures: Learnt
    model: Autoencoder
    started: float


def run(
    spec: RunSpec,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
    trained: Trained | None = None,
    composing: bool = False,
) -> Result:
    """Train and measure `spec`. Equal specs give equal bits on one machine with one number of threads.

    `on_epoch` sees every epoch as it ends and may raise to stop the run. The test set is read once,
    after training. With `trained`, a run of the same trunk, nothing is trained again: its weights and curves
    are taken. `composing` adds what `learn.composition` measures, a fifteenth of a run of part 2. Raises
    `Diverged` where a loss or a final number is not finite.
    """
    prepared = prepare(spec)
    model, learning = prepared.model, prepared.pictures.learning
    if trained is not None:
        model.load_state_dict(trained.weights)
    history = []
    for epoch in trained.history if trained else fit(model, *learning, spec.train, spec.seed):
        history.append(epoch)
        on_epoch(epoch)
    return finish(prepared, history, composing)


def prepare(spec: RunSpec) -> Prepared:
    """Everything that a run has before it trains."""
    settle()
    images = load(spec.data.sources)  # once a process: not a part of the time that the next cell will take
    started = perf_counter()
    sets = _sets(images, spec)
    pictures = learnt(images, sets, spec)
    model = Autoencoder(spec.model, len(class_names(spec.data.classes)), spec.seed)
    model.to(memory_format=torch.channels_last)  # a twentieth faster on a CPU; `_pictures` come alike
    return Prepared(spec, images, sets, pictures, model, started)


def finish(prepared: Prepared, history: Sequence[Epoch], composing: bool, among: int = 1) -> Result:
    """Measure the model, once it is trained, and compose with it; `Diverged` where a number is not finite.

    The seconds are shared `among` so many runs that took them together.
    """
    spec, images, model, test = prepared.spec, prepared.images, prepared.model, prepared.pictures.test
    composed = composition(model, images, spec) if composing else Composition()
    examples = _examples(images, test, spec)
    return Result(
        spec=spec,
        fingerprint=fingerprint(spec, images.fingerprint),
        data=images.fingerprint,
        history=tuple(history),
        metrics=_measured(model, history[-1], test, images, spec)
        | _counts(prepared.sets, model)
        | _rarest(test)
        | composed.numbers,
        model=model,
        composition=composed,
        examples=examples,
        reconstructions=reconstruct(model, examples),
        seconds=(perf_counter() - prepared.started) / among,
        images_per_second=_speed(history),
    )


def _speed(history: Sequence[Epoch]) -> float:
    """Images a second of training; 0 where nothing was trained."""
    seconds = sum(epoch.seconds for epoch in history)
    return sum(epoch.images for epoch in history) / seconds if seconds else 0.0


def _sets(images: Images, spec: RunSpec) -> Splits:
    copies = spec.augment.copies
    return split(images, spec.data, copies, spec.seed, copies if spec.augment.held_out else 0)


def _measured(
    model: Autoencoder, last: Epoch, test: Pictures, images: Images, spec: RunSpec
) -> dict[str, float]:
    """Every final number: on the test set, on the yardsticks, and the loss on validation."""
    final = {f"test_{name}": value for name, value in evaluate(model, test.pixels, test.labels).items()}
    check_finite("after training", final, spec.train)
    loss = spec.train.reconstruction_weight * last.metrics["validation_mse"]
    loss += spec.train.loss_weight * last.metrics.get("validation_cross_entropy", 0.0)
    return final | measured(model, images, spec) | {"validation_loss": loss}


def _rarest(test: Pictures) -> dict[str, float]:
    """How many test images the rarest class has: one of them moves a mean over classes the furthest."""
    counts = test.labels[test.labels >= 0].bincount()
    return {"images_test_rarest": float(counts.min())} if len(counts) else {}


def _examples(images: Images, test: Pictures, spec: RunSpec) -> Tensor:
    """Pictures that training never saw, chosen by a hash of their names: nobody picks them.

    Arms that share a split show the same ones. Where nothing is held out they are the first of the test set.
    """
    common = yardsticks(images, spec).common.tolist()
    common.sort(key=lambda index: sha256(images.text[index].encode()).digest())
    return images.pixels[common[:EXAMPLES]] if common else test.pixels[:EXAMPLES]


def _counts(sets: Splits, model: Autoencoder) -> dict[str, float]:
    named = {"train": sets.train, "validation": sets.validation, "test": sets.test}
    counts = {"parameters": float(sum(part.numel() for part in model.parameters()))}
    counts |= {f"images_{name}": float(len(items)) for name, items in named.items()}
    return counts | {f"originals_{name}": float(len(items.index.unique())) for name, items in named.items()}
