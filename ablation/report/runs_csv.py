"""Every cell of a study as a row of CSV that is equal, byte for byte, wherever the study ran."""

import csv
import io
import math
from typing import Any

import pandas as pd

from ablation.emoji.spec import flat
from ablation.measures import composes, composing
from ablation.stats.cells import planned
from ablation.study import Study

KEYS = ("arm", "seed", "state", "fingerprint")
FIRST = ("study", "quick", *KEYS)
LOCAL = ("seconds", "images_per_second", "run_id")
"""How the columns begin that speak of one machine or one store."""


def runs_csv(study: Study, frame: pd.DataFrame, seeds: int) -> str:
    """One row per planned cell, in the plan's order: its state, what its arm varies, and every metric.

    A tuned setting follows those that the arms vary. Numbers have full precision; the study's measures come
    first, other metrics in alphabetical order.
    """
    cells = planned(study, frame, seeds)
    metrics = _metrics(study, cells)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = [*study.varied, *([study.tuned.setting] if study.tuned else [])]
    writer.writerow([*FIRST, *names, *metrics])
    settings = {arm: [flat(spec)[name] for name in names] for arm, spec in study.specs.items()}
    columns = ([*KEYS], metrics)
    keys, numbers = (zip(*(cells[name].tolist() for name in some), strict=True) for some in columns)
    first = [study.name or "study", str(study.quick).lower()]
    for key, measured in zip(keys, numbers, strict=True):
        writer.writerow([text(value) for value in (*first, *key, *settings[key[0]], *measured)])
    return out.getvalue()


def _metrics(study: Study, cells: pd.DataFrame) -> list[str]:
    others = {
        str(name)
        for name in cells.select_dtypes("number").columns
        if name not in (*KEYS, *study.measures, *study.varied) and not str(name).startswith(LOCAL)
    }
    if not composes(study.measures):  # but a run that is mirrored may, for the study that it is from
        others = {name for name in others if not composing(name)}
    return [*study.measures, *sorted(others)]


def text(value: Any) -> str:
    """`value` as a field of CSV: a float with all of its digits, nothing for NaN and None."""
    if value is None:
        return ""
    if isinstance(value, float):
        return "" if math.isnan(value) else repr(float(value))
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
