"""The quadruples a : b :: c : d that a network trains on: training pictures alone, of every family.

Source of the rule: Reed et al., Deep visual analogy-making (2015): the code f(b) - f(a) + f(c) is decoded
towards the picture d.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ablation.emoji.composition.families import Family, Step, families
from ablation.emoji.data.images import Images
from ablation.errors import UserError

Pair = tuple[int, int]


@dataclass(frozen=True)
class Table:
    """A step of a family as one vendor drew it: the pairs before and after it, by content.

    sources: those that a and b can be; targets: those that c and d can be. Where the two are the same, a
    quadruple takes two of them.
    """

    family: str
    step: Step
    sources: tuple[Pair, ...]
    targets: tuple[Pair, ...]

    @property
    def shared(self) -> bool:
        """Whether sources and targets are the same pairs."""
        return self.sources == self.targets

    @property
    def enough(self) -> bool:
        """Whether there is a quadruple."""
        return len(self.targets) > 1 if self.shared else bool(self.sources and self.targets)


@dataclass(frozen=True, eq=False)
class Quadruples:
    """What quadruples of `images` are drawn from; every table has one at least."""

    images: Images
    tables: tuple[Table, ...]

    def draw(self, count: int, draws: torch.Generator) -> Tensor:
        """The indices of a, b, c and d of `count` quadruples, int64 (4, count).

        A family is drawn, then a table of it, then c with d and a with b: each as likely as the others.
        """
        chances = torch.rand(4, count, generator=draws, dtype=torch.float64)
        family = (chances[0] * len(self._families)).long()
        table = self._families.pick(family, chances[1])[0][:, 0]
        c, place = self._targets.pick(table, chances[2])
        a, _ = self._sources.pick(table, chances[3], torch.where(self._shared[table], place, -1))
        return torch.cat([a, c], dim=1).T.contiguous()

    @cached_property
    def _families(self) -> "_Ragged":
        names = dict.fromkeys(one.family for one in self.tables)
        return _Ragged([[(n,) for n, one in enumerate(self.tables) if one.family == name] for name in names])

    @cached_property
    def _sources(self) -> "_Ragged":
        return _Ragged([one.sources for one in self.tables])

    @cached_property
    def _targets(self) -> "_Ragged":
        return _Ragged([one.targets for one in self.tables])

    @cached_property
    def _shared(self) -> Tensor:
        return torch.tensor([one.shared for one in self.tables])


class _Ragged:
    """Lists of tuples of numbers, laid end to end, so that one of each of many can be picked at once."""

    def __init__(self, lists: Iterable[Iterable[tuple[int, ...]]]) -> None:
        rows = [[*one] for one in lists]
        self.sizes = torch.tensor([len(one) for one in rows])
        self.starts = self.sizes.cumsum(0) - self.sizes
        self.values = torch.tensor([value for one in rows for value in one])

    def __len__(self) -> int:
        return len(self.sizes)

    def pick(self, lists: Tensor, chances: Tensor, but: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """One entry of each of the `lists`, (count, width), and its place, (count,), by chances in [0, 1).

        `but`, (count,): a place that is left out, -1 for none.
        """
        left_out = torch.zeros_like(lists) if but is None else (but >= 0).long()
        place = (chances * (self.sizes[lists] - left_out)).long()
        if but is not None:
            place += ((but >= 0) & (place >= but)).long()
        return self.values[self.starts[lists] + place], place


def training_quadruples(images: Images, trained: Tensor, named: Tensor | None = None) -> Quadruples:
    """The quadruples of the training pictures `trained`, int64 (m,).

    All four are training pictures, so that no quadruple has a picture that is held out, nor another of its
    subject where the split is by subject. In a family with `onto`, c and d are of these contents and a and b
    of the others. a and b are of the vendor of c and d, but in the family of vendors. With `named`,
    (n, attributes) of every image, the steps are those that change an attribute. Raises `UserError` where
    there is no quadruple.
    """
    kept = {*trained.tolist()}
    found = tuple(table for family in families(images) for table in _tables(images, family, kept, named))
    if not found:
        raise UserError(
            "train.analogy_weight wants training pictures that are analogies a : b :: c : d (skin tones, "
            "genders, shapes, clocks, cat and human faces, vendors), but they have none: set it to 0, or "
            "take other images."
        )
    return Quadruples(images, found)


def _tables(images: Images, family: Family, kept: set[int], named: Tensor | None) -> Iterator[Table]:
    for step in family.steps:
        by_vendor: dict[str, list[tuple[str, Pair]]] = {}
        for content, pair in family.pairs(step).items():
            if kept.issuperset(pair) and (named is None or not torch.equal(*named[[*pair]])):
                by_vendor.setdefault(images.vendor[pair[1]], []).append((content, pair))
        for pairs in by_vendor.values():
            targets = tuple(pair for content, pair in pairs if family.asks(content))
            sources = tuple(
                pair for content, pair in pairs if family.onto is None or not family.asks(content)
            )
            if (table := Table(family.name, step, sources, targets)).enough:
                yield table
