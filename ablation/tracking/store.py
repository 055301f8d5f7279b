"""Where runs are kept: a folder with SQLite databases and artifacts, or a tracking server."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

from mlflow import MlflowClient

from ablation.errors import UserError
from ablation.tracking.addresses import named, shown, without_credentials
from ablation.tracking.locks import AdvisoryLocks, FileLocks, Locks
from ablation.tracking.moved import settle
from ablation.tracking.reach import ANSWER_SECONDS, UNREACHABLE, knock, why
from ablation.tracking.retry import ServerUnavailable, away
from ablation.tracking.schema import create_database, index_tags, outdated, renew, upgrade_mlflow
from ablation.tracking.version import STORE_VERSION, TAG, bring_up, check_version

ODD = '?%"'  # what SQLite addresses, and the SQL that MLflow writes, take for something else
OWN = "the folder's own database"
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
            raise UserError(
                f"a store's path wants none of {ODD}, but {self.root} has {' '.join(odd)}: name another."
            )

    @property
    def tracking_uri(self) -> str:
        """Of MLflow: the server that the environment names, or the SQLite file in the folder."""
        advice = "correct it, or unset it and name a folder with --store."
        return without_credentials(named("MLFLOW_TRACKING_URI", f"sqlite:///{self._database}", advice))

    @property
    def optuna_url(self) -> str:
        """Of Optuna's storage: what the environment names, or the SQLite file in the folder."""
        own = f"sqlite:///{self.root.absolute() / 'optuna.db'}"
        address = named("ABLATION_OPTUNA_STORAGE", own, "correct it, or unset it.")
        if address == self.tracking_uri:
            raise UserError(
                "MLflow and Optuna want a database each, since both note their version in a table of one "
                "name, but MLFLOW_TRACKING_URI and ABLATION_OPTUNA_STORAGE are the same: make a second."
            )
        return address

    @property
    def tracking_shown(self) -> str:
        """`tracking_uri` without its password."""
        return shown(self.tracking_uri)

    @property
    def optuna_shown(self) -> str:
        """`optuna_url` without its password."""
        return shown(self.optuna_url)

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
        """Whether other machines can share it: runs and files on a tracking server, trials and locks in a
        database. With MLflow's own database alone the files lie in the folder.
        """
        return self.served and self.optuna_url.startswith("postgresql")

    @property
    def server(self) -> str:
        """Who holds the runs, by scheme, host, port and path alone: however else the address is spelt."""
        if self.embedded:
            return OWN
        parts = urlsplit(self.tracking_uri)
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.scheme.partition('+')[0]}://{parts.hostname or ''}{port}{parts.path.rstrip('/')}"

    @property
    def served(self) -> bool:
        """Whether a tracking server holds the runs and passes their files on."""
        return self.tracking_uri.startswith("http")

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
        """MLflow's client for this store; a `UserError` where there is no store yet."""
        if self.embedded and not self._database.exists():
            raise UserError(
                f"{self.root} holds no runs yet: run a study first, or name another folder with --store."
            )
        try:
            if self.embedded:
                self._prepare()
            else:
                self.probe(ANSWER_SECONDS)
            with self.schema(self.tracking_uri):
                client = MlflowClient(tracking_uri=self.tracking_uri)
            check_version(client, self.tracking_shown)
            return client
        except UNREACHABLE as error:
            raise (ServerUnavailable if away(error) else UserError)(
                f"MLflow's store {self.tracking_shown} cannot be opened ({why(error, self.tracking_uri)}): "
                "check --store or MLFLOW_TRACKING_URI."
            ) from None  # the error may quote the password

    def probe(self, seconds: float = PROBE_SECONDS) -> None:
        """Ask the server that holds the runs, if one does, for a sign of life; an error where none comes."""
        if not self.embedded:
            knock(self.tracking_uri, seconds)

    def _prepare(self) -> None:
        """Let the folder's database be where it is now, and as the installed MLflow wants it."""
        settle(self._database, self.root.absolute() / "artifacts")
        if outdated(self._database):
            self.renew(self._database, upgrade_mlflow, lambda: outdated(self._database))

    def renew(self, path: Path, upgrade: Callable[[str], None], outdated: Callable[[], bool]) -> None:
        """Upgrade one of the folder's databases, whole or not at all, unless another process just did.

        `upgrade` is given the address of a copy.
        """
        with self.lock("upgrade"):
            if outdated():
                renew(path, upgrade)

    def exists(self) -> bool:
        """Whether anything was ever recorded here."""
        return not self.embedded or self._database.exists()

    def create(self) -> None:
        """Make the folder and MLflow's database where they are missing; safe when several do so at once."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with self.lock("create"):
                if self.embedded and not self._database.exists():
                    create_database(self._database, self.root.absolute() / "artifacts")
                if self.embedded:
                    index_tags(self._database)
        except (OSError, sqlite3.OperationalError) as error:
            raise UserError(
                f"the store {self.root} cannot be written ({error}): name another folder with --store."
            ) from error
        _ = self.client  # says whether this version may write here, before it does

    def experiment(self, name: str, tags: dict[str, str]) -> str:
        """The id of the experiment called `name`, made with `tags` where it is missing."""
        with self.lock("create"):
            found = self.client.get_experiment_by_name(name)
            if found is not None and found.lifecycle_stage == "deleted":
                raise UserError(
                    f"the experiment {name} was deleted in MLflow: restore it (`mlflow experiments restore "
                    f"-x {found.experiment_id}`), or give the study's file a new name."
                )
            if found is not None:
                bring_up(self.client, found.experiment_id, found.tags)
                return str(found.experiment_id)
            location = None if self.served else str(self.root.absolute() / "artifacts" / name)
            marked = tags | {TAG: str(STORE_VERSION)}
            return str(self.client.create_experiment(name, artifact_location=location, tags=marked))

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
        """Hold the lock called `name`, or a `UserError` at once that says which process holds it."""
        with self.free(name) as mine:
            if not mine:
                raise UserError(f"{what} is being run by {self._locks.holder(name)}: wait for it or end it.")
            yield
