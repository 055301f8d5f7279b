"""How far one test picture can move a measure that counts pictures.

Such a measure takes few values. Over a handful of seeds its differences can agree, or nearly so, by
luck: no seed met the rare picture that would have shown the effect. A spread below one picture's worth
is then a sign of too few draws, not of precision, so that tests of equivalence take none below it.
The test for a difference stays as declared: there the interval must leave 0, which luck does more rarely.
"""

import pandas as pd

from ablation.emoji.data.labels import class_names
from ablation.study import Study

BY_CLASS = ("test_balanced_accuracy", "test_macro_f1")
"""Measures that weigh every class alike: a picture of the rarest class counts most."""
COUNTS = {"test_accuracy": "images_test", "probe_accuracy": "images_probe"}
"""Measures that weigh every picture alike, and the column that has their number."""
MOODS = 2


def one_picture(study: Study, cells: pd.DataFrame, measure: str) -> float:
    """The most that one test picture, right or wrong, moves `measure`; 0 where it is continuous or unknown.

    Counts are the least of the complete cells, from the columns images_test, images_probe, and, of the
    rarest class or mood, images_test_rarest and images_mood_rarest. Where one of the latter two is not
    recorded that class may have a single picture, and is taken to. Nor is it recorded how many of the test
    images have a class where `data.among` lets others take part: there accuracy moves no more than one that
    weighs classes alike.
    """
    labelled = not any(spec.data.among for spec in study.specs.values())
    if measure in COUNTS and (labelled or measure != "test_accuracy"):
        return 1 / images if (images := _least(cells, COUNTS[measure])) else 0.0
    if measure in (*BY_CLASS, "test_accuracy"):
        classes = min(len(class_names(spec.data.classes)) for spec in study.specs.values())
        return 1 / (max(classes, 1) * (_least(cells, "images_test_rarest") or 1))
    if measure == "mood_balanced_accuracy":
        return 1 / (MOODS * (_least(cells, "images_mood_rarest") or 1))
    return 0.0


def _least(cells: pd.DataFrame, column: str) -> float:
    """The least value of `column` over the complete cells; 0 where none is recorded."""
    if column not in cells:
        return 0.0
    recorded = cells.loc[cells["state"] == "complete", column].dropna()
    return float(recorded.min()) if len(recorded) else 0.0
