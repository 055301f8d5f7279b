"""Results that wait in the store's folder, a folder each: JSON and safetensors, nothing that runs when read.

A folder is there whole or not at all. It is called by its fingerprint; where another server or study already
has one of that name, with a number behind it.
"""

import json
import os
import shutil
from dataclasses import asdict
from itertools import count
from pathlib import Path

from ablation.errors import UserError
from ablation.tracking.run_record import Account
from ablation.tracking.store import Store

ACCOUNT, FILES = "account.json", "files"


def waiting(store: Store) -> list[str]:
    """The fingerprints of the results that wait in the store's folder."""
    return sorted({path.name.partition("-")[0] for path in _root(store).glob("[!.]*") if path.is_dir()})


def places(store: Store, fingerprint: str) -> list[Path]:
    """Where the results lie that wait for the fingerprint."""
    found = [_root(store) / fingerprint, *sorted(_root(store).glob(f"{fingerprint}-*"))]
    return [place for place in found if place.is_dir()]


def keep(store: Store, account: Account, files: Path | None) -> Path:
    """Keep the run's result and a copy of its files, under the lock of its fingerprint; where it lies.

    It takes the place of what the same server and study had there. Raises `UserError` where the disk takes no
    more: then nothing is kept, and what was there still is.
    """
    place, draft = _place_for(store, account), _root(store) / f".{account.fingerprint}.{os.getpid()}"
    try:
        sweep(store, account.fingerprint)
        draft.mkdir(parents=True)
        if files is not None:
            shutil.copytree(files, draft / FILES)
        (draft / ACCOUNT).write_text(json.dumps(asdict(account), indent=1) + "\n")
        remove(place)
        draft.replace(place)
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise UserError(
            f"MLflow does not take it, and {_root(store)} cannot take the result of {account.fingerprint} "
            f"({error.strerror or error}): make room there, and run the same command again."
        ) from error
    return place


def read(place: Path) -> Account:
    """The account of the result that waits there; a `UserError` where it cannot be read."""
    try:
        account = Account(**json.loads((place / ACCOUNT).read_text()))
        owner(account)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(
            f"{place} wants a result that this version kept, but cannot be read ({type(error).__name__}): "
            "delete it, and its cell is computed again."
        ) from error
    account.points = [(name, value, moment, step) for name, value, moment, step in account.points]
    return account


def owner(account: Account) -> tuple[str, str]:
    """The server and the study whose result it is."""
    return account.server, account.tags["study"]


def remove(place: Path) -> None:
    """Remove what lies at `place`, which is gone at once, and then piece by piece."""
    if place.is_dir():
        place.rename(gone := place.with_name(f".{place.name}.{os.getpid()}.gone"))
        shutil.rmtree(gone)


def sweep(store: Store, fingerprint: str) -> None:
    """Remove what processes left that were killed as they kept or removed a result: we hold its lock."""
    for left in _root(store).glob(f".{fingerprint}*"):
        shutil.rmtree(left)


def _place_for(store: Store, account: Account) -> Path:
    """The first place of the account's fingerprint that is free, or its own server's and study's."""
    names = (account.fingerprint + (f"-{number}" if number > 1 else "") for number in count(1))
    return next(place for name in names if _takes(place := _root(store) / name, account))


def _takes(place: Path, account: Account) -> bool:
    try:
        return not place.is_dir() or owner(read(place)) == owner(account)
    except UserError:
        return False  # somebody may yet mend it


def _root(store: Store) -> Path:
    return store.root / "undelivered"
