"""A study on a disk that is full, then read-only, then as it should be; run alone, where it may mount.

    unshare --mount python tests/small_disk.py DISK

DISK is a folder, on which a disk of a few megabytes is mounted. What is said of each goes to stdout as JSON.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ablation import Run
from ablation.errors import UserError
from ablation.report.export import publish
from ablation.runner.results import results
from ablation.runner.scheduler import run_study
from ablation.tracking.availability import as_user_error
from ablation.tracking.read import cell_runs, running
from ablation.tracking.store import Store
from doubles_suite import Tiny, tiny_study
from engines import InlineEngine


class Large(Tiny):
    """Keeps a file that is larger than what the disk will have left."""

    def train(self, settings: Mapping[str, Any], seed: int, run: Run) -> Mapping[str, float]:
        """As the other, with the file."""
        (run.folder / "large").write_bytes(bytes(400_000))
        run.artifact(run.folder / "large")
        return super().train(settings, seed, run)


def mount(disk: Path, options: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(disk)], check=True)


def sentence(verb: Callable[[], object]) -> str:
    """What the command line would say of the verb, or "" where it does."""
    try:
        verb()
    except Exception as error:
        said = as_user_error(error)
        if not isinstance(said, UserError):
            raise
        return str(said)
    return ""


def main(disk: Path) -> None:
    mount(disk, "size=64m")
    study, store = tiny_study(seeds=1, train=Large()), Store(disk / "s")
    store.create()
    store.experiment(study.name, {})
    filler = disk / "filler"
    found: dict[str, object] = {}

    def fill(left: int) -> None:
        with filler.open("wb") as file:
            free = int(subprocess.check_output(["stat", "-f", "-c", "%a", str(disk)])) * 4096
            file.write(bytes(max(0, free - left)))

    def run() -> None:
        for said in run_study(study, store, InlineEngine(), workers=1).failed.values():
            raise UserError(said)

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
    main(Path(sys.argv[1]))
