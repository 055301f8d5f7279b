"""What is asked of a run: the analogies of every family under its deal, and what directions learn from."""

from dataclasses import dataclass
from functools import cache

from ablation.emoji.composition.analogies import TEST, TRAIN, VALIDATION, Analogy, Deal, analogies, known_rows
from ablation.emoji.composition.families import Family, families
from ablation.emoji.data.images import Images
from ablation.emoji.data.split import deal, split
from ablation.emoji.spec import DataSpec
from ablation.seeds import generator

MOST = {TEST: 24, VALIDATION: 12, TRAIN: 2}  # analogies a step


@dataclass(frozen=True, eq=False)
class AnalogyTask:
    """The analogies of a family on each side that has some, and the pictures that directions learn from."""

    family: Family
    asked: dict[int, list[Analogy]]
    known: dict[int, dict[tuple[str, str], int]]

    @property
    def images(self) -> set[int]:
        """The indices of every picture that takes part."""
        given = {i for found in self.asked.values() for one in found for i in (one.a, one.b, one.c, one.d)}
        return given | {i for rows in self.known.values() for i in rows.values()}


@cache
def askings(images: Images, data: DataSpec, seed: int) -> tuple[AnalogyTask, ...]:
    """What is asked of a run with these data under this seed, a family at a time; the same of every model.

    Nothing where some family of the source has no unseen truth in the test or the validation set.
    """
    found = families(images)
    if not found or data.split == "copy":
        return ()
    dealt = deal(images, data, seed)
    here = Deal(images, dealt, split(images, data, 0, seed).train.index)
    asks = tuple(_asking(family, here, seed) for family in found)
    return asks if all({TEST, VALIDATION} <= ask.asked.keys() for ask in asks) else ()


def _asking(family: Family, here: Deal, seed: int) -> AnalogyTask:
    draws = generator(seed, "analogies", family.name)
    asked = {side: analogies(family, here, side, most, draws) for side, most in MOST.items()}
    unseen = known_rows(family, here, (), draws)
    known = {TEST: unseen, VALIDATION: unseen, TRAIN: known_rows(family, here, asked[TRAIN], draws)}
    return AnalogyTask(family, {side: ones for side, ones in asked.items() if ones and known[side]}, known)
