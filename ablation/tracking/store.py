"""Where runs are kept: a folder with SQLite databases and artifacts, or a tracking server."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mlflow import MlflowClient
from mlflow.entities import Experiment

from ablation.errors import UserError
from ablation.tracking.addresses import named, shown, without_credentials
from ablation.tracking.availability import (
    ANSWER_SECONDS,
    UNREACHABLE,
    ServerUnavailable,
    is_unavailable,
    knock,
    why,
)
from ablation.tracking.locks import AdvisoryLocks, FileLocks

MOST_BYTES = 255  # of a name of a file or folder, on every common file system
ODD = '?%"'  # what SQLite addresses, and the SQL that MLflow writes, take for something else
OWN = "the folder's own database"
PROBE_SECONDS = 2.0  # in the middle of a training
PAGE = 1000  # runs or experiments asked for at once
ROLE_CELL, ROLE_ARM = "cell", "arm"
ORDER = "order"
"""The tag of a run by which MLflow's pages are ordered: the seed, then the number of its arm in the study."""
FORMAT, TAG = "3", "ablation.store"
"""The format of a store, and the tag of every study's experiment that has it
(docs/decisions/0027-public-interfaces.md).
"""


@dataclass(frozen=True)
class Store:
    """A place for runs. `root` holds locks and, unless servers are named, both databases and artifacts.

    MLFLOW_TRACKING_URI names another tracking server, ABLATION_OPTUNA_STORAGE another Optuna storage.
    Cheap to make and to send to a worker; nothing is written before `create`.
    """

    root: Path

    def __post_init__(self) -> None:
        """Take "~" for the home folder; refuse what the databases' addresses or the system cannot hold."""
        # Unlike Path.expanduser it leaves a name alone that is no user's.
        object.__setattr__(self, "root", Path(os.path.expanduser(self.root)))  # noqa: PTH111
        place = self.root.absolute()
        if odd := sorted(set(ODD) & set(str(place))):
            raise UserError(
                f"a store's path wants none of {ODD}, but {place} has {' '.join(odd)}: name another with "
                "--store."
            )
        if max(len(os.fsencode(part)) for part in place.parts) > MOST_BYTES:
            raise UserError(
                f"a folder's name wants at most {MOST_BYTES} bytes, but one of {place} has more: name "
                "another with --store."
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
    def embedded(self) -> bool:
        """Whether MLflow's database is the folder's own."""
        return "MLFLOW_TRACKING_URI" not in os.environ

    @property
    def has_ledger(self) -> bool:
        """Whether Optuna's storage is there: on a server it is taken to be."""
        return not self.optuna_url.startswith("sqlite:///") or Path(self.optuna_url[10:]).exists()

    @property
    def shared(self) -> bool:
        """Whether other machines can share it: with a tracking server, and trials and locks in PostgreSQL."""
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
    def _locks(self) -> AdvisoryLocks | FileLocks:
        """Of the database that every machine reaches, where there is one, else of the folder."""
        if self.optuna_url.startswith("postgresql"):
            return AdvisoryLocks(self.optuna_url)
        return FileLocks(self.root / "locks")

    @property
    def _database(self) -> Path:
        return self.root.absolute() / "mlflow.db"

    @cached_property
    def client(self) -> MlflowClient:
        """MLflow's client; a `UserError` where there is no store yet, or one of another format."""
        if not self.exists():
            raise UserError(
                f"{self.root} holds no runs yet: run a study first, or name another folder with --store."
            )
        try:
            self.probe(ANSWER_SECONDS)
            with self.schema(self.tracking_uri):
                client = MlflowClient(tracking_uri=self.tracking_uri)
            self._check(client)
            return client
        except UNREACHABLE as error:
            raise (ServerUnavailable if is_unavailable(error) else UserError)(
                f"MLflow's store {self.tracking_shown} cannot be opened ({why(error, self.tracking_uri)}): "
                "check --store or MLFLOW_TRACKING_URI."
            ) from None  # the error may quote the password

    def _check(self, client: MlflowClient) -> None:
        """Refuse a store of another format, and a folder that was moved: MLflow keeps absolute paths."""
        files = self.root.absolute() / "artifacts"
        for experiment in paged(client.search_experiments):
            location = Path(experiment.artifact_location)
            ours = self.embedded and location.parent.name == files.name
            number = experiment.tags.get(TAG, "1" if ours else FORMAT)
            if number != FORMAT:
                newer = not number.isdecimal() or int(number) > int(FORMAT)
                cure = "upgrade ablation" if newer else "read it with the version that wrote it"
                raise UserError(
                    f"the store {self.tracking_shown} wants the {'newer' if newer else 'older'} ablation "
                    f"that wrote it in format {number}, but this one knows format {FORMAT} alone: {cure}, or "
                    "name another --store."
                )
            if ours and not _same(location.parent, files):
                raise UserError(
                    f"the store {self.root} was moved or copied from {location.parents[1]}, where MLflow "
                    "looks for its files: move it back, or make a link there to its new place."
                )

    def probe(self, seconds: float = PROBE_SECONDS) -> None:
        """Ask the server that holds the runs, if one does, for a sign of life; an error where none comes."""
        if not self.embedded:
            knock(self.tracking_uri, seconds)

    def exists(self) -> bool:
        """Whether anything was ever recorded here."""
        return not self.embedded or self._database.exists()

    def create(self) -> None:
        """Make the folder and MLflow's database where they are missing; safe when several do so at once."""
        try:
            (self.root / "locks").mkdir(parents=True, exist_ok=True)
            with self.lock("create"):
                if not self.exists():
                    _create_database(self._database)
        except (OSError, sqlite3.OperationalError) as error:
            raise UserError(
                f"the store {self.root} cannot be written ({error}): name another folder with --store."
            ) from error
        _ = self.client  # says whether this version may write here, before it does

    def experiment(self, name: str, tags: dict[str, str]) -> str:
        """The id of the experiment called `name`, made with `tags` where it is missing."""
        with self.lock("create"):
            found = self.client.get_experiment_by_name(name)
            if found is None:
                location = None if self.served else str(self.root.absolute() / "artifacts" / name)
                tags = tags | {TAG: FORMAT}
                return str(self.client.create_experiment(name, artifact_location=location, tags=tags))
            if found.lifecycle_stage == "deleted":
                raise UserError(
                    f"the experiment {name} was deleted in MLflow: restore it (`mlflow experiments restore "
                    f"-x {found.experiment_id}`), or give the study's file a new name."
                )
            return self._own(found)

    def place_of(self, name: str) -> str:
        """The id of the experiment called `name`; "" where there is none, or it was deleted."""
        found = self.client.get_experiment_by_name(name)
        return self._own(found) if found is not None and found.lifecycle_stage == "active" else ""

    def experiments(self) -> list[Experiment]:
        """The experiments that hold studies: on a server others may have their own."""
        return [one for one in paged(self.client.search_experiments) if TAG in one.tags]

    def _own(self, experiment: Experiment) -> str:
        if TAG not in experiment.tags:
            raise UserError(
                f"the experiment {experiment.name} of {self.tracking_shown} was not made by this version: "
                "give the study's file a new name, or rename that experiment."
            )
        return str(experiment.experiment_id)

    def lock(self, name: str) -> AbstractContextManager[bool]:
        """Wait for the lock called `name`; it is free as soon as its holder dies."""
        return self._locks.hold(name)

    def schema(self, address: str) -> AbstractContextManager[bool | None]:
        """Alone at a database server, whose tables its first visitor makes: two at once would fail."""
        return nullcontext() if address.startswith(("sqlite", "http")) else self.lock("schema")

    def free(self, name: str) -> AbstractContextManager[bool]:
        """Hold the lock called `name` if nobody else does, and say whether."""
        return self._locks.hold(name, wait=False)

    @contextmanager
    def sole(self, name: str, what: str) -> Iterator[None]:
        """Hold the lock called `name`, or a `UserError` at once that says which process holds it."""
        with self.free(name) as mine:
            if not mine:
                raise UserError(f"{what} is being run by {self._locks.holder(name)}: wait for it or end it.")
            yield


def paged(search: Callable[..., Any]) -> Iterator[Any]:
    """All that a search of MLflow's client finds among what is active, page by page."""
    token = None
    while True:
        page = search(max_results=PAGE, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _create_database(path: Path) -> None:
    """Let MLflow build its tables in a private file, and rename it: a migration that is killed, or that two
    processes start at once, leaves a database that never opens again.
    """
    for stale in path.parent.glob(".create-*"):
        stale.unlink(missing_ok=True)  # of a process killed here before: we hold the lock
    private = path.with_name(f".create-{os.getpid()}.db")
    MlflowClient(tracking_uri=f"sqlite:///{private}").search_experiments()
    private.rename(path)


def _same(old: Path, new: Path) -> bool:
    return old == new or (old.exists() and new.exists() and old.samefile(new))
