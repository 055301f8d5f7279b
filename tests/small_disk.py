"""A study on a disk that is full, then read-only, then as it should be; run alone, where it may mount.

    unshare --mount python tests/small_disk.py FACES.parquet DISK

DISK is a folder, on which a disk of a few megabytes is mounted. What is said of each goes to stdout as JSON.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from ablation.report.publish import publish
from ablation.runner.coordinate import run_study
from ablation.tracking.retry import told

from ablation.emoji.spec import vary
from ablation.errors import UserError
from ablation.runner.results import results
from ablation.tracking.read import cell_runs, running
from ablation.tracking.store import Store
from doubles import small_spec, small_study
from engines import InlineEngine


def mount(disk: Path, options: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(disk)], check=True)


def sentence(verb: Callable[[], object]) -> str:
    """What the command line would say of the verb, or "" where it does."""
    try:
        verb()
    except Exception as error:
        said = told(error)
        if not isinstance(said, UserError):
            raise
        return str(said)
    return ""


def main(parquet: Path, disk: Path) -> None:
    torch.set_num_threads(1)
    mount(disk, "size=64m")
    # A network whose weights are larger than what the disk will have left.
    wide = {"model.channels": (16, 32), "model.latent_dim": 128}
    study, store = small_study(parquet, seeds=1, baseline=vary(small_spec(parquet), wide)), Store(disk / "s")
    store.create()
    store.experiment(study.name, {})
    filler = disk / "filler"
    found: dict[str, object] = {}

    def fill(left: int) -> None:
        with filler.open("wb") as file:
            free = int(subprocess.check_output(["stat", "-f", "-c", "%a", str(disk)])) * 4096
            file.write(bytes(max(0, free - left)))

    def run() -> object:
        return run_study(study, store, InlineEngine(), workers=1)

    run_study(study, store, InlineEngine(_stop), workers=1)  # makes Optuna's tables
    fill(300_000)  # files do not fit
    found["files"] = sentence(run)
    found["statuses"] = sorted(set(cell_runs(store, study.name).status))
    filler.unlink()
    fill(0)  # databases cannot be written
    found["databases"] = sentence(run)
    filler.unlink()
    # The same disk over itself, since one with open files does not become read-only.
    subprocess.run(["mount", "--bind", str(disk), str(disk)], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", str(disk)], check=True)
    store = Store(disk / "s")
    found["read-only"] = sentence(run)
    found["reading"] = sorted(results(study, store).state)
    found["export read-only"] = sentence(lambda: publish(study, store, disk / "out"))
    subprocess.run(["umount", "--lazy", str(disk)], check=True)
    store = Store(disk / "s")
    found["after"] = run_study(study, store, InlineEngine(), workers=1).failed
    (disk / "out").mkdir()
    fill(8192)
    found["export full"] = sentence(lambda: publish(study, store, disk / "out"))
    found["drafts"] = [path.name for path in (disk / "out").glob(".*")]
    filler.unlink()
    publish(study, store, disk / "out")
    found["exported"] = sorted(path.name for path in (disk / "out").iterdir())
    found["finished"] = list(cell_runs(store, study.name).status).count("FINISHED")
    found["running"] = running(store)
    print(json.dumps(found))


def _stop(task: object) -> None:
    raise ValueError("not yet")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
