"""Results that their server did not take, delivered later, to the server and the study they belong to."""

from contextlib import suppress
from pathlib import Path

from ablation.errors import UserError
from ablation.tracking.find import find
from ablation.tracking.outbox import FILES, owner, places, read, remove, sweep
from ablation.tracking.read import bury, settled
from ablation.tracking.retry import ServerUnavailable, reason, refused
from ablation.tracking.run_record import Account, begin, describe, end
from ablation.tracking.store import Store


class Undelivered(ServerUnavailable):
    """A result that is kept on the disk, since the server to which it belongs did not take it."""


def deliver(store: Store, fingerprint: str) -> str:
    """Write the results that wait for the fingerprint, under whose lock we are, to MLflow; the run's id.

    "" where none waits, where it goes on waiting (`awaited`), or where the fingerprint was settled meanwhile,
    and what waited is dropped. Raises `UserError` where one cannot be read, or MLflow refuses it.
    """
    delivered = [_deliver(store, fingerprint, place) for place in places(store, fingerprint)]
    sweep(store, fingerprint)
    return next(filter(None, delivered), "")


def awaited(place: Path) -> str:
    """For what the result goes on waiting that was not delivered though MLflow is there."""
    server, study = owner(read(place))
    on = f" on {server}" if server else ""
    return (
        f"waits in {place} for the experiment {study}{on}: name that server as it was named then, restore "
        "the experiment, or delete the folder if it is gone for good"
    )


def _deliver(store: Store, fingerprint: str, place: Path) -> str:
    account = read(place)
    account.experiment = _experiment(store, account)
    if not account.experiment:
        return ""
    known = settled(store, fingerprint, account.experiment, {point[0] for point in account.points})
    run_id = "" if known else _written(store, account, place)
    remove(place)
    return run_id or (account.run_id if known and known.run_id == account.run_id else "")


def _written(store: Store, account: Account, place: Path) -> str:
    """The id of the run to which the result is now written whole."""
    files = place / FILES
    try:
        run_id = _run_of(store, account)
        end(store.client, run_id, account, account.points, files if files.is_dir() else None)
    except Exception as error:
        if not refused(error):
            raise
        with suppress(Exception):
            bury(store, account.fingerprint)
        raise UserError(
            f"MLflow does not take the result that is kept in {place} ({reason(error)}): mend that, or "
            "delete the folder, and its cell is computed again."
        ) from error
    return run_id


def _experiment(store: Store, account: Account) -> str:
    """The id of the experiment that the account's study has here; "" where it belongs to another server, or
    there is none. By its name: on another server the number would be another study's.
    """
    server, study = owner(account)
    if server not in ("", store.server):
        return ""
    found = store.client.get_experiment_by_name(study)
    return str(found.experiment_id) if found and found.lifecycle_stage == "active" else ""


def _run_of(store: Store, account: Account) -> str:
    """The run that was begun for the account, if it still says RUNNING; else a new one."""
    begun = find(store, {"fingerprint": account.fingerprint}, status="RUNNING")
    if account.run_id in {run.run_id for run in begun}:
        return account.run_id
    run_id = begin(store.client, account)
    describe(store.client, run_id, account)
    return run_id
