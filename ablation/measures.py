"""The measures that a run can report: names, words, direction and digits. No torch, no MLflow."""

from dataclasses import dataclass
from typing import Literal

from ablation.errors import unknown


@dataclass(frozen=True)
class Measure:
    """One number of a finished run: what it is called, which way is better if any, how it is printed.

    needs: what the run must have for it: "classes" of its own, or, in the images of its sources that its
    training never sees, "subgroups" for the probe, "common" texts or faces of either "mood".
    """

    name: str
    label: str
    better: Literal["lower", "higher", "neither"]
    digits: int
    needs: Literal["", "classes", "subgroups", "common", "mood"] = ""


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
        Measure("validation_mse", "Validation MSE", "lower", 4),
        Measure("validation_cross_entropy", "Validation cross-entropy", "lower", 3, "classes"),
        Measure("validation_loss", "Validation loss", "lower", 4),
    )
}


def measure(name: str) -> Measure:
    """The measure called `name`, or a `Mistake` that names the known ones."""
    if name not in MEASURES:
        raise unknown("measure", name, MEASURES)
    return MEASURES[name]
