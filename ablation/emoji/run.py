"""The only place where data, model, training and evaluation meet: settings and a seed in, a `Result` out."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from math import isnan
from time import perf_counter

import torch
from torch import Tensor

from ablation.emoji.adversarial import measure_robustness
from ablation.emoji.common_evaluation import CommonImages, common_images, measure_common
from ablation.emoji.composition.analogies import AnalogyTask, analogy_tasks
from ablation.emoji.composition.attributes import attributes
from ablation.emoji.composition.evaluator import composition
from ablation.emoji.composition.families import VENDOR
from ablation.emoji.composition.quadruples import Quadruples, training_quadruples
from ablation.emoji.data.classes import class_names, classify
from ablation.emoji.data.duplicates import Duplicates, duplicates, looks
from ablation.emoji.data.images import Images
from ablation.emoji.data.sources import load
from ablation.emoji.data.split import Splits, assign_sides
from ablation.emoji.evaluate import PerPicture, answers, reconstruct
from ablation.emoji.likeness import measure_likeness
from ablation.emoji.measures import COMPOSED_NEEDS, GAP, composes
from ablation.emoji.model import Autoencoder
from ablation.emoji.mood_probe import measure_moods, untrained_codes
from ablation.emoji.refine import Grain, train_refiner
from ablation.emoji.result import Measured, Result, pooled
from ablation.emoji.seeds import network_seed
from ablation.emoji.spec import TRAINED_REFINERS, RunSpec
from ablation.emoji.train import Epoch, check_finite, fit
from ablation.emoji.training_data import TrainingData, split_of, training_data
from ablation.emoji.weights import restore
from ablation.emoji.worn_attributes import measure_worn
from ablation.experiment import Diverged, Trained

EXAMPLES = 5  # held-out images shown beside their reconstructions


@dataclass(frozen=True)
class Prepared:
    """A network before its training, its images and what they are used for; since `started`.

    A run trains one of them, or one for each fold. common: the images of the common evaluation. duplicates:
    the pictures that two sets share. tasks: the analogies to compose; empty where none are asked. asked: the
    measures to take on demand. quadruples: those to train on, if any. untrained: the codes that one of the
    measures wants.
    """

    spec: RunSpec
    seed: int
    fold: int
    images: Images
    pictures: TrainingData
    common: CommonImages
    duplicates: Duplicates
    tasks: tuple[AnalogyTask, ...]
    asked: frozenset[str]
    model: Autoencoder
    quadruples: Quadruples | None
    untrained: Tensor | None
    started: float

    @property
    def network_seed(self) -> int:
        """What the network's own streams are derived from."""
        return network_seed(self.seed, self.spec.data.folds, self.fold, self.spec.train.initialisation)


def run(
    spec: RunSpec,
    seed: int,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
    trained: Trained | None = None,
    measures: Collection[str] = (),
) -> Result:
    """Train and measure. Equal settings and seeds give equal bits within `determinism.deterministic`.

    `on_epoch` sees every epoch as it ends and may raise to stop the run; with `data.folds` it sees the means
    over the networks once all are trained. A test set is read once, after training. With `trained`, of a run
    of the same training, the autoencoder is not trained again: its weights and curves are taken. Of
    `measures` those on demand are taken, too; composing takes a fifteenth of a run of part 2. Raises
    `Diverged` where a loss or a final number is not finite.
    """
    if not spec.data.folds:
        prepared = prepare(spec, seed, measures)
        return pooled(spec, prepared.images, [_trained(prepared, on_epoch, trained)])
    parts: list[Measured] = []
    for fold in range(spec.data.folds):
        try:
            part = _trained(prepare(spec, seed, measures, fold), lambda epoch: None, None)
        except Diverged as error:
            raise Diverged(f"of {spec.data.folds} networks, number {fold + 1} diverged: {error}") from error
        # The first network stands for all; the others need not wait in memory.
        parts.append(replace(part, model=parts[0].model) if parts else part)
    result = pooled(spec, load(spec.data.sources), parts)
    for epoch in result.history:
        on_epoch(epoch)
    return result


def _trained(prepared: Prepared, on_epoch: Callable[[Epoch], None], trained: Trained | None) -> Measured:
    model, pictures, spec = prepared.model, prepared.pictures, prepared.spec.train
    if trained is not None:
        epochs = restore(model, trained)
    else:
        seed, augment, quadruples = prepared.network_seed, prepared.spec.augment, prepared.quadruples
        epochs = fit(model, pictures.passes, pictures.validation, spec, seed, augment, quadruples)
    history = []
    for epoch in epochs:
        history.append(epoch)
        on_epoch(epoch)
    return measure_network(prepared, history)


def lacking(spec: RunSpec, seed: int, needs: Iterable[str]) -> set[str]:
    """Those of `needs` (`EmojiMeasure.needs`) for which the images that training never sees do not suffice.

    Raises `UserError` where the images cannot be split as declared, or have no quadruple to train on.
    """
    images, data = load(spec.data.sources), spec.data
    folds = range(data.folds or 1)
    for fold in folds:
        quadruples_of(images, spec, split_of(images, data, spec.augment, seed, fold))
    left = {*needs}
    for fold in folds:
        if not left - COMPOSED_NEEDS:
            break
        common = common_images(images, data, assign_sides(images, data, seed, fold))
        left -= {need for need in left - COMPOSED_NEEDS if common.suffices(need)}
    if left & COMPOSED_NEEDS:  # a tenth of a second, and a second with four vendors: where they are asked
        tasks = analogy_tasks(images, data, seed)
        found = {
            "analogies": bool(tasks),
            "large": any(task.large for task in tasks),
            "vendors": any(task.family.name == VENDOR for task in tasks),
        }
        left -= {need for need, has in found.items() if has}
    return left


def quadruples_of(images: Images, spec: RunSpec, sets: Splits) -> Quadruples | None:
    """What the analogy term of the loss learns from; None without the term."""
    if not spec.train.analogy_weight:
        return None
    named = attributes(images) if spec.train.attribute_weight else None
    return training_quadruples(images, sets.train.index, named)


def sizes(spec: RunSpec, seed: int) -> list[tuple[int, int]]:
    """How many pictures each network trains on in a pass, and how many it is validated on after it."""
    images = load(spec.data.sources)
    folds = range(spec.data.folds or 1)
    sets = [split_of(images, spec.data, spec.augment, seed, fold) for fold in folds]
    return [(len(one.train), len(one.validation)) for one in sets]


def prepare(spec: RunSpec, seed: int, measures: Collection[str] = (), fold: int = 0) -> Prepared:
    """Everything that a network has before it trains; what the seed assigns is decided here, once."""
    images = load(spec.data.sources)  # once a process: not a part of the time that the next cell will take
    looks(images)  # so is this
    started = perf_counter()
    initialisation = spec.train.initialisation
    pictures = training_data(images, spec.data, spec.augment, seed, fold, initialisation)
    common = common_images(images, spec.data, assign_sides(images, spec.data, seed, fold))
    classes = classify(images, spec.data.classes)
    shared = duplicates(images, pictures.sets, common.common, classes)
    tasks = analogy_tasks(images, spec.data, seed) if composes(measures) else ()
    own = network_seed(seed, spec.data.folds, fold, initialisation)
    model = Autoencoder(spec.model, len(class_names(spec.data.classes, images)), own)
    model.to(memory_format=torch.channels_last)  # a twentieth faster on a CPU; `_pictures` come alike
    return Prepared(
        spec=spec,
        seed=seed,
        fold=fold,
        images=images,
        pictures=pictures,
        common=common,
        duplicates=shared,
        tasks=tasks,
        asked=frozenset(measures),
        model=model,
        quadruples=quadruples_of(images, spec, pictures.sets),
        untrained=untrained_codes(model, images, common, measures),
        started=started,
    )


def measure_network(prepared: Prepared, history: Sequence[Epoch]) -> Measured:
    """Give the trained network its refiner, measure it, and compose with it.

    With a refiner all pictures are refined ones, those that a gain compares, too; curves stay what they were.
    Raises `Diverged` where a number is not finite.
    """
    spec, model, pictures, images = prepared.spec, prepared.model, prepared.pictures, prepared.images
    own, size = prepared.network_seed, spec.train.batch_size
    if spec.refine.kind in TRAINED_REFINERS:
        model.refiner = train_refiner(model, next(pictures.passes), spec.refine, size, own)
    elif spec.refine.kind == "grain":
        model.refiner = Grain(spec.refine.grain, own)
    answered = answers(model, pictures.test.pixels, pictures.test.labels)
    numbers = {f"test_{name}": value for name, value in answered.numbers.items()}
    check_finite("after training", numbers, spec.train)
    common, rank = measure_common(model, images, prepared.common, spec.data.classes, prepared.asked)
    common |= measure_moods(model, images, prepared.common, prepared.asked, prepared.untrained)
    mood = prepared.common.mood
    common |= measure_robustness(model, images, mood, spec.data.classes, prepared.asked, own)
    common |= measure_worn(model, images, prepared.common.worn, prepared.asked)
    tested, learned = pictures.sets.test.index, images.pixels[pictures.sets.train.index.unique()]
    likeness, whole = measure_likeness(model, pictures.test.pixels, tested, learned, prepared.asked)
    examples = _examples(prepared)
    return Measured(
        history=history,
        model=model,
        tested=tested,
        answers=answered,
        pictures=common | likeness,
        seen=_seen(prepared) if GAP in prepared.asked else None,
        whole=whole | ({} if isnan(rank) else {"effective_rank": rank}),
        sizes=_sizes(pictures.sets),
        duplicates=prepared.duplicates,
        composition=composition(model, images, prepared.tasks, spec.compose, prepared.seed),
        examples=examples,
        reconstructions=reconstruct(model, examples),
        seconds=perf_counter() - prepared.started,
        asked=prepared.asked,
    )


def _seen(prepared: Prepared) -> PerPicture:
    """The errors of the training originals, as they are: not augmented."""
    index = prepared.pictures.sets.train.index.unique()
    nothing = torch.full_like(index, -1)
    return PerPicture(index, answers(prepared.model, prepared.images.pixels[index], nothing).errors)


def _sizes(sets: Splits) -> dict[str, float]:
    """Images and originals of each set."""
    named = {"train": sets.train, "validation": sets.validation, "test": sets.test}
    return {f"images_{name}": float(len(items)) for name, items in named.items()} | {
        f"originals_{name}": float(len(items.index.unique())) for name, items in named.items()
    }


def _examples(prepared: Prepared) -> Tensor:
    """Pictures that training never saw, chosen by a hash of their names: nobody picks them.

    Arms that share a split show the same ones. Where nothing is held out they are the first of the test set.
    """
    images, common = prepared.images, prepared.common.common.tolist()
    common.sort(key=lambda index: sha256(images.name(index).encode()).digest())
    return images.pixels[common[:EXAMPLES]] if common else prepared.pictures.test.pixels[:EXAMPLES]
