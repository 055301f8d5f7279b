"""A run as it is found, whichever way MLflow's store is read."""

from dataclasses import dataclass

POINT = ("run_id", "name", "step", "value")
"""The columns of a frame of curves."""


@dataclass(frozen=True)
class Found:
    """A recorded run; started in milliseconds of Unix time. metrics: the last value of each."""

    run_id: str
    experiment: str
    status: str
    started: int
    tags: dict[str, str]
    metrics: dict[str, float]
