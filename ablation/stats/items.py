"""The values of single test items: as a run keeps them, as its number, and paired over runs."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ablation.errors import UserError
from ablation.stats.cells import COMPLETE, Seed
from ablation.study import Study

ITEM_COLUMNS = ("measure", "group", "item", "value")
ROUNDED = 1e-4
"""A metric is the mean of its items where it lies this close, relative to the largest value."""


def as_items(frame: pd.DataFrame, measures: Sequence[str], file: str = "") -> pd.DataFrame:
    """What a run keeps as `ITEM_COLUMNS`, labels as text; without a column measure they are of the only one
    of `measures`, without a column group their group is "". file: what errors call it where it was read: it
    was written for others, too, and may have more columns.
    """
    where = file or "run.items"
    if not file and (more := [str(name) for name in frame if name not in ITEM_COLUMNS]):
        raise UserError(
            f"{where} wants the columns item and value, and may have measure and group, but the frame has "
            f"also {', '.join(more)}, which nothing reads: rename it, or drop it."
        )
    given = frame.assign(**{"group": ""} if "group" not in frame else {})
    if "measure" not in given and len(measures) == 1:
        given = given.assign(measure=measures[0])
    if missing := [name for name in ITEM_COLUMNS if name not in given]:
        why = " (it may go without one where the study has one measure)" if "measure" in missing else ""
        raise UserError(
            f"{where} wants the columns item and value, and may have measure and group, but the frame has "
            f"no {', '.join(missing)}{why}: add it."
        )
    for name in ("measure", "group", "item"):
        if given[name].isna().any():
            raise UserError(f"{where} wants a {name} in every row, but {given[name].isna().sum()} have none.")
    try:
        values = given["value"].astype(np.float64)
    except (TypeError, ValueError) as error:
        raise UserError(f"{where} wants numbers as values, but {error}: give numbers.") from error
    return given[list(ITEM_COLUMNS[:3])].astype(str).assign(value=values).reset_index(drop=True)


def means_of_items(items: pd.DataFrame) -> dict[str, float]:
    """The mean over the items of a run by measure; NaN where a value is."""
    return {str(name): mean for (name,), mean, _ in _means(items, ["measure"])}


def check_means(metrics: Mapping[str, float], items: pd.DataFrame) -> None:
    """Refuse metrics of a run that are not the means over its `items`."""
    for (name,), mean, largest in _means(items, ["measure"]):
        _check(name, "it", metrics.get(name, mean), mean, largest)


def check_cells(study: Study, cells: pd.DataFrame, items: pd.DataFrame) -> None:
    """`check_means` of every complete cell that kept items."""
    complete = (
        cells[cells["state"] == COMPLETE].set_index(["arm", "seed"])[list(study.recorded())].astype(float)
    )
    metrics = complete.stack(future_stack=True).to_dict()
    for (arm, seed, name), mean, largest in _means(items, ["arm", "seed", "measure"]):
        if (metric := metrics.get((arm, seed, name))) is not None:
            _check(name, f"that of {arm}, seed {seed},", metric, mean, largest)


def _means(items: pd.DataFrame, by: list[str]) -> Iterator[tuple[tuple[Any, ...], float, float]]:
    """For each group of `by`: its key, the mean of its values (NaN where one is) and the largest of them."""
    groups = items.groupby(by, observed=True)["value"]
    found = groups.agg(["mean", "size", "count", "min", "max"])
    for key, mean, size, count, low, high in found.itertuples(name=None):
        whole = mean if size == count else float("nan")
        yield key if isinstance(key, tuple) else (key,), whole, max(abs(low), abs(high))


def _check(name: str, which: str, metric: float, mean: float, largest: float) -> None:
    if not (abs(metric - mean) <= ROUNDED * largest or (np.isnan(metric) and np.isnan(mean))):
        raise UserError(
            f'with replication="items" the {name} of a run is the mean over its test items, but {which} is '
            f"{metric:.6g} and the mean of its items {mean:.6g}: keep the values whose mean it is, or return "
            f"no {name}."
        )


def paired(
    items: pd.DataFrame | None, measure: str, seeds: Sequence[Seed], arms: Sequence[str]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64], int]:
    """The values (seeds, items, arms) of the items that all these runs have, the cluster of each, (items,),
    numbered from 0, and how many other items there are.

    `items` has the columns arm, seed, measure, group, item and value. Those of one group are a cluster; an
    item whose group is "" is one of its own. A value that is not finite counts as none.
    """
    if items is None or not len(items):
        return np.empty((len(seeds), 0, len(arms))), np.empty(0, dtype=np.int64), 0
    rows = items[items["measure"].eq(measure) & items["arm"].isin(arms) & items["seed"].isin(seeds)]
    which = rows.groupby(["group", "item"], observed=True)
    names = which.size().index.to_frame(index=False).astype(str)
    table = np.full((len(seeds), len(names), len(arms)), np.nan)
    runs = [
        pd.Index(labels).get_indexer(pd.Index(rows[one])) for labels, one in ((seeds, "seed"), (arms, "arm"))
    ]
    table[runs[0], which.ngroup().to_numpy(), runs[1]] = rows["value"].to_numpy(dtype=np.float64)
    common = np.isfinite(table).all(axis=(0, 2))
    kept = names[common]
    alone = "item " + kept["item"]
    cluster = ("group " + kept["group"]).where(kept["group"] != "", alone)
    return table[:, common], pd.factorize(cluster)[0].astype(np.int64), int((~common).sum())
