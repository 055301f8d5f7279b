"""What a user did wrong, said in one sentence."""

from collections.abc import Collection, Iterable
from difflib import get_close_matches

from ablation.texts import one_line

MOST_LETTERS = 2000  # of a sentence: what it quotes may be a file's worth of text


class UserError(Exception):
    """A mistake of the user: one sentence with what was wanted, what came and what to do.

    The command line prints it without a traceback and exits with code 2. What it quotes is put on one line,
    and cannot steer the terminal.
    """

    def __init__(self, sentence: str) -> None:
        super().__init__(one_line(sentence, MOST_LETTERS))


def unknown(kind: str, name: str, known: Iterable[str]) -> UserError:
    """A `UserError` for a name that is not among the known ones, with the nearest of them."""
    names = sorted(known)
    return UserError(
        f"there is no {kind} {name!r}{nearest(name, names)}; known are {', '.join(names) or 'none'}."
    )


def nearest(name: str, known: Iterable[str]) -> str:
    """ " (did you mean 'mean'?)", with the known name that is nearest; "" where none is near."""
    near = get_close_matches(name, sorted(known), n=1, cutoff=0.5)
    return f" (did you mean {near[0]!r}?)" if near else ""


def check_known(kind: str, name: str, known: Collection[str]) -> None:
    """Raise `unknown` where `name` is not among the known ones."""
    if name not in known:
        raise unknown(kind, name, known)
