"""Runs and points of their curves as they are found, whichever way MLflow's store is read."""

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True)
class Found:
    """A recorded run; started in milliseconds of Unix time. metrics: the last value of each."""

    run_id: str
    experiment: str
    status: str
    started: int
    tags: dict[str, str]
    metrics: dict[str, float]


class Point(NamedTuple):
    """A value of a curve."""

    run_id: str
    name: str
    step: int
    value: float
