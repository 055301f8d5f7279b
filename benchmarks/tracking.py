"""What tracking adds to a cell, and how much memory a worker takes.

    python benchmarks/tracking.py [--cells 3]

Computes the first cells of latent_size as a worker does, one thread, into a store of its own that is
thrown away. Tracking is everything but the run itself: lock, search, parameters, epochs, numbers and
files. The first cell also pays for opening the store and drawing for the first time; it is shown, and
the median is over the others. `--quick` is the study's smoke budget.
"""

import argparse
import resource
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from ablation.tracking.label import Label
from reached import Reached, show

from ablation import catalogue
from ablation.emoji.run import Result, Trained, identify
from ablation.emoji.spec import RunSpec
from ablation.emoji.train import Epoch
from ablation.runner import worker
from ablation.tracking.store import Store


class Stopwatch:
    """Wraps `run`: seconds inside it, those of the epoch callback left out."""

    def __init__(self) -> None:
        self.seconds, self._run = 0.0, worker.run

    def __call__(
        self, spec: RunSpec, on_epoch: Callable[[Epoch], None], trained: Trained | None, composing: bool
    ) -> Result:
        watching = 0.0

        def timed(epoch: Epoch) -> None:
            nonlocal watching
            started = perf_counter()
            on_epoch(epoch)
            watching += perf_counter() - started

        started = perf_counter()
        result = self._run(spec, timed, trained, composing)
        self.seconds = perf_counter() - started - watching
        return result


def measure(cells: int = 3, quick: bool = False) -> list[Reached]:
    """Tracking over the run, the median of all cells but the first; at least two cells."""
    if cells < 2:
        raise ValueError(f"two cells at least are wanted, since the first does not count, but got {cells}")
    worker.torch.set_num_threads(worker.THREADS)
    study = catalogue.load("latent_size")
    watch = worker.run = Stopwatch()
    shares = []
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "store")
        store.create()
        experiment = store.experiment("benchmark", {})
        for cell in (study.smoke() if quick else study).cells()[:cells]:
            found = identify(cell.spec)
            label = Label("benchmark", cell.arm, found.fingerprint, found.data)
            started = perf_counter()
            worker.work(worker.Task(cell.spec, label, experiment, store.root))
            tracking = perf_counter() - started - watch.seconds
            shares.append(tracking / watch.seconds)
            print(
                f"{cell.arm}: run {watch.seconds:.1f} s, tracking {tracking:.2f} s, {shares[-1]:.1%}",
                flush=True,
            )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    note = f"the first cell {shares[0]:.1%}; a worker takes at most {peak:.2f} GB"
    return [Reached("c", "tracking beside a run", 100 * statistics.median(shares[1:]), "%", 2.0, False, note)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=3)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    show(measure(options.cells, options.quick), options.quick)


if __name__ == "__main__":
    main()
