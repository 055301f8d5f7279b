"""What workers bring, and what of their time is not training: a study from an empty store, as a user runs it.

    python benchmarks/workers.py [--seeds 2] [--more 4] [--no-whole] [--quick]

`ablation run latent_size` is started anew with one worker, with two, and with `--more`, each time with an
empty store in a folder that is thrown away; wall seconds from the start of the command to its end. Then the
whole study with two workers, with the seeds that its file declares. Of the time that two workers have, wall
x 2, two shares: what no pass of training takes, where training is the images that a run took in over its
images a second, and what lies outside `run` altogether, by the runs' `seconds`: start-up, tracking, waiting,
and at the end a worker that finds no cell left. Start-up is the same command again, with nothing left to do.
"""

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from apart import ABLATION, seconds_of
from reached import Reached, show

from ablation import catalogue
from ablation.emoji.cost import images_seen
from ablation.study import Study
from ablation.tracking import Store, cell_runs

STUDY = "latent_size"
FASTER = 1.8  # two workers over one
NOT_TRAINING = 5.0  # per cent of wall x workers


def command(store: Path, seeds: int, workers: int, quick: bool) -> list[object]:
    """What a user types."""
    words = [ABLATION, "run", STUDY, "--seeds", seeds, "--workers", workers, "--store", store]
    return [*words, "--quick"] if quick else words


def inside(store: Path, study: Study) -> tuple[float, float]:
    """Seconds of all runs together: in passes of training, and in `run`."""
    runs = cell_runs(Store(store), study.name)
    assert (runs.status == "FINISHED").all(), runs[["arm", "seed", "status"]]
    training = [
        images_seen(study.settings[row.arm].train, int(row.images_train)) / row.images_per_second
        for row in runs.itertuples()
    ]
    return sum(training), float(runs.seconds.sum())


def measure(
    seeds: int = 2, more: Sequence[int] = (4,), whole: bool = True, quick: bool = False
) -> list[Reached]:
    """Two workers over one, any further number over one, and what of two workers' time is not training."""
    study = catalogue.load(STUDY)
    study = study.smoke() if quick else study
    walls: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        stores = {workers: Path(folder) / f"{workers}" for workers in (1, 2, *more)}
        # Reads every library once, so that the first count of workers does not pay for a cold disk.
        seconds_of(ABLATION, "plan", STUDY, "--store", Path(folder) / "none")
        for workers, store in stores.items():
            walls[workers] = seconds_of(*command(store, seeds, workers, quick))
            print(f"{workers} worker(s): {walls[workers]:.0f} s", flush=True)
        again = seconds_of(*command(stores[2], seeds, 2, quick))
        shares = _shares(stores[2], study, seeds, walls[2], again)
        if whole:
            wall = seconds_of(*command(Path(folder) / "whole", study.seeds, 2, quick))
            shares = _shares(Path(folder) / "whole", study, study.seeds, wall, again) + [
                replace(one, target=None) for one in shares
            ]
    cells = len(study.cells(seeds))
    found = []
    for workers in (2, *more):
        note = f"{cells} cells: {walls[1]:.0f} s with one, {walls[workers]:.0f} s with {workers}"
        target = FASTER if workers == 2 else None
        ratio = walls[1] / walls[workers]
        found.append(Reached("d", f"{workers} workers over one", ratio, "×", target, True, note))
    return found + shares


def _shares(store: Path, study: Study, seeds: int, wall: float, again: float) -> list[Reached]:
    """What of two workers' time is not training, and what is not in `run`; `again`: seconds of a start."""
    training, running = inside(store, study)
    cells = f"two workers, {len(study.cells(seeds))} cells"
    notes = (
        f"{training:.0f} s of training in 2 x {wall:.0f} s; start-up alone {again:.1f} s",
        f"{running:.0f} s in `run`; the rest is start-up, tracking, waiting",
    )
    inner, outer = (100 * (1 - seconds / wall / 2) for seconds in (training, running))
    return [
        Reached("c", f"not training, {cells}", inner, "%", NOT_TRAINING, False, notes[0]),
        Reached("c", f"outside `run`, {cells}", outer, "%", None, False, notes[1]),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--more", type=int, nargs="*", default=[4], help="further numbers of workers")
    parser.add_argument("--quick", action="store_true", help="the study's smoke budget")
    parser.add_argument("--no-whole", dest="whole", action="store_false", help="not all declared seeds")
    options = parser.parse_args()
    show(measure(options.seeds, options.more, options.whole, options.quick), options.quick)


if __name__ == "__main__":
    main()
