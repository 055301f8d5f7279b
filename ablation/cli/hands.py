"""What `run` puts to work: processes of this machine, or a cluster."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from ablation.cli.options import cores

if TYPE_CHECKING:
    from ablation.study import Cell
    from ablation.sweep.engine import Engine
    from ablation.track.store import Store


class Hands(NamedTuple):
    """How many cells are in work at once, what makes their engine, and the order in which it wants them."""

    cells: int
    engine: "Callable[[int], Engine]"
    order: "Callable[[dict[str, Cell]], dict[str, Cell]]" = lambda cells: cells


def on_machine(workers: int | None, together: int | None) -> Hands:
    """Processes of this machine, or one that trains so many cells together."""
    from ablation.sweep.processes import warm

    warm()  # before the imports of this process, so that both import at once
    if together:
        from ablation.sweep.together import TogetherEngine, by_program

        return Hands(together, TogetherEngine, by_program)
    from ablation.sweep.engine import LocalEngine

    return Hands(workers or cores(), LocalEngine)


def on_cluster(store: "Store", workers: int | None, address: str | None, gpus: float) -> Hands:
    """A Ray cluster, with as many cells in work as it has CPUs."""
    from ablation.sweep.cluster import RayEngine, connect

    places = connect(address, store)
    return Hands(workers or places, lambda cells: RayEngine(store, address, gpus))
