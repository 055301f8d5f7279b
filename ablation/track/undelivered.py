"""Results whose server did not come back: kept in the store's folder, a folder each, and delivered later.

JSON and safetensors, nothing that runs when it is read. A folder is there whole or not at all.
"""

import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path

from ablation.errors import Mistake
from ablation.track.account import Account, begin, describe, end
from ablation.track.find import find
from ablation.track.patience import Away
from ablation.track.read import settled
from ablation.track.store import Store

ACCOUNT, FILES = "account.json", "files"


class Undelivered(Away):
    """A result that is kept on the disk, since the server to which it belongs did not come back."""


def waiting(store: Store) -> list[str]:
    """The fingerprints of the results that wait in the store's folder."""
    return sorted(path.name for path in _place(store).glob("[!.]*") if path.is_dir())


def keep(store: Store, account: Account, files: Path | None) -> Path:
    """Keep the run's result and a copy of its files, under the lock of its fingerprint; where it lies.

    Raises `Mistake` where the disk takes no more: then nothing is kept.
    """
    place = _place(store) / account.fingerprint
    draft = place.with_name(f".{account.fingerprint}.{os.getpid()}")
    try:
        _clear(place)
        draft.mkdir(parents=True)
        if files is not None:
            shutil.copytree(files, draft / FILES)
        (draft / ACCOUNT).write_text(json.dumps(asdict(account), indent=1) + "\n")
        draft.replace(place)
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise Mistake(
            f"MLflow does not answer, and {_place(store)} cannot take the result of {account.fingerprint} "
            f"({error.strerror or error}): make room there, and run the same command again."
        ) from error
    return place


def deliver(store: Store, fingerprint: str) -> str:
    """Write the result that waits for the fingerprint, under whose lock we are, to MLflow; its run's id.

    "" where none waits, where it goes on waiting for another server or for its study's experiment, or where
    the fingerprint was settled meanwhile, and what waited is dropped.
    """
    place = _place(store) / fingerprint
    if not place.is_dir():
        return ""
    account = _read(place)
    account.experiment = _experiment(store, account)
    if not account.experiment:
        return ""
    known = settled(store, fingerprint, account.experiment, {point[0] for point in account.points})
    run_id = "" if known else _run_of(store, account)
    if run_id:
        files = place / FILES
        end(store.client, run_id, account, account.points, files if files.is_dir() else None)
    _clear(place)
    return run_id or (account.run_id if known and known.run_id == account.run_id else "")


def belongs_to(store: Store, fingerprint: str) -> str:
    """Where the result that waits for the fingerprint belongs: its study's experiment, and the server."""
    account = _read(_place(store) / fingerprint)
    return f"the experiment {account.tags['study']}" + (f" on {account.server}" if account.server else "")


def _experiment(store: Store, account: Account) -> str:
    """The id of the experiment that the account's study has here; "" where it belongs to another server, or
    there is none. By its name: on another server the number would be another study's.
    """
    if account.server not in ("", store.server):
        return ""
    found = store.client.get_experiment_by_name(account.tags["study"])
    return str(found.experiment_id) if found and found.lifecycle_stage == "active" else ""


def _run_of(store: Store, account: Account) -> str:
    """The run that was begun for the account, if it still says RUNNING; else a new one."""
    begun = find(store, {"fingerprint": account.fingerprint}, status="RUNNING")
    if account.run_id in {run.run_id for run in begun}:
        return account.run_id
    run_id = begin(store.client, account)
    describe(store.client, run_id, account)
    return run_id


def _read(place: Path) -> Account:
    try:
        account = Account(**json.loads((place / ACCOUNT).read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise Mistake(
            f"{place} wants a result that this version kept, but cannot be read ({type(error).__name__}): "
            "delete it, and its cell is computed again."
        ) from error
    account.points = [(name, value, moment, step) for name, value, moment, step in account.points]
    return account


def _clear(place: Path) -> None:
    """Remove what lies at `place`, and the drafts that processes left which were killed: we hold its lock."""
    if place.is_dir():
        place.rename(gone := place.with_name(f".{place.name}.{os.getpid()}"))
        shutil.rmtree(gone)
    for left in place.parent.glob(f".{place.name}.*"):
        shutil.rmtree(left)


def _place(store: Store) -> Path:
    return store.root / "undelivered"
