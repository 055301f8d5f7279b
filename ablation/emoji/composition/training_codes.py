"""What directions are computed from: codes of training pictures, and of the a, b and c of analogies."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from statistics import fmean

import torch
from torch import Tensor
from torch.nn import functional as F

from ablation.emoji.composition.families import Family, Key, Step
from ablation.emoji.data.images import Images
from ablation.seeds import derive

LEAST_PAIRS = 8  # of a step, to learn a subspace or a boundary from them; with fewer, from the whole family


@dataclass(frozen=True, eq=False)
class TrainingCodes:
    """Codes (latent_dim,) of training pictures of a family, by content and by the attribute's value.

    kinds: the kind of each content (Unicode's subgroup); a balanced mean gives every kind the same weight.
    seed: of the random subspace.
    """

    codes: Mapping[Key, Tensor]
    kinds: Mapping[str, str]
    seed: int

    def contents(self, step: Step) -> list[str]:
        """The contents that training shows before and after the step."""
        before, after = step
        return [one for one, value in self.codes if value == before and (one, after) in self.codes]

    def pairs(self, step: Step) -> tuple[Tensor, Tensor]:
        """Codes before and after the step, each (m, latent_dim); m may be 0."""
        both = ([self.codes[content, value] for content in self.contents(step)] for value in step)
        before, after = (torch.stack(codes) if codes else self.every[:0] for codes in both)
        return before, after

    def enough(self, step: Step) -> bool:
        """Whether the step has LEAST_PAIRS of its own."""
        return len(self.contents(step)) >= LEAST_PAIRS

    @cached_property
    def every(self) -> Tensor:
        """All codes, (m, latent_dim)."""
        return torch.stack(list(self.codes.values()))

    @cached_property
    def _by_content(self) -> dict[str, list[Tensor]]:
        found: dict[str, list[Tensor]] = {}
        for (content, _), code in self.codes.items():
            found.setdefault(content, []).append(code)
        return found

    @cached_property
    def all_differences(self) -> Tensor:
        """Differences of any two values of one content, (m, latent_dim)."""
        found = [
            later - sooner for codes in self._by_content.values() for sooner, later in combinations(codes, 2)
        ]
        return torch.stack(found) if found else self.every[:0]

    def differences(self, step: Step) -> Tensor:
        """Paired differences of the step, or of the family where the step has too few."""
        before, after = self.pairs(step)
        return after - before if self.enough(step) else self.all_differences

    @cached_property
    def content_means(self) -> dict[str, Tensor]:
        """The mean code of each content, over the values it has."""
        return {content: torch.stack(codes).mean(0) for content, codes in self._by_content.items()}

    @cached_property
    def value_means(self) -> Tensor:
        """The mean code of each value after the mean of its content is subtracted, (values, latent_dim)."""
        values: dict[str, list[Tensor]] = {}
        for (content, value), code in self.codes.items():
            values.setdefault(value, []).append(code - self.content_means[content])
        return torch.stack([torch.stack(one).mean(0) for one in values.values()])


def training_codes(
    images: Images, family: Family, pictures: Mapping[Key, int], codes: Tensor, seed: int
) -> TrainingCodes:
    """Of training pictures of the family and their codes, (m, latent_dim), in the same order."""
    kinds = {content: images.subgroup[index] for (content, _), index in pictures.items()}
    codes_of = dict(zip(pictures, codes, strict=True))
    return TrainingCodes(codes_of, kinds, derive(seed, "subspace", family.name))


@dataclass(frozen=True, eq=False)
class AnalogyBatch:
    """n analogies of one step: codes of a, b and c, each (n, latent_dim).

    sources: the content of a and b; targets: that of c.
    """

    step: Step
    sources: tuple[str, ...]
    targets: tuple[str, ...]
    a: Tensor
    b: Tensor
    c: Tensor


def coherence(known: TrainingCodes, steps: tuple[Step, ...]) -> tuple[float, float]:
    """Mean cosine between the training offsets of a step, for true pairs and for shuffled ones.

    Shuffled pairs keep the difference of the means: what true pairs have above it is due to the pairing.
    NaN where no step has two pairs.
    """
    true, shuffled = [], []
    rng = torch.Generator().manual_seed(known.seed)
    for step in steps:
        before, after = known.pairs(step)
        if len(before) >= 2:
            mixed = after[torch.randperm(len(after), generator=rng)]
            true.append(_mean_cosine(after - before))
            shuffled.append(_mean_cosine(mixed - before))
    return (fmean(true), fmean(shuffled)) if true else (float("nan"), float("nan"))


def _mean_cosine(rows: Tensor) -> float:
    unit = F.normalize(rows, dim=1)
    cosines = unit @ unit.T
    count = len(rows)
    return float((cosines.sum() - cosines.trace()) / (count * (count - 1)))
