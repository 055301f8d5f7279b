"""The databases of a folder: their tables are made and upgraded as the installed MLflow and Optuna want them.

Neither upgrades all that it opens, and what is killed half-way leaves tables that nobody opens again. So both
happen in a private file, which is put in place whole.
"""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from ablation.errors import UserError

BUSY_SECONDS = 5.0  # that another process may write to a file


def outdated(path: Path) -> bool:
    """Whether MLflow's tables are of an older version; those of a newer one are a `UserError`."""
    from alembic.script import ScriptDirectory
    from mlflow.store.db.utils import _get_alembic_config, _get_latest_schema_revision

    found = _revision(path)
    if found is None or found == _get_latest_schema_revision():
        return False
    scripts = ScriptDirectory.from_config(_get_alembic_config(""))
    if found not in {script.revision for script in scripts.walk_revisions()}:
        raise UserError(
            f"the store {path.parent} wants a newer MLflow, which made its tables ({found}): "
            "pip install --upgrade mlflow, or name another --store."
        )
    return True


def upgrade_mlflow(address: str) -> None:
    """As `mlflow db upgrade` does."""
    from mlflow.store.db.utils import _upgrade_db, create_sqlalchemy_engine

    engine = create_sqlalchemy_engine(address)
    _upgrade_db(engine)
    engine.dispose()


def renew(path: Path, upgrade: Callable[[str], None]) -> None:
    """Upgrade a private copy of an SQLite file and put it in place whole; what was there stays beside it.

    Call it under a lock, while nobody writes to the file.
    """
    for stale in path.parent.glob(f".upgrade-*{path.name}"):
        stale.unlink(missing_ok=True)  # of a process that was killed here before
    private = path.with_name(f".upgrade-{os.getpid()}-{path.name}")
    for copy in (path.with_name(f"{path.name}.before-upgrade"), private):
        _copy(path, copy)
    upgrade(f"sqlite:///{private}")
    private.replace(path)


def _revision(path: Path) -> str | None:
    with closing(sqlite3.connect(path)) as database:
        try:
            row = database.execute("SELECT version_num FROM alembic_version").fetchone()
        except sqlite3.OperationalError:  # MLflow says what is wrong with it
            return None
    return row[0] if row else None


def _copy(path: Path, to: Path) -> None:
    with closing(sqlite3.connect(path)) as old, closing(sqlite3.connect(to)) as new:
        old.backup(new)


def index_tags(path: Path) -> None:
    """Let runs be found by a tag: else every run of the store is looked at, and each trial takes longer."""
    with closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as database:
        database.execute("CREATE INDEX IF NOT EXISTS index_tags_key_value ON tags (key, value)")


def create_database(path: Path, artifacts: Path) -> None:
    """Build MLflow's schema in a private file and publish it whole.

    A first migration that is killed, or that two processes start at once, leaves a database that
    never opens again; a file that appears by one rename cannot be half made.
    """
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    for stale in path.parent.glob(".create-*"):
        stale.unlink(missing_ok=True)  # of a process killed here before: we hold the lock
    private = path.parent / f".create-{os.getpid()}.db"
    SqlAlchemyStore(f"sqlite:///{private}", str(artifacts)).engine.dispose()
    private.rename(path)
