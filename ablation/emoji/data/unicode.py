"""The emoji of Unicode 15.0: what each is called, where it belongs and what it shows.

Source: emoji-test.txt 15.0 (UTS #51) and the character names of the Unicode Character Database,
both shipped, because Python's own `unicodedata` changes with the Python.
"""

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from ablation.emoji.data.subjects import subjects

VARIATION, JOINER = 0xFE0F, 0x200D
TONES = {
    0x1F3FB: "light skin tone",
    0x1F3FC: "medium-light skin tone",
    0x1F3FD: "medium skin tone",
    0x1F3FE: "medium-dark skin tone",
    0x1F3FF: "dark skin tone",
}
SIGNS = {0x2640: "woman", 0x2642: "man"}

_LINE = re.compile(r"(?P<codes>[0-9A-F ]+?) *; fully-qualified +# \S+ E[\d.]+ (?P<name>.+)")


@dataclass(frozen=True)
class Emoji:
    """One fully-qualified emoji: its code points, its names in lower case, and Unicode's own grouping."""

    codes: tuple[int, ...]
    text: str
    group: str
    subgroup: str
    subject: str

    @property
    def emoji(self) -> str:
        """The emoji itself, as a string."""
        return "".join(map(chr, self.codes))


@cache
def emojis() -> tuple[Emoji, ...]:
    """The 3,655 fully-qualified emoji of Unicode 15.0, in the order of emoji-test.txt.

    `text` is the Unicode name of an emoji of one character; that name with its qualifiers where skin
    tone and gender are all that follows ("face palm: woman, dark skin tone"); else the short name of
    emoji-test.txt. `subject` is the text of the emoji that shows the same without them.
    """
    names, rows = _names(), _rows()
    texts = [_text(codes, name.lower(), names) for codes, name, _, _ in rows]
    shown = subjects([(row[0], text) for row, text in zip(rows, texts, strict=True)], names)
    return tuple(
        Emoji(codes, text, group, subgroup, subject)
        for (codes, _, group, subgroup), text, subject in zip(rows, texts, shown, strict=True)
    )


def _rows() -> list[tuple[tuple[int, ...], str, str, str]]:
    heads = {"group": "", "subgroup": ""}
    rows = []
    for line in _asset("emoji-test.txt"):
        if head := re.match(r"# (group|subgroup): (.+)", line):
            heads[head[1]] = head[2]
        elif row := _LINE.match(line):
            codes = tuple(int(code, 16) for code in row["codes"].split())
            rows.append((codes, row["name"], heads["group"], heads["subgroup"]))
    return rows


def _names() -> dict[int, str]:
    rows = (line.split("; ") for line in _asset("names.txt") if line and not line.startswith("#"))
    return {int(code, 16): name.lower() for code, name in rows}


def _text(codes: tuple[int, ...], name: str, names: dict[int, str]) -> str:
    first, *rest = (code for code in codes if code not in (VARIATION, JOINER))
    if not set(rest) <= {*TONES, *SIGNS}:
        return name
    genders = [SIGNS[code] for code in rest if code in SIGNS]
    tones = [TONES[code] for code in rest if code in TONES]
    return f"{names[first]}: {', '.join(genders + tones)}" if rest else names[first]


def _asset(name: str) -> list[str]:
    return (
        (files("ablation") / "emoji" / "assets" / "unicode" / name).read_text(encoding="utf-8").splitlines()
    )
