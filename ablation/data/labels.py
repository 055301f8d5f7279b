"""Class schemes: which words in a text put an image into which class.

A scheme is one entry of `SCHEMES`; to add one, add an entry. Its name goes into `data.classes` or
`data.stratify` of a spec.
"""

from collections.abc import Sequence

from ablation.errors import unknown

SCHEMES: dict[str, dict[str, tuple[str, ...]]] = {
    "none": {},
    "happy_sad": {  # report, part 2 a
        "happy": ("happy face", "grinning face", "smiling face"),
        "sad": ("sad face", "crying face", "frowning face"),
    },
}
"""SCHEMES[scheme][class] is the phrases of which one must be in the text; the first class that fits wins."""


def class_names(scheme: str) -> tuple[str, ...]:
    """The names of the classes, in the order of their numbers; a scheme that is not known is a `Mistake`."""
    if scheme not in SCHEMES:
        raise unknown("class scheme", scheme, SCHEMES)
    return tuple(SCHEMES[scheme])


def classify(texts: Sequence[str], scheme: str) -> list[int]:
    """The class number of each text, or -1 where none fits; upper and lower case are alike."""
    names = class_names(scheme)
    phrases = [SCHEMES[scheme][name] for name in names]
    return [_first_match(text.casefold(), phrases) for text in texts]


def _first_match(text: str, phrases: Sequence[tuple[str, ...]]) -> int:
    return next((number for number, some in enumerate(phrases) if any(p in text for p in some)), -1)
