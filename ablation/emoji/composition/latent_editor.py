"""Compose any three pictures, target + strength x (plus - minus), beside the truth where there is one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ablation.emoji.composition.analogies import TEST, TRAIN, Deal
from ablation.emoji.composition.directions import offsets
from ablation.emoji.composition.evaluator import CompositionEvaluator, decoded
from ablation.emoji.composition.families import Family, families
from ablation.emoji.composition.gains import gains
from ablation.emoji.composition.scores import errors
from ablation.emoji.composition.tasks import AnalogyTask, askings
from ablation.emoji.composition.training_codes import AnalogyBatch, Known
from ablation.emoji.data.images import Images
from ablation.emoji.data.split import deal, split
from ablation.emoji.evaluate import encode, reconstruct
from ablation.emoji.model import Autoencoder
from ablation.emoji.spec import ComposeSpec, RunSpec
from ablation.errors import UserError
from ablation.seeds import derive


@dataclass(frozen=True)
class Place:
    """Where three pictures stand in a family, and the truth: giver : giver :: taker : taker, by the step."""

    family: Family
    step: tuple[str, str]
    giver: str
    taker: str
    truth: int


@dataclass(frozen=True)
class Mix:
    """inputs and reconstructions: target, plus and minus, uint8 (3, 3, 64, 64); pictures: one a strength.

    truth: its index, with its picture (the answer), its reconstruction (the ceiling) and the normalised gain
    of every strength; none of it where the three are no analogy. unseen: whether training took in nothing of
    the truth. chosen: the strength that is best on validation analogies (the report's 1 where there are
    none), and the rank.
    """

    inputs: Tensor
    reconstructions: Tensor
    strengths: tuple[float, ...]
    pictures: Tensor
    chosen: float
    rank: int
    truth: int | None = None
    answer: Tensor | None = None
    ceiling: Tensor | None = None
    gains: tuple[float, ...] = ()
    unseen: bool = False


class LatentEditor:
    """A trained model that composes; what it must know of its run is looked up once."""

    def __init__(self, model: Autoencoder, images: Images, spec: RunSpec) -> None:
        self.model, self.images, self.spec = model, images, spec
        self._asks = {ask.family.name: ask for ask in askings(images, spec.data, spec.seed)}
        self._benches: dict[str, CompositionEvaluator] = {}
        self._knowns: dict[tuple[str, int], Known] = {}
        trained = split(images, spec.data, spec.augment.copies, spec.seed).train.index
        self._deal = Deal(images, deal(images, spec.data, spec.seed), trained)

    def mix(self, target: int, plus: int, minus: int, method: str, strengths: Sequence[float]) -> Mix:
        """Compose the pictures of these indices at every strength, and at the chosen one where none is given.

        Raises `UserError` where `method` learns from a family and the three stand in none.
        """
        found = place(self.images, target, plus, minus)
        if found is None and method != "pair":
            raise UserError(
                f"the method {method!r} wants three pictures of one family (cat and human faces, skin tones, "
                "genders, shapes, clocks) as a : b :: c : d, but these are none: take the method 'pair'."
            )
        codes = encode(self.model, self.images.pixels[[target, plus, minus]])
        rank, chosen = self._chosen(found, method)
        offset = self._offset(found, codes, method, rank)
        tried = tuple(strengths) or (chosen,)
        made = decoded(self.model, torch.stack([codes[0] + strength * offset for strength in tried]))
        mix = Mix(
            inputs=self.images.pixels[[target, plus, minus]],
            reconstructions=_bytes(decoded(self.model, codes)),
            strengths=tried,
            pictures=_bytes(made),
            chosen=chosen,
            rank=rank,
        )
        return mix if found is None else self._judged(mix, found.truth, made, codes[0])

    def unseen(self, index: int) -> bool:
        """Whether this run's training took in neither the picture nor another of its subject."""
        return self._deal.unseen(index)

    def reconstructed(self, indices: Sequence[int]) -> Tensor:
        """Reconstructions of the pictures of these indices, uint8 (n, 3, 64, 64)."""
        return reconstruct(self.model, self.images.pixels[list(indices)])

    def _judged(self, mix: Mix, truth: int, made: Tensor, target: Tensor) -> Mix:
        d = self.images.pixels[[truth]] / 255
        best = decoded(self.model, encode(self.model, self.images.pixels[[truth]]))
        same = decoded(self.model, target[None])
        error, copy, ceiling = (errors(x, d).tolist() for x in (made, same, best))
        count = len(error)
        found = gains(error, copy * count, ceiling * count, range(count))
        return replace(
            mix,
            truth=truth,
            answer=self.images.pixels[truth],
            ceiling=_bytes(best)[0],
            gains=tuple(found.values()),
            unseen=self.unseen(truth),
        )

    def _chosen(self, found: Place | None, method: str) -> tuple[int, float]:
        ask = self._asks.get(found.family.name) if found else None
        if ask is None:
            return 1, 1.0
        if method not in self._benches:
            how = ComposeSpec(method=method, weigh=True)
            asks = tuple(self._asks.values())
            self._benches[method] = CompositionEvaluator(
                self.model, self.images, asks, replace(self.spec, compose=how)
            )
        return self._benches[method].chosen(ask)

    def _offset(self, found: Place | None, codes: Tensor, method: str, rank: int) -> Tensor:
        c, b, a = codes.split(1)
        if found is None:
            whole: Tensor = (b - a)[0]
            return whole
        asked = AnalogyBatch(found.step, (found.giver,), (found.taker,), a, b, c)
        offset: Tensor = offsets(method, rank, self._known(found), asked)[0]
        return offset

    def _known(self, found: Place) -> Known:
        """What this run may learn from without the truth, or another picture of its subject."""
        key = found.family.name, found.truth
        if key not in self._knowns:
            self._knowns[key] = self._look_up(found)
        return self._knowns[key]

    def _look_up(self, found: Place) -> Known:
        ask: AnalogyTask | None = self._asks.get(found.family.name)
        rows = (
            ask.known[TEST] if ask else {k: i for k, i in found.family.at.items() if self._deal.on(i, TRAIN)}
        )
        free = {key: index for key, index in rows.items() if not self._deal.kin(index, found.truth)}
        codes = encode(self.model, self.images.pixels[list(free.values())])
        kinds = {stays: self.images.subgroup[index] for (stays, _), index in free.items()}
        draws = derive(self.spec.seed, "subspace", found.family.name)
        return Known(dict(zip(free, codes, strict=True)), kinds, draws)


def place(images: Images, target: int, plus: int, minus: int) -> Place | None:
    """Where the three stand, if in one family; a cat's truth is the cat with the expression of `plus`.

    For cats `minus` may be any human face, as the report's plain "grinning face" is: what is taken off is
    meant to be the face without the expression.
    """
    for family in families(images):
        keys = {index: key for key, index in family.at.items()}
        if target not in keys or plus not in keys:
            continue
        (taker, before), (giver, after) = keys[target], keys[plus]
        plain = minus == family.at.get((giver, before))
        if taker == "cat" and giver == "human":
            plain = plain or _human_face(images, minus)
        truth = family.at.get((taker, after))
        if plain and truth not in (None, target) and taker != giver:
            assert truth is not None
            return Place(family, (before, after), giver, taker, truth)
    return None


def _human_face(images: Images, index: int) -> bool:
    return images.group[index] == "Smileys & Emotion" and images.subgroup[index].startswith("face-")


def _bytes(pictures: Tensor) -> Tensor:
    return (pictures.clamp(0, 1) * 255).round().to(torch.uint8)
