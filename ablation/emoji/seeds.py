"""Random streams of torch, one for each use: named, independent, and derived from the seed alone."""

import torch

from ablation.seeds import derive


def generator(seed: int, *names: str) -> torch.Generator:
    """A fresh generator of the stream `names`; the same arguments give the same draws."""
    return torch.Generator().manual_seed(derive(seed, *names))


def network_seed(seed: int, folds: int = 0, fold: int = 0, initialisation: int = 0) -> int:
    """What a network's own streams are derived from: its weights, order, augmentation and dropout.

    The seed itself, but in a run of several folds, where each network has its own, and under another
    `initialisation`. The split, and which part of the training pictures is kept, stay with the seed.
    """
    own = derive(seed, "fold", str(fold)) if folds else seed
    return derive(own, "initialisation", str(initialisation)) if initialisation else own
