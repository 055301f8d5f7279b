"""What is in a set of images: as numbers, and as one picture of all."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, sqrt
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont

from ablation.emoji.data.classes import SCHEMES, class_names, classify
from ablation.emoji.data.images import GAP, Images, picture
from ablation.emoji.data.split import SETS, assign_sides, select
from ablation.emoji.spec import DataSpec
from ablation.errors import UserError
from ablation.texts import one_line

SHEET = 960
"""Width in pixels that a contact sheet of few images is enlarged to, at most."""
LABELLED = 400
"""The most images whose texts a contact sheet shows."""
LABEL_WIDTH, LINE, HEADING = 96, 12, 24
"""Pixels: of a text, of a line of it, and of the name of a group."""
FONT = ImageFont.load_default(10)


@dataclass(frozen=True)
class Summary:
    """A set of images in numbers.

    images, subjects: all of the source. groups: images per Unicode group, most first. faces: texts
    with "face"; clocks and people: how many of these are clock faces and people. sets: originals that the
    spec chooses, per set under seed 0; classes[name] the same per class (of `spec.classes`, and empty
    without). schemes[scheme][class]: images of the whole source. labels: images per class that the
    source itself names, most first. fingerprint: of the whole source.
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
    labels: dict[str, int]
    fingerprint: str


def describe(images: Images, spec: DataSpec) -> Summary:
    """The numbers of `images`, and of what `spec` makes of them without augmented copies."""
    faces = [number for number, text in enumerate(images.text) if "face" in text.casefold()]
    chosen = select(images, spec)
    sides = assign_sides(images, spec, seed=0)[chosen]
    members = {name: chosen[sides == number].tolist() for number, name in enumerate(SETS)}

    def counts(scheme: str, index: Iterable[int]) -> dict[str, int]:
        labels = classify(images, scheme)
        numbers = Counter(labels[i] for i in index)
        return {label: numbers[number] for number, label in enumerate(class_names(scheme, images))}

    by_set = {name: counts(spec.classes, index) for name, index in members.items()}
    return Summary(
        images=len(images),
        subjects=len(set(images.subject)),
        groups=dict(Counter(images.group).most_common()),
        faces=len(faces),
        clocks=sum("clock face" in images.text[number].casefold() for number in faces),
        people=sum(images.group[number] == "People & Body" for number in faces),
        sets={name: len(index) for name, index in members.items()},
        classes={
            label: {name: by_set[name][label] for name in SETS} for label in class_names(spec.classes, images)
        },
        schemes={scheme: counts(scheme, range(len(images))) for scheme in SCHEMES if class_names(scheme)},
        labels=dict(Counter(label for label in images.label if label).most_common()),
        fingerprint=images.fingerprint,
    )


def contact_sheet(images: Images, index: torch.Tensor, path: Path) -> None:
    """Write the images `index` (int64 (m,)) as one PNG, about as wide as high.

    They stand vendor by vendor and group by group, each group under its name and number. Up to `LABELLED`
    images have their texts below them, and few are enlarged by a whole factor; more are shown at half of
    their size, without texts.
    """
    if not len(index):
        raise UserError("a contact sheet wants at least one image, but got none: choose another keyword.")
    groups: dict[str, list[int]] = {}
    several = len({images.vendor[number] for number in index.tolist()}) > 1
    for number in index.tolist():
        group = images.group[number] or "no group"
        name = f"{images.vendor[number] or 'no vendor'}, {group}" if several else group
        groups.setdefault(name, []).append(number)
    labelled = len(index) <= LABELLED
    columns = ceil(sqrt(len(index)))
    side = 64 * max(1, SHEET // (columns * LABEL_WIDTH)) if labelled else 32
    wide, high = (max(side, LABEL_WIDTH), side + 2 * LINE) if labelled else (side, side)
    wide, high = wide + GAP, high + GAP
    heights = [HEADING + ceil(len(group) / columns) * high for group in groups.values()]
    sheet = Image.new("RGB", (columns * wide, sum(heights)), "white")
    draw, top = ImageDraw.Draw(sheet), 0
    for (name, group), height in zip(groups.items(), heights, strict=True):
        draw.text((GAP, top + 3), f"{name}: {len(group)}", "black", ImageFont.load_default(14))
        for place, number in enumerate(group):
            row, column = divmod(place, columns)
            corner = (column * wide, top + HEADING + row * high)
            shown = picture(images.pixels[number]).resize((side, side), Image.Resampling.BOX)
            sheet.paste(shown, corner)
            if labelled:
                below = (corner[0], corner[1] + side)
                draw.text(below, _label(images.text[number], wide - GAP, draw), "black", FONT, spacing=1)
        top += height
    try:
        sheet.save(path, "PNG")
    except OSError as error:
        raise UserError(f"a contact sheet is a PNG file, but {path} cannot be written: {error}.") from error


def _label(text: str, width: int, draw: ImageDraw.ImageDraw) -> str:
    """The text in at most two lines of so many pixels; what does not fit becomes "…"."""
    lines = [""]
    for word in one_line(text, 200).split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and draw.textlength(longer, FONT) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    kept = lines[:2]
    for place, line in enumerate(kept):
        more = "…" if place == 1 and len(lines) > 2 else ""
        while line and draw.textlength(line + more, FONT) > width:
            line, more = line[:-1], "…"
        kept[place] = line + more
    return "\n".join(kept)
