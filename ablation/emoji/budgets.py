"""Caveats on budgets: equal epochs that are other steps, and equal steps that are other pictures."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from ablation.emoji.spec import flat
from ablation.formatting import count, listing
from ablation.study import Study

SIZES = (
    *("data.sources", "data.keyword", "data.classes", "data.among", "data.train_most", "data.split"),
    *("data.parts", "augment.copies", "train.batch_size"),
)
"""Settings that change how many optimiser steps an epoch takes."""
ALIKE = 1.02
"""Numbers of pictures within this factor are called equal."""


def budget_caveats(study: Study, cells: pd.DataFrame) -> Iterator[str]:
    """How the arms' budgets differ beyond what the study declares; nothing where they do not."""
    by_epochs = {arm: flat(spec) for arm, spec in study.specs.items() if spec.train.epochs}
    differ = [name for name in SIZES if len({str(table[name]) for table in by_epochs.values()}) > 1]
    if differ:
        whose = "" if len(by_epochs) == len(study.specs) else f" of {listing(list(by_epochs))}"
        verb = "varies" if len(differ) == 1 else "vary"
        yield (
            f"The budget{whose} is counted in epochs and {listing(differ)} {verb}, so that these arms differ "
            "in optimiser steps."
        )
    for steps, pictures in _seen(study, cells).items():
        if max(pictures) > ALIKE * min(pictures):
            yield (
                f"In {count(steps, 'step')} arms see {min(pictures):,.0f} to {max(pictures):,.0f} pictures, "
                "repeats included: the last batch of a pass is a small one, and small sets have more of them."
            )


def _seen(study: Study, cells: pd.DataFrame) -> dict[int, list[float]]:
    """How many pictures the arms of each budget in steps take in, on average over their complete cells."""
    seen: dict[int, list[float]] = {}
    for arm, spec in study.specs.items():
        images = cells[(cells["arm"] == arm) & (cells["state"] == "complete")].get("images_train")
        if spec.train.steps and images is not None and len(images := images.dropna()):
            batches = np.ceil(images / spec.train.batch_size)
            seen.setdefault(spec.train.steps, []).append(float((spec.train.steps * images / batches).mean()))
    return seen
