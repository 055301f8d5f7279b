"""The cells of a study: their states, their frame in the plan's order, and their values paired by seed."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from ablation.errors import UserError
from ablation.study import Study

STATES = COMPLETE, MISSING, RUNNING, FAILED, DIVERGED = "complete", "missing", "running", "failed", "diverged"
"""A cell is "running" while it is computed, and after its coordinator was killed until it runs again."""
STOPPED = "stopped"
"""The state of a cell that never ran since no undecided claim needed its arm any more: it is no gap."""

Seed = int | str
"""A seed; of runs that exist already, any label."""


def planned(study: Study, frame: pd.DataFrame, seeds: int) -> pd.DataFrame:
    """One row per cell of the plan, in its order; a cell that `frame` lacks is "missing".

    Where the study takes runs that exist, those are the plan: a seed that an arm was not run with is no gap.

    Rows of other arms or seeds are left out. Raises `UserError` where a cell has two rows or an unknown
    state, and where complete cells lack a measure of the study.
    """
    _check(study, frame)
    if study.runs is not None:
        order = {arm: n for n, arm in enumerate(study.settings)}
        return frame.sort_values("seed").sort_values("arm", key=lambda arm: arm.map(order), kind="stable")
    index = pd.MultiIndex.from_tuples([(c.arm, c.seed) for c in study.cells(seeds)], names=["arm", "seed"])
    cells = frame.set_index(["arm", "seed"]).reindex(index).reset_index()
    cells = cells.assign(**{name: float("nan") for name in study.recorded() if name not in cells})
    for column, absent in (("state", MISSING), ("fingerprint", ""), ("run_id", "")):
        cells[column] = cells[column].astype(object).fillna(absent)
    return cells


def _check(study: Study, frame: pd.DataFrame) -> None:
    wanted = ["arm", "seed", "state", "fingerprint", "run_id"]
    if "state" in frame and (frame["state"] == COMPLETE).any():
        wanted += study.recorded()
    if absent := [column for column in wanted if column not in frame]:
        raise UserError(
            f"the runs of study {study.name!r} lack {', '.join(absent)}: run it with this version."
        )
    twice = frame[frame.duplicated(["arm", "seed"])]
    if len(twice):
        cell = twice.iloc[0]
        raise UserError(f"a cell is one run, but arm {cell['arm']!r}, seed {cell['seed']} has two: drop one.")
    strange = sorted(set(frame["state"].astype(str)) - {*STATES, STOPPED})
    if strange:
        raise UserError(f"a cell is {', '.join(STATES)}, but got the state {strange[0]!r}.")


def values(
    cells: pd.DataFrame, measure: str, arms: list[str]
) -> tuple[tuple[Seed, ...], npt.NDArray[np.float64]]:
    """The seeds under which all of `arms` are complete, and their values as (len(seeds), len(arms))."""
    arm, seed = cells["arm"].to_numpy(), cells["seed"].to_numpy()
    value = cells[measure].to_numpy(dtype=np.float64)
    good = (cells["state"].to_numpy() == COMPLETE) & np.isfinite(value)
    # By hand: a pivot takes ten times as long, and an analysis asks two hundred times.
    columns = []
    for name in arms:
        here = good & (arm == name)
        columns.append(dict(zip(seed[here].tolist(), value[here].tolist(), strict=True)))
    seeds = sorted(set(columns[0]).intersection(*columns[1:]))
    table = [[column[one] for column in columns] for one in seeds]
    return tuple(seeds), np.array(table, dtype=np.float64).reshape(len(seeds), len(arms))


def common(cells: pd.DataFrame, arms: list[str]) -> set[Seed]:
    """The seeds that all of `arms` were planned with."""
    return set.intersection(*(set(cells["seed"][cells["arm"] == arm].tolist()) for arm in arms))


def lacking(cells: pd.DataFrame, arms: list[str]) -> dict[str, int]:
    """How many cells of `arms` are in each state but complete and stopped; empty where there are none."""
    states = cells.loc[cells["arm"].isin(arms), "state"].value_counts()
    return {state: int(states[state]) for state in STATES[1:] if state in states.index}
