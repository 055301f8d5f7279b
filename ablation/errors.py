"""What a user did wrong, said in one sentence."""

from collections.abc import Iterable
from difflib import get_close_matches


class Mistake(Exception):
    """A mistake of the user: one sentence with what was wanted, what came and what to do.

    The command line prints it without a traceback and exits with code 2.
    """


def unknown(kind: str, name: str, known: Iterable[str]) -> Mistake:
    """A `Mistake` for a name that is not among the known ones, with the nearest of them."""
    names = sorted(known)
    near = get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    return Mistake(f"there is no {kind} {name!r}{hint}; known are {', '.join(names) or 'none'}.")
