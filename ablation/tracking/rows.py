"""Runs and points as they are found, whichever way MLflow's store is read."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

Point = tuple[str, str, int, float | None]
"""Run id, name, step and value; None where it is no number."""


@dataclass(frozen=True)
class RunRow:
    """A recorded run; started in milliseconds of Unix time. metrics: the last value of each."""

    run_id: str
    experiment: str
    status: str
    started: int
    tags: dict[str, str]
    metrics: dict[str, float]


def framed(points: Sequence[Point], runs: Sequence[str], names: Sequence[str]) -> pd.DataFrame:
    """The points, found in any order, as columns run_id, name, step and value, sorted in this order.

    Of hundreds of thousands: run_id and name are categories, those of `runs` and `names` in their order, and
    are counted before pandas sees them, which would look at every text twice.
    """
    run = _places((point[0] for point in points), runs, len(points))
    name = _places((point[1] for point in points), names, len(points))
    step = np.fromiter((point[2] for point in points), np.int64, len(points))
    value = np.array([point[3] for point in points], dtype=np.float64)
    order = np.lexsort((step, name, run))
    columns = {
        "run_id": pd.Categorical.from_codes(run[order], dtype=pd.CategoricalDtype(list(runs))),
        "name": pd.Categorical.from_codes(name[order], dtype=pd.CategoricalDtype(list(names))),
    }
    return pd.DataFrame(columns | {"step": step[order], "value": value[order]})


def _places(texts: Iterable[str], known: Sequence[str], count: int) -> np.ndarray:
    """Where each of the `count` texts stands among the known ones."""
    place = {text: number for number, text in enumerate(known)}
    return np.fromiter((place[text] for text in texts), np.int64, count)
