"""What a run of a study would take: cells that are lacking, and the time, once cells have been timed."""

from dataclasses import dataclass

from ablation.study import Study
from ablation.sweep.ledger import Ledger
from ablation.sweep.results import results
from ablation.track.store import Store


@dataclass(frozen=True)
class Workload:
    """seconds is None until a cell of the study has run here."""

    cells: int
    complete: int
    workers: int
    seconds: float | None


def workload(study: Study, store: Store, seeds: int, workers: int) -> Workload:
    """The cells still to train, and their time by the mean of each arm's recorded cells.

    Arms without a recorded cell count as the mean of the others. Raises `Mistake` where the plan changed.
    """
    cells = study.cells(seeds)
    ledger = Ledger.open(store, study)
    if ledger is None or ledger.plan is None:
        return Workload(len(cells), 0, workers, None)
    frame = results(study, store, seeds)
    lacking = frame[~frame.state.isin(["complete", "diverged"])]
    seconds = None
    if "seconds" in frame and frame.seconds.notna().any():
        by_arm = frame.groupby("arm").seconds.mean().fillna(frame.seconds.mean())
        seconds = float(by_arm.reindex(lacking.arm).sum()) / workers
    return Workload(len(cells), int((frame.state == "complete").sum()), workers, seconds)
