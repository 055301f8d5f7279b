"""Which share of a number's variance comes from the split, where several trainings share each split."""

from typing import Any

import numpy as np
from scipy import stats

from ablation.errors import UserError
from ablation.fields import checked
from ablation.formatting import count
from ablation.stats.statistics import Estimate


@checked
def variance_share(table: Any, level: float = 0.95) -> Estimate:
    """The share of the variance of one run that its split brings, between 0 and 1: `mean`, `low` and `high`.

    table: a data frame or an array, a row a split, a column a training on it (another initialisation), of a
    measure or of a difference between two arms. One-way analysis of variance, all columns alike; the interval
    is exact for normal values (Searle, Casella and McCulloch, Variance Components, 1992, section 3.6). What
    comes out below 0 is 0. `n` is the number of splits. Raises `UserError` where a value is missing or is no
    number, or none varies.
    """
    try:
        values = np.asarray(table, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise UserError(f"variance_share wants a table of numbers, but {error}: give numbers.") from error
    if values.ndim != 2 or min(values.shape) < 2 or not np.isfinite(values).all():
        raise UserError(
            "variance_share wants a table without gaps of at least two splits and two trainings on each, but "
            f"got one of shape {values.shape} with {count(int((~np.isfinite(values)).sum()), 'gap')}: "
            "leave out splits that lack one, or train more."
        )
    if not 0 < level < 1:
        raise UserError(f"level of variance_share must lie between 0 and 1, but got {level}.")
    splits, trainings = values.shape
    between = trainings * float(values.mean(axis=1).var(ddof=1))
    within = float(values.var(axis=1, ddof=1).mean())
    if not between + within > 0:
        raise UserError("variance_share wants numbers that vary, but all of them are equal.")
    degrees, tail = (splits - 1, splits * (trainings - 1)), (1 - level) / 2
    ratio = between / within if within else float("inf")
    low, high = ratio / stats.f.isf(tail, *degrees), ratio * stats.f.isf(tail, *reversed(degrees))
    share, least, most = (1 - trainings / (f - 1 + trainings) for f in (ratio, low, high))
    return Estimate(max(share, 0.0), max(float(least), 0.0), max(float(most), 0.0), splits)
