"""What a cell of a trainer that returns at once costs, as a study grows on PostgreSQL and a Ray cluster.

    python benchmarks/many_cells.py [--cells 20000] [--workers 2] [--engine ray]

Starts a PostgreSQL server of its own (Debian's package postgresql) with a database for MLflow and one for
Optuna, and runs one study of so many cells. Prints milliseconds a cell over each tenth of the cells, and what
the table and the status take at the end: the cost of a cell is flat where the tenths are equal.
"""

import argparse
import gc
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from machine import here

from ablation import Measure, Study, run
from ablation.cli import OBJECTS
from ablation.report.export import read
from ablation.runner.results import results
from ablation.runner.scheduler import Progress
from ablation.tracking.store import Store
from servers import postgresql

ARMS = 20


def fit(settings: Mapping[str, Any], seed: int) -> Mapping[str, float]:
    """Returns at once."""
    return {"error": settings["rate"] + seed * 7919 % 101 / 1000}


def study_of(cells: int) -> Study:
    """A study of so many cells."""
    return Study(
        name="many",
        question="What does a cell cost?",
        source="benchmarks/many_cells.py",
        train=fit,
        baseline={"rate": 0.0},
        arms={f"rate {n / 10:g}": {"rate": n / 10} for n in range(1, ARMS)},
        measures={"error": Measure("lower", matters=0.05)},
        seeds=max(1, cells // ARMS),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--engine", default="ray")
    options = parser.parse_args()
    gc.set_threshold(OBJECTS)  # as the command does
    study, ends = study_of(options.cells), [0.0]
    print(f"measured on {here()}", flush=True)
    with postgresql() as server, tempfile.TemporaryDirectory() as folder:
        os.environ["MLFLOW_TRACKING_URI"] = server.database("runs")
        os.environ["ABLATION_OPTUNA_STORAGE"] = server.database("trials")
        started = perf_counter()

        def note(progress: Progress) -> None:
            tenth = max(1, progress.total // 10)
            if progress.done and progress.done % tenth == 0:
                ends.append(perf_counter() - started)
                spent = 1000 * (ends[-1] - ends[-2]) / tenth
                print(f"{progress.done:>6} of {progress.total}: {spent:.1f} ms a cell", flush=True)

        store = Store(Path(folder))
        run(study, store=folder, engine=options.engine, workers=options.workers, notify=note)
        print(f"whole run, with its summary: {perf_counter() - started:.0f} s", flush=True)
        for name, verb in (("status", results), ("table", read)):
            started = perf_counter()
            verb(study, store)
            print(f"{name}: {perf_counter() - started:.1f} s", flush=True)


if __name__ == "__main__":
    main()
