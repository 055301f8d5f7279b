"""What a study costs beside its training as it grows: a trial, and the verbs that read a store.

    python benchmarks/growth.py [--runs 100 1000]

Writes as many invented runs as asked for into a store of its own that is thrown away: by the calls that a
worker and the coordinator make, one trial and one run a cell with curves of ten epochs, but no training and
no pictures.
Measures milliseconds a trial over the first and the last hundred, and seconds of what `status`, `plan`,
`table` and `export` do once their modules are there. The exponent of a verb is that of seconds in runs
between the two largest sizes: 0 where its cost is flat, 1 where ten times the runs take ten times as long.
"""

import argparse
import gc
import tempfile
from collections.abc import Callable, Sequence
from math import log
from pathlib import Path
from time import perf_counter

from reached import Reached, show

from ablation import catalogue
from ablation.cli import OBJECTS
from ablation.experiment import SIDES
from ablation.report.export import publish, read
from ablation.runner.ledger import Ledger
from ablation.runner.recorded_plan import fingerprints, plan_of, training_of
from ablation.runner.results import results
from ablation.runner.scheduler import checked_versions
from ablation.runner.time_estimate import workload
from ablation.study import Cell, Study
from ablation.tracking.read import settled_alone
from ablation.tracking.recording import Label, recording
from ablation.tracking.store import Store

EPOCHS = 10
EDGE = 100  # trials over which the cost of one is taken, at the beginning and at the end
VERBS = ("status", "plan", "table", "export")
EXPORTED = 5.0  # seconds
FLAT = 1.25  # a trial's cost at the end over that at the beginning


def fill(study: Study, store: Store, seeds: int) -> list[float]:
    """Record every cell as finished; seconds of each."""
    store.create()
    ledger = Ledger.create(store, study)
    versions = checked_versions(study, study.cells(1))
    place = store.experiment(study.name, {})
    ledger.add_seed_count(seeds)
    ledger.plan = plan_of(study, versions)
    spent = []
    for number, (key, cell) in enumerate(fingerprints(study, study.cells(seeds), versions).items()):
        started = perf_counter()
        trial = ledger.begin(cell, key)
        settled_alone(store, key, place, ())
        metrics = dict.fromkeys(study.measures, number * 7919 % 101 / 100)
        version = versions[study.experiment.source(cell.settings)]
        label = Label(study.name, cell.arm, cell.seed, key, version, training_of(study, cell, versions))
        _record(store, place, study, cell, label, metrics)
        ledger.complete(trial, metrics)
        spent.append(perf_counter() - started)
    return spent


def _record(
    store: Store, place: str, study: Study, cell: Cell, label: Label, metrics: dict[str, float]
) -> None:
    """Record a run as a worker does."""
    names = [f"{side}_{name}" for name in study.experiment.curves for side in SIDES]
    with recording(store, place, label, study.experiment, cell.settings, measures=[*study.measures]) as run:
        for epoch in range(1, EPOCHS + 1):
            run.log(dict.fromkeys(names, 1 / epoch), epoch)
        run.finish(metrics | {"seconds": 20.0, "images_test": 50.0})


def timed(verb: Callable[[], object]) -> float:
    """Seconds of one call."""
    started = perf_counter()
    verb()
    return perf_counter() - started


def measured(study: Study, folder: Path, seeds: int) -> tuple[list[float], list[float]]:
    """Seconds of every trial, and of each of `VERBS`."""
    store = Store(folder / "store")
    spent = fill(study, store, seeds)
    verbs: tuple[Callable[[], object], ...] = (
        lambda: results(study, store, seeds),
        lambda: workload(study, store, seeds, 2),
        lambda: read(study, store, seeds),
        lambda: publish(study, store, folder / "out", seeds),
    )
    return spent, [timed(verb) for verb in verbs]


def measure(runs: Sequence[int] = (100, 1000)) -> list[Reached]:
    """A trial's cost and the export at the largest of `runs`, and each verb's growth up to it."""
    gc.set_threshold(OBJECTS)  # as the command does
    study = catalogue.load("latent_size")
    found: list[tuple[list[float], list[float]]] = []
    print("runs    ms a trial, first and last 100    " + "    ".join(VERBS), flush=True)
    for size in sorted(runs):
        with tempfile.TemporaryDirectory() as folder:
            found.append(measured(study, Path(folder), max(1, size // len(study.settings))))
        spent, seconds = found[-1]
        edges = [f"{1000 * cost:.0f}" for cost in _edges(spent)]
        print("    ".join([f"{len(spent):<4}", *edges, *(f"{s:.1f} s" for s in seconds)]), flush=True)
    spent, seconds = found[-1]
    first, last = _edges(spent)
    note = f"{1000 * first:.0f} ms over the first {EDGE}, {1000 * last:.0f} ms over the last"
    figures = [
        Reached("f", f"export of {len(spent)} runs", seconds[-1], "s", EXPORTED, False),
        Reached("f", f"a trial after {len(spent)} over the first", last / first, "×", FLAT, False, note),
    ]
    return figures + (_growth(*found[-2:]) if len(found) > 1 else [])


def _growth(small: tuple[list[float], list[float]], large: tuple[list[float], list[float]]) -> list[Reached]:
    """The exponent of each verb's seconds in the number of runs."""
    sizes = len(small[0]), len(large[0])
    figures = []
    for verb, before, after in zip(VERBS, small[1], large[1], strict=True):
        exponent = log(after / before) / log(sizes[1] / sizes[0])
        note = f"{before:.2f} s at {sizes[0]} runs, {after:.2f} s at {sizes[1]}"
        figures.append(Reached("f", f"growth of {verb}, exponent", exponent, "", 1.0, False, note))
    return figures


def _edges(spent: list[float]) -> tuple[float, float]:
    """Seconds a trial over the first and the last few."""
    first, last = (sum(part) / len(part) for part in (spent[:EDGE], spent[-EDGE:]))
    return first, last


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, nargs="+", default=[100, 1000])
    show(measure(parser.parse_args().runs))


if __name__ == "__main__":
    main()
