"""One cell of every arm once more, held against what was recorded of it: determinism as it was promised."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import isclose, isnan
from typing import Any

from ablation.emoji.run import Result, run
from ablation.emoji.weights import same_weights
from ablation.measures import composes
from ablation.runner.results import results
from ablation.runner.tune import settle
from ablation.runner.worker import as_worker
from ablation.study import Cell, Study
from ablation.tracking.label import shelved
from ablation.tracking.origin import origin
from ablation.tracking.store import Store

ELSEWHERE = 0.05
"""How far the test MSE may lie, of its value, from that of other code, packages or hardware, where sums are
taken in another order: between one thread and two of one machine 0.02 was seen (docs/decisions/0010)."""
CLOCKS = ("seconds", "images_per_second")
OF_NO_EFFECT = ("cores", "memory_gb", "threads")  # a run has one thread, whatever the process that repeats it


@dataclass(frozen=True)
class Verified:
    """A cell and the run that was repeated. `elsewhere` names what of its origin is not as here, if any.

    differing[name]: the number that was recorded and that of now, for every metric that is not the same bits;
    weights: whether those that the run kept are the same bits, None where it kept none.
    """

    cell: Cell
    run_id: str
    elsewhere: tuple[str, ...]
    differing: dict[str, tuple[float, float]]
    weights: bool | None

    @property
    def equal(self) -> bool:
        """Bit for bit."""
        return not self.differing and self.weights is not False

    @property
    def kept(self) -> bool:
        """Whether the promise is: equal bits on the same machine and code, `ELSEWHERE` on another."""
        if self.equal or not self.elsewhere:
            return self.equal
        then, now = self.differing.get("test_mse", (0.0, 0.0))
        return isclose(then, now, rel_tol=ELSEWHERE)


def verify(study: Study, store: Store) -> Iterator[Verified]:
    """Each arm's first complete cell, run again here with the one thread of a worker; nothing is written.

    An arm without a complete cell is passed over. Raises `UserError` where the study was never run.
    """
    study = settle(study, store)
    frame = results(study, store)
    cells = {(cell.arm, cell.seed): cell for cell in study.cells(int(frame.seed.nunique()))}
    with as_worker():
        for row in frame[frame.state == "complete"].drop_duplicates("arm").to_dict("records"):
            cell = cells[row["arm"], row["seed"]]
            yield _held_against(store, row, cell, run(cell.spec, composing=composes(study.measures)))


def _held_against(store: Store, row: dict[Any, Any], cell: Cell, result: Result) -> Verified:
    # A mirror keeps no files, and of its origin only the numbers: ask the run that computed it.
    source = str(row.get("reused_from") or row["run_id"])
    tags = store.client.get_run(source).data.tags
    recorded = store.client.get_run(str(row["run_id"])).data.metrics
    differing = {
        name: (recorded[shelved(name)], value)
        for name, value in (result.history[-1].metrics | result.metrics).items()
        if name not in CLOCKS and shelved(name) in recorded and not _same(recorded[shelved(name)], value)
    }
    weights = same_weights(store, source, result.model)
    return Verified(cell, str(row["run_id"]), _elsewhere(tags), differing, weights)


def _same(then: float, now: float) -> bool:
    return then == now or (isnan(then) and isnan(now))


def _elsewhere(tags: dict[str, str]) -> tuple[str, ...]:
    """Which parts of the origin differ from here, by their names."""
    here = origin()
    mine = here.hardware | {
        "packages": ", ".join(f"{name} {number}" for name, number in here.packages.items()),
        "mlflow.source.git.commit": here.commit,
        "dirty": str(bool(here.diff)),
    }
    named = {
        "mlflow.source.git.commit": "code",
        "dirty": "uncommitted changes",
        "together": "trained with others",
    }
    return tuple(
        named.get(name, name)
        for name in (*mine, "together")
        if name in tags and name not in OF_NO_EFFECT and tags[name] != mine.get(name)
    )
