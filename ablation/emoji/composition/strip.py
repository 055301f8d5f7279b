"""A composite as a strip: target, plus, minus, the composites and the truth in a row of a PNG file."""

import warnings
from pathlib import Path
from textwrap import fill
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ablation.emoji.composition.evaluator import STRENGTHS
from ablation.emoji.composition.latent_editor import Composite, LatentEditor, editor_of
from ablation.emoji.data.names import resolve
from ablation.files import replace
from ablation.texts import one_line
from ablation.tracking import Store

MOST_LETTERS = 80  # of a text that is shown
INCHES = 1.25  # a picture
LETTERS = 20  # a line of a caption

Frame = tuple[str, Any, Any]
"""A caption, a picture, uint8 (3, 64, 64), and its reconstruction, or None where there is none to show."""


def compose_strip(
    store: Store,
    run: str,
    names: tuple[str, str, str],
    method: str,
    strength: float | None,
    out: Path,
    vendor: str = "",
) -> str:
    """Compose target, plus and minus in a run's code, and write the strip to `out`; lines that say the gain.

    The run is the best one where `run` is "". Without a strength there is a composite at each of several. The
    pictures are drawn by one vendor, the first of the run's images where it is "".
    """
    editor, run_id = editor_of(store, run)
    target, plus, minus = (resolve(editor.images, name, vendor) for name in names)
    strengths = STRENGTHS if strength is None else (strength,)
    composite = editor.compose(target, plus, minus, method, strengths)
    roles = {"target": target, "plus": plus, "minus": minus}
    _draw(_frames(editor, roles, composite, strengths), out)
    texts = [_text(editor, index) for index in roles.values()]
    sum_ = f"{texts[0]} + ({texts[1]} - {texts[2]}), by {method}, in the code of run {run_id}"
    shown = [*roles.values(), *([] if composite.truth is None else [composite.truth])]
    lines = [sum_, _judgement(editor, composite, strengths), editor.doubt(shown), str(out)]
    return "\n".join(filter(None, lines))


def _text(editor: LatentEditor, index: int) -> str:
    return one_line(editor.images.name(index), MOST_LETTERS)


def _judgement(editor: LatentEditor, composite: Composite, strengths: tuple[float, ...]) -> str:
    if composite.truth is None:
        return "No picture of the data is known to be the answer, so there is no gain to tell."
    unseen = editor.unseen(composite.truth)
    seen = "training saw nothing of it" if unseen else "TRAINING SAW IT, so the gain says little"
    gains = dict(zip(strengths, composite.gains, strict=True))
    at = ", ".join(f"{gain:+.2f} at {strength:g}" for strength, gain in gains.items())
    text = f"The truth is {_text(editor, composite.truth)!r}; {seen}. Gain {at}"
    if len(gains) > 1:
        best = max(gains, key=lambda strength: gains[strength])
        text += f" (highest at {best:g}; validation analogies choose {composite.chosen:g})"
    return text + "; 0 is the target left alone, 1 the truth's own reconstruction."


def _frames(
    editor: LatentEditor, roles: dict[str, int], composite: Composite, strengths: tuple[float, ...]
) -> list[Frame]:
    """What the strip shows, in order; inputs and truth with their reconstructions."""
    pixels, inputs = editor.images.pixels, list(roles.values())
    frames: list[Frame] = [
        (f"{role}\n{_text(editor, index)}", pixels[index], again)
        for (role, index), again in zip(roles.items(), editor.reconstructions(inputs), strict=True)
    ]
    gains = [f"\ngain {gain:+.2f}" for gain in composite.gains] or [""] * len(strengths)
    for strength, gain, picture in zip(strengths, gains, composite.pictures, strict=True):
        frames.append((f"composite\nstrength {strength:g}{gain}", picture, None))
    if (truth := composite.truth) is not None:
        seen = "unseen" if editor.unseen(truth) else "seen in training"
        caption = f"truth ({seen})\n{_text(editor, truth)}"
        frames.append((caption, pixels[truth], editor.reconstructions([truth])[0]))
    return frames


def _draw(frames: list[Frame], to: Path) -> None:
    """Draw the frames from left to right into the PNG file `to`, whole or not at all."""
    figure = Figure(figsize=(INCHES * len(frames), 2 * INCHES + 1.1), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(2, len(frames), squeeze=False).T
    for (upper, lower), (caption, *pictures) in zip(grid, frames, strict=True):
        for axes, picture in zip((upper, lower), pictures, strict=True):
            axes.set_axis_off()
            if picture is not None:
                axes.imshow(picture.permute(1, 2, 0).numpy(), interpolation="nearest")
        wrapped = "\n".join(fill(line, LETTERS) for line in caption.split("\n"))
        upper.set_title(wrapped, fontsize=7).set_parse_math(False)
        if pictures[1] is not None:
            lower.set_title("reconstructed", fontsize=6, color="0.4")
    with warnings.catch_warnings():
        # A text may hold characters that the font lacks; they are drawn as boxes.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        plain: Any = {"Software": None}
        replace(to, lambda path: figure.savefig(path, dpi=150, format="png", metadata=plain))
