"""A study by this package against the same study by plain Optuna and MLflow, in wall time from a cold start.

    python benchmarks/plain_way.py [--seeds 2] [--workers 2] [--quick]

Ours is `ablation run latent_size`, with its checks, yardsticks, probe, pictures, weights and table. The
other is `plain_study.py`, what a user would write in an afternoon: `enqueue_trial` and `optimize` in one
process with torch's own number of threads, a run in MLflow a cell with its settings, its curves every pass,
its test numbers and its model, over a Dataset of tensors in memory and a DataLoader. Each is one command with
an empty store. Lightning and Hydra are no part of it: neither is a dependency here.

Equal: arms, seeds, the network and its initial weights, batch, optimiser and rate, loss, images, split,
originals and copies in a pass, passes, what is logged after each pass. Not equal: the plain way draws its
copies at every access (ours once, by transforms of the same strengths), writes the network in torch's own
layers, has no channels-last, no fused Adam and no fixed order, and does not probe, measure the common faces,
draw pictures or check anything.
It is spared what MLflow would take by default to infer the requirements of a model, seconds a cell.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import plain_study
from apart import seconds_of
from reached import Reached, show
from workers import command

FASTER = 2.0


def measure(seeds: int = 2, workers: int = 2, quick: bool = False) -> list[Reached]:
    """Wall seconds of the plain way over ours."""
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        ours = seconds_of(*command(here / "ours", seeds, workers, quick))
        print(f"ours: {ours:.0f} s", flush=True)
        words = [sys.executable, plain_study.__file__, "--store", here / "plain", "--seeds", seeds]
        plain = seconds_of(*words, *(["--quick"] if quick else []))
        print(f"the plain way: {plain:.0f} s", flush=True)
    note = f"{seeds} seed(s): ours {ours:.0f} s with {workers} workers, the plain way {plain:.0f} s"
    return [Reached("e", "plain Optuna and MLflow over ours", plain / ours, "×", FASTER, True, note)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="the study's smoke budget")
    options = parser.parse_args()
    show(measure(options.seeds, options.workers, options.quick), options.quick)


if __name__ == "__main__":
    main()
