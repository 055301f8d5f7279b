"""Whether a whole study is as fast as before: `ablation run` of two checkouts, in turn.

    python benchmarks/whole_study.py BEFORE BEFORE/studies/latent_size.py AFTER studies/latent_size.py \
        [--rounds 3] [--seeds 2] [--workers 2] [--quick]

Runs BEFORE, AFTER, BEFORE, AFTER and so on, each time with an empty store in a folder that is thrown away,
by this Python with that checkout first on its path; each takes a study file of its own, since what a file
imports may differ. Measured are wall seconds and the CPU seconds of the command and of all processes that it
started. The ratios of the least and of the median seconds say how much slower AFTER is; how far the rounds of
one checkout lie apart says whether that can be told on this machine.
"""

import argparse
import ctypes
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

from machine import here

BECOME_PARENT_OF_ORPHANS = 36  # PR_SET_CHILD_SUBREAPER of Linux
START = "from ablation.cli import command; command()"
SERVERS = ("ABLATION_STORE", "ABLATION_OPTUNA_STORAGE", "MLFLOW_TRACKING_URI")
Spent = tuple[float, float]
"""Seconds by the clock, and of all processors."""


def run(checkout: Path, study: Path, options: Sequence[str]) -> Spent:
    """Of one run of the study; an error with its last line where it fails."""
    kept = {name: value for name, value in os.environ.items() if name not in SERVERS}
    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, "-c", START, "run", str(study.absolute()), "--store", f"{folder}/store"]
        before, started = _cpu(), perf_counter()
        ended = subprocess.run(
            [*words, *options],
            cwd=folder,
            env=kept | {"PYTHONPATH": str(checkout.absolute())},
            capture_output=True,
            text=True,
            check=False,
        )
        wall = perf_counter() - started
        _wait_for_orphans()
    if ended.returncode:
        last = (ended.stderr.strip() or ended.stdout.strip()).rpartition("\n")[2]
        raise SystemExit(f"the run of {study} with {checkout} ended with {ended.returncode}: {last}")
    return wall, _cpu() - before


def _cpu() -> float:
    """CPU seconds of all processes that ended below this one."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def _wait_for_orphans() -> None:
    """Workers that the command left behind: their time counts once they have ended."""
    while True:
        try:
            os.wait()
        except ChildProcessError:
            return


def main(words: Sequence[str] | None = None) -> None:
    """Print every round, and what they say together."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("before", "before_study", "after", "after_study"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seeds", default="2")
    parser.add_argument("--workers", default="2")
    parser.add_argument("--quick", action="store_true", help="the study's smoke budget")
    asked = parser.parse_args(words)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(BECOME_PARENT_OF_ORPHANS, 1, 0, 0, 0)
    options = ["--seeds", asked.seeds, "--workers", asked.workers, *["--quick"] * asked.quick]
    sides = {"before": (asked.before, asked.before_study), "after": (asked.after, asked.after_study)}
    found: dict[str, list[Spent]] = {name: [] for name in sides}
    print(f"measured on {here()}", flush=True)
    for number in range(1, asked.rounds + 1):
        for name, (checkout, study) in sides.items():
            found[name].append(run(checkout, study, options))
            wall, cpu = found[name][-1]
            print(f"round {number}, {name:6}: {wall:7.1f} s, {cpu:7.1f} s of CPU", flush=True)
    for place, kind in enumerate(("wall", "CPU")):
        for what in (min, statistics.median):
            before, after = (what([one[place] for one in found[name]]) for name in sides)
            label = f"{what.__name__} {kind}"
            print(f"{label:11}: {before:.1f} s before, {after:.1f} s after: {after / before:.3f} times")


if __name__ == "__main__":
    main()
