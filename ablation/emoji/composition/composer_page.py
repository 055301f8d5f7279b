"""Emoji composed by hand: a page that chooses target, plus, minus, method and strength among its pictures."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from jinja2.utils import htmlsafe_json_dumps

from ablation.errors import UserError, unknown
from ablation.formatting import count, number
from ablation.files import folder, replace, write
from ablation.report.formats import _environment

TERMS = {"target": "Target (c)", "plus": "Plus (b)", "minus": "Minus (a)"}
"""The pictures that the arithmetic c + strength × (b − a) is made of, in the order of the page."""
PLAIN = 1.0  # the strength of c + (b − a) as it is written: the page opens at the nearest to it


@dataclass(frozen=True)
class Scene:
    """A choice of target, plus, minus and method: a PNG a strength, and its gain where the truth is known."""

    target: str
    plus: str
    minus: str
    method: str
    pictures: tuple[bytes, ...]
    """PNGs of 64 × 64, in the order of `Composer.strengths`."""
    gains: tuple[float, ...] = ()
    """As many as pictures, or none without a truth."""
    truth: str = ""
    """Its name, a key of `Composer.inputs`; "" where there is none."""

    @property
    def words(self) -> str:
        """The choice in words."""
        return f"{self.target} + strength × ({self.plus} − {self.minus}) by {self.method}"


@dataclass(frozen=True)
class Composer:
    """What the page shows. inputs[name] and reconstructions[name] are PNGs of 64 × 64.

    methods[name] says in words what a method does.
    """

    title: str
    about: str
    """A sentence: which run, and what is seen or unseen in training."""
    strengths: tuple[float, ...]
    methods: dict[str, str]
    inputs: dict[str, bytes]
    reconstructions: dict[str, bytes]
    scenes: tuple[Scene, ...]
    first: int = 0
    """The index of the scene that is shown at the start."""


def write_composer(composer: Composer, to: Path) -> Path:
    """Write the page, complete in itself, to the file `to`; the path.

    Equal composers give equal bytes. The file is replaced whole or not at all. Where something that the page
    would have to show is missing, it is a `UserError`.
    """
    _check(composer)
    page = _environment("html").get_template("composer.html")
    text = page.render(composer=composer, terms=TERMS, data=_data(composer))
    folder(to.parent)
    return replace(to, partial(write, text))


def _check(composer: Composer) -> None:
    """Refuse what would leave a blank on the page."""
    if not composer.scenes or not composer.strengths:
        raise UserError(
            "a composer wants at least one scene and one strength, but has "
            f"{count(len(composer.scenes), 'scene')} and {count(len(composer.strengths), 'strength')}: "
            "compose something first."
        )
    if composer.first not in range(len(composer.scenes)):
        raise UserError(
            f"the first scene is {composer.first}, but there are scenes 0 to {len(composer.scenes) - 1}: "
            "name one of them."
        )
    seen: set[str] = set()
    for scene in composer.scenes:
        _check_scene(composer, scene)
        if scene.words in seen:
            raise UserError(f"there are two scenes {scene.words}: give every choice one scene.")
        seen.add(scene.words)


def _check_scene(composer: Composer, scene: Scene) -> None:
    wanted = len(composer.strengths)
    if len(scene.pictures) != wanted:
        raise UserError(
            f"{scene.words} has {count(len(scene.pictures), 'picture')}, but the page has "
            f"{count(wanted, 'strength')}: give it a picture a strength."
        )
    if len(scene.gains) != (wanted if scene.truth else 0):
        truth = f"the truth {scene.truth!r}" if scene.truth else "no truth"
        raise UserError(
            f"{scene.words} has {truth} and {count(len(scene.gains), 'gain')}: "
            "give it one a strength where the truth is known, and else none."
        )
    for name in filter(None, (scene.target, scene.plus, scene.minus, scene.truth)):
        for kind, known in (("input", composer.inputs), ("reconstruction", composer.reconstructions)):
            if name not in known:
                raise unknown(kind, name, known)
    if scene.method not in composer.methods:
        raise unknown("method", scene.method, composer.methods)


def _data(composer: Composer) -> str:
    """What the script of the page reads, as JSON that no name in it can end."""
    # Scenes share pictures: at strength 0 the plus and the minus do not show.
    own = chain.from_iterable(scene.pictures for scene in composer.scenes)
    pictures = dict.fromkeys(chain(composer.inputs.values(), composer.reconstructions.values(), own))
    place = {picture: index for index, picture in enumerate(pictures)}
    content = {
        "first": composer.first,
        "start": min(range(len(composer.strengths)), key=lambda i: abs(composer.strengths[i] - PLAIN)),
        # 0.30000000000000004 is 0.3 to a reader.
        "strengths": [float(f"{strength:g}") for strength in composer.strengths],
        "methods": composer.methods,
        "inputs": {name: place[picture] for name, picture in composer.inputs.items()},
        "reconstructions": {name: place[picture] for name, picture in composer.reconstructions.items()},
        "scenes": list(_scenes(composer, place)),
        "pictures": [base64.b64encode(picture).decode() for picture in pictures],
    }
    return htmlsafe_json_dumps(content, dumps=partial(json.dumps, separators=(",", ":")))


def _scenes(composer: Composer, place: dict[bytes, int]) -> Iterator[dict[str, Any]]:
    """Each scene with the places of its pictures, and its gains as they are shown."""
    for scene in composer.scenes:
        yield {
            "target": scene.target,
            "plus": scene.plus,
            "minus": scene.minus,
            "method": scene.method,
            "truth": scene.truth,
            "gains": [number(gain, 2, signed=True) for gain in scene.gains],
            "pictures": [place[picture] for picture in scene.pictures],
        }
