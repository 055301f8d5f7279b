"""Locks that end with their holder, whatever ends it: files of a folder, or PostgreSQL's advisory locks."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from sqlalchemy import Connection, create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from ablation.tracking.availability import ServerUnavailable, reason

# Keepalives detect dead clients, a machine that lost its power say, whose locks PostgreSQL then frees; and a
# dead database, for whoever waits for a lock.
LIVENESS = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
CONNECTING = LIVENESS | {"connect_timeout": 10}  # seconds
# What a database may limit for its users, by the names that its version knows: it would free a lock while it
# is held, or end the wait for one.
LIMITS = "statement_timeout", "lock_timeout", "transaction_timeout", "idle_session_timeout"


def _me() -> str:
    return f"process {os.getpid()} on {socket.gethostname()}"


class FileLocks:
    """The kernel's locks on files of a folder, for the processes of one machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def hold(self, name: str, wait: bool = True) -> Iterator[bool]:
        """Hold the lock and give True; where another has it, wait for it, or else give False at once.

        Who does not wait leaves a note of who it is.
        """
        lock = FileLock(self.folder / f"{name}.lock", timeout=-1 if wait else 0)
        note = self._note(name)
        try:
            lock.acquire()
        except Timeout:
            yield False
            return
        try:
            if not wait:
                draft = note.with_name(f"{note.name}.{os.getpid()}")
                since = datetime.now(UTC).isoformat(timespec="seconds")
                draft.write_text(f"{_me()} since {since}", encoding="utf-8")
                draft.replace(note)
            yield True
        finally:
            note.unlink(missing_ok=True)
            lock.release()

    def holder(self, name: str) -> str:
        """Who has the lock, as far as it is known: "process 12 on anna since ..."."""
        try:
            return self._note(name).read_text(encoding="utf-8")
        except FileNotFoundError:
            return "another process of this machine since a moment ago"

    def _note(self, name: str) -> Path:
        return self.folder / f"{name}.holder"


class AdvisoryLocks:
    """PostgreSQL's advisory locks, for every machine that reaches the database.

    A connection of its own holds each: it ends with its process, and the lock with it.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    @contextmanager
    def hold(self, name: str, wait: bool = True) -> Iterator[bool]:
        """See `FileLocks.hold`; `ServerUnavailable` where the database cannot be reached."""
        with self._connection() as connection:
            verb = "pg_advisory_lock" if wait else "pg_try_advisory_lock"
            asked = text(f"SELECT {verb}(hashtextextended(:name, 0))")
            answer = connection.execute(asked, {"name": name}).scalar()
            yield wait or bool(answer)

    def holder(self, name: str) -> str:
        """See `FileLocks.holder`."""
        # PostgreSQL keeps a key of 64 bits as two halves.
        asked = text(
            "SELECT application_name, backend_start FROM pg_stat_activity JOIN pg_locks USING (pid) "
            "WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND "
            "(classid::bigint << 32) | objid::bigint = hashtextextended(:name, 0)"
        )
        with self._connection() as connection:
            row: Any = connection.execute(asked, {"name": name}).first()
        if row is None:
            return "another process since a moment ago"
        # PostgreSQL does not tell one role since when another is there.
        return str(row[0]) + (f" since {row[1]:%Y-%m-%dT%H:%M:%S%z}" if row[1] else "")

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        """A connection that says who made it; what the database does to it later is not an error of ours."""
        try:
            named = make_url(self.url).query
            asking = {k: v for k, v in CONNECTING.items() if k not in named}
            engine = create_engine(
                self.url, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args=asking
            )
            connection = engine.connect()
            me = text("SELECT set_config('application_name', :me, false)")
            connection.execute(me, {"me": _me()[:63]})
            for setting, seconds in LIVENESS.items():
                connection.execute(text(f"SET tcp_{setting} = {seconds}"))
            unlimited = text("SELECT set_config(name, '0', false) FROM pg_settings WHERE name = ANY(:limits)")
            connection.execute(unlimited, {"limits": list(LIMITS)})
        except (SQLAlchemyError, ImportError) as error:
            raise ServerUnavailable(
                f"the database that holds the locks cannot be reached ({reason(error)}): check "
                "ABLATION_OPTUNA_STORAGE."
            ) from error
        try:
            yield connection
        finally:
            connection.invalidate()  # ends it whatever became of it, and with it the lock
            connection.close()
            engine.dispose()
