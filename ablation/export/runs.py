"""Every cell of a study as a row of CSV that is equal, byte for byte, wherever the study ran."""

import csv
import io
import math
from typing import Any

import pandas as pd

from ablation.analyse.cells import planned
from ablation.spec import flat
from ablation.study import Study

KEYS = ("arm", "seed", "state", "fingerprint")
FIRST = ("study", "quick", *KEYS)
LOCAL = ("seconds", "images_per_second", "run_id")
"""How the columns begin that speak of one machine or one store."""


def runs_csv(study: Study, frame: pd.DataFrame, seeds: int) -> str:
    """One row per planned cell, in the plan's order: its state, what its arm varies, and every metric.

    Numbers have full precision; the study's measures come first, other metrics in alphabetical order.
    """
    cells = planned(study, frame, seeds)
    metrics = _metrics(study, cells)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*FIRST, *study.varied, *metrics])
    for _, cell in cells.iterrows():
        settings = flat(study.specs[cell["arm"]])
        row = [study.name or "study", str(study.quick).lower()]
        row += [cell[key] for key in KEYS] + [settings[name] for name in study.varied]
        writer.writerow([_text(value) for value in row + [cell[name] for name in metrics]])
    return text.getvalue()


def _metrics(study: Study, cells: pd.DataFrame) -> list[str]:
    others = {
        str(name)
        for name in cells.select_dtypes("number").columns
        if name not in (*KEYS, *study.measures, *study.varied) and not str(name).startswith(LOCAL)
    }
    return [*study.measures, *sorted(others)]


def _text(value: Any) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else repr(float(value))
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
