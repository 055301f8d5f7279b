"""From the store to a composite: find the run, compose, draw the strip, say the gain."""

from pathlib import Path

from ablation.emoji.composition.evaluator import STRENGTHS
from ablation.emoji.composition.latent_editor import LatentEditor, Mix
from ablation.emoji.composition.strip import Frame, write_strip
from ablation.emoji.data.names import resolve
from ablation.emoji.data.sources import load
from ablation.emoji.weights import best_run, model_of
from ablation.errors import UserError
from ablation.texts import one_line
from ablation.tracking.store import Store

MOST_LETTERS = 80  # of a text that is shown


def composed(
    store: Store, run: str, names: tuple[str, str, str], method: str, strength: float | None, out: Path
) -> str:
    """Write the strip of target, plus and minus to `out`; what there is to say of it, in lines."""
    mixer, run_id = mixer_of(store, run)
    target, plus, minus = (resolve(mixer.images, name) for name in names)
    mix = mixer.mix(target, plus, minus, method, STRENGTHS if strength is None else (strength,))
    shown = tuple(one_line(text, MOST_LETTERS) for text in mixer.images.text)
    texts = [shown[index] for index in (target, plus, minus)]
    write_strip(_frames(mix, texts, shown), out)
    sum_ = f"{texts[0]} + ({texts[1]} - {texts[2]}), by {method}, in the code of run {run_id}"
    return f"{sum_}\n{_judgement(mix, shown)}\n{out}"


def mixer_of(store: Store, run: str) -> tuple[LatentEditor, str]:
    """The composer of a finished run (its id), of the best one where none is named."""
    if not store.exists():
        raise UserError(f"{store.root} holds no runs yet: run a study first, or name another --store.")
    run_id = run or best_run(store)
    spec, model = model_of(store, run_id)
    return LatentEditor(model, load(spec.data.sources), spec), run_id


def _judgement(mix: Mix, texts: tuple[str, ...]) -> str:
    if mix.truth is None:
        return "No picture of the data is known to be the answer, so there is no gain to tell."
    best = max(range(len(mix.gains)), key=lambda n: mix.gains[n])
    seen = "training saw nothing of it" if mix.unseen else "TRAINING SAW IT, so the gain says little"
    at = ", ".join(f"{g:+.2f} at {s:g}" for s, g in zip(mix.strengths, mix.gains, strict=True))
    text = f"The truth is {texts[mix.truth]!r}; {seen}. Gain {at}"
    if len(mix.gains) > 1:
        text += f" (highest at {mix.strengths[best]:g}; validation analogies choose {mix.chosen:g})"
    return text + "; 0 is the target left alone, 1 the truth's own reconstruction."


def _frames(mix: Mix, names: list[str], texts: tuple[str, ...]) -> list[Frame]:
    """The pictures of the strip in order, captioned; inputs and truth with their reconstructions."""
    words = ("target", "plus", "minus")
    frames = [
        Frame(f"{word}\n{name}", picture.numpy(), again.numpy())
        for word, name, picture, again in zip(words, names, mix.inputs, mix.reconstructions, strict=True)
    ]
    gains = [f"\ngain {gain:+.2f}" for gain in mix.gains] or [""] * len(mix.strengths)
    frames += [
        Frame(f"composite\nstrength {strength:g}{gain}", picture.numpy())
        for strength, gain, picture in zip(mix.strengths, gains, mix.pictures, strict=True)
    ]
    if mix.truth is None or mix.answer is None or mix.ceiling is None:
        return frames
    seen = "unseen" if mix.unseen else "seen in training"
    caption = f"truth ({seen})\n{texts[mix.truth]}"
    return [*frames, Frame(caption, mix.answer.numpy(), mix.ceiling.numpy())]
