"""What an emoji shows once skin tone and gender are taken off, so that a split can keep it together.

The rule, on the names of the characters: (1) tones, gender signs, joiners and variation selectors
are dropped; (2) a name of one gender ("prince") is replaced by a neutral one ("person with crown");
(3) a character that a sequence can also express ("family") is replaced by that sequence; (4) a territory
that flies the flag of a country counts as that country.
"""

from collections.abc import Mapping, Sequence

_INVISIBLE = frozenset((0x200D, 0xFE0F))
_DROPPED = _INVISIBLE | {0x2640, 0x2642, *range(0x1F3FB, 0x1F400)}

_UNGENDERED = {
    "man": "adult",
    "woman": "adult",
    "boy": "child",
    "girl": "child",
    "older man": "older adult",
    "older woman": "older adult",
    "prince": "person with crown",
    "princess": "person with crown",
    "pregnant man": "pregnant person",
    "pregnant woman": "pregnant person",
    "man dancing": "dancer",
}

_SPELLED_OUT = {
    "family": "adult + adult + child",
    "kiss": "adult + heavy black heart + kiss mark + adult",
    "couple with heart": "adult + heavy black heart + adult",
    "man and woman holding hands": "adult + handshake + adult",
    "two men holding hands": "adult + handshake + adult",
    "two women holding hands": "adult + handshake + adult",
    "handshake": "rightwards hand + leftwards hand",
    "father christmas": "adult + christmas tree",
    "mother christmas": "adult + christmas tree",
}


def _flag(letters: str) -> str:
    return " + ".join(f"regional indicator symbol letter {letter}" for letter in letters)


_TERRITORIES = {"no": "bv sj", "fr": "cp mf", "io": "dg", "es": "ea", "au": "hm", "us": "um"}
"""ISO 3166 codes of countries, and of territories whose emoji is that country's flag, pixel for pixel."""

_FLIES = {_flag(one): _flag(country) for country, ones in _TERRITORIES.items() for one in ones.split()}


def subjects(emojis: Sequence[tuple[tuple[int, ...], str]], names: Mapping[int, str]) -> list[str]:
    """The subject of each emoji, given its code points and its text, and the names of all characters.

    A subject is called by the text of the first emoji that shows it as it is, without tone, gender or
    another spelling, and where there is none by that of the first that shows it at all.
    """
    keys = [subject_key(codes, names) for codes, _ in emojis]
    titles: dict[str, str] = {}
    for key, (_, text) in zip(keys, emojis, strict=True):
        titles.setdefault(key, text)
    for codes, text in reversed(emojis):
        plain = " + ".join(names[code] for code in codes if code not in _INVISIBLE)
        if plain in titles:
            titles[plain] = text
    return [titles[key] for key in keys]


def subject_key(codes: tuple[int, ...], names: Mapping[int, str]) -> str:
    """The names of the characters that are left, joined by " + "; equal keys show the same thing.

    The female and male signs stay where they are the emoji itself, not a qualifier behind it.
    """
    first, *rest = codes
    kept = [names[first], *(names[code] for code in rest if code not in _DROPPED)]
    key = " + ".join(_UNGENDERED.get(name, name) for name in kept)
    return _SPELLED_OUT.get(key) or _FLIES.get(key, key)
