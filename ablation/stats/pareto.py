"""The Pareto front of a search: the trials that no other dominates, and their hypervolume."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ablation.measures import Better
from ablation.stats.cells import COMPLETE
from ablation.study import Study

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Front:
    """members: whether each trial is on the front, (trials,); an incomplete one never is.

    hypervolume: of the front up to `reference`, in the product of the objectives' units; 0 where no trial
    is better than the reference in both. outside: how many complete trials are not better than it in both.
    """

    members: NDArray[np.bool_]
    hypervolume: float
    reference: tuple[float, float]
    outside: int


def front_of(study: Study, frame: pd.DataFrame) -> Front:
    """The front of a study's search; `frame` has a row a trial with its `state` and both objectives.

    The reference point is the one that the study declares: one read off the trials would move with them,
    and the hypervolumes of two searches could not be compared.
    """
    assert study.search is not None
    objectives, reference = study.search.objectives, study.search.reference
    directions = [study.measure(name).better for name in objectives]
    complete = (frame["state"] == COMPLETE).to_numpy()
    points = frame.loc[complete, list(objectives)].to_numpy(dtype=float)
    members = np.zeros(len(frame), dtype=bool)
    members[complete] = front(points, directions)
    inside = (_costs(points, directions) < _costs(np.array([reference]), directions)).all(axis=1)
    return Front(members, hypervolume(points, reference, directions), reference, int((~inside).sum()))


def front(points: Floats, directions: Sequence[Better]) -> NDArray[np.bool_]:
    """Which of the points, (n, objectives), no other dominates: (n,). Of equal points all are kept or none.

    A point dominates another where it is nowhere worse and somewhere better. Raises ValueError where a
    value is not finite.
    """
    costs = _costs(points, directions)
    nowhere_worse = (costs[:, None] <= costs[None]).all(axis=2)
    somewhere_better = (costs[:, None] < costs[None]).any(axis=2)
    return np.asarray(~(nowhere_worse & somewhere_better).any(axis=0))


def hypervolume(points: Floats, reference: Sequence[float], directions: Sequence[Better]) -> float:
    """The area between the front of the points, (n, 2), and the reference point (2,): exact.

    It is the area of all that is better than the reference and not better than every point: 0 without a
    point that is better than the reference in both objectives. Raises ValueError where a value is not
    finite or there are not two objectives.
    """
    if len(directions) != 2:
        raise ValueError(f"a hypervolume wants two objectives, but got {len(directions)}")
    costs = _costs(points, directions)
    limit = _costs(np.array([reference]), directions)[0]
    costs = costs[(costs < limit).all(axis=1)]
    costs = costs[np.lexsort((costs[:, 1], costs[:, 0]))]
    area, height = 0.0, float(limit[1])
    for first, second in costs.tolist():
        if second < height:
            area += (float(limit[0]) - first) * (height - second)
            height = second
    return area


def _costs(points: Floats, directions: Sequence[Better]) -> Floats:
    """The points with every objective turned so that lower is better."""
    signs = np.array([1.0 if better == "lower" else -1.0 for better in directions])
    costs: Floats = np.asarray(points, dtype=float).reshape(-1, len(signs)) * signs
    if not np.isfinite(costs).all():
        raise ValueError("a front wants finite objectives")
    return costs
