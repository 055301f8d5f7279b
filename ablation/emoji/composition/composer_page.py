"""The composer: a page on which a person chooses target, plus, minus and method, and drags the strength.

Every picture of the page is made beforehand, with the code of one finished run.
"""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain, product
from pathlib import Path

import jinja2
from jinja2.utils import htmlsafe_json_dumps

from ablation.emoji.composition.families import Family, families
from ablation.emoji.composition.latent_editor import LatentEditor, editor_of
from ablation.emoji.data.images import picture, png, small_png
from ablation.emoji.data.names import resolve
from ablation.errors import UserError, unknown
from ablation.files import folder, replace, write
from ablation.formatting import count, number
from ablation.tracking import Store, keep

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5)
METHODS = {
    "pair": "the whole difference plus − minus, as the report adds it",
    "pca": "that difference within the leading principal components of differences that training shows",
    "additive": "towards the mean of the training cats, plus the share of the difference that training shows "
    "to carry over from faces to cats",
}
PLAIN_FACE = "grinning face"
REPORT = ("smiling cat face with open mouth", "smiling face with heart-shaped eyes", PLAIN_FACE, "pair")
"""The report's choice of target, plus, minus and method: the page opens with it."""

TERMS = {"target": "Target (c)", "plus": "Plus (b)", "minus": "Minus (a)"}
"""The pictures that the arithmetic c + strength × (b − a) is made of, in the order of the page."""
WHOLE = 1.0  # the strength of c + (b − a) as it is written: the page opens at the nearest to it


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
    doubt: str = ""
    """Why its gains say little; "" where they do not."""


def compose_page(store: Store, run: str, to: Path, vendor: str = "") -> str:
    """Write the page of a finished run (the best where `run` is "") to `to`, and keep it with the run.

    Targets are the cats. What is added are the human faces with an expression of theirs. What is subtracted
    is the report's plain face or the human face with the target's own expression. All are drawn by one
    vendor, the first of the run's images where it is "". Returns a sentence on it.
    """
    editor, run_id = editor_of(store, run)
    family = next((one for one in families(editor.images) if one.name == "faces"), None)
    if family is None:
        raise UserError(
            "the page wants cat faces and human ones of the same expression, but the data have none: name a "
            "run on the emoji."
        )
    vendor = editor.images.vendor[resolve(editor.images, PLAIN_FACE, vendor)]
    scenes = [*_composed(editor, family, vendor)]
    shown = {name for one in scenes for name in (one.target, one.plus, one.minus, one.truth) if name}
    index = {name: resolve(editor.images, name, vendor) for name in sorted(shown)}
    again = zip(index, editor.reconstructions([*index.values()]), strict=True)
    inputs = {name: png(picture(editor.images.pixels[n])) for name, n in index.items()}
    reconstructions = {name: png(picture(one)) for name, one in again}
    unseen = {one.truth for one in scenes if one.truth and editor.unseen(index[one.truth])}
    about = (
        f"Composed in the code of run {run_id}. Its training saw nothing of "
        f"{', '.join(sorted(unseen)) or 'none of the cats'}; of the other cats, which it saw, a gain says "
        "little."
    )
    first = next(n for n, s in enumerate(scenes) if (s.target, s.plus, s.minus, s.method) == REPORT)
    doubt = editor.doubt([*index.values()])
    choices = tuple(scenes)
    page = Composer(
        "Compose a cat", about, STRENGTHS, METHODS, inputs, reconstructions, choices, first, doubt
    )
    write_composer(page, to)
    keep(store, run_id, to)
    said = f"{to}: {len(scenes)} choices, of run {run_id}, which keeps the page, too."
    return f"{doubt}\n{said}" if doubt else said


def _composed(editor: LatentEditor, family: Family, vendor: str) -> Iterator[Scene]:
    """A scene for every choice that the page offers, of drawings of the vendor."""
    text, plain = editor.images.text, resolve(editor.images, PLAIN_FACE, vendor)
    drawn = {key: index for key, index in family.at.items() if editor.images.vendor[index] == vendor}
    cats = {value: index for (content, value), index in drawn.items() if family.asks(content)}
    faces = {value: index for (content, value), index in drawn.items() if not family.asks(content)}
    for (own, target), (other, plus) in product(cats.items(), faces.items()):
        if own == other:
            continue
        for minus, method in product(dict.fromkeys((plain, faces[own])), METHODS):
            made = editor.compose(target, plus, minus, method, STRENGTHS)
            pictures = tuple(small_png(picture(one)) for one in made.pictures)
            truth = "" if made.truth is None else text[made.truth]
            yield Scene(text[target], text[plus], text[minus], method, pictures, made.gains, truth)


def write_composer(composer: Composer, to: Path) -> Path:
    """Write the page, complete in itself, to the file `to`; the path.

    Equal composers give equal bytes. The file is replaced whole or not at all. Where something that the page
    would have to show is missing, it is a `UserError`.
    """
    _check(composer)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    page = environment.get_template("composer.html")
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
        "start": min(range(len(composer.strengths)), key=lambda i: abs(composer.strengths[i] - WHOLE)),
        # 0.30000000000000004 is 0.3 to a reader.
        "strengths": [float(f"{strength:g}") for strength in composer.strengths],
        "methods": composer.methods,
        "doubtful": bool(composer.doubt),
        "inputs": {name: place[picture] for name, picture in composer.inputs.items()},
        "reconstructions": {name: place[picture] for name, picture in composer.reconstructions.items()},
        "scenes": [
            {
                "target": scene.target,
                "plus": scene.plus,
                "minus": scene.minus,
                "method": scene.method,
                "truth": scene.truth,
                "gains": [number(gain, 2, signed=True) for gain in scene.gains],
                "pictures": [place[picture] for picture in scene.pictures],
            }
            for scene in composer.scenes
        ],
        "pictures": [base64.b64encode(picture).decode() for picture in pictures],
    }
    return htmlsafe_json_dumps(content, dumps=partial(json.dumps, separators=(",", ":")))
