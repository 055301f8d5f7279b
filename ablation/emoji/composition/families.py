"""Families of pictures that cross contents with the values of an attribute, found by the texts of the data.

A family is a table: `at[content, value]` is the picture of a content (a person, a colour, an hour, a species)
with a value of the attribute (a skin tone, a gender, a shape, the half hour, an expression, the vendor who
drew it). Two rows and two columns of the table are an analogy a : b :: c : d whose answer d is a picture.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import permutations

from ablation.emoji.data.images import Images

TWINS = {
    "smiling cat face with open mouth": "smiling face with open mouth",
    "grinning cat face with smiling eyes": "grinning face with smiling eyes",
    "cat face with tears of joy": "face with tears of joy",
    "smiling cat face with heart-shaped eyes": "smiling face with heart-shaped eyes",
    "cat face with wry smile": "smirking face",
    "kissing cat face with closed eyes": "kissing face with closed eyes",
    "weary cat face": "face screaming in fear",  # hands on its cheeks, whatever its name
    "crying cat face": "crying face",
    "pouting cat face": "pouting face",
}
"""The human face of the same expression, by the cat's text: the one table that the texts do not give."""

Key = tuple[str, str]  # content and value
Step = tuple[str, str]  # the value before and after

NO_TONE, DARK = "no skin tone", "dark skin tone"
VENDOR = "vendor"
"""The family whose attribute is who drew a picture."""
_COLOURS = "red|orange|yellow|green|blue|purple|brown|black|white"
# Not "heavy black heart", which is the red one; "black large square" and "medium black circle" are full size.
_SHAPE = re.compile(rf"(?:large |medium )?({_COLOURS})(?: large)? (circle|square|heart)")
_CLOCK = re.compile(r"clock face (\w+)(?: (oclock)|-(thirty))")
_GENDER = re.compile(r"\b(man|woman)\b")


@dataclass(frozen=True, eq=False)
class Family:
    """at[content, value]: index of the image. steps: the changes of value that analogies have.

    onto: the contents that analogies have as their target; None where every content can be. Where several
    vendors drew the images, a content is one vendor's ("cat by noto"), and so is every analogy, but in the
    family of vendors: there c and a are by one vendor, and d and b by another.
    """

    name: str
    at: Mapping[Key, int]
    steps: tuple[Step, ...]
    onto: frozenset[str] | None = None

    def asks(self, content: str) -> bool:
        """Whether analogies have the content as their target."""
        return self.onto is None or content in self.onto

    def pairs(self, step: Step) -> dict[str, tuple[int, int]]:
        """The indices before and after the step, by content."""
        before, after = step
        return {
            content: (index, self.at[content, after])
            for (content, value), index in self.at.items()
            if value == before and (content, after) in self.at
        }

    @property
    def truths(self) -> set[int]:
        """Every picture that can be the answer of an analogy, seen or unseen in training."""
        found = (pair for step in self.steps for pair in self.pairs(step).items())
        return {after for content, (_, after) in found if self.asks(content)}


@cache
def families(images: Images) -> tuple[Family, ...]:
    """The families that the texts of `images` hold, those without an analogy left out."""
    found = (
        _family("faces", images, _face, onto="cat"),
        _family("tone", images, _tone, steps=lambda step: step[0] == NO_TONE),
        _family("gender", images, _gender),
        _family("shape", images, _shape),
        _family("clock", images, _clock),
        _vendors(images),
    )
    return tuple(family for family in found if any(len(family.pairs(step)) > 1 for step in family.steps))


def _family(
    name: str,
    images: Images,
    key: Callable[[str], Key | None],
    onto: str = "",
    steps: Callable[[Step], bool] = lambda step: True,
) -> Family:
    at: dict[Key, int] = {}
    targets: set[str] = set()
    for index, (text, vendor) in enumerate(zip(images.text, images.vendor, strict=True)):
        if place := key(text.casefold()):
            kind, value = place
            content = f"{kind} by {vendor}" if images.several_vendors else kind
            at.setdefault((content, value), index)
            if kind == onto:
                targets.add(content)
    at = _several(at)
    values = dict.fromkeys(value for _, value in at)
    return Family(
        name, at, tuple(filter(steps, permutations(values, 2))), frozenset(targets) if onto else None
    )


def _several(at: Mapping[Key, int]) -> dict[Key, int]:
    """Without contents of a single picture: no step leads to or from them."""
    sizes = Counter(content for content, _ in at)
    return {place: index for place, index in at.items() if sizes[place[0]] > 1}


def _vendors(images: Images) -> Family:
    """Subjects, each by one emoji of it (its first, which has no tone), crossed with who drew it.

    A drawing that equals another vendor's of the same emoji is left out: nothing changes between them.
    """
    first: dict[str, str] = {}
    at: dict[Key, int] = {}
    drawn: set[tuple[str, bytes]] = set()
    if images.several_vendors:
        for index, (subject, text) in enumerate(zip(images.subject, images.text, strict=True)):
            place, looks = (text, images.vendor[index]), (text, images.digests[index])
            if first.setdefault(subject, text) == text and place not in at and looks not in drawn:
                at[place] = index
                drawn.add(looks)
    at = _several(at)
    return Family(VENDOR, at, tuple(permutations(dict.fromkeys(vendor for _, vendor in at), 2)))


def _face(text: str) -> Key | None:
    if text in TWINS:
        return "cat", TWINS[text]
    return ("human", text) if text in TWINS.values() else None


def _tone(text: str) -> Key | None:
    name, _, rest = text.partition(": ")
    words = rest.split(", ") if rest else []
    tones = [word for word in words if word.endswith("skin tone")]
    if len(tones) > 1:
        return None
    content = ", ".join([name, *(word for word in words if word not in tones)])
    return content, tones[0] if tones else NO_TONE


def _gender(text: str) -> Key | None:
    found = _GENDER.findall(text)
    return None if len(found) != 1 or "skin tone" in text else (_GENDER.sub("person", text), found[0])


def _shape(text: str) -> Key | None:
    found = _SHAPE.fullmatch(text)
    return (found[1], found[2]) if found else None


def _clock(text: str) -> Key | None:
    found = _CLOCK.fullmatch(text)
    return (found[1], found[2] or found[3]) if found else None
