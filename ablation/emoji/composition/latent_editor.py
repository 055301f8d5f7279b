"""Compose any three pictures, target + strength x (plus - minus), beside the truth where there is one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ablation.emoji.composition.analogies import Analogy, Assignment, analogy_tasks
from ablation.emoji.composition.directions import offsets
from ablation.emoji.composition.evaluator import CompositionEvaluator, decoded
from ablation.emoji.composition.families import Family, families
from ablation.emoji.composition.scores import errors, gains
from ablation.emoji.composition.training_codes import AnalogyBatch, TrainingCodes
from ablation.emoji.data.images import Images
from ablation.emoji.data.sources import load
from ablation.emoji.data.split import TEST, TRAIN, assign_sides, split
from ablation.emoji.evaluate import encode, reconstruct
from ablation.emoji.model import Autoencoder
from ablation.emoji.spec import ComposeSpec, RunSpec
from ablation.emoji.weights import best_run, model_of
from ablation.errors import UserError
from ablation.seeds import derive
from ablation.tracking import Store


@dataclass(frozen=True)
class Composite:
    """inputs and reconstructions: target, plus and minus, uint8 (3, 3, 64, 64); pictures: one a strength.

    chosen: the strength that is best on validation analogies (the report's 1 where there are none), and the
    rank. Where the three are an analogy: the truth's index, its picture (answer), its reconstruction
    (ceiling), the normalised gain of every strength, and whether it is unseen: training has nothing of it.
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
    """A trained model that composes, with what it needs of its run."""

    def __init__(self, model: Autoencoder, images: Images, spec: RunSpec, seed: int) -> None:
        self.model, self.images, self.seed = model, images, seed
        trained = split(images, spec.data, spec.augment.copies, seed).train.index
        self._assignment = Assignment(images, assign_sides(images, spec.data, seed), trained)
        self._tasks = {task.family.name: task for task in analogy_tasks(images, spec.data, seed)}
        self._evaluators: dict[str, CompositionEvaluator] = {}
        self._training: dict[tuple[str, int], TrainingCodes] = {}

    def compose(
        self, target: int, plus: int, minus: int, method: str, strengths: Sequence[float]
    ) -> Composite:
        """Compose the pictures of these indices at every strength, or at the chosen one where none is given.

        Raises `UserError` where `method` learns from a family and the three are in none.
        """
        found = find_analogy(self.images, target, plus, minus)
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
        composite = Composite(
            inputs=self.images.pixels[[target, plus, minus]],
            reconstructions=_bytes(decoded(self.model, codes)),
            strengths=tried,
            pictures=_bytes(made),
            chosen=chosen,
            rank=rank,
        )
        return composite if found is None else self._judged(composite, found[1].d, made, codes[0])

    def unseen(self, index: int) -> bool:
        """Whether this run's training has neither the picture nor another of its subject."""
        return self._assignment.unseen(index)

    def reconstructions(self, indices: Sequence[int]) -> Tensor:
        """Reconstructions of the pictures of these indices, uint8 (n, 3, 64, 64)."""
        return reconstruct(self.model, self.images.pixels[list(indices)])

    def _judged(self, composite: Composite, truth: int, made: Tensor, target: Tensor) -> Composite:
        d = self.images.pixels[[truth]] / 255
        best = decoded(self.model, encode(self.model, self.images.pixels[[truth]]))
        same = decoded(self.model, target[None])
        error, copy, ceiling = (errors(x, d).tolist() for x in (made, same, best))
        count = len(error)
        found = gains(error, copy * count, ceiling * count, range(count))
        return replace(
            composite,
            truth=truth,
            answer=self.images.pixels[truth],
            ceiling=_bytes(best)[0],
            gains=tuple(found.values()),
            unseen=self.unseen(truth),
        )

    def _chosen(self, found: tuple[Family, Analogy] | None, method: str) -> tuple[int, float]:
        """Rank and strength that are best on the validation analogies of the family."""
        task = self._tasks.get(found[0].name) if found else None
        if task is None:
            return 1, 1.0
        if method not in self._evaluators:
            how = ComposeSpec(method=method, weigh=True)
            tasks = tuple(self._tasks.values())
            self._evaluators[method] = CompositionEvaluator(self.model, self.images, tasks, how, self.seed)
        return self._evaluators[method].chosen(task)

    def _offset(self, found: tuple[Family, Analogy] | None, codes: Tensor, method: str, rank: int) -> Tensor:
        c, b, a = codes.split(1)
        if found is None:
            whole: Tensor = (b - a)[0]
            return whole
        family, analogy = found
        batch = AnalogyBatch(analogy.step, (analogy.source,), (analogy.target,), a, b, c)
        offset: Tensor = offsets(method, rank, self._known(family, analogy.d), batch)[0]
        return offset

    def _known(self, family: Family, truth: int) -> TrainingCodes:
        """Codes of the training pictures of the family, without those of the truth's subject."""
        key = family.name, truth
        if key not in self._training:
            task = self._tasks.get(family.name)
            pictures = (
                task.training[TEST]
                if task
                else {k: i for k, i in family.at.items() if self._assignment.on(i, TRAIN)}
            )
            free = {k: i for k, i in pictures.items() if not self._assignment.same_subject(i, truth)}
            codes = encode(self.model, self.images.pixels[list(free.values())])
            kinds = {content: self.images.subgroup[index] for (content, _), index in free.items()}
            random = derive(self.seed, "subspace", family.name)
            self._training[key] = TrainingCodes(dict(zip(free, codes, strict=True)), kinds, random)
        return self._training[key]


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
    report's plain "grinning face" is, since it stands for the face without an expression.
    """
    for family in families(images):
        keys = {index: key for key, index in family.at.items()}
        if target not in keys or plus not in keys:
            continue
        (content, before), (source, after) = keys[target], keys[plus]
        plain = minus == family.at.get((source, before))
        if content == "cat" and source == "human":
            plain = plain or _human_face(images, minus)
        truth = family.at.get((content, after))
        if plain and truth is not None and truth != target and content != source:
            return family, Analogy((before, after), source, content, minus, plus, target, truth)
    return None


def _human_face(images: Images, index: int) -> bool:
    return images.group[index] == "Smileys & Emotion" and images.subgroup[index].startswith("face-")


def _bytes(pictures: Tensor) -> Tensor:
    return (pictures.clamp(0, 1) * 255).round().to(torch.uint8)
