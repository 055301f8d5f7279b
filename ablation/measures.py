"""The measures that a run can report: names, words, direction and digits. No torch, no MLflow."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from ablation.errors import unknown


@dataclass(frozen=True)
class Measure:
    """One number of a finished run: what it is called, which way is better if any, how it is printed.

    needs: what the run must have for it: "classes" of its own, or, in the images of its sources that its
    training never sees, "subgroups" for the probe, "common" texts, faces of either "mood" or "analogies".
    """

    name: str
    label: str
    better: Literal["lower", "higher", "neither"]
    digits: int
    needs: Literal["", "classes", "subgroups", "common", "mood", "analogies"] = ""


MEASURES = {
    measure.name: measure
    for measure in (
        Measure("test_mse", "Test MSE", "lower", 4),
        Measure("test_accuracy", "Test accuracy", "higher", 3, "classes"),
        Measure("test_balanced_accuracy", "Test balanced accuracy", "higher", 3, "classes"),
        Measure("test_macro_f1", "Test macro F1", "higher", 3, "classes"),
        Measure("test_cross_entropy", "Test cross-entropy", "lower", 3, "classes"),
        Measure("probe_accuracy", "Probe accuracy", "higher", 3, "subgroups"),
        Measure("effective_rank", "Effective rank of the codes", "neither", 1, "subgroups"),
        Measure("common_mse", "Common test MSE", "lower", 4, "common"),
        Measure("mood_balanced_accuracy", "Happy or sad, balanced accuracy", "higher", 3, "mood"),
        Measure("gain", "Composition gain", "higher", 2, "analogies"),
        Measure("gain_faces", "Gain, cat faces", "higher", 2, "analogies"),
        Measure("gain_tone", "Gain, skin tone", "higher", 2, "analogies"),
        Measure("gain_dark_tone", "Gain, dark skin tone", "higher", 2, "analogies"),
        Measure("gain_gender", "Gain, gender", "higher", 2, "analogies"),
        Measure("gain_shape", "Gain, shape", "higher", 2, "analogies"),
        Measure("gain_clock", "Gain, clock", "higher", 2, "analogies"),
        Measure("gain_seen", "Gain, truths seen in training", "higher", 2, "analogies"),
        Measure("hit", "Truth retrieved, a, b, c excluded", "higher", 2, "analogies"),
        Measure("hit_of_all", "Truth retrieved", "higher", 2, "analogies"),
        Measure("attribute_gained", "Attribute gained", "higher", 2, "analogies"),
        Measure("identity_kept", "Identity kept", "higher", 2, "analogies"),
        Measure("inside_the_change", "Edit inside the change", "higher", 2, "analogies"),
        Measure("off_the_manifold", "Off the manifold", "lower", 2, "analogies"),
        Measure("validation_mse", "Validation MSE", "lower", 4),
        Measure("validation_cross_entropy", "Validation cross-entropy", "lower", 3, "classes"),
        Measure("validation_loss", "Validation loss", "lower", 4),
    )
}


COMPOSING = ("gain_of_", "truths_", "pool_", "strength_", "rank_", "coherence_")
"""How the numbers begin that composing adds to a run beside measures."""


def composing(name: str) -> bool:
    """Whether only a run that composes has this number."""
    known = MEASURES.get(name)
    return known.needs == "analogies" if known else name.startswith(COMPOSING)


def composes(names: Iterable[str]) -> bool:
    """Whether one of these measures wants codes composed: only then does a run take the time."""
    return any(measure(name).needs == "analogies" for name in names)


def measure(name: str) -> Measure:
    """The measure called `name`, or a `UserError` that names the known ones."""
    if name not in MEASURES:
        raise unknown("measure", name, MEASURES)
    return MEASURES[name]
