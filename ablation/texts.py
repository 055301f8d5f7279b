"""Which characters a text may have, whoever wrote it: those that every file, page and database keeps."""

import codecs
import re
import unicodedata
from collections.abc import Iterable

PLAIN = "plain"
"""The name of an error handler for text streams: what a terminal has not is shown by what is most like it."""
_LIKE = str.maketrans("−–—‘’“”„·•×≤≥±→↑↓✓", '---\'\'""".*x<>~>^vx')
_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_BREAKS = re.compile(r"[\t\n\r\u2028\u2029]+")


def unfit(text: str) -> str:
    """The first control character (tabs and line breaks aside) or half of a pair, as "U+0000"; "" for none.

    Such a character ends a text early, steers a terminal, or cannot be written as UTF-8 at all.
    """
    found = _UNFIT.search(text)
    return f"U+{ord(found[0]):04X}" if found else ""


def one_line(text: str, most: int) -> str:
    """`text` on one line, with unfit characters by their code points, its middle left out beyond `most`."""
    line = _UNFIT.sub(lambda found: f"U+{ord(found[0]):04X}", _BREAKS.sub(" ", text))
    return line if len(line) <= most else f"{line[: most * 3 // 4]} … {line[-most // 4 :]}"


def twins(texts: Iterable[str]) -> tuple[str, str] | None:
    """Two different texts that look alike: Unicode spells é in two ways, one of them e and an accent."""
    seen: dict[str, str] = {}
    for text in texts:
        if (
            not text.isascii()
            and (other := seen.setdefault(unicodedata.normalize("NFC", text), text)) != text
        ):
            return other, text
    return None


def plain(text: str) -> str:
    """`text` in ASCII: a minus, a quote or a letter without its accent where there is one, else "?"."""
    apart = unicodedata.normalize("NFKD", text.translate(_LIKE))
    bare = "".join(one for one in apart if not unicodedata.combining(one))
    return bare.encode("ascii", "replace").decode()


def _plain_instead(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    return plain(error.object[error.start : error.end]), error.end


codecs.register_error(PLAIN, _plain_instead)
