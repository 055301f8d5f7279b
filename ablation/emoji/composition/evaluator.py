"""How near the composites of a model come to their truths, as numbers of a run."""

from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass, field
from functools import cache, lru_cache
from itertools import product
from statistics import fmean, median

import torch
from torch import Tensor

from ablation.emoji.composition.analogies import AnalogyTask, corners
from ablation.emoji.composition.baselines import BASELINES, PictureBatch, pixel_arithmetic
from ablation.emoji.composition.directions import METHODS, NAMED_DIMS, offsets
from ablation.emoji.composition.scores import (
    INSIDE,
    SEEN,
    UNSEEN,
    Judge,
    Row,
    by_family,
    changes,
    errors,
    gain,
    gains_by_measure,
    hits,
    inside,
)
from ablation.emoji.composition.training_codes import AnalogyBatch, TrainingCodes, coherence, training_codes
from ablation.emoji.data.images import Images
from ablation.emoji.data.split import TEST, TRAIN, VALIDATION
from ablation.emoji.evaluate import as_bytes, decode, encode
from ablation.emoji.likeness import edge_energy
from ablation.emoji.measures import COMPOSITE_MSE, COMPOSITE_SHARPNESS, FREE_TELL, MEANS, NAMED_TELL
from ablation.emoji.model import Autoencoder
from ablation.emoji.probe import probed
from ablation.emoji.spec import ComposeSpec

RANKS = (1, 2, 4, 8, 16)
STRENGTHS = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5)
SIDES = {TEST: UNSEEN, TRAIN: SEEN}
FLOOR = "error of "
"""How the columns begin with the errors of trivial answers: a composite has to beat them."""


class CompositionEvaluator:
    """Composes analogies, by their codes or by a baseline of pixels, and measures composites beside truths.

    codes, (m, latent_dim): of every picture that takes part, the candidates when the nearest code is looked
    up. place[index]: the row of a picture. chosen(task): rank and strength, as declared or those of the least
    error on validation analogies.
    """

    def __init__(
        self, model: Autoencoder, images: Images, tasks: Iterable[AnalogyTask], how: ComposeSpec, seed: int
    ) -> None:
        self.model, self.images, self.how, self.seed = model, images, how, seed
        pool = sorted(set[int]().union(*(task.images for task in tasks)))
        self.place = {index: place for place, index in enumerate(pool)}
        self.codes = encode(model, images.pixels[pool])
        self.chosen = cache(self._choose)

    def code(self, indices: Iterable[int]) -> Tensor:
        """Codes of these pictures."""
        return self.codes[[self.place[index] for index in indices]]

    def pixels(self, indices: Iterable[int]) -> Tensor:
        """These pictures, in [0, 1]."""
        return self.images.pixels[list(indices)] / 255

    def known(self, task: AnalogyTask, side: int) -> TrainingCodes:
        """What directions learn from."""
        pictures = task.training[side]
        return training_codes(self.images, task.family, pictures, self.code(pictures.values()), self.seed)

    def offsets(self, task: AnalogyTask, side: int, method: str, rank: int) -> Tensor:
        """The offsets of the analogies of that side, (n, latent_dim), in their order."""
        known, analogies = self.known(task, side), task.analogies[side]
        found = torch.empty(len(analogies), self.codes.shape[1])
        for step in dict.fromkeys(one.step for one in analogies):
            here = [n for n, one in enumerate(analogies) if one.step == step]
            ones = [analogies[n] for n in here]
            sources, targets = tuple(one.source for one in ones), tuple(one.target for one in ones)
            a, b, c, _ = map(self.code, corners(ones))
            found[here] = offsets(method, rank, known, AnalogyBatch(step, sources, targets, a, b, c))
        return found

    def _choose(self, task: AnalogyTask) -> tuple[int, float]:
        how = self.how
        by_rank = "" if how.method in BASELINES else METHODS[how.method].rank
        method = "pca" if by_rank == "pca" else how.method
        ranks = (how.rank,) if how.rank or not by_rank else RANKS
        strengths = STRENGTHS if how.weigh else (how.strength,)
        if len(ranks) * len(strengths) == 1:
            return ranks[0], strengths[0]
        d = self.pixels(one.d for one in task.analogies[VALIDATION])
        made = self._composer(task, VALIDATION, method)
        return min(product(ranks, strengths), key=lambda place: float(errors(made(*place)[0], d).sum()))

    def _composer(
        self, task: AnalogyTask, side: int, method: str
    ) -> Callable[[int, float], tuple[Tensor, Tensor]]:
        """From a rank and a strength to the composites, (n, 3, 64, 64), and their codes, (n, latent_dim).

        The code of a baseline's picture is what the network makes of it.
        """
        if method in BASELINES:
            given = self.given(task, side)

            def of_pixels(_: int, strength: float) -> tuple[Tensor, Tensor]:
                made = BASELINES[method](given, strength)
                codes = encode(self.model, as_bytes(made))
                return (decode(self.model, codes) if self.how.redrawn else made), codes

            return of_pixels
        c = self.code(one.c for one in task.analogies[side])
        moves = cache(lambda rank: self.offsets(task, side, method, rank))

        def of_codes(rank: int, strength: float) -> tuple[Tensor, Tensor]:
            edited = c + strength * moves(rank)
            return decode(self.model, edited), edited

        return of_codes

    def given(self, task: AnalogyTask, side: int) -> PictureBatch:
        """What a baseline composes of."""
        a, b, c, _ = map(self.pixels, corners(task.analogies[side]))
        return PictureBatch(a, b, c, self.pixels(task.training[side].values()))

    def choices(self, task: AnalogyTask) -> dict[str, float]:
        """What was chosen for the family, how many truths it has in all, and how far its offsets agree."""
        rank, strength = self.chosen(task)
        true, shuffled = coherence(self.known(task, TEST), task.family.steps)
        name = task.family.name
        found = {f"strength_{name}": strength, f"rank_{name}": float(rank)}
        found |= {f"pool_{name}": float(len(task.family.truths))}
        found |= {f"coherence_{name}": true, f"coherence_shuffled_{name}": shuffled}
        return {key: value for key, value in found.items() if value == value}

    def told(self, task: AnalogyTask) -> tuple[float, float]:
        """The share of unseen truths whose value a linear probe tells, of named and of free dimensions.

        The probe (`probe`) is fitted on the training codes of the family. After a training without
        attributes the named dimensions are any, and the free ones nearly all.
        """
        known, truths = self.known(task, TEST), {one.d: one.step[1] for one in task.analogies[TEST]}
        values, asked = [value for _, value in known.codes], self.code(truths)
        shares = []
        for part in (slice(NAMED_DIMS), slice(NAMED_DIMS, None)):
            said = probed(known.every[:, part], values, asked[:, part])
            shares.append(fmean(one == value for one, value in zip(said, truths.values(), strict=True)))
        return shares[0], shares[1]

    def composites(self, task: AnalogyTask, side: int) -> tuple[Tensor, Tensor]:
        """The composites, (n, 3, 64, 64), and their codes, (n, latent_dim)."""
        return self._composer(task, side, self.how.method)(*self.chosen(task))

    def measured(self, task: AnalogyTask, side: int) -> list[Row]:
        """A record for each analogy of that side: its four texts and every number."""
        columns, name = self._columns(task, side), self.images.name
        return [
            {"side": SIDES[side], "family": task.family.name, "from": one.step[0], "to": one.step[1]}
            | {corner: name(index) for corner, index in zip("abcd", one.corners, strict=True)}
            | {column: float(values[n]) for column, values in columns.items()}
            for n, one in enumerate(task.analogies[side])
        ]

    def _columns(self, task: AnalogyTask, side: int) -> dict[str, Tensor]:
        analogies, batch = task.analogies[side], self.given(task, side)
        b, c, d = batch.b, batch.c, self.pixels(one.d for one in analogies)
        code_a, code_b, code_c, code_d = map(self.code, corners(analogies))
        made, edited = self.composites(task, side)
        same, best = (decode(self.model, codes) for codes in (code_c, code_d))
        raw = self.how.method in BASELINES and not self.how.redrawn
        untouched, redrawn = (c, decode(self.model, edited)) if raw else (same, made)
        trivial = {
            "b alone": decode(self.model, code_b),
            "pixel arithmetic": pixel_arithmetic(batch, 1.0),
            "a random offset": decode(self.model, code_c + (code_b - code_a).roll(1, 0)),
            "the mean of its kind": decode(self.model, code_c + self.offsets(task, side, "centre", 0)),
            "the nearest known": _most_alike(made, batch.known),
        }
        change = changes(c, d)
        places = torch.tensor([[self.place[index] for index in one.corners] for one in analogies])
        given, truth = places[:, :3], places[:, 3]
        judge, wanted = _judge(self.images, task, side), [one.step[1] for one in analogies]
        seen = {
            name: torch.tensor([float(v == w) for v, w in zip(judge(pictures), wanted, strict=True)])
            for name, pictures in (("gained", made), ("in answer", d), ("in input", c))
        }
        return {
            "error": errors(made, d),
            "copy": errors(same, d),
            "ceiling": errors(best, d),
            f"error{INSIDE}": errors(made, d, change),
            f"copy{INSIDE}": errors(same, d, change),
            f"ceiling{INSIDE}": errors(best, d, change),
            "changed": change.float().mean((1, 2)),
            **{f"{FLOOR}{answer}": errors(pictures, d) for answer, pictures in trivial.items()},
            "hit": hits(edited, truth, self.codes, given, exclude=True),
            "hit of all": hits(edited, truth, self.codes, given, exclude=False),
            **{f"attribute {name}": values for name, values in seen.items()},
            "identity kept": (errors(made, d) < errors(made, b)).float(),
            "inside the change": inside(made, untouched, c, d),
            "sharpness": edge_energy(made) / edge_energy(d).clamp(min=1e-9),
            "off the manifold": self._moved(edited, redrawn)
            / self._moved(code_d, best).mean().clamp(min=1e-9),
        }

    def _moved(self, codes: Tensor, decoded: Tensor) -> Tensor:
        """How far codes move when they are decoded and encoded, (n,)."""
        distance: Tensor = (codes - encode(self.model, as_bytes(decoded))).norm(dim=1)
        return distance

    def strips(self, task: AnalogyTask) -> Tensor:
        """Strips of the first two truths by name: nobody picks them; uint8 (at most 2, 7, 3, 64, 64)."""
        analogies, name = task.analogies[TEST], self.images.name
        first: dict[int, int] = {}
        for n in sorted(range(len(analogies)), key=lambda n: (name(analogies[n].d), name(analogies[n].c))):
            first.setdefault(analogies[n].d, n)
        shown = list(first.values())[:2]
        indices = corners([analogies[n] for n in shown])
        a, b, c, d = (self.images.pixels[list(each)] for each in indices)
        same, best = (as_bytes(decode(self.model, self.code(indices[n]))) for n in (2, 3))
        made = as_bytes(self.composites(task, TEST)[0][shown])
        return torch.stack([a, b, c, same, made, best, d], dim=1)


def _most_alike(pictures: Tensor, known: Tensor) -> Tensor:
    """The one of the known pictures that looks most like each of `pictures`."""
    return known[torch.cdist(pictures.flatten(1), known.flatten(1)).argmin(1)]


@lru_cache(maxsize=32)
def _judge(images: Images, task: AnalogyTask, side: int) -> Judge:
    """The judge of a family's attribute; all arms of a seed have the same."""
    pictures = task.training[side]
    return Judge(images.pixels[list(pictures.values())], [value for _, value in pictures])


@dataclass(frozen=True)
class Composition:
    """numbers: metrics of the run. rows: a record for each analogy. strips: uint8 (m, 7, 3, 64, 64).
    large: the families that judge methods.

    A strip is a, b, c, the reconstruction of c, the composite, the reconstruction of d, and d.
    """

    numbers: dict[str, float] = field(default_factory=dict)
    rows: tuple[Row, ...] = ()
    large: Set[str] = frozenset()
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
    large = frozenset(task.family.name for task in tasks if task.large)
    numbers = numbers_of(rows, large)
    numbers |= {name: value for task in tasks for name, value in evaluator.choices(task).items()}
    if large and evaluator.codes.shape[1] > NAMED_DIMS:
        told = [evaluator.told(task) for task in tasks if task.large]
        numbers |= {NAMED_TELL: fmean(one for one, _ in told), FREE_TELL: fmean(one for _, one in told)}
    return Composition(numbers, rows, large, torch.cat([evaluator.strips(task) for task in tasks]))


def numbers_of(rows: Sequence[Row], large: Set[str]) -> dict[str, float]:
    """The metrics: gains by family and their means, and the means over families of the other numbers."""
    unseen = by_family(rows, UNSEEN)
    numbers = {
        measure: fmean(median(truths.values()) for truths in parts.values())
        for measure, parts in gains_by_measure(rows, large).items()
    }
    for name in (name for name in rows[0] if name.startswith(FLOOR)):
        found = [gain(part, name) for part in unseen.values()]
        numbers[f"gain_of_{name.removeprefix(FLOOR)}".replace(" ", "_")] = fmean(found)
    for name in MEANS:
        column = name.replace("_", " ")
        means = {family: fmean(float(row[column]) for row in part) for family, part in unseen.items()}
        numbers[name] = fmean(means.values())
        if large:
            numbers[f"{name}_large"] = fmean(means[family] for family in sorted(large))
    if large:
        sharp = {family: fmean(float(row["sharpness"]) for row in unseen[family]) for family in large}
        numbers[COMPOSITE_SHARPNESS] = fmean(sharp[family] for family in sorted(large))
    errors = [_median_error(unseen[family]) for family in sorted(large)]
    if errors and None not in errors:
        numbers[COMPOSITE_MSE] = fmean(one for one in errors if one is not None)
    numbers |= {f"large_{name}": float(name in large) for name in unseen}
    return numbers | {f"truths_{name}": float(len({r["d"] for r in part})) for name, part in unseen.items()}


def _median_error(rows: Sequence[Row]) -> float | None:
    """The median over truths of the error of their composites where they should change; None where none."""
    errors: dict[str, list[float]] = {}
    for row in rows:
        if row["changed"]:
            errors.setdefault(str(row["d"]), []).append(float(row[f"error{INSIDE}"]))
    return median(map(fmean, errors.values())) if errors else None
