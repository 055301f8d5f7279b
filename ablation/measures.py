"""The measures that a run can report: names, words, direction and digits. No torch, no MLflow."""

from dataclasses import dataclass
from typing import Literal

from ablation.errors import unknown


@dataclass(frozen=True)
class Measure:
    """One number of a finished run: what it is called, which way is better, how it is printed.

    needs: what the data must have for it, "classes", "subgroups" or nothing.
    """

    name: str
    label: str
    better: Literal["lower", "higher"]
    digits: int
    needs: Literal["", "classes", "subgroups"] = ""


MEASURES = {
    measure.name: measure
    for measure in (
        Measure("test_mse", "Test MSE", "lower", 4),
        Measure("test_accuracy", "Test accuracy", "higher", 3, "classes"),
        Measure("test_balanced_accuracy", "Test balanced accuracy", "higher", 3, "classes"),
        Measure("test_macro_f1", "Test macro F1", "higher", 3, "classes"),
        Measure("test_cross_entropy", "Test cross-entropy", "lower", 3, "classes"),
        Measure("probe_accuracy", "Probe accuracy", "higher", 3, "subgroups"),
    )
}


def measure(name: str) -> Measure:
    """The measure called `name`, or a `Mistake` that names the known ones."""
    if name not in MEASURES:
        raise unknown("measure", name, MEASURES)
    return MEASURES[name]
