"""Where cells are computed: an engine takes a task and gives a future. A file in this folder is an engine.

Each has a function `prepare(config, experiments)` that gives what makes it for a number of cells at once.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from ablation.errors import unknown

if TYPE_CHECKING:
    from ablation.experiment import Experiment
    from ablation.runner.worker import Outcome, Task
    from ablation.study import Cell
    from ablation.tracking.store import Store

Cells = dict[str, "Cell"]


class Engine(Protocol):
    """What the scheduler asks of an engine."""

    def submit(self, task: "Task") -> "Future[Outcome]":
        """Start the task as soon as a worker is free."""

    def lost(self, error: BaseException) -> bool:
        """Whether the error says that a worker died, and not that its task failed."""

    def order(self, experiment: "Experiment", cells: Cells) -> Cells:
        """The cells, by fingerprint, in the order in which the engine wants them: as they come."""
        return cells

    def close(self) -> None:
        """End every worker at once, whatever it is doing."""


@dataclass(frozen=True)
class ExecutorConfig:
    """What a user says of where cells run. workers: cells at once; None is the engine's own number.

    address and gpus, the share of a GPU that a cell takes, are a cluster's.
    """

    store: "Store"
    workers: int | None = None
    address: str | None = None
    gpus: float = 0.0


class Executor(NamedTuple):
    """How many cells are in work at once, and what makes the engine for so many."""

    cells: int
    make: Callable[[int], Engine]


def names() -> list[str]:
    """The engines, by name."""
    return sorted(path.stem for path in Path(__file__).parent.glob("[!_]*.py"))


def executor(name: str, config: ExecutorConfig, experiments: "Iterable[Experiment]") -> Executor:
    """The engine called `name`, ready for cells of the experiments."""
    if name not in names():
        raise unknown("engine", name, names())
    found: Executor = import_module(f"{__name__}.{name}").prepare(config, tuple(experiments))
    return found
