"""Random streams of torch, one for each use: named, independent, and derived from the seed alone."""

import torch

from ablation.seeds import derive


def generator(seed: int, *names: str) -> torch.Generator:
    """A fresh generator of the stream `names`; the same arguments give the same draws."""
    return torch.Generator().manual_seed(derive(seed, *names))
