"""Common evaluation: measures on held-out images of the whole source, the same for every arm under a seed.

A run's own test set depends on which images and classes it chose. These do not: they are the images
that the seed assigns to test, whatever subset of the others the run learned from. So runs that learn from
different images, or tell different classes apart, are measured alike.
"""

from dataclasses import dataclass

import torch
from sklearn.metrics import recall_score
from torch import Tensor
from torch.nn import functional as F

from ablation.emoji.data.classes import class_names, classify, scheme_of
from ablation.emoji.data.images import Images
from ablation.emoji.data.split import TEST, TRAIN
from ablation.emoji.evaluate import encode, evaluating, reconstruct
from ablation.emoji.model import Autoencoder
from ablation.emoji.probe import effective_rank, probe_accuracy, probe_pool
from ablation.emoji.spec import DataSpec
from ablation.experiment import Diverged


@dataclass(frozen=True)
class CommonImages:
    """Indices of images, int64: of the common test set, of faces of either mood, of the probe's two sides."""

    common: Tensor
    mood: Tensor
    probe_train: Tensor
    probe_test: Tensor

    def suffices(self, need: str) -> bool:
        """Whether they suffice for "subgroups", "common" or "mood" of `EmojiMeasure.needs`."""
        return len({"subgroups": self.probe_test, "common": self.common, "mood": self.mood}[need]) > 0


def common_images(images: Images, data: DataSpec, sides: Tensor) -> CommonImages:
    """Which images a run is measured on, beside its own test set; `sides` is the split assignment.

    After a split by copies nothing is held out: no common test set is left, and no mood.
    """
    nothing = torch.empty(0, dtype=torch.int64)
    learned, tested = (images.drawn_by(ones) for ones in (data.train_vendors, data.test_vendors))
    pool = probe_pool(images.subject, images.subgroup, torch.where(sides == TRAIN, learned, tested))
    if len({images.subgroup[index] for index in pool.tolist()}) < 2:
        pool = nothing
    probe = pool[sides[pool] == TRAIN], pool[sides[pool] == TEST]
    if data.split == "copy":
        return CommonImages(nothing, nothing, *probe)
    held_out = ((sides == TEST) & tested).nonzero().flatten().tolist()
    word, moods = data.common.casefold(), classify(images, "mood")
    common = [index for index in held_out if word in images.text[index].casefold()]
    mood = [index for index in held_out if moods[index] >= 0]
    # Only where there are both moods, and the run's own classes say something of both.
    said = {one.mood for one in scheme_of(data.classes).values()}
    if not {"happy", "sad"} <= said or len({moods[index] for index in mood}) < 2:
        mood = []
    return CommonImages(
        torch.tensor(common, dtype=torch.int64), torch.tensor(mood, dtype=torch.int64), *probe
    )


def measure_common(model: Autoencoder, images: Images, found: CommonImages, scheme: str) -> dict[str, float]:
    """The numbers of the common evaluation, those that can be had, with the number of images behind them.

    probe_accuracy, effective_rank of the probe's codes; common_mse; mood_balanced_accuracy: the mean of
    how many happy and how many sad faces are named so, by the odds of the model's own classes, those of
    `scheme`. Raises `Diverged` where a code is not finite.
    """
    numbers: dict[str, float] = {}
    if len(found.probe_test):
        numbers |= _probed(model, images, found)
    if len(found.common):
        pixels = images.pixels[found.common]
        difference = (reconstruct(model, pixels).float() - pixels.float()) / 255
        numbers |= {"common_mse": difference.square().mean().item(), "images_common": float(len(pixels))}
    if len(found.mood):
        numbers |= _moods(model, images, found.mood, scheme)
    return numbers


def _probed(model: Autoencoder, images: Images, found: CommonImages) -> dict[str, float]:
    train, test = found.probe_train, found.probe_test
    codes = encode(model, images.pixels[torch.cat([train, test])])
    if not codes.isfinite().all():  # a saturated output can hide that the code is infinite
        raise Diverged("the trained network's codes are not finite: try a lower train.lr.")
    names = [[images.subgroup[index] for index in part.tolist()] for part in (train, test)]
    accuracy = probe_accuracy(codes[: len(train)], names[0], codes[len(train) :], names[1])
    return {
        "probe_accuracy": accuracy,
        "effective_rank": effective_rank(codes),
        "images_probe": float(len(test)),
    }


def _moods(model: Autoencoder, images: Images, index: Tensor, scheme: str) -> dict[str, float]:
    truth = torch.tensor(classify(images, "mood"))[index]
    moods = class_names("mood")
    says = torch.tensor([[float(one.mood == mood) for mood in moods] for one in scheme_of(scheme).values()])
    with evaluating(model):
        logits = model(images.pixels[index] / 255).logits
    assert logits is not None
    guess = (F.softmax(logits.double(), dim=1) @ says.double()).argmax(1)
    score = recall_score(truth.numpy(), guess.numpy(), average="macro")
    return {
        "mood_balanced_accuracy": float(score),
        "images_mood_rarest": float(truth.bincount(minlength=len(moods)).min()),
    }
