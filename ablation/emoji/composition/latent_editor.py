"""Compose any three pictures, target + strength x (plus - minus), beside the truth where there is one."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from ablation.emoji.composition.analogies import Analogy, analogy_tasks, assignment_of
from ablation.emoji.composition.directions import offsets
from ablation.emoji.composition.evaluator import CompositionEvaluator
from ablation.emoji.composition.families import Family, families
from ablation.emoji.composition.scores import errors, gains
from ablation.emoji.composition.training_codes import AnalogyBatch, TrainingCodes, training_codes
from ablation.emoji.data.images import Images
from ablation.emoji.data.sources import load
from ablation.emoji.data.split import TEST, TRAIN
from ablation.emoji.evaluate import as_bytes, decode, encode, reconstruct
from ablation.emoji.model import Autoencoder
from ablation.emoji.spec import ComposeSpec, RunSpec
from ablation.emoji.weights import best_run, model_of
from ablation.errors import UserError
from ablation.tracking import Store

MOST_ALIKE = 0.2
"""How little of what pictures differ in may be left of them. Of the cats and faces of the emoji, the network
keeps 0 % after 2 steps, 4 % after 50, 17 % after 150 and 33 % after 600."""


@dataclass(frozen=True)
class Composite:
    """pictures: uint8 (n, 3, 64, 64), one a strength.

    chosen: the strength that is best on validation analogies, the report's 1 where there are none. Where the
    three pictures are an analogy: the index of the truth, and the normalised gain of every strength.
    """

    pictures: Tensor
    chosen: float = 1.0
    truth: int | None = None
    gains: tuple[float, ...] = ()


class LatentEditor:
    """A trained model that composes, with what it needs of its run."""

    def __init__(self, model: Autoencoder, images: Images, spec: RunSpec, seed: int) -> None:
        self.model, self.images, self.seed = model, images, seed
        self._assignment = assignment_of(images, spec.data, seed, spec.augment.copies)
        self._tasks = {task.family.name: task for task in analogy_tasks(images, spec.data, seed)}
        self._evaluator, self._known = cache(self._make_evaluator), cache(self._encode_known)

    def compose(
        self, target: int, plus: int, minus: int, method: str, strengths: Sequence[float]
    ) -> Composite:
        """Compose the pictures of these indices at every strength.

        Raises `UserError` where `method` learns from a family and the three are in none.
        """
        codes = encode(self.model, self.images.pixels[[target, plus, minus]])
        c, b, a = codes.split(1)
        found = find_analogy(self.images, target, plus, minus)
        if found is None:
            if method != "pair":
                raise UserError(
                    f"the method {method!r} wants three pictures of one family (cat and human faces, skin "
                    "tones, genders, shapes, clocks) as a : b :: c : d, but these are none: take the method "
                    "'pair'."
                )
            return Composite(as_bytes(self._edited(c, b - a, strengths)))
        family, analogy = found
        rank, chosen = self._chosen(family, method)
        batch = AnalogyBatch(analogy.step, (analogy.source,), (analogy.target,), a, b, c)
        offset = offsets(method, rank, self._known(family, analogy.d), batch)
        made = self._edited(c, offset, strengths)
        return Composite(as_bytes(made), chosen, analogy.d, self._gains(made, c, analogy.d))

    def unseen(self, index: int) -> bool:
        """Whether this run's training has neither the picture nor another of its subject."""
        return self._assignment.unseen(index)

    def reconstructions(self, indices: Sequence[int]) -> Tensor:
        """Reconstructions of the pictures of these indices, uint8 (n, 3, 64, 64)."""
        return reconstruct(self.model, self.images.pixels[list(indices)])

    def doubt(self, indices: Sequence[int]) -> str:
        """A sentence where the network draws the pictures of these indices nearly alike, else "".

        It does where its reconstructions differ from their mean by less than `MOST_ALIKE` of what the
        pictures do from theirs, both squared.
        """
        pictures, drawn = self.images.pixels[list(indices)] / 255, self.reconstructions(indices) / 255
        differ, left = ((one - one.mean(0)).square().sum() for one in (pictures, drawn))
        if not differ or left >= MOST_ALIKE * differ:
            return ""
        return (
            "This network draws these pictures nearly alike: of what they differ in, its reconstructions "
            f"keep {100 * float(left / differ):.0f} %. What it composes, and its gain, say little: take a "
            "run that trained for longer."
        )

    def _edited(self, c: Tensor, offset: Tensor, strengths: Sequence[float]) -> Tensor:
        return decode(self.model, torch.cat([c + strength * offset for strength in strengths]))

    def _gains(self, made: Tensor, c: Tensor, truth: int) -> tuple[float, ...]:
        pixels = self.images.pixels[[truth]]
        best, same = decode(self.model, encode(self.model, pixels)), decode(self.model, c)
        error, copy, ceiling = (errors(one, pixels / 255).tolist() for one in (made, same, best))
        count = len(error)
        return tuple(gains(error, copy * count, ceiling * count, range(count)).values())

    def _chosen(self, family: Family, method: str) -> tuple[int, float]:
        """Rank and strength that are best on the validation analogies of the family."""
        task = self._tasks.get(family.name)
        return self._evaluator(method).chosen(task) if task else (1, 1.0)

    def _make_evaluator(self, method: str) -> CompositionEvaluator:
        how = ComposeSpec(method=method, weigh=True)
        return CompositionEvaluator(self.model, self.images, self._tasks.values(), how, self.seed)

    def _encode_known(self, family: Family, truth: int) -> TrainingCodes:
        """Codes of the training pictures of the family, without those of the truth's subject."""
        task, assignment = self._tasks.get(family.name), self._assignment
        pictures = task.training[TEST] if task else family.at
        free = {
            key: index
            for key, index in pictures.items()
            if assignment.takes(index, TRAIN) and not assignment.same_subject(index, truth)
        }
        codes = encode(self.model, self.images.pixels[list(free.values())])
        return training_codes(self.images, family, free, codes, self.seed)


def editor_of(store: Store, run: str) -> tuple[LatentEditor, str]:
    """The editor of a finished run and the run's id; of the best run where `run` is ""."""
    if not store.exists():
        raise UserError(f"{store.root} holds no runs yet: run a study first, or name another --store.")
    run_id = run or best_run(store)
    spec, seed, model = model_of(store, run_id)
    return LatentEditor(model, load(spec.data.sources), spec, seed), run_id


def find_analogy(images: Images, target: int, plus: int, minus: int) -> tuple[Family, Analogy] | None:
    """The analogy minus : plus :: target : truth and its family, if the three pictures are one.

    A cat's truth is the cat with the expression of `plus`. Then `minus` may be any human face, as the
    report's plain "grinning face" is, since it stands for the face without an expression. Drawings of
    several vendors are none.
    """
    if len({images.vendor[index] for index in (target, plus, minus)}) > 1:
        return None
    for family in families(images):
        keys = {index: key for key, index in family.at.items()}
        if target not in keys or plus not in keys:
            continue
        (content, before), (source, after) = keys[target], keys[plus]
        plain = minus == family.at.get((source, before))
        cat, human = family.onto is not None and family.asks(content), not family.asks(source)
        if cat and human and images.group[minus] == "Smileys & Emotion":
            plain = plain or images.subgroup[minus].startswith("face-")
        truth = family.at.get((content, after))
        if plain and truth is not None and truth != target and content != source:
            return family, Analogy((before, after), source, content, minus, plus, target, truth)
    return None
