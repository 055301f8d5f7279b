"""Class schemes: which words in a text, or which of Unicode's subgroups, put an image into which class.

A scheme is one entry of `SCHEMES`; to add one, add an entry. Its name goes into `data.classes`,
`data.stratify` or `data.among` of a spec.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from ablation.errors import unknown

Mood = Literal["happy", "sad", ""]


@dataclass(frozen=True)
class Class:
    """phrases: of which one must be in the text; subgroups: of which the image must be in one; either does.

    mood: what a prediction of this class says of happy and sad, so that label sets can be compared.
    """

    phrases: tuple[str, ...] = ()
    subgroups: tuple[str, ...] = ()
    mood: Mood = ""


HAPPY = Class(("happy face", "grinning face", "smiling face"), mood="happy")
SAD = Class(("sad face", "crying face", "frowning face"), mood="sad")

SCHEMES: dict[str, dict[str, Class]] = {
    "none": {},
    "happy_sad": {"happy": HAPPY, "sad": SAD},  # report, part 2 a
    # Report, part 2 f, 1: "neutral, angry, surprised". The words beside these are those by which
    # Unicode calls such faces; "face with open mouth" is not among them, since one of these vomits.
    "five_emotions": {
        "happy": HAPPY,
        "sad": SAD,
        "neutral": Class(
            ("neutral face", "expressionless face", "face without mouth", "dotted line face", "unamused face")
        ),
        "angry": Class(
            ("angry face", "pouting face", "pouting cat face", "look of triumph", "symbols covering mouth")
        ),
        "surprised": Class(("surprised", "hushed", "astonished", "flushed", "shocked", "screaming")),
    },
    # Unicode's subgroups of at least five faces. Most of the eight negative faces are angry: a split that
    # balances emotions could leave them out of a set, so they are one class with the concerned ones.
    "face_subgroups": {
        "smiling": Class(subgroups=("face-smiling",), mood="happy"),
        "affection": Class(subgroups=("face-affection",), mood="happy"),
        "tongue": Class(subgroups=("face-tongue",), mood="happy"),
        "hand": Class(subgroups=("face-hand",)),
        "neutral or sceptical": Class(subgroups=("face-neutral-skeptical",)),
        "sleepy": Class(subgroups=("face-sleepy",)),
        "unwell": Class(subgroups=("face-unwell",)),
        "concerned or negative": Class(subgroups=("face-concerned", "face-negative"), mood="sad"),
        "cat": Class(subgroups=("cat-face",)),
    },
    # Happy and sad by Unicode's subgroups: more faces than the report's words find. The predictions of
    # every other scheme are mapped to it, so that runs can be compared.
    "mood": {
        "happy": Class(subgroups=("face-smiling", "face-affection", "face-tongue"), mood="happy"),
        "sad": Class(subgroups=("face-concerned",), mood="sad"),
    },
}
"""SCHEMES[scheme][class]; the first class that fits an image wins."""


def scheme_of(name: str) -> dict[str, Class]:
    """The classes of the scheme by name, in the order of their numbers; `UserError` for an unknown one."""
    if name not in SCHEMES:
        raise unknown("class scheme", name, SCHEMES)
    return SCHEMES[name]


def class_names(scheme: str) -> tuple[str, ...]:
    """The names of the classes, in the order of their numbers; `UserError` for an unknown scheme."""
    return tuple(scheme_of(scheme))


def classify(texts: Sequence[str], subgroups: Sequence[str], scheme: str) -> list[int]:
    """The class number of each image, by its text and subgroup, or -1 where none fits.

    Upper and lower case of a text are alike.
    """
    return list(_classified(tuple(texts), tuple(subgroups), scheme))


@lru_cache(maxsize=32)  # the split, the training and the evaluation of a run all need the same classes
def _classified(texts: tuple[str, ...], subgroups: tuple[str, ...], scheme: str) -> tuple[int, ...]:
    classes = list(scheme_of(scheme).values())
    found = []
    for text, subgroup in zip(map(str.casefold, texts), subgroups, strict=True):
        fits = (subgroup in one.subgroups or any(phrase in text for phrase in one.phrases) for one in classes)
        found.append(next((number for number, fit in enumerate(fits) if fit), -1))
    return tuple(found)
