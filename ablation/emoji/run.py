"""The only place where data, model, training and evaluation meet: settings and a seed in, a `Result` out."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from time import perf_counter

import torch
from torch import Tensor

from ablation.emoji.common_evaluation import CommonImages, common_images, measure_common
from ablation.emoji.composition.analogies import AnalogyTask, analogy_tasks
from ablation.emoji.composition.evaluator import Composition, composition
from ablation.emoji.data.classes import class_names, classify
from ablation.emoji.data.duplicates import Duplicates, duplicates, looks
from ablation.emoji.data.images import Images
from ablation.emoji.data.sources import load
from ablation.emoji.data.split import Splits, assign_sides
from ablation.emoji.evaluate import evaluate, reconstruct
from ablation.emoji.model import Autoencoder
from ablation.emoji.spec import RunSpec
from ablation.emoji.train import Epoch, check_finite, fit
from ablation.emoji.training_data import Pictures, TrainingData, split_of, training_data
from ablation.emoji.weights import restore
from ablation.experiment import Trained

EXAMPLES = 5  # held-out images shown beside their reconstructions


@dataclass(frozen=True)
class Prepared:
    """A run before its training: its images, what they are used for, the untrained model; since `started`.

    common: the images of the common evaluation. duplicates: the pictures that two sets share. tasks: the
    analogies to compose; empty where none are asked.
    """

    spec: RunSpec
    seed: int
    images: Images
    pictures: TrainingData
    common: CommonImages
    duplicates: Duplicates
    tasks: tuple[AnalogyTask, ...]
    model: Autoencoder
    started: float


@dataclass(frozen=True)
class Result:
    """A finished run. metrics: on the test set and the common images, of composites, and counts of images.

    examples and reconstructions: uint8 (at most 5, 3, 64, 64). images_per_second: of training; 0 without any.
    """

    history: tuple[Epoch, ...]
    metrics: dict[str, float]
    model: Autoencoder = field(repr=False)
    composition: Composition = field(repr=False)
    duplicates: Duplicates = field(repr=False)
    examples: Tensor = field(repr=False)
    reconstructions: Tensor = field(repr=False)
    seconds: float
    images_per_second: float

    @property
    def numbers(self) -> dict[str, float]:
        """Every number of the run: those of the last epoch, the final ones, and its speed."""
        speed = {"seconds": self.seconds, "images_per_second": self.images_per_second}
        return self.history[-1].metrics | self.metrics | speed


def run(
    spec: RunSpec,
    seed: int,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
    trained: Trained | None = None,
    composing: bool = False,
) -> Result:
    """Train and measure. Equal settings and seeds give equal bits within `determinism.deterministic`.

    `on_epoch` sees every epoch as it ends and may raise to stop the run. The test set is read once,
    after training. With `trained`, of a run of the same training, nothing is trained again: its weights and
    curves are taken. `composing` adds what composing measures, a fifteenth of a run of part 2. Raises
    `Diverged` where a loss or a final number is not finite.
    """
    prepared = prepare(spec, seed, composing)
    model, pictures = prepared.model, prepared.pictures
    if trained is not None:
        epochs = restore(model, trained)
    else:
        epochs = fit(model, pictures.passes, pictures.validation, spec.train, seed)
    history = []
    for epoch in epochs:
        history.append(epoch)
        on_epoch(epoch)
    return finish(prepared, history)


def lacking(spec: RunSpec, seed: int, needs: Iterable[str]) -> set[str]:
    """Those of `needs` (`EmojiMeasure.needs`) for which the images that training never sees do not suffice.

    Raises `UserError` where the images cannot be split as declared.
    """
    images, data = load(spec.data.sources), spec.data
    split_of(images, data, spec.augment, seed)
    common = common_images(images, data, assign_sides(images, data, seed))
    found = {need: common.suffices(need) for need in needs if need != "analogies"}
    if "analogies" in needs:  # a tenth of a second, so only where they are asked for
        found["analogies"] = bool(analogy_tasks(images, data, seed))
    return {need for need, suffices in found.items() if not suffices}


def sizes(spec: RunSpec, seed: int) -> tuple[int, int]:
    """How many pictures the run trains on in a pass, and how many it is validated on after it."""
    sets = split_of(load(spec.data.sources), spec.data, spec.augment, seed)
    return len(sets.train), len(sets.validation)


def prepare(spec: RunSpec, seed: int, composing: bool = False) -> Prepared:
    """Everything that a run has before it trains; what the seed assigns is decided here, once."""
    images = load(spec.data.sources)  # once a process: not a part of the time that the next cell will take
    looks(images)  # so is this
    started = perf_counter()
    pictures = training_data(images, spec.data, spec.augment, seed)
    common = common_images(images, spec.data, assign_sides(images, spec.data, seed))
    classes = classify(images, spec.data.classes)
    shared = duplicates(images, pictures.sets, common.common, classes)
    tasks = analogy_tasks(images, spec.data, seed) if composing else ()
    model = Autoencoder(spec.model, len(class_names(spec.data.classes, images)), seed)
    model.to(memory_format=torch.channels_last)  # a twentieth faster on a CPU; `_pictures` come alike
    return Prepared(spec, seed, images, pictures, common, shared, tasks, model, started)


def finish(prepared: Prepared, history: Sequence[Epoch], among: int = 1) -> Result:
    """Measure the model, once it is trained, and compose with it; `Diverged` where a number is not finite.

    The seconds are shared `among` so many runs that took them together.
    """
    spec, model, pictures = prepared.spec, prepared.model, prepared.pictures
    metrics = {
        f"test_{name}": value
        for name, value in evaluate(model, pictures.test.pixels, pictures.test.labels).items()
    }
    check_finite("after training", metrics, spec.train)
    last, examples = history[-1].metrics, _examples(prepared)
    loss = spec.train.reconstruction_weight * last["validation_mse"]
    loss += spec.train.loss_weight * last.get("validation_cross_entropy", 0.0)
    metrics |= {"validation_loss": loss}
    metrics |= measure_common(model, prepared.images, prepared.common, spec.data.classes)
    composed = composition(model, prepared.images, prepared.tasks, spec.compose, prepared.seed)
    metrics |= _counts(pictures.sets, pictures.test, model) | prepared.duplicates.numbers | composed.numbers
    trained = sum(epoch.seconds for epoch in history)
    return Result(
        history=tuple(history),
        metrics=metrics,
        model=model,
        composition=composed,
        duplicates=prepared.duplicates,
        examples=examples,
        reconstructions=reconstruct(model, examples),
        seconds=(perf_counter() - prepared.started) / among,
        images_per_second=sum(epoch.images for epoch in history) / trained if trained else 0.0,
    )


def _counts(sets: Splits, test: Pictures, model: Autoencoder) -> dict[str, float]:
    """Parameters, classes, images and originals of each set, and test images of the rarest class."""
    named = {"train": sets.train, "validation": sets.validation, "test": sets.test}
    counts = {"parameters": float(sum(part.numel() for part in model.parameters()))}
    counts |= {f"images_{name}": float(len(items)) for name, items in named.items()}
    counts |= {f"originals_{name}": float(len(items.index.unique())) for name, items in named.items()}
    classes = test.labels[test.labels >= 0].bincount()
    if model.classifier is not None:
        counts["classes"] = float(model.classifier.out_features)
    return counts | ({"images_test_rarest": float(classes.min())} if len(classes) else {})


def _examples(prepared: Prepared) -> Tensor:
    """Pictures that training never saw, chosen by a hash of their names: nobody picks them.

    Arms that share a split show the same ones. Where nothing is held out they are the first of the test set.
    """
    images, common = prepared.images, prepared.common.common.tolist()
    common.sort(key=lambda index: sha256(images.name(index).encode()).digest())
    return images.pixels[common[:EXAMPLES]] if common else prepared.pictures.test.pixels[:EXAMPLES]
