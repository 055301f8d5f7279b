"""A composite as a strip: target, plus, minus, the composites and the truth in a row of a PNG file."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ablation.emoji.composition.evaluator import STRENGTHS
from ablation.emoji.composition.latent_editor import Composite, editor_of
from ablation.emoji.data.names import resolve
from ablation.files import replace
from ablation.texts import one_line
from ablation.tracking import Store

MOST_LETTERS = 80  # of a text that is shown
INCHES = 1.25  # a picture
LETTERS = 20  # a line of a caption


@dataclass(frozen=True)
class Frame:
    """picture: uint8 (3, 64, 64); again: its reconstruction, where there is one to show."""

    caption: str
    picture: Any
    again: Any = None


def compose_strip(
    store: Store, run: str, names: tuple[str, str, str], method: str, strength: float | None, out: Path
) -> str:
    """Compose target, plus and minus in a run's code, and write the strip to `out`; lines that say the gain.

    The run is the best one where `run` is "". Without a strength there is a composite at each of several.
    """
    editor, run_id = editor_of(store, run)
    target, plus, minus = (resolve(editor.images, name) for name in names)
    strengths = STRENGTHS if strength is None else (strength,)
    composite = editor.compose(target, plus, minus, method, strengths)
    shown = tuple(one_line(text, MOST_LETTERS) for text in editor.images.text)
    texts = [shown[index] for index in (target, plus, minus)]
    write_strip(_frames(composite, texts, shown), out)
    sum_ = f"{texts[0]} + ({texts[1]} - {texts[2]}), by {method}, in the code of run {run_id}"
    return f"{sum_}\n{_judgement(composite, shown)}\n{out}"


def _judgement(composite: Composite, texts: tuple[str, ...]) -> str:
    if composite.truth is None:
        return "No picture of the data is known to be the answer, so there is no gain to tell."
    best = max(range(len(composite.gains)), key=lambda n: composite.gains[n])
    seen = "training saw nothing of it" if composite.unseen else "TRAINING SAW IT, so the gain says little"
    at = ", ".join(f"{g:+.2f} at {s:g}" for s, g in zip(composite.strengths, composite.gains, strict=True))
    text = f"The truth is {texts[composite.truth]!r}; {seen}. Gain {at}"
    if len(composite.gains) > 1:
        text += (
            f" (highest at {composite.strengths[best]:g}; validation analogies choose {composite.chosen:g})"
        )
    return text + "; 0 is the target left alone, 1 the truth's own reconstruction."


def _frames(composite: Composite, names: list[str], texts: tuple[str, ...]) -> list[Frame]:
    """The pictures of the strip in order, captioned; inputs and truth with their reconstructions."""
    roles = ("target", "plus", "minus")
    frames = [
        Frame(f"{role}\n{name}", picture.numpy(), again.numpy())
        for role, name, picture, again in zip(
            roles, names, composite.inputs, composite.reconstructions, strict=True
        )
    ]
    gains = [f"\ngain {gain:+.2f}" for gain in composite.gains] or [""] * len(composite.strengths)
    frames += [
        Frame(f"composite\nstrength {strength:g}{gain}", picture.numpy())
        for strength, gain, picture in zip(composite.strengths, gains, composite.pictures, strict=True)
    ]
    if composite.truth is None or composite.answer is None or composite.ceiling is None:
        return frames
    seen = "unseen" if composite.unseen else "seen in training"
    caption = f"truth ({seen})\n{texts[composite.truth]}"
    return [*frames, Frame(caption, composite.answer.numpy(), composite.ceiling.numpy())]


def write_strip(frames: list[Frame], to: Path) -> Path:
    """Draw the frames from left to right into the PNG file `to`, whole or not at all; the path."""
    figure = Figure(figsize=(INCHES * len(frames), 2 * INCHES + 1.1), layout="constrained")
    FigureCanvasAgg(figure)
    for column, frame in zip(figure.subplots(2, len(frames), squeeze=False).T, frames, strict=True):
        for axes, picture in zip(column, (frame.picture, frame.again), strict=True):
            axes.set_axis_off()
            if picture is not None:
                axes.imshow(picture.transpose(1, 2, 0), interpolation="nearest")
        column[0].set_title(_wrapped(frame.caption), fontsize=7).set_parse_math(False)
        if frame.again is not None:
            column[1].set_title("reconstructed", fontsize=6, color="0.4")
    replace(to, lambda path: _save(figure, path))
    return to


def _wrapped(caption: str) -> str:
    return "\n".join(fill(line, LETTERS) for line in caption.split("\n"))


def _save(figure: Figure, path: Path) -> None:
    plain: Any = {"Software": None}
    with warnings.catch_warnings():
        # A text may hold characters that the font lacks; they are drawn as boxes.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(path, dpi=150, format="png", metadata=plain)
