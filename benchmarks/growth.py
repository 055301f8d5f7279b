"""What a study costs beside its training as it grows: a trial, and the verbs that read a store.

    python benchmarks/growth.py [--runs 100 1000 10000]

Writes as many invented runs as asked for into a store of its own that is thrown away: the ledger's and the
tracker's own calls, one trial and one run a cell with curves of ten epochs, no training and no pictures.
Prints milliseconds a trial over the first and the last hundred, and seconds of what `status`, `plan`,
`table` and `export` do once their modules are there. A cost that is flat in runs keeps the first figure;
one that is linear has ten times the seconds for ten times the runs.
"""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from mlflow.entities import Metric, Param

from ablation import catalogue
from ablation.publish import publish, read
from ablation.spec import flat
from ablation.study import Cell, Study
from ablation.sweep.coordinate import checked_data
from ablation.sweep.ledger import Ledger
from ablation.sweep.outlook import workload
from ablation.sweep.plan import fingerprints, plan_of
from ablation.sweep.results import results
from ablation.track.read import CURVES, bury, settled
from ablation.track.record import Label
from ablation.track.store import Store

EPOCHS = 10
EDGE = 100  # trials over which the cost of one is taken, at the beginning and at the end


def fill(study: Study, store: Store, seeds: int) -> list[float]:
    """Record every cell as finished; seconds of each."""
    store.create()
    ledger = Ledger.create(store, study)
    data = checked_data(study, 1)
    experiment = store.experiment(study.name, {})
    ledger.look(seeds)
    ledger.plan = plan_of(study, data)
    spent = []
    for number, (key, cell) in enumerate(fingerprints(study.cells(seeds), data).items()):
        started = perf_counter()
        trial = ledger.begin(cell, key)
        bury(store, key)
        settled(store, key, experiment)
        metrics = dict.fromkeys(study.measures, number * 7919 % 101 / 100)
        _record(store, experiment, study, (key, cell), metrics)
        ledger.complete(trial, metrics)
        spent.append(perf_counter() - started)
    return spent


def _record(
    store: Store, experiment: str, study: Study, keyed: tuple[str, Cell], metrics: dict[str, float]
) -> None:
    key, cell = keyed
    tags = Label(study.name, cell.arm, key, "").tags(cell.seed)
    run = store.client.create_run(experiment, tags=tags).info.run_id
    store.client.log_batch(run, params=[Param(k, str(v)) for k, v in flat(cell.spec).items()])
    curve = [Metric(name, 1 / epoch, 0, epoch) for name in CURVES for epoch in range(1, EPOCHS + 1)]
    store.client.log_batch(run, metrics=curve)
    extra = {"seconds": 20.0, "images_test": 50.0}
    store.client.log_batch(run, metrics=[Metric(k, v, 0, 0) for k, v in (metrics | extra).items()])
    store.client.set_terminated(run)


def timed(verb: Callable[[], object]) -> float:
    """Seconds of one call."""
    started = perf_counter()
    verb()
    return perf_counter() - started


def measured(study: Study, folder: Path, seeds: int) -> tuple[list[float], list[float]]:
    """Seconds of every trial, and of each verb."""
    store = Store(folder / "store")
    spent = fill(study, store, seeds)
    verbs: tuple[Callable[[], object], ...] = (
        lambda: results(study, store, seeds),
        lambda: workload(study, store, seeds, 2),
        lambda: read(study, store, seeds),
        lambda: publish(study, store, folder / "out", seeds),
    )
    return spent, [timed(verb) for verb in verbs]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, nargs="+", default=[100, 1000])
    options = parser.parse_args()
    study = catalogue.load("latent_size")
    print("runs    ms a trial, first and last 100    status    plan    table    export")
    for runs in options.runs:
        with tempfile.TemporaryDirectory() as folder:
            spent, seconds = measured(study, Path(folder), max(1, runs // len(study.specs)))
        edges = [f"{1000 * sum(part) / len(part):.0f}" for part in (spent[:EDGE], spent[-EDGE:])]
        print("    ".join([f"{len(spent):<4}", *edges, *(f"{s:.1f} s" for s in seconds)]), flush=True)


if __name__ == "__main__":
    main()
