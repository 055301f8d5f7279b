"""A worker: a task goes in, the id of a recorded run comes out. It knows no study and writes to no ledger."""

import os
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from functools import lru_cache
from multiprocessing import parent_process
from multiprocessing.connection import wait
from numbers import Real
from pathlib import Path
from time import perf_counter
from types import MappingProxyType
from typing import Any

import cloudpickle
from threadpoolctl import threadpool_limits

from ablation.catalogue import MODULES
from ablation.errors import UserError
from ablation.experiment import Diverged, Experiment, Trained
from ablation.stats.items import check_means, means_of_items
from ablation.tracking.availability import as_user_error, retry, retry_entering, user_errors
from ablation.tracking.read import cell_lock, settled_alone
from ablation.tracking.recording import Journal, Label, recording
from ablation.tracking.reuse import mirror, training_of
from ablation.tracking.sender import deliver
from ablation.tracking.store import Store

THREADS = 1  # of every worker, whatever their number: so that the number of workers changes no result


@dataclass(frozen=True)
class Task:
    """What a worker needs: what to compute (`packed`), where and under which label its run is recorded.

    measures: what the study names. accelerator: whether the cell may use one. of_items: those of them that
    are the mean over the run's test items.
    """

    work: bytes = field(repr=False)
    label: Label
    place: str
    store: Path
    measures: tuple[str, ...] = ()
    accelerator: bool = False
    of_items: tuple[str, ...] = ()

    @property
    def experiment(self) -> Experiment:
        """What turns the settings into metrics."""
        return _unpacked(self.work)[0]

    @property
    def settings(self) -> Any:
        """The settings of the cell, of the baseline's own type."""
        return _unpacked(self.work)[1]


def packed(experiment: Experiment, settings: Any) -> bytes:
    """Both as bytes for another process; functions of a study file travel by value."""
    for name in MODULES & sys.modules.keys():
        cloudpickle.register_pickle_by_value(sys.modules[name])
    return bytes(cloudpickle.dumps((experiment, settings)))


@lru_cache(maxsize=64)
def _unpacked(work: bytes) -> tuple[Experiment, Any]:
    # These bytes were made by the coordinator of this very run, never read from a file.
    experiment, settings = cloudpickle.loads(work)
    return experiment, settings


@dataclass(frozen=True)
class Outcome:
    """A recorded run and its final metrics; reused: computed before, for another study or before a crash."""

    run_id: str
    metrics: dict[str, float]
    reused: bool = False
    diverged: bool = False
    error: str = ""


Ended = Outcome | Exception


def answer(future: "Future[Outcome]", ended: Outcome | BaseException) -> None:
    """Give the future what a task ended as."""
    if isinstance(ended, BaseException):
        future.set_exception(ended)
    else:
        future.set_result(ended)


def start() -> None:
    """Prepare a worker process: one thread, deaf to Ctrl-C, and dead as soon as its coordinator is."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threadpool_limits(THREADS)
    threading.Thread(target=_die_with_parent, daemon=True).start()


def as_worker() -> AbstractContextManager[object]:
    """Compute in this process as a worker does, with its threads; what the process had before comes back."""
    limits: AbstractContextManager[object] = threadpool_limits(THREADS)
    return limits


def work(task: Task) -> Outcome:
    """Train and record the task's run, or find it recorded, under the lock of its fingerprint.

    The lock makes a fingerprint be computed once, though two studies want it or the worker of a dead
    coordinator still runs. Settings that diverge are an outcome; anything else that fails is raised, as
    one sentence where a server went away or a disk is full.
    """
    store = Store(task.store)
    with user_errors(), _locked(store, task):
        if known := _recorded(store, task):
            return known
        with _training(store, task) as trained:
            one_program = task.accelerator and task.experiment.program(task.settings) is not None
            (ended,) = _compute(store, [task], one_program, trained=trained)
        if isinstance(ended, Exception):
            raise ended
        return ended


def work_together(tasks: Sequence[Task]) -> list[Ended]:
    """What `work` does with each of the tasks, in their order; those that train do so as one program.

    A task that fails or diverges ends its own run alone. What takes the training of another run is worked
    off one by one, afterwards.
    """
    ended: dict[int, Ended] = {}
    training = [n for n, task in enumerate(tasks) if task.label.training == task.label.fingerprint]
    store, lacking = Store(tasks[0].store), list[int]()
    with ExitStack() as held:
        # In one order whoever asks for them, so that two groups never wait for each other.
        for number in sorted(training, key=lambda n: tasks[n].label.fingerprint):
            task = tasks[number]
            held.enter_context(_locked(store, task))
            try:
                if known := _recorded(store, task):
                    ended[number] = known
                elif held.enter_context(_training(store, task)) is None:
                    lacking.append(number)
            except Exception as error:
                ended[number] = as_user_error(error)
        if lacking:
            how = {"together": str(len(lacking))}
            ended |= zip(lacking, _compute(store, [tasks[n] for n in lacking], True, how=how), strict=True)
    for number, task in enumerate(tasks):
        if number not in ended:
            try:
                ended[number] = work(task)
            except Exception as error:
                ended[number] = error
    return [ended[number] for number in range(len(tasks))]


def _locked(store: Store, task: Task) -> AbstractContextManager[bool]:
    return retry_entering(lambda: store.lock(cell_lock(task.label.fingerprint)))


def _recorded(store: Store, task: Task) -> Outcome | None:
    """What is recorded of the task's fingerprint already, under its lock.

    A result that waits on the disk is delivered first, and a run of a dead process is ended.
    """

    def look() -> Outcome | None:
        deliver(store, task.label.fingerprint)
        known = settled_alone(store, task.label.fingerprint, task.place, task.measures)
        if known is None:
            return None
        if lacking := known.lacking(task.measures):
            raise UserError(
                f"the recorded run {known.run_id} lacks {', '.join(lacking)}, which the study measures: "
                "delete it in MLflow, and it is computed again"
            )
        elsewhere = known.experiment != task.place
        run_id = mirror(store, task.place, task.label, known, task.experiment) if elsewhere else known.run_id
        failure = known.tags.get("failure", "")
        return Outcome(run_id, known.metrics, reused=True, diverged=known.diverged, error=failure)

    return retry(look)


def _training(store: Store, task: Task) -> AbstractContextManager[Trained | None]:
    return retry_entering(lambda: training_of(store, task.label.training, task.experiment))


def _compute(
    store: Store,
    tasks: Sequence[Task],
    one_program: bool,
    *,
    trained: Trained | None = None,
    how: Mapping[str, str] = MappingProxyType({}),
) -> list[Ended]:
    """Train and record the tasks: all as one program, whose error ends every run, or else the only one."""
    experiment = tasks[0].experiment
    with ExitStack() as group:
        contexts = [group.enter_context(ExitStack()) for _ in tasks]
        journals = [
            context.enter_context(
                recording(
                    store,
                    task.place,
                    task.label,
                    experiment,
                    task.settings,
                    measures=task.measures,
                    trained=trained,
                    accelerator=task.accelerator,
                    how=how,
                )
            )
            for context, task in zip(contexts, tasks, strict=True)
        ]
        started = perf_counter()
        cells = [(task.settings, task.label.seed, one) for task, one in zip(tasks, journals, strict=True)]
        results: Sequence[Mapping[str, float] | Exception]
        try:
            results = experiment.train_together(cells) if one_program else [experiment.train(*cells[0])]
        except Exception as error:
            if len(tasks) > 1:
                raise
            results = [error]
        seconds = (perf_counter() - started) / len(tasks)
        # All are written to the disk before the first waits for a server.
        taken = [
            _taken(task, one, result, seconds)
            for task, one, result in zip(tasks, journals, results, strict=True)
        ]
        return [_ended(*run) for run in zip(contexts, journals, taken, strict=True)]


def _taken(task: Task, journal: Journal, result: object, seconds: float) -> dict[str, float] | Exception:
    """Write what came of the run; its numbers, or why there are none."""
    if isinstance(result, Exception):
        return result
    try:
        numbers = _checked(task, _with_means(task, journal, result), seconds)
        journal.finish(numbers)
    except Exception as error:
        return error
    return numbers


def _with_means(task: Task, journal: Journal, metrics: object) -> object:
    """The metrics, and where measures are means over test items those that were not returned."""
    if not task.of_items or not isinstance(metrics, Mapping):
        return metrics
    kept = journal.kept[journal.kept["measure"].isin(task.measures)]
    if lacking := [name for name in task.of_items if name not in set(kept["measure"])]:
        raise UserError(
            'replication="items" wants the values of single test items of every measure, but the run kept '
            f"none of {', '.join(lacking)}: call run.items(frame) with columns item and value."
        )
    numbers = {name: float(value) for name, value in metrics.items() if isinstance(value, Real)}
    check_means(numbers, kept)
    return means_of_items(kept) | dict(metrics)


def _ended(context: ExitStack, journal: Journal, taken: dict[str, float] | Exception) -> Ended:
    """End the run, as `recording` does with its error; what came of the task."""
    try:
        with context:
            if isinstance(taken, Exception):
                raise taken
    except Diverged as error:
        return Outcome(journal.run_id, {}, diverged=True, error=str(error))
    except Exception as error:
        return as_user_error(error)
    return Outcome(journal.run_id, taken)


def _checked(task: Task, metrics: object, seconds: float) -> dict[str, float]:
    """The metrics as floats with the seconds that they took, once the data are seen to be the same."""
    if not isinstance(metrics, Mapping):
        raise UserError(
            f"an experiment returns a mapping of names to numbers, but got {type(metrics).__name__}: "
            'return for example {"loss": 0.3}.'
        )
    for name, value in metrics.items():
        if not isinstance(name, str) or isinstance(value, bool) or not isinstance(value, Real):
            raise UserError(f"a metric is a number with a name, but got {value!r} for {name!r}: mend it.")
    if absent := [name for name in task.measures if name not in metrics]:
        raise UserError(
            f"the study measures {', '.join(absent)}, but the experiment returned {', '.join(metrics)}: "
            "return it, or drop the measure."
        )
    now = task.experiment.version(task.settings)
    if now != task.label.version:
        raise RuntimeError(
            f"the data changed while the study ran: it began with {task.label.version}, this run learned "
            f"from {now}; give the changed data a name of their own"
        )
    return {"seconds": seconds} | {name: float(value) for name, value in metrics.items()}


def _die_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
