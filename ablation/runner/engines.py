"""Where cells are computed: an engine takes a task and gives a future. Here: processes of this machine."""

from concurrent.futures import Future
from typing import Protocol

from pebble import ProcessExpired, ProcessPool

from ablation.runner.processes import context
from ablation.runner.worker import Outcome, Task, start, work


class Engine(Protocol):
    """What the coordinator asks of an engine; a cluster's adapter has the same two verbs."""

    def submit(self, task: Task) -> "Future[Outcome]":
        """Start the task as soon as a worker is free."""

    def lost(self, error: BaseException) -> bool:
        """Whether the error says that a worker died, and not that its task failed."""

    def close(self) -> None:
        """End every worker at once, whatever it is doing."""


class LocalEngine:
    """Worker processes of this machine, one thread each; a worker that is killed is replaced."""

    def __init__(self, workers: int) -> None:
        self._pool = ProcessPool(max_workers=workers, initializer=start, context=context())

    def submit(self, task: Task) -> "Future[Outcome]":
        """A future of the task's outcome; its exception is `lost` where the worker was killed."""
        return self._pool.schedule(work, args=[task])  # type: ignore[no-any-return]

    def lost(self, error: BaseException) -> bool:
        """See `Engine.lost`."""
        return isinstance(error, ProcessExpired)

    def close(self) -> None:
        """End the workers."""
        self._pool.stop()
        self._pool.join()
