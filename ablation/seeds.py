"""Seeds of named, independent random streams: the only source of randomness below the command line.

A stream is derived from a seed and a name alone, never from the arm, so that arms with the same seed draw
the same numbers.
"""

import hashlib


def derive(seed: int, *names: str) -> int:
    """A 32-bit integer that the seed and the names alone decide, for libraries that take a seed."""
    digest = hashlib.sha256("/".join((str(seed), *names)).encode()).digest()
    return int.from_bytes(digest[:4], "big")
