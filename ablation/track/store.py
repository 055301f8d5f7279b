"""Where runs are kept: a folder with SQLite databases and artifacts, or a tracking server."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from math import ceil
from pathlib import Path

import requests
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sqlalchemy import create_engine, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from ablation.errors import Mistake
from ablation.track.locks import AdvisoryLocks, FileLocks, Locks
from ablation.track.patience import Away, away, reason

ODD = '?%"'  # what SQLite addresses, and the SQL that MLflow writes, take for something else
ANSWER_SECONDS = 5.0  # for a tracking server's first answer; MLflow alone tries for minutes
PROBE_SECONDS = 2.0  # in the middle of a training
ROLE_CELL, ROLE_ARM = "cell", "arm"


@dataclass(frozen=True)
class Store:
    """A place for runs. `root` holds locks and, unless servers are named, both databases and artifacts.

    MLFLOW_TRACKING_URI names another tracking server, ABLATION_OPTUNA_STORAGE another Optuna storage.
    Cheap to make and to send to a worker; nothing is written before `create`.
    """

    root: Path

    def __post_init__(self) -> None:
        """Refuse a place whose name the databases' addresses cannot hold."""
        if odd := sorted(set(ODD) & set(str(self.root.absolute()))):
            raise Mistake(
                f"a store's path wants none of {ODD}, but {self.root} has {' '.join(odd)}: name another."
            )

    @property
    def tracking_uri(self) -> str:
        """Of MLflow: the server that the environment names, or the SQLite file in the folder."""
        named = os.environ.get("MLFLOW_TRACKING_URI", f"sqlite:///{self._database}")
        if "://" not in named:
            raise Mistake(
                f"MLFLOW_TRACKING_URI wants an address such as http://host:5000, but is {named!r}: "
                "correct it, or unset it and name a folder with --store."
            )
        return named

    @property
    def optuna_url(self) -> str:
        """Of Optuna's storage: what the environment names, or the SQLite file in the folder."""
        own = f"sqlite:///{self.root.absolute() / 'optuna.db'}"
        named = os.environ.get("ABLATION_OPTUNA_STORAGE", own)
        if named == self.tracking_uri:
            raise Mistake(
                "MLflow and Optuna want a database each, since both note their version in a table of one "
                "name, but MLFLOW_TRACKING_URI and ABLATION_OPTUNA_STORAGE are the same: make a second."
            )
        return named

    @property
    def tracking_shown(self) -> str:
        """`tracking_uri` without its password."""
        return _without_password(self.tracking_uri)

    @property
    def optuna_shown(self) -> str:
        """`optuna_url` without its password."""
        return _without_password(self.optuna_url)

    @property
    def embedded(self) -> bool:
        """Whether MLflow's database is the folder's own."""
        return "MLFLOW_TRACKING_URI" not in os.environ

    @property
    def has_ledger(self) -> bool:
        """Whether Optuna's storage is there: on a server it is taken to be."""
        return not self.optuna_url.startswith("sqlite:///") or Path(self.optuna_url[10:]).exists()

    @property
    def shared(self) -> bool:
        """Whether other machines can share it: runs, artifacts, trials and locks are all on servers."""
        return not self.embedded and self.optuna_url.startswith("postgresql")

    @cached_property
    def _locks(self) -> Locks:
        """Of the database that every machine reaches, where there is one, else of the folder."""
        if self.optuna_url.startswith("postgresql"):
            return AdvisoryLocks(self.optuna_url)
        return FileLocks(self._folder)

    @property
    def _folder(self) -> Path:
        return self.root / "locks"

    @property
    def _database(self) -> Path:
        return self.root.absolute() / "mlflow.db"

    @cached_property
    def client(self) -> MlflowClient:
        """MLflow's client for this store; a `Mistake` where there is no store yet."""
        if self.embedded and not self._database.exists():
            raise Mistake(
                f"{self.root} holds no runs yet: run a study first, or name another folder with --store."
            )
        try:
            self.probe(ANSWER_SECONDS)
            with self.schema(self.tracking_uri):
                client = MlflowClient(tracking_uri=self.tracking_uri)
            if self._served:
                client.search_experiments(max_results=1)  # what answers may be no MLflow, or one in trouble
            return client
        except (MlflowException, SQLAlchemyError, requests.RequestException) as error:
            raise (Away if away(error) else Mistake)(
                f"MLflow's store {self.tracking_shown} cannot be opened ({reason(error)}): check "
                "--store or MLFLOW_TRACKING_URI."
            ) from error

    def probe(self, seconds: float = PROBE_SECONDS) -> None:
        """Ask the server that holds the runs, if one does, for a sign of life; an error where none comes."""
        if self._served:
            requests.get(f"{self.tracking_uri.rstrip('/')}/health", timeout=seconds)
        elif self.tracking_uri.startswith("postgresql"):
            # MLflow tries a database that is away for a minute and a half.
            patience = {"connect_timeout": ceil(seconds)}
            engine = create_engine(self.tracking_uri, poolclass=NullPool, connect_args=patience)
            engine.connect().close()
            engine.dispose()

    @property
    def _served(self) -> bool:
        """Whether a tracking server stands before MLflow's database."""
        return self.tracking_uri.startswith("http")

    def exists(self) -> bool:
        """Whether anything was ever recorded here."""
        return not self.embedded or self._database.exists()

    def create(self) -> None:
        """Make the folder and MLflow's database where they are missing; safe when several do so at once."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with self.lock("create"):
                if self.embedded and not self._database.exists():
                    _create_database(self._database, self.root.absolute() / "artifacts")
                if self.embedded:
                    _index_tags(self._database)
        except (OSError, sqlite3.OperationalError) as error:
            raise Mistake(
                f"the store {self.root} cannot be written ({error}): name another folder with --store."
            ) from error

    def experiment(self, name: str, tags: dict[str, str]) -> str:
        """The id of the experiment called `name`, made with `tags` where it is missing."""
        with self.lock("create"):
            found = self.client.get_experiment_by_name(name)
            if found is not None and found.lifecycle_stage == "deleted":
                raise Mistake(
                    f"the experiment {name} was deleted in MLflow: restore it (`mlflow experiments restore "
                    f"-x {found.experiment_id}`), or give the study's file a new name."
                )
            if found is not None:
                return str(found.experiment_id)
            location = str(self.root.absolute() / "artifacts" / name) if self.embedded else None
            return str(self.client.create_experiment(name, artifact_location=location, tags=tags))

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Wait for the lock called `name`; it is free as soon as its holder dies."""
        with self._locks.hold(name):
            yield

    @contextmanager
    def schema(self, address: str) -> Iterator[None]:
        """Alone at a database server, whose tables its first visitor makes: two at once would fail."""
        if address.startswith(("sqlite", "http")):
            yield
        else:
            with self.lock("schema"):
                yield

    @contextmanager
    def free(self, name: str) -> Iterator[bool]:
        """Hold the lock called `name` if nobody else does, and say whether."""
        with self._locks.hold(name, wait=False) as mine:
            yield mine

    @contextmanager
    def sole(self, name: str, what: str) -> Iterator[None]:
        """Hold the lock called `name`, or a `Mistake` at once that says which process holds it."""
        with self.free(name) as mine:
            if not mine:
                raise Mistake(f"{what} is being run by {self._locks.holder(name)}: wait for it or end it.")
            yield


def _without_password(address: str) -> str:
    return make_url(address).render_as_string(hide_password=True)


def _index_tags(path: Path) -> None:
    """Let runs be found by a tag: else every run of the store is looked at, and each trial takes longer."""
    with closing(sqlite3.connect(path, timeout=ANSWER_SECONDS)) as database:
        database.execute("CREATE INDEX IF NOT EXISTS index_tags_key_value ON tags (key, value)")


def _create_database(path: Path, artifacts: Path) -> None:
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
