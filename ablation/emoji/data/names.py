"""Find an image by what a person calls it: its text, the emoji itself, or its code points."""

import re
from difflib import get_close_matches

from ablation.emoji.data.images import Images
from ablation.errors import UserError, check_known

SHOWN = 5
_VARIATION = "\ufe0f"  # asks for the colourful form; keyboards leave it out
_POINTS = re.compile(r"(?:u\+[0-9a-f]{1,6}[\s,]*)+", re.IGNORECASE)


def resolve(images: Images, name: str, vendor: str = "") -> int:
    """The index of the image whose text or emoji is `name`, or whose code points are, as in "U+1F63B".

    A part of one text alone will do. Where several vendors drew the images it is that of `vendor`, or of the
    first of them, so that names that are looked up together give drawings of one vendor. A name that fits
    none, or several, and an unknown vendor are `UserError`s with the nearest.
    """
    if vendor:
        check_known("vendor", vendor, {*images.vendor} - {""})
    wanted, drawn = _plain(name), vendor or images.vendor[0]
    own = [index for index, one in enumerate(images.vendor) if one == drawn]
    for words in (images.text, images.emoji):
        found = [index for index in own if words[index] and _plain(words[index]) == wanted]
        if found:
            return found[0]
    parts = [index for index in own if wanted and wanted in images.text[index].casefold()]
    if len(parts) == 1:
        return parts[0]
    texts = [images.text[index] for index in parts or own]
    near = sorted(texts, key=len)[:SHOWN] if parts else get_close_matches(wanted, texts, SHOWN, cutoff=0.5)
    fits = f"fits {len(parts)}" if parts else "fits none"
    fits += f" of {drawn}" if images.several_vendors else ""
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
