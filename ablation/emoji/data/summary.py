"""What is in a set of images: as numbers, and as one picture of all."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, sqrt
from pathlib import Path

import torch
from PIL import Image

from ablation.emoji.data.classes import SCHEMES, class_names, classify
from ablation.emoji.data.images import Images, grid
from ablation.emoji.data.split import SETS, assign_sides, select
from ablation.emoji.spec import DataSpec
from ablation.errors import UserError

SHEET = 960
"""Width in pixels that a contact sheet of few images is enlarged to, at most."""


@dataclass(frozen=True)
class Summary:
    """A set of images in numbers.

    images, subjects: all of the source. groups: images per Unicode group, most first. faces: texts
    with "face"; clocks and people: how many of these are clock faces and people. sets: originals that the
    spec chooses, per set under seed 0; classes[name] the same per class (of `spec.classes`, and empty
    without). schemes[scheme][class]: images of the whole source. fingerprint: of the whole source.
    """

    images: int
    subjects: int
    groups: dict[str, int]
    faces: int
    clocks: int
    people: int
    sets: dict[str, int]
    classes: dict[str, dict[str, int]]
    schemes: dict[str, dict[str, int]]
    fingerprint: str


def describe(images: Images, spec: DataSpec) -> Summary:
    """The numbers of `images`, and of what `spec` makes of them without augmented copies."""
    faces = [number for number, text in enumerate(images.text) if "face" in text.casefold()]
    chosen = select(images, spec)
    sides = assign_sides(images, spec, seed=0)[chosen]
    members = {name: chosen[sides == number].tolist() for number, name in enumerate(SETS)}

    def counts(scheme: str, index: Iterable[int]) -> dict[str, int]:
        labels = classify(images.text, images.subgroup, scheme)
        numbers = Counter(labels[i] for i in index)
        return {label: numbers[number] for number, label in enumerate(class_names(scheme))}

    by_set = {name: counts(spec.classes, index) for name, index in members.items()}
    return Summary(
        images=len(images),
        subjects=len(set(images.subject)),
        groups=dict(Counter(images.group).most_common()),
        faces=len(faces),
        clocks=sum("clock face" in images.text[number].casefold() for number in faces),
        people=sum(images.group[number] == "People & Body" for number in faces),
        sets={name: len(index) for name, index in members.items()},
        classes={label: {name: by_set[name][label] for name in SETS} for label in class_names(spec.classes)},
        schemes={scheme: counts(scheme, range(len(images))) for scheme in SCHEMES if class_names(scheme)},
        fingerprint=images.fingerprint,
    )


def contact_sheet(images: Images, index: torch.Tensor, path: Path) -> None:
    """Write the images `index` (int64 (m,)) as one PNG, about as wide as high, row by row.

    Few images are enlarged by a whole factor, many stay as they are: 3,655 make 4024 x 3958 pixels.
    """
    if not len(index):
        raise UserError("a contact sheet wants at least one image, but got none: choose another keyword.")
    sheet = grid(images.pixels[index], columns=ceil(sqrt(len(index))))
    factor = max(1, SHEET // sheet.width)
    size = (sheet.width * factor, sheet.height * factor)
    try:
        sheet.resize(size, Image.Resampling.NEAREST).save(path, "PNG")
    except OSError as error:
        raise UserError(f"a contact sheet is a PNG file, but {path} cannot be written: {error}.") from error
