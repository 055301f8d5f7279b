"""A folder of runs that was moved or copied: MLflow notes the absolute place of every file in its tables."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path


def settle(database: Path, artifacts: Path) -> None:
    """Let MLflow's tables name the files where they lie now; nothing is written where they do.

    A place that is the same folder by another way, as by a link, is left as it is, and so is a store that may
    only be read.
    """
    with closing(sqlite3.connect(database)) as tables:
        try:
            rows = tables.execute("SELECT experiment_id, artifact_location FROM experiments").fetchall()
        except sqlite3.OperationalError:  # MLflow says what is wrong with it
            return
        for experiment, location in rows if os.access(database, os.W_OK) else ():
            old = Path(location or "")
            if old.is_absolute() and old.parent.name == artifacts.name and not _same(old.parent, artifacts):
                _move(tables, experiment, str(old), str(artifacts / old.name))
        tables.commit()


def _same(old: Path, new: Path) -> bool:
    return old == new or (old.exists() and new.exists() and old.samefile(new))


def _move(tables: sqlite3.Connection, experiment: int, old: str, new: str) -> None:
    tables.execute("UPDATE experiments SET artifact_location = ? WHERE experiment_id = ?", (new, experiment))
    tables.execute(
        "UPDATE runs SET artifact_uri = ? || substr(artifact_uri, ?) "
        "WHERE experiment_id = ? AND substr(artifact_uri, 1, ?) = ?",
        (new, len(old) + 1, experiment, len(old) + 1, f"{old}/"),
    )
