"""How near the composites of a model come to their truths, as numbers of a run."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import product
from statistics import fmean

import torch
from torch import Tensor

from ablation.emoji.composition.analogies import Analogy, AnalogyTask
from ablation.emoji.composition.directions import METHODS, offsets
from ablation.emoji.composition.families import Step
from ablation.emoji.composition.scores import (
    SEEN,
    UNSEEN,
    Judge,
    Row,
    by_family,
    column,
    errors,
    gain,
    hits,
    inside,
    rows_by_measure,
)
from ablation.emoji.composition.training_codes import AnalogyBatch, TrainingCodes, coherence
from ablation.emoji.data.images import Images
from ablation.emoji.data.split import TEST, TRAIN, VALIDATION
from ablation.emoji.evaluate import BATCH, encode, evaluating
from ablation.emoji.model import Autoencoder
from ablation.emoji.spec import ComposeSpec
from ablation.seeds import derive

RANKS = (1, 2, 4, 8, 16)
STRENGTHS = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5)
SIDES = {TEST: UNSEEN, TRAIN: SEEN}
FLOORS = ("b alone", "pixel arithmetic", "a random offset", "the mean of its kind", "the nearest known")
"""Trivial answers that a composite has to beat; the gain of each is a metric of the run."""
MEANS = ("hit", "hit of all", "attribute gained", "identity kept", "inside the change", "off the manifold")
"""Columns of the records whose mean over families is a metric of the run."""


@dataclass(frozen=True, eq=False)
class CompositionEvaluator:
    """Edits and decodes the codes of analogies, and measures the composites beside their truths."""

    model: Autoencoder
    images: Images
    tasks: tuple[AnalogyTask, ...]
    how: ComposeSpec
    seed: int
    _choices: dict[str, tuple[int, float]] = field(default_factory=dict, repr=False)

    @cached_property
    def pool(self) -> list[int]:
        """Every picture that takes part, in order: the candidates when the nearest code is looked up."""
        return sorted(set[int]().union(*(task.images for task in self.tasks)))

    @cached_property
    def place(self) -> dict[int, int]:
        """The place of each picture in the pool."""
        return {index: place for place, index in enumerate(self.pool)}

    @cached_property
    def codes(self) -> Tensor:
        """Codes of the pool, (m, latent_dim)."""
        return encode(self.model, self.images.pixels[self.pool])

    def code(self, indices: Iterable[int]) -> Tensor:
        """Codes of these pictures."""
        return self.codes[[self.place[index] for index in indices]]

    def pixels(self, indices: Iterable[int]) -> Tensor:
        """These pictures, in [0, 1]."""
        return self.images.pixels[list(indices)] / 255

    def known(self, task: AnalogyTask, side: int) -> TrainingCodes:
        """What directions learn from."""
        pictures = task.training[side]
        codes = dict(zip(pictures, self.code(pictures.values()), strict=True))
        kinds = {content: self.images.subgroup[index] for (content, _), index in pictures.items()}
        return TrainingCodes(codes, kinds, derive(self.seed, "subspace", task.family.name))

    def offsets(self, task: AnalogyTask, side: int, method: str, rank: int) -> Tensor:
        """The offsets of the analogies of that side, (n, latent_dim), in their order."""
        known, analogies = self.known(task, side), task.analogies[side]
        found = torch.empty(len(analogies), self.codes.shape[1])
        for step in dict.fromkeys(one.step for one in analogies):
            here = [n for n, one in enumerate(analogies) if one.step == step]
            found[here] = offsets(method, rank, known, self._batch(step, [analogies[n] for n in here]))
        return found

    def _batch(self, step: Step, ones: Sequence[Analogy]) -> AnalogyBatch:
        a, b, c = (self.code(getattr(one, corner) for one in ones) for corner in "abc")
        sources, targets = tuple(one.source for one in ones), tuple(one.target for one in ones)
        return AnalogyBatch(step, sources, targets, a, b, c)

    def chosen(self, task: AnalogyTask) -> tuple[int, float]:
        """Rank and strength: as declared, or those of the least error on validation analogies."""
        name = task.family.name
        if name not in self._choices:
            self._choices[name] = self._choose(task)
        return self._choices[name]

    def _choose(self, task: AnalogyTask) -> tuple[int, float]:
        how = self.how
        method = "pca" if METHODS[how.method].rank == "pca" else how.method
        ranks = (how.rank,) if how.rank or not METHODS[method].rank else RANKS
        strengths = STRENGTHS if how.weigh else (how.strength,)
        if len(ranks) * len(strengths) == 1:
            return ranks[0], strengths[0]
        analogies = task.analogies[VALIDATION]
        c, d = self.code(one.c for one in analogies), self.pixels(one.d for one in analogies)
        moves = {rank: self.offsets(task, VALIDATION, method, rank) for rank in ranks}

        def error(place: tuple[int, float]) -> float:
            rank, strength = place
            return float(errors(decoded(self.model, c + strength * moves[rank]), d).sum())

        return min(product(ranks, strengths), key=error)

    def choices(self, task: AnalogyTask) -> dict[str, float]:
        """What was chosen for the family, how many truths it has in all, and how far its offsets agree."""
        rank, strength = self.chosen(task)
        true, shuffled = coherence(self.known(task, TEST), task.family.steps)
        name = task.family.name
        found = {f"strength_{name}": strength, f"rank_{name}": float(rank)}
        found |= {f"pool_{name}": float(len(task.family.truths))}
        found |= {f"coherence_{name}": true, f"coherence_shuffled_{name}": shuffled}
        return {key: value for key, value in found.items() if value == value}

    def edited(self, task: AnalogyTask, side: int) -> Tensor:
        """The codes of the composites, (n, latent_dim)."""
        rank, strength = self.chosen(task)
        c = self.code(one.c for one in task.analogies[side])
        return c + strength * self.offsets(task, side, self.how.method, rank)

    def measured(self, task: AnalogyTask, side: int) -> list[Row]:
        """A record for each analogy of that side: its four texts and every number."""
        analogies = task.analogies[side]
        columns = self._columns(task, side)
        return [
            {"side": SIDES[side], "family": task.family.name, "from": one.step[0], "to": one.step[1]}
            | {corner: self.images.text[getattr(one, corner)] for corner in "abcd"}
            | {name: float(values[n]) for name, values in columns.items()}
            for n, one in enumerate(analogies)
        ]

    def _columns(self, task: AnalogyTask, side: int) -> dict[str, Tensor]:
        analogies, edited = task.analogies[side], self.edited(task, side)
        a, b, c, d = (self.pixels(getattr(one, corner) for one in analogies) for corner in "abcd")
        z = {corner: self.code(getattr(one, corner) for one in analogies) for corner in "abcd"}
        made, same, best = (decoded(self.model, codes) for codes in (edited, z["c"], z["d"]))
        centre = z["c"] + self.offsets(task, side, "centre", 0)
        columns = {"error": errors(made, d), "copy": errors(same, d), "ceiling": errors(best, d)}
        columns |= {
            "error of b alone": errors(decoded(self.model, z["b"]), d),
            "error of pixel arithmetic": errors((c + b - a).clamp(0, 1), d),
            "error of a random offset": errors(decoded(self.model, z["c"] + (z["b"] - z["a"]).roll(1, 0)), d),
            "error of the mean of its kind": errors(decoded(self.model, centre), d),
            "error of the nearest known": self._nearest_known(task, side, made, d),
        }
        given = torch.tensor([[self.place[getattr(one, corner)] for corner in "abc"] for one in analogies])
        truth = torch.tensor([self.place[one.d] for one in analogies])
        columns |= {
            "hit": hits(edited, truth, self.codes, given, exclude=True),
            "hit of all": hits(edited, truth, self.codes, given, exclude=False),
            "attribute gained": self._gained(task, side, made),
            "identity kept": (errors(made, d) < errors(made, b)).float(),
            "inside the change": inside(made, same, c, d),
            "off the manifold": self._off_manifold(edited, made, z["d"], best),
        }
        return columns

    def _nearest_known(self, task: AnalogyTask, side: int, made: Tensor, d: Tensor) -> Tensor:
        """Error of the training picture of the family that looks most like the composite."""
        known = self.pixels(task.training[side].values())
        nearest = torch.cdist(made.flatten(1), known.flatten(1)).argmin(1)
        return errors(known[nearest], d)

    def _gained(self, task: AnalogyTask, side: int, made: Tensor) -> Tensor:
        judge = _judge(self.images, task, side)
        right = [said == one.step[1] for said, one in zip(judge(made), task.analogies[side], strict=True)]
        return torch.tensor(right, dtype=torch.float32)

    def _off_manifold(self, edited: Tensor, made: Tensor, real: Tensor, best: Tensor) -> Tensor:
        """How far a composite's code moves when it is decoded and encoded, relative to a real picture's."""
        cycled = [encode(self.model, (pictures * 255).round().to(torch.uint8)) for pictures in (made, best)]
        ours, theirs = (
            (before - after).norm(dim=1) for before, after in zip((edited, real), cycled, strict=True)
        )
        ratio: Tensor = ours / theirs.mean().clamp(min=1e-9)
        return ratio

    def strips(self, task: AnalogyTask) -> Tensor:
        """Strips of the first two truths by name: nobody picks them; uint8 (at most 2, 7, 3, 64, 64)."""
        analogies = task.analogies[TEST]
        order = sorted(
            range(len(analogies)),
            key=lambda n: (self.images.text[analogies[n].d], self.images.text[analogies[n].c]),
        )
        first = list({analogies[n].d: n for n in reversed(order)}.values())[::-1][:2]
        edited = self.edited(task, TEST)[first]
        c, d = (self.code(getattr(analogies[n], corner) for n in first) for corner in "cd")
        shown = [(decoded(self.model, codes) * 255).round().to(torch.uint8) for codes in (c, edited, d)]
        a, b, raw_c, raw_d = (self.images.pixels[[getattr(analogies[n], k) for n in first]] for k in "abcd")
        return torch.stack([a, b, raw_c, *shown, raw_d], dim=1)


@lru_cache(maxsize=32)
def _judge(images: Images, task: AnalogyTask, side: int) -> Judge:
    """The judge of a family's attribute; all arms of a seed have the same."""
    pictures = task.training[side]
    return Judge(images.pixels[list(pictures.values())], [value for _, value in pictures])


def decoded(model: Autoencoder, codes: Tensor) -> Tensor:
    """Pictures, float32 (n, 3, 64, 64) in [0, 1], of codes (n, latent_dim)."""
    with evaluating(model):
        return torch.cat([model.decode(part) for part in codes.split(BATCH)]).clamp(0, 1)


@dataclass(frozen=True)
class Composition:
    """numbers: metrics of the run. rows: a record for each analogy. strips: uint8 (m, 7, 3, 64, 64).

    A strip is a, b, c, the reconstruction of c, the composite, the reconstruction of d, and d.
    """

    numbers: dict[str, float] = field(default_factory=dict)
    rows: tuple[Row, ...] = ()
    strips: Tensor = field(
        default_factory=lambda: torch.empty(0, 7, 3, 64, 64, dtype=torch.uint8), repr=False
    )


def composition(
    model: Autoencoder, images: Images, tasks: tuple[AnalogyTask, ...], how: ComposeSpec, seed: int
) -> Composition:
    """Compose every analogy of the tasks as `how` says, and measure; empty where there is no task."""
    if not tasks:
        return Composition()
    evaluator = CompositionEvaluator(model, images, tasks, how, seed)
    rows = tuple(
        row
        for task in tasks
        for side in SIDES
        if side in task.analogies
        for row in evaluator.measured(task, side)
    )
    numbers = _numbers(rows) | {name: v for task in tasks for name, v in evaluator.choices(task).items()}
    return Composition(numbers, rows, torch.cat([evaluator.strips(task) for task in tasks]))


def _numbers(rows: Sequence[Row]) -> dict[str, float]:
    """The metrics: gains by family and their mean, and the means over families of the other numbers."""
    unseen = by_family(rows, UNSEEN)
    numbers = {name: fmean(map(gain, parts.values())) for name, parts in rows_by_measure(rows).items()}
    for floor in FLOORS:
        found = [gain(part, f"error of {floor}") for part in unseen.values()]
        numbers[f"gain_of_{floor}".replace(" ", "_")] = fmean(found)
    for name in MEANS:
        numbers[name.replace(" ", "_")] = fmean(fmean(column(part, name)) for part in unseen.values())
    return numbers | {
        f"truths_{name}": len({row["d"] for row in part}) * 1.0 for name, part in unseen.items()
    }
