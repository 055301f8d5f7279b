"""Every benchmark in turn: a table of what was reached beside its target, and the same as JSON.

    python benchmarks/all.py [--to bench.json] [--quick] [--only startup growth ...]

Each part runs in a process of its own and is printed as it ends. One that fails is named, the others go on,
and the exit code is 1; a target that is missed changes no exit code. `--quick` takes the smallest sizes,
some minutes: it shows that everything runs, and marks its figures as meaning nothing.
"""

import argparse
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from apart import fresh
from reached import Reached, machine, show, to_json

# Options of `measure`, and those of the smallest size.
PARTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "startup": ({}, {"repeats": 1, "warm": False}),
    "arithmetic": ({}, {"rounds": 2}),
    "tracking": ({}, {"cells": 2, "quick": True}),
    "report_way": ({"pairs": 2, "threads": 2}, {"pairs": 1, "threads": 2, "epochs": 1}),
    "workers": ({"seeds": 2}, {"seeds": 1, "more": (), "whole": False, "quick": True}),
    "plain_way": ({"seeds": 1}, {"seeds": 1, "quick": True}),
    "growth": ({"runs": (100, 1000, 10000)}, {"runs": (40, 120)}),
    "own_trainer": ({}, {"functions": 20, "commands": 4}),
}


def part(name: str, options: dict[str, Any]) -> list[Reached]:
    """What the benchmark of that name reached."""
    measured: list[Reached] = import_module(name).measure(**options)
    return measured


def main(words: Sequence[str] | None = None) -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--to", type=Path, default=Path("bench.json"), help="file of the JSON")
    parser.add_argument("--quick", action="store_true", help="smallest sizes: the figures mean nothing")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=[*PARTS], help="these parts")
    options = parser.parse_args(words)
    where = machine()
    figures: list[Reached] = []
    failed: dict[str, str] = {}
    for name in options.only:
        print(f"{name} ...", flush=True)
        try:
            found = fresh(part, name, PARTS[name][options.quick])
        except (Exception, SystemExit) as error:
            traceback.print_exc()
            failed[name] = f"{type(error).__name__}: {error}"
            print(f"{name} failed: {failed[name]}", flush=True)
        else:
            figures += found
            show(found, options.quick)
        options.to.write_text(to_json(figures, where, failed, options.quick))  # an interrupt loses no part
    show(sorted(figures, key=lambda one: one.letter), options.quick, where)
    for name, reason in failed.items():
        print(f"{name} failed: {reason}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
