"""Class schemes: which class each image has, by its text, by Unicode's groups, or by a column of its source.

A scheme is the value of `data.classes`, `data.stratify` or `data.among`: the name of one of `SCHEMES`, the
classes of a study's own (`class_scheme`), or "column:NAME", whose classes are the values of that column.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from itertools import combinations
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from ablation.errors import UserError, check_known, unknown
from ablation.fields import checked
from ablation.texts import unfit

if TYPE_CHECKING:
    from ablation.emoji.data.images import Images

Mood = Literal["happy", "sad", ""]
WAYS = ("phrases", "texts", "groups", "subgroups")
"""The fields of a `Class` that say which images it has."""
COLUMNS = ("class", "group", "subgroup", "subject", "text", "vendor")
"""The columns whose values may be classes; the text of an image in a folder is the name of its folder."""
COLUMN = "column:"
"""How a scheme begins whose classes are the values of a column."""


@checked
@dataclass(frozen=True)
class Class:
    """phrases: of which one must be in the text; texts: of which one must be the whole text; groups,
    subgroups: of which the image must be in one. Any of them does. Upper and lower case are alike in texts.

    mood: what a prediction of this class says of happy and sad, so that label sets can be compared.
    """

    phrases: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    subgroups: tuple[str, ...] = ()
    mood: Mood = ""

    def __post_init__(self) -> None:
        """Refuse an empty text, which every text contains."""
        for name in WAYS:
            if "" in getattr(self, name):
                raise UserError(f"{name} of Class wants texts, but got an empty one: drop it.")


HAPPY = Class(("happy face", "grinning face", "smiling face"), mood="happy")
SAD = Class(("sad face", "crying face", "frowning face"), mood="sad")

SCHEMES: Mapping[str, Mapping[str, Class]] = MappingProxyType(
    {
        "none": {},
        "happy_sad": {"happy": HAPPY, "sad": SAD},  # report, part 2 a
        # Report, part 2 f, 1: "neutral, angry, surprised". The words beside these are those by which
        # Unicode calls such faces; "face with open mouth" is not among them, since one of these vomits.
        "five_emotions": {
            "happy": HAPPY,
            "sad": SAD,
            "neutral": Class(
                (
                    "neutral face",
                    "expressionless face",
                    "face without mouth",
                    "dotted line face",
                    "unamused face",
                )
            ),
            "angry": Class(
                (
                    "angry face",
                    "pouting face",
                    "pouting cat face",
                    "look of triumph",
                    "symbols covering mouth",
                )
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
        # Happy and sad by Unicode's subgroups: more faces than the report's words find. The
        # predictions of every other scheme are mapped to it, so that runs can be compared.
        "mood": {
            "happy": Class(subgroups=("face-smiling", "face-affection", "face-tongue"), mood="happy"),
            "sad": Class(subgroups=("face-concerned",), mood="sad"),
        },
    }
)
"""SCHEMES[scheme][class]; the first class that fits an image wins."""


def class_scheme(classes: Mapping[str, Class]) -> str:
    """Classes of one's own, by name, as the text that `data.classes`, `data.stratify`, `data.among` take.

    It is JSON and a setting like any other: recorded with each run, and part of its fingerprint. The first
    class that fits an image wins; images that fit none have no class. `UserError` for less than two classes,
    for a class that names no images, and for one that an earlier one leaves none.
    """
    if not isinstance(classes, Mapping) or not all(isinstance(one, Class) for one in classes.values()):
        raise UserError(
            "class_scheme wants classes by their names, as in {'round': Class(phrases=('0', '6')), ...}, but "
            f"got {classes!r}."
        )
    _check_own(classes)
    table = {name: {key: one for key, one in asdict(each).items() if one} for name, each in classes.items()}
    return json.dumps(table, ensure_ascii=False)


def _check_own(classes: Mapping[str, Class]) -> None:
    if len(classes) < 2:
        raise UserError(f"a class scheme wants at least two classes, but got {', '.join(classes) or 'none'}.")
    for name, one in classes.items():
        if not isinstance(name, str) or not name.strip() or unfit(name):
            raise UserError(f"a class wants a name, but got {name!r}: give it letters or digits.")
        if not any(getattr(one, way) for way in WAYS):
            raise UserError(f"the class {name!r} wants some of {', '.join(WAYS)}, but got none: name some.")
    for (first, one), (second, other) in combinations(classes.items(), 2):
        for way in WAYS:
            for earlier in getattr(one, way):
                for later in getattr(other, way):
                    if _hides(earlier.casefold(), later.casefold(), way):
                        raise UserError(
                            f"the first class that fits an image wins, but {way} {later!r} of {second!r} can "
                            f"never be reached after {earlier!r} of {first!r}: change one, or the order."
                        )


def _hides(earlier: str, later: str, way: str) -> bool:
    return earlier in later if way == "phrases" else earlier == later


@lru_cache(maxsize=32)
def scheme_of(scheme: str) -> Mapping[str, Class]:
    """The classes of a scheme by name, in the order of their numbers; `UserError` for an unknown one.

    Empty for a column: its classes are known with the images alone.
    """
    if scheme.startswith("{"):
        return _own(scheme)
    if scheme.startswith(COLUMN):
        check_known("column of classes", scheme.removeprefix(COLUMN), COLUMNS)
        return {}
    if scheme not in SCHEMES:
        raise unknown("class scheme", scheme, (*SCHEMES, *(COLUMN + name for name in COLUMNS)))
    return SCHEMES[scheme]


def _own(scheme: str) -> Mapping[str, Class]:
    known = {field.name for field in fields(Class)}
    try:
        table = json.loads(scheme)
        classes = {name: Class(**{key: one[key] for key in one}) for name, one in table.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise UserError(
            "classes of one's own want the text that class_scheme makes, JSON of a name and some of "
            f"{', '.join(sorted(known))}, but got {scheme!r}: write class_scheme({{...}})."
        ) from error
    _check_own(classes)
    return classes


def by_column(scheme: str) -> bool:
    """Whether the classes are the values of a column, so that they are known with the images alone."""
    return scheme.startswith(COLUMN)


def class_names(scheme: str, images: "Images | None" = None) -> tuple[str, ...]:
    """The names of the classes, in the order of their numbers; `UserError` for an unknown scheme.

    Those of a column are its values in alphabetical order, without the empty one, and want the images.
    """
    if not by_column(scheme):
        return tuple(scheme_of(scheme))
    if images is None:
        raise ValueError(f"the classes of {scheme!r} are known with the images alone")
    return tuple(sorted({*_column(images, scheme)} - {""}))


def _column(images: "Images", scheme: str) -> tuple[str, ...]:
    """The value of every image in the column, "" where there is none."""
    scheme_of(scheme)
    return images.column(scheme.removeprefix(COLUMN))


@lru_cache(maxsize=32)  # the split, the training and the evaluation of a run all need the same classes
def classify(images: "Images", scheme: str) -> tuple[int, ...]:
    """The class number of each image, or -1 where none fits."""
    if by_column(scheme):
        numbers = {name: number for number, name in enumerate(class_names(scheme, images))}
        return tuple(numbers.get(value, -1) for value in _column(images, scheme))
    classes = [
        ({*map(str.casefold, one.texts)}, [*map(str.casefold, one.phrases)], one.groups, one.subgroups)
        for one in scheme_of(scheme).values()
    ]
    found = []
    for text, group, subgroup in zip(
        map(str.casefold, images.text), images.group, images.subgroup, strict=True
    ):
        fits = (
            text in texts
            or group in groups
            or subgroup in subgroups
            or any(phrase in text for phrase in phrases)
            for texts, phrases, groups, subgroups in classes
        )
        found.append(next((number for number, fit in enumerate(fits) if fit), -1))
    return tuple(found)


def check_classes(images: "Images", setting: str, scheme: str) -> None:
    """Raise `UserError` where a study's own classes, or a column's, are not among the images.

    A class that fits no image is most likely misspelt. Of the schemes that are shipped, a source need not
    have all.
    """
    names = class_names(scheme, images)
    if by_column(scheme):
        if len(names) < 2:
            has = f"{names[0]!r} alone" if names else "no value"
            raise UserError(
                f"{setting} {scheme!r} wants at least two values in that column of the images, but there is "
                f"{has}: name another column, or classes."
            )
    elif scheme not in SCHEMES:
        used = {*classify(images, scheme)}
        if none := [name for number, name in enumerate(names) if number not in used]:
            raise UserError(
                f"every class of {setting} wants an image, but {', '.join(map(repr, none))} "
                f"{'fits' if len(none) == 1 else 'fit'} none of {len(images)} that an earlier class leaves: "
                "check the spelling, or leave it out."
            )
