"""A run on the disk: a folder of the store's `journal`, from a run's beginning until MLflow has all of it.

`run.json` has what MLflow is told of the run (twice: as it begins, and whole as it ends), `points.jsonl` a
line for each point of a curve, and `files` what the run keeps. Nothing in it runs when it is read. A run that
has not ended belongs to a process that computes it, or to one that died; who holds the lock of its
fingerprint knows. The folder is called by its fingerprint; where another run already waits there,
`<fingerprint>-2`, and so on.
"""

import json
import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path

from ablation.errors import UserError
from ablation.tracking.store import Store

RECORD, POINTS, FILES, SCRATCH = "run.json", "points.jsonl", "files", "scratch"
RUNNING, FINISHED, FAILED, KILLED = "RUNNING", "FINISHED", "FAILED", "KILLED"

Point = tuple[str, float, int, int]  # name, value, moment in milliseconds, step


@dataclass
class Record:
    """All that MLflow is told of a run, as plain data. Moments are milliseconds since 1970.

    study: its experiment's name. dataset: name, digest, source and profile, or empty. metrics: the final
    numbers, by their names in MLflow. points: of the curves, in the order they came; so many of them were
    `sent` by this process, and so were `sent_tags`. server: the store's. logs_itself: as in `Experiment`.
    """

    fingerprint: str
    study: str
    server: str
    tags: dict[str, str]
    params: dict[str, str]
    dataset: dict[str, str]
    started: int
    run_id: str = ""
    status: str = RUNNING
    ended: int = 0
    metrics: dict[str, float] = field(default_factory=dict)
    points: list[Point] = field(default_factory=list)
    sent: int = 0
    sent_tags: dict[str, str] = field(default_factory=dict)
    logs_itself: bool = False

    def write(self, entry: Path) -> None:
        """Write everything but the points, whole or not at all."""
        draft = entry / f".{RECORD}"
        draft.write_text(
            json.dumps(asdict(self) | {"points": [], "sent": 0, "sent_tags": {}}, indent=1) + "\n",
            encoding="utf-8",
        )
        draft.replace(entry / RECORD)

    def final_points(self) -> list[Point]:
        """The final numbers as MLflow takes them: it shows the last point of a name, by step and moment."""
        last: dict[str, Point] = {}
        for point in self.points:
            known = last.get(point[0])
            last[point[0]] = point if known is None or point[3] >= known[3] else known
        found = []
        for name, value in self.metrics.items():
            moment, step = last[name][2:] if name in last else (0, 0)
            if name not in last or last[name][1] != value:
                found.append((name, value, max(self.ended, moment + 1), step))
        return found


def make_entry(store: Store, fingerprint: str) -> Path:
    """A new folder for a run of the fingerprint, under whose lock we are."""
    for number in count(1):
        entry = _root(store) / (fingerprint + (f"-{number}" if number > 1 else ""))
        with suppress(FileExistsError):
            (entry / FILES).mkdir(parents=True)
            (entry / SCRATCH).mkdir()
            return entry
    raise AssertionError


def append(entry: Path, points: Iterable[Point]) -> None:
    """Write the points behind those that are there."""
    with (entry / POINTS).open("a", encoding="utf-8") as file:
        file.writelines(f"{json.dumps(point)}\n" for point in points)


def waiting(store: Store) -> list[str]:
    """The fingerprints of the runs that ended and of which MLflow has not everything yet."""
    return sorted({p.name.partition("-")[0] for p in _root(store).glob("[!.]*") if _ended(p)})


def entries(store: Store, fingerprint: str) -> list[Path]:
    """Where the runs of the fingerprint lie that wait for MLflow."""
    return [entry for entry in _all(store, fingerprint) if _ended(entry)]


def read(entry: Path) -> Record:
    """The record of the run that lies there; a `UserError` where it cannot be read."""
    try:
        record = Record(**json.loads((entry / RECORD).read_text(encoding="utf-8")))
        lines = (entry / POINTS).read_text(encoding="utf-8").splitlines() if (entry / POINTS).exists() else []
        found = [(str(n), float(v), int(moment), int(step)) for n, v, moment, step in map(json.loads, lines)]
        record.points = found
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(
            f"{entry} wants a run that this version kept, but cannot be read ({type(error).__name__}): "
            "delete it, and its cell is computed again."
        ) from error
    return record


def remove(entry: Path) -> None:
    """Remove what lies at `entry`, which is gone at once, and then piece by piece."""
    if entry.is_dir():
        gone = entry.with_name(f".{entry.name}.{os.getpid()}.gone")
        entry.rename(gone)
        shutil.rmtree(gone)


def remove_dead(store: Store, fingerprint: str) -> None:
    """Remove what processes left that died in a run of the fingerprint, under whose lock we are.

    Runs of another server are left: their lock may be another, too.
    """
    for left in _root(store).glob(f".{fingerprint}*"):
        shutil.rmtree(left)
    for entry in _all(store, fingerprint):
        if not _ended(entry) and (not (entry / RECORD).exists() or read(entry).server == store.server):
            remove(entry)


def _ended(entry: Path) -> bool:
    """Whether the run there ended; one that cannot be read counts, so that somebody is told of it."""
    try:
        return bool(json.loads((entry / RECORD).read_text(encoding="utf-8"))["status"] != RUNNING)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError, TypeError, KeyError):
        return True


def _all(store: Store, fingerprint: str) -> list[Path]:
    found = [_root(store) / fingerprint, *sorted(_root(store).glob(f"{fingerprint}-*"))]
    return [entry for entry in found if entry.is_dir()]


def _root(store: Store) -> Path:
    return store.root / "journal"
