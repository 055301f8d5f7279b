"""One cell of every arm once more, held against what was recorded of it: determinism as it was promised."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import isclose, isnan
from pathlib import Path
from typing import Any

import pandas as pd

from ablation.errors import UserError
from ablation.experiment import Experiment, Trained
from ablation.runner.results import results
from ablation.runner.tuned import with_tuned_values
from ablation.runner.worker import as_worker
from ablation.stats.items import as_items, means_of_items
from ablation.study import Cell, Study
from ablation.tracking.artifacts import artifact
from ablation.tracking.child import ScratchRun
from ablation.tracking.origin import COMMIT, origin
from ablation.tracking.read import metrics_of, tags_of
from ablation.tracking.store import Store

OF_NO_EFFECT = ("cores", "memory_gb")


@dataclass(frozen=True)
class Verified:
    """A cell and the run that was repeated. `elsewhere` names what of its origin is not as here, if any.

    differing[name]: the number then and now of every metric that is not the same bits; files: those of
    `Experiment.exact_files` that are not the same bytes. tolerance: as in `Experiment`.
    """

    cell: Cell
    run_id: str
    elsewhere: tuple[str, ...]
    differing: dict[str, tuple[float, float]]
    files: tuple[str, ...]
    tolerance: Mapping[str, float] = field(default_factory=dict)

    @property
    def equal(self) -> bool:
        """Bit for bit."""
        return not self.differing and not self.files

    @property
    def kept(self) -> bool:
        """Whether the promise is: equal bits on the same machine and code, `tolerance` on another."""
        if self.equal or not self.elsewhere:
            return self.equal
        return all(
            isclose(*self.differing.get(name, (0.0, 0.0)), rel_tol=share)
            for name, share in self.tolerance.items()
        )


@dataclass
class Repetition:
    """A `Run` that keeps everything in a folder and tells nobody."""

    folder: Path
    kept: Path
    measures: tuple[str, ...]
    trained: Trained | None = None
    accelerator: bool = False
    last: dict[str, float] = field(default_factory=dict)
    frames: list[pd.DataFrame] = field(default_factory=list)

    @cached_property
    def _scratch(self) -> ScratchRun:
        return ScratchRun.make(self.folder)

    @property
    def environment(self) -> Mapping[str, str]:
        """Of a run that ends with the folder."""
        return self._scratch.environment

    def logged(self) -> tuple[Mapping[str, float], Mapping[str, str]]:
        """What another process logged to it."""
        return self._scratch.logged()

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Keep the last value of each curve."""
        self.last |= metrics

    def artifact(self, path: Path) -> None:
        """Keep a copy of the file."""
        shutil.copy(path, self.kept)

    def note(self, name: str, text: str) -> None:
        """Drop it: texts are not compared."""

    def items(self, frame: pd.DataFrame) -> None:
        """Keep them: they are not compared, but the metrics may be their means."""
        self.frames.append(as_items(frame, self.measures))


def verify(study: Study, store: Store) -> Iterator[Verified]:
    """Each arm's first complete cell, run again here with the one thread of a worker; nothing is written.

    An arm without a complete cell is passed over. Raises `UserError` where the study was never run, and where
    its runs exist already.
    """
    if study.runs is not None:
        raise UserError(
            f"the runs of {study.name} exist already, and the suite did not make them: it cannot run "
            "one again."
        )
    study = with_tuned_values(study, store)
    frame = results(study, store)
    cells = {(cell.arm, cell.seed): cell for cell in study.cells(int(frame.seed.nunique()))}
    for row in frame[frame.state == "complete"].drop_duplicates("arm").to_dict("records"):
        yield _held_against(study, store, row, cells[row["arm"], row["seed"]])


def _held_against(study: Study, store: Store, row: dict[Any, Any], cell: Cell) -> Verified:
    experiment = study.experiment
    with tempfile.TemporaryDirectory() as scratch, tempfile.TemporaryDirectory() as kept, as_worker():
        run = Repetition(Path(scratch), Path(kept), study.recorded(cell.arm))
        metrics = run.last | dict(experiment.train(cell.settings, cell.seed, run))
        if study.of_items and run.frames:
            metrics = means_of_items(pd.concat(run.frames)) | metrics
        # A mirror keeps no files, and of its origin only the numbers: ask the run that computed it.
        source, run_id = str(row.get("reused_from") or row["run_id"]), str(row["run_id"])
        files = tuple(
            name
            for name in experiment.exact_files
            if (then := artifact(store, source, name)) is not None and then != (run.kept / name).read_bytes()
        )
    recorded = metrics_of(store, run_id)
    differing = {
        name: (recorded[name], value)
        for name, value in metrics.items()
        if name not in (*experiment.machine_metrics, "seconds")
        and name in recorded
        and not (recorded[name] == value or (isnan(recorded[name]) and isnan(value)))
    }
    elsewhere = _elsewhere(tags_of(store, source) or {}, experiment)
    return Verified(cell, run_id, elsewhere, differing, files, experiment.tolerance)


def _elsewhere(tags: dict[str, str], experiment: Experiment) -> tuple[str, ...]:
    """Which parts of the origin differ from here, by their names."""
    here = origin(experiment.packages).tags()
    mine = here | {COMMIT: here.get(COMMIT, ""), "dirty": here.get("dirty", "False")}
    named = {COMMIT: "code", "dirty": "uncommitted changes", "together": "trained with others"}
    return tuple(
        named.get(name, name)
        for name in (*mine, "together")
        if name in tags and name not in OF_NO_EFFECT and tags[name] != mine.get(name)
    )
