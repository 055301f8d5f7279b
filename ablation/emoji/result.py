"""What a run gives: what its network makes of pictures it never saw, or those of its folds together."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean

import pandas as pd
import torch
from torch import Tensor

from ablation.emoji.common_evaluation import common_counts
from ablation.emoji.composition.evaluator import Composition
from ablation.emoji.data.duplicates import Duplicates, all_duplicates
from ablation.emoji.data.images import Images
from ablation.emoji.evaluate import Answers, PerPicture, all_answers, joined
from ablation.emoji.measures import FALLS, GAP
from ablation.emoji.model import Autoencoder
from ablation.emoji.spec import RunSpec
from ablation.emoji.train import Epoch


@dataclass(frozen=True, eq=False)
class Measured:
    """A trained network and what it makes of pictures: a run has one, or one for each fold.

    answers: to the test pictures, whose images are `tested`, int64 (n,). pictures: of the measures that are
    means over single pictures, beside those. seen: the errors of the training originals, where they are
    asked for. whole: measures that are of all pictures together and no means. sizes: pictures and originals
    of each set. asked: the measures to take on demand.
    """

    history: Sequence[Epoch]
    model: Autoencoder
    tested: Tensor
    answers: Answers
    pictures: dict[str, PerPicture]
    seen: PerPicture | None
    whole: dict[str, float]
    sizes: dict[str, float]
    duplicates: Duplicates
    composition: Composition
    examples: Tensor
    reconstructions: Tensor
    seconds: float
    asked: frozenset[str]


@dataclass(frozen=True)
class Result:
    """A finished run. metrics: on the test set and the common images, of composites, and counts of images.

    model, composition, examples and reconstructions are those of the first network; the last two are uint8
    (at most 5, 3, 64, 64). items: with folds, what became of every picture: measure, group, item and value,
    as `Run.items` takes it; else empty. images_per_second: of training; 0 without any.
    """

    history: tuple[Epoch, ...]
    metrics: dict[str, float]
    model: Autoencoder = field(repr=False)
    composition: Composition = field(repr=False)
    duplicates: Duplicates = field(repr=False)
    examples: Tensor = field(repr=False)
    reconstructions: Tensor = field(repr=False)
    items: pd.DataFrame = field(repr=False)
    seconds: float
    images_per_second: float

    @property
    def numbers(self) -> dict[str, float]:
        """Every number of the run: those of the last epoch, the final ones, and its speed."""
        speed = {"seconds": self.seconds, "images_per_second": self.images_per_second}
        return self.history[-1].metrics | self.metrics | speed


def pooled(spec: RunSpec, images: Images, parts: Sequence[Measured], among: int = 1) -> Result:
    """The result of a run whose networks are `parts`.

    Measures of test pictures are taken over the pictures of all networks at once. What is measured while a
    network learns, and those in `Measured.whole`, are means over networks; so is the number of training
    pictures, and every other count is a sum. The seconds are shared `among` so many runs that took them
    together.
    """
    first, folds = parts[0], bool(spec.data.folds)
    answered = all_answers([one.answers for one in parts])
    tested = torch.cat([one.tested for one in parts])
    names = dict.fromkeys(name for one in parts for name in one.pictures)
    common = {name: joined([one.pictures[name] for one in parts if name in one.pictures]) for name in names}
    metrics = {f"test_{name}": value for name, value in answered.numbers.items()}
    history = mean_history([one.history for one in parts])
    last = history[-1].metrics
    loss = spec.train.reconstruction_weight * last["validation_mse"]
    loss += spec.train.loss_weight * last.get("validation_cross_entropy", 0.0)
    asked = {name: curve for name, curve in FALLS.items() if name in first.asked and curve in last}
    falls = {name: still_falling(history, curve) for name, curve in asked.items()}
    metrics |= {"validation_loss": loss} | falls | {name: one.mean for name, one in common.items()}
    pictures = {f"test_{name}": one for name, one in answered.per_picture(tested).items()} | common
    seen = [one.seen for one in parts if one.seen is not None]
    if seen:
        by_picture = gaps(pictures["test_mse"], joined_means(seen)) if folds else None
        if by_picture is not None:
            pictures[GAP] = by_picture
        metrics[GAP] = by_picture.mean if by_picture else metrics["test_mse"] - joined(seen).mean
    for name in dict.fromkeys(name for one in parts for name in one.whole):
        metrics[name] = fmean(one.whole[name] for one in parts if name in one.whole)
    metrics |= common_counts(common)
    shared = all_duplicates([one.duplicates for one in parts])
    metrics |= _counts(parts, answered, first.model) | shared.numbers | first.composition.numbers
    epochs = [epoch for one in parts for epoch in one.history]
    trained = sum(epoch.seconds for epoch in epochs)
    return Result(
        history=history,
        metrics=metrics,
        model=first.model,
        composition=first.composition,
        duplicates=shared,
        examples=first.examples,
        reconstructions=first.reconstructions,
        items=_items(images, pictures if folds else {}, spec.data.split == "subject"),
        seconds=sum(one.seconds for one in parts) / among,
        images_per_second=sum(epoch.images for epoch in epochs) / trained if trained else 0.0,
    )


def mean_history(histories: Sequence[Sequence[Epoch]]) -> tuple[Epoch, ...]:
    """The mean of every number over networks, epoch by epoch; one that has ended stays where it ended.

    Training sets differ by some pictures, so that a budget of steps may be an epoch more in one network.
    """
    if len(histories) == 1:
        return tuple(histories[0])
    epochs = []
    for n in range(max(map(len, histories))):
        ones = [one[min(n, len(one) - 1)] for one in histories]
        metrics = {name: fmean(one.metrics[name] for one in ones) for name in ones[0].metrics}
        images = sum(one[n].images for one in histories if n < len(one))
        seconds = sum(one[n].seconds for one in histories if n < len(one))
        # The steps of the network with the most epochs: they grow from each epoch to the next.
        epochs.append(Epoch(n + 1, min(one.steps for one in ones), images, metrics, seconds))
    return tuple(epochs)


def still_falling(history: Sequence[Epoch], name: str) -> float:
    """How much lower the error `name` is in the last quarter of the training than in the quarter before it.

    1 less the ratio of two means: over the evaluations in the last quarter of the steps, and over those in
    the third. So no single evaluation decides. 0.05: it fell by 5 %; below 0: it rose. A quarter without an
    evaluation takes the last one before its end; NaN where there is none, as of a training of one pass.
    """
    steps = history[-1].steps

    def mean(until: float) -> float:
        before = [epoch for epoch in history if epoch.steps <= until * steps]
        found = [one.metrics[name] for one in before if one.steps > (until - 1 / 4) * steps]
        return fmean(found or [one.metrics[name] for one in before[-1:]] or [math.nan])

    before, after = mean(3 / 4), mean(1.0)
    return 1 - after / before if before else 0.0


def joined_means(parts: Sequence[PerPicture]) -> PerPicture:
    """The mean value of each picture over the parts that have it."""
    every = joined(parts)
    index, place = every.index.unique(return_inverse=True)
    sums = torch.zeros(len(index), dtype=torch.float64).index_add(0, place, every.values)
    return PerPicture(index, sums / place.bincount())


def gaps(tested: PerPicture, seen: PerPicture) -> PerPicture | None:
    """How much larger the error of each picture is where it is tested than where it is learned from.

    Of the pictures that are both; None where none is, as with a vendor that is only tested on.
    """
    place = torch.searchsorted(seen.index, tested.index).clamp(max=len(seen) - 1)
    both = seen.index[place] == tested.index
    if not both.any():
        return None
    return PerPicture(tested.index[both], tested.values[both] - seen.values[place[both]])


def _counts(parts: Sequence[Measured], answered: Answers, model: Autoencoder) -> dict[str, float]:
    """Parameters, classes, images and originals of each set, test images of the rarest class, and how many
    networks there are, where not one.
    """
    counts = {"parameters": float(sum(part.numel() for part in model.parameters()))}
    for name in parts[0].sizes:
        sizes = [one.sizes[name] for one in parts]
        counts[name] = fmean(sizes) if name.endswith("_train") else sum(sizes)
    if model.classifier is not None:
        counts["classes"] = float(model.classifier.out_features)
    if len(parts) > 1:
        counts["networks"] = float(len(parts))
    classes = answered.labels[answered.labels >= 0].bincount()
    return counts | ({"images_test_rarest": float(classes.min())} if len(classes) else {})


def _items(images: Images, pictures: dict[str, PerPicture], by_subject: bool) -> pd.DataFrame:
    """A row a measure and picture: its name, and its subject as the group where the split is by subject."""
    names = distinct_names(images) if pictures else ()
    rows = [
        (measure, images.subject[index] if by_subject else "", names[index], value)
        for measure, one in pictures.items()
        for index, value in zip(one.index.tolist(), one.weighed.tolist(), strict=True)
    ]
    return pd.DataFrame(rows, columns=["measure", "group", "item", "value"])


def distinct_names(images: Images) -> list[str]:
    """The name of every image, with a number behind it where several have one name."""
    names = [images.name(index) for index in range(len(images))]
    shared, met = Counter(names), Counter[str]()
    found = []
    for name in names:
        met[name] += 1
        found.append(f"{name} ({met[name]})" if shared[name] > 1 else name)
    return found
