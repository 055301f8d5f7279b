"""Find an image by what a person calls it: its text, the emoji itself, or its code points."""

import re
from difflib import get_close_matches

from ablation.emoji.data.images import Images
from ablation.errors import UserError

SHOWN = 5
_VARIATION = "\ufe0f"  # asks for the colourful form; keyboards leave it out
_POINTS = re.compile(r"(?:u\+[0-9a-f]{1,6}[\s,]*)+", re.IGNORECASE)


def resolve(images: Images, name: str) -> int:
    """The index of the image whose text or emoji is `name`, or whose code points are, as in "U+1F63B".

    A part of one text alone will do. A name that fits none, or several, is a `UserError` with the nearest.
    """
    wanted = _plain(name)
    for words in (images.text, images.emoji):
        found = [index for index, word in enumerate(words) if word and _plain(word) == wanted]
        if found:
            return found[0]
    parts = [index for index, text in enumerate(images.text) if wanted and wanted in text.casefold()]
    if len(parts) == 1:
        return parts[0]
    texts = [images.text[index] for index in parts] or list(images.text)
    near = sorted(texts, key=len)[:SHOWN] if parts else get_close_matches(wanted, texts, SHOWN, cutoff=0.5)
    fits = f"fits {len(parts)}" if parts else "fits none"
    raise UserError(
        f"an emoji wants one text, character or code point (U+1F63B), but {name!r} {fits}: "
        + (
            f"did you mean {', '.join(map(repr, near))}?"
            if near
            else "`ablation emoji show` lists what there is."
        )
    )


def _plain(name: str) -> str:
    name = name.strip()
    if _POINTS.fullmatch(name):
        points = [int(point, 16) for point in re.findall(r"(?<=[uU]\+)[0-9a-fA-F]+", name)]
        name = "".join(chr(point) for point in points if point <= 0x10FFFF)
    return name.casefold().replace(_VARIATION, "")
