"""A worker: a task goes in, the id of a recorded run comes out. It knows no study and writes to no ledger."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import parent_process
from multiprocessing.connection import wait
from pathlib import Path

import torch
from threadpoolctl import threadpool_limits

from ablation.emoji.run import Result, run
from ablation.emoji.spec import RunSpec
from ablation.emoji.train import Diverged
from ablation.emoji.weights import trunk_of
from ablation.errors import UserError
from ablation.measures import composes
from ablation.tracking.delivery import deliver
from ablation.tracking.label import Label
from ablation.tracking.read import Settled, bury, cell_lock, settled
from ablation.tracking.record import recording
from ablation.tracking.retry import in_a_sentence, patient, patiently
from ablation.tracking.reuse import mirror
from ablation.tracking.store import Store

THREADS = 1  # of every worker, whatever their number: so that the number of workers changes no result


@dataclass(frozen=True)
class Task:
    """What a worker needs: the spec, where and under which label its run is recorded, what it measures."""

    spec: RunSpec
    label: Label
    experiment: str
    store: Path
    measures: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """A recorded run. metrics: the final ones, and those of the last epoch.

    reused: it was there already, computed for another study or before a crash. built: it took the weights
    of another run.
    """

    run_id: str
    metrics: dict[str, float]
    reused: bool = False
    built: bool = False
    diverged: bool = False
    error: str = ""


def start() -> None:
    """Prepare a worker process: one thread, deaf to Ctrl-C, and dead as soon as its coordinator is."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(THREADS)
    threadpool_limits(THREADS)
    threading.Thread(target=_die_with_parent, daemon=True).start()


@contextmanager
def as_worker() -> Iterator[None]:
    """Compute in this process as a worker does, with its threads; what the process had before comes back."""
    before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    try:
        with threadpool_limits(THREADS):
            yield
    finally:
        torch.set_num_threads(before)


def work(task: Task) -> Outcome:
    """Train and record the task's run, or find it recorded, under the lock of its fingerprint.

    The lock makes a fingerprint be computed once, though two studies want it or the worker of a dead
    coordinator still breathes. A spec that diverges is an outcome; anything else that fails is raised, as
    one sentence where a server went away or a disk is full.
    """
    store = Store(task.store)
    with in_a_sentence(), patient(lambda: store.lock(cell_lock(task.label.fingerprint))):
        return recorded(store, task) or _compute(store, task)


def recorded(store: Store, task: Task) -> Outcome | None:
    """What is recorded of the task's fingerprint already, under its lock; what died over it is ended.

    What waits on the disk for the server is delivered first.
    """
    return patiently(lambda: _recorded(store, task))


def _recorded(store: Store, task: Task) -> Outcome | None:
    deliver(store, task.label.fingerprint)
    bury(store, task.label.fingerprint)
    known = settled(store, task.label.fingerprint, task.experiment, task.measures)
    return None if known is None else _reused(store, task, known)


def _compute(store: Store, task: Task) -> Outcome:
    try:
        with (
            patient(lambda: trunk_of(store, task.spec, task.label.data)) as trained,
            recording(store, task.experiment, task.spec, task.label, trained) as recorder,
        ):
            result = run(task.spec, recorder.epoch, trained, composes(task.measures))
            check_same_data(result, task.label)
            recorder.result(result, trained)
    except Diverged as error:
        return Outcome(recorder.run_id, {}, diverged=True, error=str(error))
    numbers = result.history[-1].metrics | result.metrics
    return Outcome(recorder.run_id, numbers, built=trained is not None)


def check_same_data(result: Result, label: Label) -> None:
    """Refuse a result that learned from other images than the study began with."""
    if result.data != label.data:
        raise RuntimeError(
            f"the images changed while the study ran: it began with {label.data}, this run learned from "
            f"{result.data}; give the changed set a name of its own"
        )


def _reused(store: Store, task: Task, known: Settled) -> Outcome:
    if known.lacking:
        raise UserError(
            f"the recorded run {known.run_id} lacks {', '.join(known.lacking)}, which the study measures: "
            "delete it in MLflow, and it is computed again"
        )
    elsewhere = known.experiment != task.experiment
    run_id = mirror(store, task.experiment, task.spec, task.label, known) if elsewhere else known.run_id
    metrics = dict(store.client.get_run(run_id).data.metrics)
    return Outcome(run_id, metrics, reused=True, diverged=known.diverged, error=known.error)


def _die_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
