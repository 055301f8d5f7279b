"""Common evaluation: measures on held-out images of the whole source, the same for every arm under a seed.

A run's own test set depends on which images and classes it chose. These do not: they are the images
that the seed assigns to test, whatever subset of the others the run learned from. So runs that learn from
different images, or tell different classes apart, are measured alike.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ablation.emoji.data.classes import class_names, classify, scheme_of
from ablation.emoji.data.images import Images
from ablation.emoji.data.split import TEST, TRAIN
from ablation.emoji.evaluate import PerPicture, encode, evaluating, reconstruct
from ablation.emoji.measures import OTHER_PROBE, PROBES
from ablation.emoji.model import Autoencoder
from ablation.emoji.probe import effective_rank, probe_pool, probed
from ablation.emoji.spec import DataSpec
from ablation.emoji.worn_attributes import worn_pairs
from ablation.experiment import Diverged

FACES = "face-"
"""How Unicode's subgroups of faces begin."""


@dataclass(frozen=True)
class CommonImages:
    """Indices of images, int64: of the common test set, of the probe's two sides, of faces of either mood.

    worn, (m, 2): faces with hearts, tears or a tongue, and their plain ones (`worn_pairs`). mood: those that
    the run's own classes are asked about. probe_other: those of probe_test that are no faces, by Unicode's
    subgroups. faces_train, faces_test: those that a probe of happy and sad learns from, and is asked about.
    """

    common: Tensor
    mood: Tensor
    probe_train: Tensor
    probe_test: Tensor
    probe_other: Tensor
    faces_train: Tensor
    faces_test: Tensor
    worn: Tensor

    @property
    def faces(self) -> Tensor:
        """The faces of the probe of happy and sad, those to learn from first."""
        return torch.cat([self.faces_train, self.faces_test])

    def suffices(self, need: str) -> bool:
        """Whether they suffice for one of `EmojiMeasure.needs` that is about images."""
        wanted = {
            "subgroups": self.probe_test,
            "other": self.probe_other,
            "common": self.common,
            "mood": self.mood,
            "faces": self.faces_test,
            "worn": self.worn,
        }
        return len(wanted[need]) > 0


def common_images(images: Images, data: DataSpec, sides: Tensor) -> CommonImages:
    """Which images a run is measured on, beside its own test set; `sides` is the split assignment.

    After a split by copies nothing is held out: no common test set is left, and no mood. Of several folds
    the images are those of the fold that `sides` tests, which need not have both moods.
    """
    nothing = torch.empty(0, dtype=torch.int64)
    learned, tested = (images.drawn_by(ones) for ones in (data.train_vendors, data.test_vendors))
    pool = probe_pool(images.subject, images.subgroup, torch.where(sides == TRAIN, learned, tested))
    probe = pool[sides[pool] == TRAIN], pool[sides[pool] == TEST]
    if len({images.subgroup[index] for index in probe[0].tolist()}) < 2:
        probe = nothing, nothing
    other = [n for n in probe[1].tolist() if not images.subgroup[n].startswith(FACES)]
    if data.split == "copy":
        pairs = nothing.view(0, 2)
        return CommonImages(nothing, nothing, *probe, _indices(other), nothing, nothing, pairs)
    worn = worn_pairs(images, (sides == TEST) & tested)
    held_out = ((sides == TEST) & tested).nonzero().flatten().tolist()
    word, moods = data.common.casefold(), classify(images, "mood")
    common = [index for index in held_out if word in images.text[index].casefold()]
    faces = [index for index in held_out if moods[index] >= 0]
    taught = [
        index for index in ((sides == TRAIN) & learned).nonzero().flatten().tolist() if moods[index] >= 0
    ]
    # Only where there are both moods to learn from, and both in the test folds together.
    asked = tested.nonzero().flatten().tolist() if data.folds else faces
    if min(len({moods[index] for index in ones} - {-1}) for ones in (taught, asked)) < 2:
        faces = taught = []
    # Only where the run's own classes say something of both.
    said = {one.mood for one in scheme_of(data.classes).values()}
    mood = faces if {"happy", "sad"} <= said else []
    asked_of = _indices(other), _indices(taught), _indices(faces)
    return CommonImages(_indices(common), _indices(mood), *probe, *asked_of, worn)


def _indices(numbers: list[int]) -> Tensor:
    return torch.tensor(numbers, dtype=torch.int64)


def measure_common(
    model: Autoencoder, images: Images, found: CommonImages, scheme: str, asked: Collection[str] = ()
) -> tuple[dict[str, PerPicture], float]:
    """What the common evaluation makes of single pictures, by measure, and the effective rank of the codes.

    probe_accuracy, and where OTHER_PROBE is `asked` that of emoji that are no faces; common_mse;
    mood_balanced_accuracy: whether a happy or sad face is named so, by the odds of the model's own classes,
    those of `scheme`. A measure without pictures is left out; the rank, of the probe's codes, is NaN without
    any. Raises `Diverged` where a code is not finite.
    """
    pictures: dict[str, PerPicture] = {}
    rank = float("nan")
    if len(found.probe_test):
        pictures["probe_accuracy"], rank = _probed(model, images, found)
        if OTHER_PROBE in asked:
            right, other = pictures["probe_accuracy"], torch.isin(found.probe_test, found.probe_other)
            pictures[OTHER_PROBE] = PerPicture(right.index[other], right.values[other])
    if len(found.common):
        pixels = images.pixels[found.common]
        difference = (reconstruct(model, pixels).float() - pixels.float()) / 255
        errors = difference.square().flatten(1).mean(1).double()
        pictures["common_mse"] = PerPicture(found.common, errors)
    if len(found.mood):
        truth, says = moods_of(images, found.mood, scheme)
        seen = images.pixels[found.mood] / 255
        pictures["mood_balanced_accuracy"] = moods_named(model, seen, found.mood, truth, says)
    return pictures, rank


def common_counts(pictures: Mapping[str, PerPicture]) -> dict[str, float]:
    """How many pictures are behind the measures of `measure_common` and of `mood_probe`."""
    sizes = {
        "images_probe": "probe_accuracy",
        "images_probe_other": OTHER_PROBE,
        "images_common": "common_mse",
    }
    counts = {name: float(len(pictures[one])) for name, one in sizes.items() if one in pictures}
    moods = [one for name, one in pictures.items() if name in ("mood_balanced_accuracy", *PROBES)]
    for mood in moods[:1]:  # all are asked about the same faces
        assert mood.classes is not None
        counts["images_mood_rarest"] = float(mood.classes.bincount(minlength=len(class_names("mood"))).min())
    return counts


def _probed(model: Autoencoder, images: Images, found: CommonImages) -> tuple[PerPicture, float]:
    train, test = found.probe_train, found.probe_test
    codes = finite_codes(model, images.pixels[torch.cat([train, test])])
    names = [[images.subgroup[index] for index in part.tolist()] for part in (train, test)]
    said = probed(codes[: len(train)], names[0], codes[len(train) :])
    right = torch.tensor([one == name for one, name in zip(said, names[1], strict=True)])
    return PerPicture(test, right.double()), effective_rank(codes)


def finite_codes(model: Autoencoder, pixels: Tensor) -> Tensor:
    """Codes of pixels, as `encode` gives them; raises `Diverged` where one is not finite."""
    codes = encode(model, pixels)
    if not codes.isfinite().all():  # a saturated output can hide that the code is infinite
        raise Diverged("the trained network's codes are not finite: try a lower train.lr.")
    return codes


def moods_of(images: Images, index: Tensor, scheme: str) -> tuple[Tensor, Tensor]:
    """The mood of each face of `index`, int64 (n,), and which mood each class of `scheme` means.

    The latter is (classes, moods): 1 where the class means the mood, else 0.
    """
    truth = torch.tensor(classify(images, "mood"))[index]
    moods = class_names("mood")
    says = [[float(one.mood == mood) for mood in moods] for one in scheme_of(scheme).values()]
    return truth, torch.tensor(says)


def moods_named(model: Autoencoder, seen: Tensor, index: Tensor, truth: Tensor, says: Tensor) -> PerPicture:
    """Whether the mood of each face is named rightly, where it is `seen` so: float32 (n, 3, 64, 64).

    index: which images they are; truth and says: as `moods_of` gives them.
    """
    with evaluating(model):
        logits = model(seen).logits
    assert logits is not None
    guess = (F.softmax(logits.double(), dim=1) @ says.double()).argmax(1)
    return PerPicture(index, (guess == truth).double(), truth)
