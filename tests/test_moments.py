"""A process killed at each moment at which it could be: the next run finds what it left and ends whole."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ablation import catalogue
from ablation.runner.scheduler import run_study
from ablation.tracking.store import Store
from engines import InlineEngine
from test_kills import check_whole
from test_kills import study_file as study_file
from test_kills import undisturbed as undisturbed

DIES = """
import importlib, os, shutil, signal, sys
from pathlib import Path
from ablation import catalogue
from ablation.report.export import publish
from ablation.runner.scheduler import run_study
from ablation.tracking.store import Store
from engines import InlineEngine

module, owner, name, calls, way = sys.argv[4:9]
holder = importlib.import_module(module)
holder = getattr(holder, owner) if owner else holder
real, left = getattr(holder, name), [int(calls)]

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def half(text, path):
    path.write_text(text[: len(text) // 2])
    die()

def some(source, target, *rest, **more):
    shutil.copyfile(source, target)
    os.truncate(target, os.path.getsize(target) // 2)
    die()

def dies(*words, **named):
    left[0] -= 1
    if left[0] > 0:
        return real(*words, **named)
    {"at once": lambda *_, **__: die(), "half": half, "some": some}[way](*words, **named)

setattr(holder, name, dies)
study, store = catalogue.load(sys.argv[1]), Store(Path(sys.argv[2]))
run_study(study, store, InlineEngine(), workers=1)
publish(study, store, Path(sys.argv[3]))
"""

# Where, at which call of what, and how: a study of 6 cells, each with 12 steps and 3 files.
MOMENTS = {
    "before the run exists": ("mlflow", "MlflowClient", "create_run", 3, "at once"),
    "before its settings": ("mlflow", "MlflowClient", "log_batch", 1, "at once"),
    "in training": ("ablation.tracking.recording", "Journal", "log", 17, "at once"),
    "before the last numbers": ("ablation.tracking.recording", "Journal", "finish", 2, "at once"),
    "while a file is kept": ("shutil", "", "copy2", 9, "some"),
    "between the last number and the run's end": ("mlflow", "MlflowClient", "set_terminated", 4, "at once"),
    "between the run's end and the trial's": ("ablation.runner.ledger", "Ledger", "complete", 2, "at once"),
    "after a trial began": ("ablation.runner.scheduler", "Scheduler", "_start", 5, "at once"),
    "while a table is exported": ("ablation.report.export", "", "write", 3, "half"),
    "before an exported file is in its place": ("pathlib", "Path", "replace", 4, "at once"),
}


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS)
def test_whenever_it_dies_the_next_run_ends_up_whole(
    moment: str, study_file: Path, undisturbed: Path, blank: Path, tmp_path: Path
) -> None:
    store, out = Path(shutil.copytree(blank, tmp_path / "store")), tmp_path / "out"
    words = [str(study_file), str(store), str(out), *map(str, MOMENTS[moment])]
    here = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    killed = subprocess.run([sys.executable, "-c", DIES, *words], env=here, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    run_study(catalogue.load(str(study_file)), Store(store), InlineEngine(), workers=1)
    check_whole(study_file, store, undisturbed, out)
