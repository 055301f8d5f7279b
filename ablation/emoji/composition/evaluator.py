"""A model at work on analogies: codes, edits, and every number of a composite beside its truth."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import product

import torch
from torch import Tensor

from ablation.emoji.composition.analogies import TEST, TRAIN, VALIDATION, Analogy, Step
from ablation.emoji.composition.directions import AS_PCA, RANKED, coherence, offsets
from ablation.emoji.composition.gains import SEEN, UNSEEN, Row
from ablation.emoji.composition.scores import Judge, errors, hits, inside
from ablation.emoji.composition.tasks import AnalogyTask
from ablation.emoji.composition.training_codes import AnalogyBatch, Known
from ablation.emoji.data.images import Images
from ablation.emoji.evaluate import BATCH, encode, evaluating
from ablation.emoji.model import Autoencoder
from ablation.emoji.spec import ComposeSpec, RunSpec
from ablation.seeds import derive

RANKS = (1, 2, 4, 8, 16)
STRENGTHS = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5)
SIDES = {TEST: UNSEEN, TRAIN: SEEN}


@dataclass(frozen=True, eq=False)
class CompositionEvaluator:
    """A model at work on analogies: its codes of every picture that takes part, and what was chosen."""

    model: Autoencoder
    images: Images
    asks: tuple[AnalogyTask, ...]
    spec: RunSpec
    _choices: dict[str, tuple[int, float]] = field(default_factory=dict, repr=False)

    @cached_property
    def pool(self) -> list[int]:
        """Every picture that takes part, in order: what a composite's code is looked up among."""
        return sorted(set[int]().union(*(ask.images for ask in self.asks)))

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

    def known(self, ask: AnalogyTask, side: int) -> Known:
        """What a direction may learn from."""
        rows = ask.known[side]
        codes = dict(zip(rows, self.code(rows.values()), strict=True))
        kinds = {stays: self.images.subgroup[index] for (stays, _), index in rows.items()}
        return Known(codes, kinds, derive(self.spec.seed, "subspace", ask.family.name))

    def offsets(self, ask: AnalogyTask, side: int, method: str, rank: int) -> Tensor:
        """The offsets of the analogies of that side, (n, latent_dim), in their order."""
        known, asked = self.known(ask, side), ask.asked[side]
        found = torch.empty(len(asked), self.codes.shape[1])
        for step in dict.fromkeys(one.step for one in asked):
            here = [n for n, one in enumerate(asked) if one.step == step]
            found[here] = offsets(method, rank, known, self._asked(step, [asked[n] for n in here]))
        return found

    def _asked(self, step: Step, ones: Sequence[Analogy]) -> AnalogyBatch:
        a, b, c = (self.code(getattr(one, corner) for one in ones) for corner in "abc")
        return AnalogyBatch(step, tuple(one.giver for one in ones), tuple(one.taker for one in ones), a, b, c)

    def chosen(self, ask: AnalogyTask) -> tuple[int, float]:
        """Rank and strength: as declared, or those of least error on validation analogies."""
        name = ask.family.name
        if name not in self._choices:
            self._choices[name] = self._choose(ask, self.spec.compose)
        return self._choices[name]

    def _choose(self, ask: AnalogyTask, how: ComposeSpec) -> tuple[int, float]:
        method = "pca" if how.method in AS_PCA else how.method
        ranks = (how.rank,) if how.rank or method not in RANKED else RANKS
        strengths = STRENGTHS if how.weigh else (how.strength,)
        if len(ranks) * len(strengths) == 1:
            return ranks[0], strengths[0]
        asked = ask.asked[VALIDATION]
        c, d = self.code(one.c for one in asked), self.pixels(one.d for one in asked)
        moves = {rank: self.offsets(ask, VALIDATION, method, rank) for rank in ranks}

        def error(place: tuple[int, float]) -> float:
            rank, strength = place
            return float(errors(decoded(self.model, c + strength * moves[rank]), d).sum())

        return min(product(ranks, strengths), key=error)

    def settings(self, ask: AnalogyTask) -> dict[str, float]:
        """What was chosen for the family, how many truths it has at all, and how far its offsets agree."""
        rank, strength = self.chosen(ask)
        ours, chance = coherence(self.known(ask, TEST), ask.family.steps)
        name = ask.family.name
        found = {f"strength_{name}": strength, f"rank_{name}": float(rank)}
        found |= {f"pool_{name}": float(len(ask.family.truths))}
        found |= {f"coherence_{name}": ours, f"coherence_shuffled_{name}": chance}
        return {key: value for key, value in found.items() if value == value}

    def edited(self, ask: AnalogyTask, side: int) -> Tensor:
        """The codes of the composites, (n, latent_dim)."""
        rank, strength = self.chosen(ask)
        c = self.code(one.c for one in ask.asked[side])
        return c + strength * self.offsets(ask, side, self.spec.compose.method, rank)

    def measured(self, ask: AnalogyTask, side: int) -> list[Row]:
        """A record an analogy of that side: its four texts and every number."""
        asked = ask.asked[side]
        columns = self._columns(ask, side)
        return [
            {"side": SIDES[side], "family": ask.family.name, "from": one.step[0], "to": one.step[1]}
            | {corner: self.images.text[getattr(one, corner)] for corner in "abcd"}
            | {name: float(values[n]) for name, values in columns.items()}
            for n, one in enumerate(asked)
        ]

    def _columns(self, ask: AnalogyTask, side: int) -> dict[str, Tensor]:
        asked, edited = ask.asked[side], self.edited(ask, side)
        a, b, c, d = (self.pixels(getattr(one, corner) for one in asked) for corner in "abcd")
        z = {corner: self.code(getattr(one, corner) for one in asked) for corner in "abcd"}
        made, same, best = (decoded(self.model, codes) for codes in (edited, z["c"], z["d"]))
        columns = {"error": errors(made, d), "copy": errors(same, d), "ceiling": errors(best, d)}
        columns |= {
            "error of b alone": errors(decoded(self.model, z["b"]), d),
            "error of pixel arithmetic": errors((c + b - a).clamp(0, 1), d),
            "error of a random offset": errors(decoded(self.model, z["c"] + (z["b"] - z["a"]).roll(1, 0)), d),
            "error of the mean of its kind": errors(decoded(self.model, z["c"] + self._centre(ask, side)), d),
            "error of the nearest known": self._nearest_known(ask, side, made, d),
        }
        given = torch.tensor([[self.place[getattr(one, corner)] for corner in "abc"] for one in asked])
        truth = torch.tensor([self.place[one.d] for one in asked])
        columns |= {
            "hit": hits(edited, truth, self.codes, given, exclude=True),
            "hit of all": hits(edited, truth, self.codes, given, exclude=False),
            "attribute gained": self._gained(ask, side, made),
            "identity kept": (errors(made, d) < errors(made, b)).float(),
            "inside the change": inside(made, same, c, d),
            "off the manifold": self._off_manifold(edited, made, z["d"], best),
        }
        return columns

    def _centre(self, ask: AnalogyTask, side: int) -> Tensor:
        return self.offsets(ask, side, "centre", 0)

    def _nearest_known(self, ask: AnalogyTask, side: int, made: Tensor, d: Tensor) -> Tensor:
        """Error of the training picture of the family that looks most like the composite."""
        known = self.pixels(ask.known[side].values())
        nearest = torch.cdist(made.flatten(1), known.flatten(1)).argmin(1)
        return errors(known[nearest], d)

    def _gained(self, ask: AnalogyTask, side: int, made: Tensor) -> Tensor:
        judge = _judge(self.images, ask, side)
        right = [said == one.step[1] for said, one in zip(judge(made), ask.asked[side], strict=True)]
        return torch.tensor(right, dtype=torch.float32)

    def _off_manifold(self, edited: Tensor, made: Tensor, real: Tensor, best: Tensor) -> Tensor:
        """How far a composite's code moves when it is decoded and encoded, over how far a real one does."""
        cycled = [encode(self.model, (pictures * 255).round().to(torch.uint8)) for pictures in (made, best)]
        ours, theirs = (
            (before - after).norm(dim=1) for before, after in zip((edited, real), cycled, strict=True)
        )
        ratio: Tensor = ours / theirs.mean().clamp(min=1e-9)
        return ratio

    def strips(self, ask: AnalogyTask) -> Tensor:
        """The first two truths of the family, by name: nobody picks them; uint8 (at most 2, 7, 3, 64, 64)."""
        asked = ask.asked[TEST]
        order = sorted(
            range(len(asked)), key=lambda n: (self.images.text[asked[n].d], self.images.text[asked[n].c])
        )
        first = list({asked[n].d: n for n in reversed(order)}.values())[::-1][:2]
        edited = self.edited(ask, TEST)[first]
        c, d = (self.code(getattr(asked[n], corner) for n in first) for corner in "cd")
        shown = [(decoded(self.model, codes) * 255).round().to(torch.uint8) for codes in (c, edited, d)]
        a, b, raw_c, raw_d = (self.images.pixels[[getattr(asked[n], k) for n in first]] for k in "abcd")
        return torch.stack([a, b, raw_c, *shown, raw_d], dim=1)


@lru_cache(maxsize=32)
def _judge(images: Images, ask: AnalogyTask, side: int) -> Judge:
    """Of the attribute of a family; every arm under a seed has the same."""
    known = ask.known[side]
    return Judge(images.pixels[list(known.values())], [value for _, value in known])


def decoded(model: Autoencoder, codes: Tensor) -> Tensor:
    """Pictures, float32 (n, 3, 64, 64) in [0, 1], of codes (n, latent_dim)."""
    with evaluating(model):
        return torch.cat([model.decode(part) for part in codes.split(BATCH)]).clamp(0, 1)
