"""What a cell of a trainer of your own costs beside its training: trainers that return at once.

    python benchmarks/own_trainer.py [--functions 1000] [--commands 100] [--workers 2]

`ablation run` as a user starts it, with its start and its table, into a store of its own that is thrown away:
once for a function, once for a command, a script of sh that writes its metrics.
"""

import argparse
import os
import tempfile
from pathlib import Path

from apart import ABLATION, seconds_of
from reached import Reached, show

WHOLE = 120.0  # seconds of a thousand functions on two cores
STUDY = """
from ablation import Command, Measure, Study


def fit(settings, seed):
    return {{"error": settings["rate"] + seed % 7 / 1000}}


study = Study(
    question="What does a cell cost?", source="a benchmark", train={train}, baseline={{"rate": 0.5}},
    arms={{"slow": {{"rate": 0.1}}}}, measures={{"error": Measure("lower", matters=0.05)}}, seeds={seeds},
)
"""
SCRIPT = "printf '{\"error\": %s.%s}' 0 $2 > $ABLATION_METRICS\n"
TRAINERS = {"function": "fit", "command": 'Command("sh {script} {{rate}} {{seed}}")'}


def seconds(kind: str, cells: int, workers: int) -> float:
    """Wall seconds of a whole run of so many cells."""
    with tempfile.TemporaryDirectory() as place:
        script, study = Path(place) / "done.sh", Path(place) / "at_once.py"
        script.write_text(SCRIPT)
        train = TRAINERS[kind].format(script=script)
        study.write_text(STUDY.format(train=train, seeds=cells // 2))
        words = ("--workers", workers, "--store", Path(place) / "store")
        return seconds_of(ABLATION, "run", study, *words)


def measure(functions: int = 1000, commands: int = 100, workers: int = 2) -> list[Reached]:
    """Seconds of a whole run, and of a cell in it."""
    figures = []
    for kind, cells, most in (("function", functions, WHOLE), ("command", commands, None)):
        load, spent = os.getloadavg()[0], seconds(kind, cells, workers)
        note = f"{1000 * spent / cells:.0f} ms a cell, {workers} workers, load {load:.1f} before"
        figures.append(
            Reached("h", f"{cells} cells of a {kind} that returns at once", spent, "s", most, False, note)
        )
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--functions", type=int, default=1000)
    parser.add_argument("--commands", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    show(measure(options.functions, options.commands, options.workers))


if __name__ == "__main__":
    main()
