"""From the store to a page on which a person composes cat faces: every picture made beforehand."""

from itertools import product
from pathlib import Path

from ablation.emoji.composition.compose import mixer_of
from ablation.emoji.composition.composer_page import Composer, Scene, write_composer
from ablation.emoji.composition.families import families
from ablation.emoji.composition.latent_editor import LatentEditor
from ablation.emoji.data.names import resolve
from ablation.emoji.data.pictures import picture, png, small_png
from ablation.errors import UserError
from ablation.tracking.artifacts import keep
from ablation.tracking.store import Store

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5)
METHODS = {
    "pair": "the whole difference plus − minus, as the report adds it",
    "pca": "that difference within the leading principal components of differences that training shows",
    "additive": "towards the mean of the training cats, plus the share of the difference that training shows "
    "to carry over from faces to cats",
}
PLAIN = "grinning face"
REPORT = ("smiling cat face with open mouth", "smiling face with heart-shaped eyes", PLAIN)


def compose_page(store: Store, run: str, to: Path) -> str:
    """Write the page of a finished run (the best where none is named) to `to`, and keep it with the run.

    Targets are the cats, what is added are the human faces with an expression of theirs, and what is taken
    off is the report's plain face or the target's own twin. Gives what there is to say of it.
    """
    mixer, run_id = mixer_of(store, run)
    found = [family for family in families(mixer.images) if family.name == "faces"]
    if not found:
        raise UserError(
            "the page wants cat faces and human ones of the same expression, but the data have none."
        )
    scenes, names = _scenes(mixer)
    first = next(
        n for n, s in enumerate(scenes) if (s.target, s.plus, s.minus, s.method) == (*REPORT, "pair")
    )
    unseen = [s.truth for s in scenes if s.truth and mixer.unseen(mixer.images.text.index(s.truth))]
    inputs, again = _pictures(mixer, names)
    about = (
        f"Composed in the code of run {run_id}. Its training saw nothing of {_listed(unseen)}; of the other "
        "cats, which it saw, a gain says little."
    )
    page = Composer("Compose a cat", about, STRENGTHS, METHODS, inputs, again, tuple(scenes), first)
    write_composer(page, to)
    keep(store, run_id, to)
    return f"{to}: {len(scenes)} choices, of run {run_id}, which keeps the page, too."


def _listed(names: list[str]) -> str:
    return ", ".join(sorted(set(names))) or "none of the cats"


def _scenes(mixer: LatentEditor) -> tuple[list[Scene], set[str]]:
    """Every choice, and the names of all pictures in them."""
    (family,) = (one for one in families(mixer.images) if one.name == "faces")
    text, plain = mixer.images.text, resolve(mixer.images, PLAIN)
    cats = {value: index for (stays, value), index in family.at.items() if stays == "cat"}
    faces = {value: index for (stays, value), index in family.at.items() if stays == "human"}
    scenes, names = [], set()
    for (own, target), (other, plus) in product(cats.items(), faces.items()):
        for minus, method in product(dict.fromkeys((plain, faces[own])), METHODS) if own != other else ():
            mix = mixer.mix(target, plus, minus, method, STRENGTHS)
            pictures = tuple(small_png(picture(one)) for one in mix.pictures)
            truth = "" if mix.truth is None else text[mix.truth]
            scenes.append(Scene(text[target], text[plus], text[minus], method, pictures, mix.gains, truth))
            names |= {text[target], text[plus], text[minus], *([truth] if truth else [])}
    return scenes, names


def _pictures(mixer: LatentEditor, names: set[str]) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """The pictures of these names and their reconstructions, as PNG."""
    order = sorted(names)
    index = [mixer.images.text.index(name) for name in order]
    raw = [png(picture(mixer.images.pixels[i])) for i in index]
    again = [png(picture(one)) for one in mixer.reconstructed(index)]
    return dict(zip(order, raw, strict=True)), dict(zip(order, again, strict=True))
