"""Named, independent random streams: the only source of randomness below the command line.

A stream is derived from the seed and a name alone ("init", "order", "augment", "split",
"dropout"), never from the arm, so that arms with the same seed draw the same numbers.
"""

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def derive(seed: int, *names: str) -> int:
    """A 32-bit integer that the seed and the names alone decide, for libraries that take a seed."""
    digest = hashlib.sha256("/".join((str(seed), *names)).encode()).digest()
    return int.from_bytes(digest[:4], "big")


def generator(seed: int, *names: str) -> "torch.Generator":
    """A fresh generator of the stream `names`; the same arguments give the same draws."""
    import torch

    return torch.Generator().manual_seed(derive(seed, *names))
