"""What a run of a study would take: the cells that are lacking, and the time."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import heapreplace

import pandas as pd

from ablation.emoji.cost import composing_flops, run_flops
from ablation.emoji.run import identify, sizes
from ablation.emoji.spec import RunSpec, trunk
from ablation.measures import composes
from ablation.runner.ledger import Ledger
from ablation.runner.plan import fingerprints, sources_of
from ablation.runner.results import results
from ablation.runner.tune import settle, tuning_of
from ablation.study import Cell, Study
from ablation.tracking.read import finished
from ablation.tracking.store import Store


@dataclass(frozen=True)
class Workload:
    """lacking: cells to train; shared: those that other studies have trained; trials: of tuning, to run.

    Before the tuning it is not known what others have trained. seconds is None where no cell of the study
    has run and its file names no time.
    """

    cells: int
    complete: int
    lacking: int
    shared: int
    trials: int
    workers: int
    seconds: float | None


def workload(study: Study, store: Store, seeds: int, workers: int) -> Workload:
    """What is lacking, and its time: by the arithmetic of each cell, at the speed of those that have run.

    Where none has, by what the study's file says of a cell. Raises `UserError` where the plan changed.
    """
    study = settle(study, store)
    cells, frame = _lacking(study, store, seeds)
    untuned = study.tuned is not None and not study.chosen
    trials = list(_lacking(tuning_of(study), store, 1)[0].values()) if untuned else []
    there, trained = _elsewhere(study, store) if store.exists() and not untuned else (set(), set())
    lacking = {key: cell for key, cell in cells.items() if key not in there}
    again = {cell.spec for key, cell in lacking.items() if key in trained}
    seconds = _seconds(study, [*trials, *lacking.values()], frame, again)
    return Workload(
        cells=len(study.cells(seeds)),
        complete=0 if frame is None else int((frame.state == "complete").sum()),
        lacking=len(lacking),
        shared=len(cells) - len(lacking),
        trials=len(trials),
        workers=workers,
        seconds=None if seconds is None else makespan(seconds, workers),
    )


def _elsewhere(study: Study, store: Store) -> tuple[set[str], set[str]]:
    """The fingerprints whose runs have all that the study measures, and all that have runs.

    Only what composing adds can be lacking: every run has the rest.
    """
    trained = set(finished(store))
    return (set(finished(store, [*study.measures])) if composes(study.measures) else trained), trained


def makespan(seconds: Iterable[float], workers: int) -> float:
    """How long `workers` take for cells of so many seconds, each handed to the first that is free."""
    free = [0.0] * workers
    for cell in seconds:
        heapreplace(free, free[0] + cell)
    return max(free)


def _lacking(study: Study, store: Store, seeds: int) -> tuple[dict[str, Cell], pd.DataFrame | None]:
    """The cells to train by fingerprint, and the study's results where it has any."""
    cells = fingerprints(study.cells(seeds), _data(study, seeds))
    ledger = Ledger.open(store, study)
    if ledger is None or ledger.plan is None:
        return cells, None
    frame = results(study, store, seeds)
    there = set(frame.fingerprint[frame.state.isin(["complete", "diverged"])])
    return {key: cell for key, cell in cells.items() if key not in there}, frame


def _data(study: Study, seeds: int) -> dict[str, str]:
    specs = {sources_of(cell.spec): cell.spec for cell in study.cells(seeds)}
    return {sources: identify(spec).data for sources, spec in specs.items()}


def _seconds(
    study: Study, cells: Iterable[Cell], frame: pd.DataFrame | None, again: set[RunSpec]
) -> list[float] | None:
    """The processor time of each of `cells`, by its floating-point operations.

    Cells that train are timed by those that have, and cells that take their weights by those that did; so
    do those whose specs are in `again`, which another study has trained and did not measure as this one does.
    """
    timed = frame[frame.seconds.notna()] if frame is not None and "seconds" in frame else None
    if timed is None or timed.empty:
        return [study.cell_seconds for _ in cells] if study.cell_seconds else None
    by_cell = {
        (cell.arm, cell.seed): cell for cell in study.cells(int(timed.seed.max()) + 1 - study.first_seed)
    }
    there = [by_cell[arm, seed] for arm, seed in zip(timed.arm, timed.seed, strict=True)]
    built = list(timed.built_on != "")
    rates = {}
    for kind in (False, True):
        here = [n for n, one in enumerate(built) if one == kind]
        if here:
            rates[kind] = timed.seconds.iloc[here].sum() / sum(_work(there[n], built=kind) for n in here)
    known = next(iter(rates.values()))
    return [float(_work(c, built=b) * rates.get(b, known)) for c, b in _building(cells, there, again)]


def _building(
    cells: Iterable[Cell], there: Iterable[Cell], again: set[RunSpec]
) -> Iterator[tuple[Cell, bool]]:
    """Each cell with whether it will take the weights of another, of those `there` or before it."""
    trained = {trunk(cell.spec) for cell in there}
    for cell in cells:
        yield cell, cell.spec in again or (trunk(cell.spec) in trained and cell.spec != trunk(cell.spec))
        trained.add(trunk(cell.spec))


def _work(cell: Cell, built: bool) -> float:
    if built:
        return composing_flops(cell.spec)
    return run_flops(cell.spec, *sizes(cell.spec))
