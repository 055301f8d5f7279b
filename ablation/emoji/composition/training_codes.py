"""What a direction may learn from, and what it is asked for, as codes."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ablation.emoji.composition.analogies import Step

LEAST_PAIRS = 8  # of a step, to learn its own subspace or boundary from; else the whole family's


@dataclass(frozen=True, eq=False)
class Known:
    """Codes (latent_dim,) of training pictures of a family, by what stays and the attribute's value.

    kinds: a word for what stays (Unicode's subgroup), over which a balanced mean weighs alike. draws: the
    stream of the random subspace.
    """

    codes: Mapping[tuple[str, str], Tensor]
    kinds: Mapping[str, str]
    draws: int

    def rows(self, step: Step) -> list[str]:
        """What stays in the pairs of the step."""
        return [s for s, value in self.codes if value == step[0] and (s, step[1]) in self.codes]

    def pairs(self, step: Step) -> tuple[Tensor, Tensor]:
        """Codes before and after the step, each (m, latent_dim); m may be 0."""
        rows = self.rows(step)
        return self._stack([(s, step[0]) for s in rows]), self._stack([(s, step[1]) for s in rows])

    def _stack(self, places: list[tuple[str, str]]) -> Tensor:
        width = next(iter(self.codes.values())).shape
        return torch.stack([self.codes[p] for p in places]) if places else torch.empty(0, *width)

    @cached_property
    def every(self) -> Tensor:
        """All codes, (m, latent_dim)."""
        return torch.stack(list(self.codes.values()))

    @cached_property
    def all_differences(self) -> Tensor:
        """Differences of any two values that one thing has, (m, latent_dim)."""
        rows: dict[str, list[Tensor]] = {}
        for (stays, _), code in self.codes.items():
            rows.setdefault(stays, []).append(code)
        found = [
            later - sooner for row in rows.values() for n, sooner in enumerate(row) for later in row[n + 1 :]
        ]
        return torch.stack(found) if found else self.every[:0]

    def differences(self, step: Step) -> Tensor:
        """Paired differences of the step, or of the family where the step has fewer than LEAST_PAIRS."""
        before, after = self.pairs(step)
        return after - before if len(before) >= LEAST_PAIRS else self.all_differences

    @cached_property
    def row_means(self) -> dict[str, Tensor]:
        """The mean code of what stays, over the values it has."""
        rows: dict[str, list[Tensor]] = {}
        for (stays, _), code in self.codes.items():
            rows.setdefault(stays, []).append(code)
        return {stays: torch.stack(row).mean(0) for stays, row in rows.items()}

    @cached_property
    def value_means(self) -> Tensor:
        """The mean code of each value, what stays taken off first, (values, latent_dim)."""
        values: dict[str, list[Tensor]] = {}
        for (stays, value), code in self.codes.items():
            values.setdefault(value, []).append(code - self.row_means[stays])
        return torch.stack([torch.stack(one).mean(0) for one in values.values()])


@dataclass(frozen=True, eq=False)
class AnalogyBatch:
    """n analogies of one step: codes of a, b and c, each (n, latent_dim), and what stays in them."""

    step: Step
    givers: tuple[str, ...]
    takers: tuple[str, ...]
    a: Tensor
    b: Tensor
    c: Tensor
