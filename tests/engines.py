"""Engine doubles: computing in this process, and failing on purpose."""

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from pebble import ProcessExpired

from ablation.experiment import Experiment
from ablation.runner.engines import Cells
from ablation.runner.worker import Outcome, Task, work


class InlineEngine:
    """Computes a task as it is handed in; keeps what it was asked, and may be told to fail first."""

    def __init__(self, before: Callable[[Task], None] = lambda task: None) -> None:
        self.before, self.tasks, self.closed = before, [], False  # type: ignore[var-annotated]

    def __call__(self, workers: int) -> "InlineEngine":
        return self

    def submit(self, task: Task) -> "Future[Outcome]":
        future: Future[Outcome] = Future()
        self.tasks.append(task)
        try:
            self.before(task)
            future.set_result(work(task))
        except Exception as error:
            future.set_exception(error)
        return future

    def lost(self, error: BaseException) -> bool:
        return isinstance(error, ProcessExpired)

    def order(self, experiment: Experiment, cells: Cells) -> Cells:
        return cells

    def close(self) -> None:
        self.closed = True


def folder_of(root: Path) -> list[str]:
    """Everything below a folder, so that a test can say that nothing was written."""
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))
