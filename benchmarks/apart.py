"""Parts of a benchmark in processes of their own, so that none sees what another left behind."""

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter
from typing import TypeVar

ROOT = Path(__file__).parents[1]
ABLATION = Path(sys.executable).parent / "ablation"
Answer = TypeVar("Answer")

# What a benchmark records goes to a folder that is thrown away, never to where a user's runs are kept.
for name in ("ABLATION_STORE", "ABLATION_OPTUNA_STORAGE", "MLFLOW_TRACKING_URI"):
    os.environ.pop(name, None)


def fresh(call: Callable[..., Answer], *args: object, **options: object) -> Answer:
    """`call(*args, **options)` in a new process that ends with it."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(call, *args, **options).result()


def seconds_of(*words: object) -> float:
    """Wall seconds of a command as a user starts it; an error with its last line where it fails."""
    command = [str(word) for word in words]
    started = perf_counter()
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    spent = perf_counter() - started
    if ended.returncode:
        last = (ended.stderr.strip() or ended.stdout.strip()).rpartition("\n")[2]
        raise RuntimeError(f"{' '.join(command)} ended with {ended.returncode}: {last}")
    return spent
