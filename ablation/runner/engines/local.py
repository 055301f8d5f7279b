"""Worker processes of this machine, forked from one that has imported what they need."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from multiprocessing import forkserver, resource_tracker
from multiprocessing.context import ForkServerContext
from typing import TYPE_CHECKING

from ablation.experiment import Experiment
from ablation.runner.engines import Engine, Executor, ExecutorConfig

if TYPE_CHECKING:
    from ablation.runner.worker import Outcome, Task

PRELOAD = "ablation.runner.engines._preload", "ablation.runner.worker"
STORE = "mlflow.store.tracking.sqlalchemy_store"  # imported by the first run of a process: a second each


def prepare(config: ExecutorConfig, experiments: Sequence[Experiment]) -> Executor:
    """As many processes as there are cores, if nothing else is said."""
    warm(experiments)  # before this process imports what the engine needs, so that both import at once
    return Executor(config.workers or cores(), LocalEngine)


class LocalEngine(Engine):
    """Worker processes of this machine, one thread each; a worker that is killed is replaced."""

    def __init__(self, workers: int) -> None:
        from pebble import ProcessExpired, ProcessPool

        from ablation.runner.worker import start, work

        self._work, self._expired, self._show_main = work, ProcessExpired, hide_main()
        self._pool = ProcessPool(max_workers=workers, initializer=start, context=context())

    def submit(self, task: "Task") -> "Future[Outcome]":
        """A future of the task's outcome; its exception is `lost` where the worker was killed."""
        return self._pool.schedule(self._work, args=[task])  # type: ignore[no-any-return]

    def lost(self, error: BaseException) -> bool:
        """See `Engine.lost`."""
        return isinstance(error, self._expired)

    def close(self) -> None:
        """End the workers."""
        self._pool.stop()
        self._pool.join()
        self._show_main()


def hide_main() -> Callable[[], None]:
    """Let no new process import the script that runs now, until what is returned is called.

    A script that runs a study at its top level would run it again in each worker. They need no part of it:
    what it defines is sent to them by value.
    """
    main = sys.modules["__main__"]
    kept: dict[str, object] = {
        name: vars(main).pop(name) for name in ("__file__", "__spec__") if name in vars(main)
    }
    main.__spec__ = None
    return lambda: vars(main).update(kept)


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def context() -> ForkServerContext:
    """How workers are made: forked from a process that has imported their modules, one thread each."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    return multiprocessing.get_context("forkserver")


def warm(experiments: Sequence[Experiment]) -> None:
    """Start the server now, so that its imports run beside those of the caller.

    It is born with Ctrl-C blocked, and ignores it before it imports much (`_preload`): an interrupt in the
    middle of its imports would print a traceback. An interrupt that comes meanwhile waits, or reaches another
    thread of this process; both raise KeyboardInterrupt here. To ignore it would lose it in the second case.
    """
    own = [module for one in experiments for module in one.preload]
    context().set_forkserver_preload(list(dict.fromkeys([*PRELOAD, *own, STORE])))
    resource_tracker.ensure_running()  # the server would start it, and it ends with no signal blocked
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
