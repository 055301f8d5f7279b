"""What a run of a study would take: the cells that are lacking, and the time."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from heapq import heapreplace

import pandas as pd

from ablation.runner.ledger import Ledger
from ablation.runner.recorded_plan import (
    Versions,
    checked_versions,
    counted_versions,
    fingerprints,
    training_of,
)
from ablation.runner.results import results
from ablation.runner.tune import check_tune, tried
from ablation.runner.tuned import tuning_of, with_tuned_values
from ablation.study import Cell, Study
from ablation.tracking.read import cell_runs, finished
from ablation.tracking.store import Store


@dataclass(frozen=True)
class Workload:
    """lacking: cells to train; shared: those that other studies have trained, unknown before a tuning;
    trials: of tuning, to run. seconds is None where no cell of the study has run and its file names no time.
    """

    cells: int
    complete: int
    lacking: int
    shared: int
    trials: int
    workers: int
    seconds: float | None


def workload(study: Study, store: Store, seeds: int, workers: int) -> Workload:
    """What is lacking, and its time: by the cost of each cell, at the speed of those that have run.

    Where none has, by what the study's file says of a cell. Raises `UserError` where the plan changed.
    """
    study = with_tuned_values(study, store)
    # One cell of each source is checked: to check all would take longer than to run.
    first = {
        study.experiment.source(one): Cell(arm, study.first_seed, one) for arm, one in study.settings.items()
    }
    versions: Versions = checked_versions(study, first.values())
    ledger = Ledger.open(store, study)
    if ledger is not None and ledger.has_results:
        versions = counted_versions(study, ledger.plan, ledger.same_code, versions)
    cells, frame = _lacking(study, store, seeds, versions)
    untuned = study.tuned is not None and not study.chosen
    trials = list(_lacking(tuning_of(study), store, 1, versions)[0].values()) if untuned else []
    there = trained = set[str]()
    if store.exists() and not untuned:
        there = trained = finished(store)
        # Only what is computed on demand can be lacking: every run has the rest.
        if any(map(study.experiment.on_demand, study.recorded())):
            by_measures = {of: finished(store, of) for of in {study.recorded(arm) for arm in study.settings}}
            there = {key for key, cell in cells.items() if key in by_measures[study.recorded(cell.arm)]}
    lacking = {key: cell for key, cell in cells.items() if key not in there}
    again = trained & lacking.keys()
    seconds = _seconds(study, [*((None, one) for one in trials), *lacking.items()], frame, again, versions)
    return Workload(
        cells=len(study.settings) * seeds,
        complete=0 if frame is None else int((frame.state == "complete").sum()),
        lacking=len(lacking),
        shared=len(cells) - len(lacking),
        trials=len(trials),
        workers=workers,
        seconds=None if seconds is None else makespan(seconds, workers),
    )


@dataclass(frozen=True)
class TuneWorkload:
    """What tuning takes at most: trials under so many seeds each, then the arms "baseline" and "tuned".

    seconds is None where no cell of the study has run and its file names no time.
    """

    trials: int
    trial_seeds: int
    seeds: int
    workers: int
    seconds: float | None

    @property
    def runs(self) -> int:
        """How many are trained where no trial is pruned."""
        return self.trials * self.trial_seeds + 2 * self.seeds


def tune_workload(study: Study, store: Store, seeds: int | None, workers: int) -> TuneWorkload:
    """What tuning the study takes at most, at the mean speed of its runs; it counts none that are there.

    seeds: of the confirmation, those that the study declares if None.
    """
    tune = check_tune(study)
    names = [study.name, tried(study).name] if store.exists() else []
    frames = [frame for frame in (cell_runs(store, name) for name in names) if "seconds" in frame]
    timed = pd.concat([frame.seconds.dropna() for frame in frames]) if frames else pd.Series(dtype=float)
    one = float(timed.mean()) if len(timed) else study.cell_seconds
    found = TuneWorkload(tune.trials, tune.trial_seeds, seeds or tune.seeds, workers, None)
    return replace(found, seconds=makespan([one] * found.runs, workers)) if one else found


def makespan(seconds: Iterable[float], workers: int) -> float:
    """How long `workers` take for cells of so many seconds, each handed to the first that is free."""
    free = [0.0] * workers
    for cell in seconds:
        heapreplace(free, free[0] + cell)
    return max(free)


def _lacking(
    study: Study, store: Store, seeds: int, versions: Versions
) -> tuple[dict[str, Cell], pd.DataFrame | None]:
    """The cells to train by fingerprint, and the study's results where it has any."""
    cells = fingerprints(study, study.cells(seeds), versions)
    if Ledger.open(store, study) is None:
        return cells, None
    frame = results(study, store, seeds)
    there = set(frame.fingerprint[frame.state.isin(["complete", "diverged"])])
    return {key: cell for key, cell in cells.items() if key not in there}, frame


def _seconds(
    study: Study,
    cells: list[tuple[str | None, Cell]],
    frame: pd.DataFrame | None,
    again: set[str],
    versions: Versions,
) -> list[float] | None:
    """The processor time of each of `cells`, by their costs.

    Cells that train are timed by those that have, and cells that reuse a training by those that did; so do
    those in `again`, which another study has trained and did not measure as this one does.
    """
    if frame is None or "seconds" not in frame or frame.seconds.isna().all():
        return [study.cell_seconds] * len(cells) if study.cell_seconds else None
    timed = frame[frame.seconds.notna()]
    by_cell = {
        (cell.arm, cell.seed): cell for cell in study.cells(int(timed.seed.max()) + 1 - study.first_seed)
    }
    there = [by_cell[arm, seed] for arm, seed in zip(timed.arm, timed.seed, strict=True)]
    reused, cost = timed.built_on != "", study.experiment.cost
    costs = [cost(one.settings, one.seed, bool(kind)) for one, kind in zip(there, reused, strict=True)]
    sums = timed.assign(cost=costs).groupby(reused)[["seconds", "cost"]].sum()
    rates = dict(sums.seconds / sums.cost)
    known = next(iter(rates.values()))
    seconds, trained = [], {training_of(study, cell, versions) for cell in there}
    for key, cell in cells:
        training = training_of(study, cell, versions)
        own = study.experiment.training(cell.settings) == cell.settings
        reuses = key in again or (training in trained and not own)
        trained.add(training)
        seconds.append(float(cost(cell.settings, cell.seed, reuses) * rates.get(reuses, known)))
    return seconds
