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
from typing import Any

from reached import Reached, show

from ablation import catalogue
from ablation.emoji import run as running
from ablation.emoji.result import Result
from ablation.emoji.train import Epoch
from ablation.runner.recorded_plan import fingerprint_of, training_of
from ablation.runner.scheduler import checked_versions
from ablation.runner.worker import Task, as_worker, packed, work
from ablation.tracking import Store
from ablation.tracking.recording import Label


class Stopwatch:
    """Wraps `run`: seconds inside it, those of the epoch callback left out."""

    def __init__(self) -> None:
        self.seconds, self._run = 0.0, running.run

    def __call__(self, settings: Any, seed: int, on_epoch: Callable[[Epoch], None], *options: Any) -> Result:
        watching = 0.0

        def timed(epoch: Epoch) -> None:
            nonlocal watching
            started = perf_counter()
            on_epoch(epoch)
            watching += perf_counter() - started

        started = perf_counter()
        result = self._run(settings, seed, timed, *options)
        self.seconds = perf_counter() - started - watching
        return result


def measure(cells: int = 3, quick: bool = False) -> list[Reached]:
    """Tracking over the run, the median of all cells but the first; at least two cells."""
    if cells < 2:
        raise ValueError(f"two cells at least are wanted, since the first does not count, but got {cells}")
    study = catalogue.load("latent_size")
    study = study.smoke() if quick else study
    planned = study.cells()[:cells]
    watch = running.run = Stopwatch()
    versions = checked_versions(study, planned)
    shares = []
    with tempfile.TemporaryDirectory() as folder, as_worker():
        store = Store(Path(folder) / "store")
        store.create()
        place = store.experiment("benchmark", {})
        for cell in planned:
            key, training = (find(study, cell, versions) for find in (fingerprint_of, training_of))
            version = versions[study.experiment.source(cell.settings)]
            label = Label("benchmark", cell.arm, cell.seed, key, version, training)
            content = packed(study.experiment, cell.settings)
            started = perf_counter()
            work(Task(content, label, place, store.root, tuple(study.measures)))
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
