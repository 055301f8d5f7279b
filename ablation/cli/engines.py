"""What `run` puts to work: processes of this machine, or a cluster."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from ablation.cli.options import cores

if TYPE_CHECKING:
    from ablation.runner.engines import Engine
    from ablation.study import Cell
    from ablation.tracking.store import Store


class ExecutorConfig(NamedTuple):
    """How many cells are in work at once, what makes their engine, and the order in which it wants them."""

    cells: int
    engine: "Callable[[int], Engine]"
    order: "Callable[[dict[str, Cell]], dict[str, Cell]]" = lambda cells: cells


def on_machine(workers: int | None, together: int | None) -> ExecutorConfig:
    """Processes of this machine, or one that trains so many cells together."""
    from ablation.runner.processes import warm

    warm()  # before the imports of this process, so that both import at once
    if together:
        from ablation.runner.together import TogetherEngine, by_program

        return ExecutorConfig(together, TogetherEngine, by_program)
    from ablation.runner.engines import LocalEngine

    return ExecutorConfig(workers or cores(), LocalEngine)


def on_cluster(store: "Store", workers: int | None, address: str | None, gpus: float) -> ExecutorConfig:
    """A Ray cluster, with as many cells in work as it has CPUs."""
    from ablation.runner.ray import RayEngine, connect

    places = connect(address, store)
    return ExecutorConfig(workers or places, lambda cells: RayEngine(store, address, gpus))
