"""Named, independent random streams of torch: the only source of randomness of a run.

A stream is derived from the seed and a name alone ("init", "order", "augment", "split", "dropout"), never
from the arm, so that arms with the same seed draw the same numbers.
"""

import torch

from ablation.seeds import derive


def generator(seed: int, *names: str) -> torch.Generator:
    """A fresh generator of the stream `names`; the same arguments give the same draws."""
    return torch.Generator().manual_seed(derive(seed, *names))
