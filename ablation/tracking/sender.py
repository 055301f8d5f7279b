"""Send runs from the journal to MLflow: as well as it goes while they run, wholly at their end."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag
from mlflow.exceptions import MlflowException

from ablation.errors import UserError
from ablation.tracking import journal_on_disk as disk
from ablation.tracking.availability import ServerUnavailable, is_refused, reason
from ablation.tracking.cache import curve_of, remember
from ablation.tracking.journal_on_disk import FILES, RUNNING, Record, entries
from ablation.tracking.read import end_running, find, plain_metrics, settled
from ablation.tracking.store import Store

AT_ONCE = 1000  # points that MLflow takes in one request
PARAMS_AT_ONCE = 100
LAST = 500  # points beside tags


class Undelivered(ServerUnavailable):
    """A run that is kept on the disk, since the server to which it belongs did not take it."""


def deliver(store: Store, fingerprint: str) -> str:
    """Send the runs of the fingerprint, under whose lock we are, that wait in the journal; the run's id.

    "" where none waits, where it goes on waiting (`awaited`), or where another run settled the fingerprint
    meanwhile, and what waited is dropped. Raises `UserError` where one cannot be read, or MLflow refuses it.
    """
    delivered = [_deliver(store, fingerprint, entry) for entry in entries(store, fingerprint)]
    return next(filter(None, delivered), "")


def awaited(entry: Path) -> str:
    """Why a run is still in the journal though MLflow is there."""
    record = disk.read(entry)
    return (
        f"waits in {entry} for the experiment {record.study} on {record.server}: name that server as it was "
        "named then, restore the experiment, or delete the folder if it is gone for good"
    )


def begin(client: MlflowClient, record: Record, experiment: str) -> None:
    """Make the record's run with its data, and its parameters unless they come at its end; its id is set."""
    run = client.create_run(experiment, start_time=record.started, tags=record.tags)
    record.run_id = str(run.info.run_id)
    if not record.logs_itself:
        record.sent_tags = dict(record.tags)
        log_all(client, record.run_id, [Param(*item) for item in record.params.items()])
    if record.dataset:
        data = Dataset(source_type="ablation", **record.dataset)
        _log_dataset(client, record.run_id, DatasetInput(data, [InputTag("mlflow.data.context", "training")]))


def log_all(
    client: MlflowClient, run_id: str, params: Sequence[Param] = (), metrics: Sequence[Metric] = ()
) -> None:
    """Write all of them, as many in one request as MLflow takes."""
    for first in range(0, len(params), PARAMS_AT_ONCE):
        client.log_batch(run_id, params=params[first : first + PARAMS_AT_ONCE])
    for first in range(0, len(metrics), AT_ONCE):
        client.log_batch(run_id, metrics=metrics[first : first + AT_ONCE])


def send_points(client: MlflowClient, record: Record) -> None:
    """Send the points that were not sent yet; to repeat it is harmless: MLflow keeps equal points once."""
    log_all(client, record.run_id, metrics=[Metric(*point) for point in record.points[record.sent :]])
    record.sent = len(record.points)


def end(store: Store, record: Record, entry: Path) -> None:
    """Send what is left of a run that ended, and then its status; afterwards the journal is done with it."""
    client, run_id = store.client, record.run_id
    send_points(client, record)
    if record.logs_itself:
        _complete(client, record)
    if any((entry / FILES).iterdir()):
        client.log_artifacts(run_id, str(entry / FILES))
    final = [Metric(*point) for point in record.final_points()]
    log_all(client, run_id, metrics=final[:-LAST])
    # The tags come last but the status, since they may say that the run is whole (`read.OPEN`).
    tags = [RunTag(*item) for item in record.tags.items() if record.sent_tags.get(item[0]) != item[1]]
    client.log_batch(run_id, metrics=final[-LAST:], tags=tags)
    client.set_terminated(run_id, record.status, record.ended)
    if not record.logs_itself:  # else there are curves that we know nothing of
        points: dict[str, list[tuple[int, float]]] = {}
        for name, value, _, step in record.points:
            points.setdefault(name, []).append((step, value))
        remember(store, run_id, {name: curve_of(some) for name, some in points.items()})
    disk.remove(entry)


def _complete(client: MlflowClient, record: Record) -> None:
    """Log the parameters that the other process did not log under their names, and learn its last points.

    MLflow refuses a second value of a parameter: that process's own spelling stays.
    """
    theirs = client.get_run(record.run_id).data
    lacking = [Param(*item) for item in record.params.items() if item[0] not in theirs.params]
    log_all(client, record.run_id, lacking)
    for name in record.metrics.keys() & theirs.metrics.keys():
        if record.metrics[name] == theirs.metrics[name]:
            record.points.append((name, record.metrics[name], 0, 0))
        else:  # it stands behind theirs
            last = max(client.get_metric_history(record.run_id, name), key=lambda p: (p.step, p.timestamp))
            record.points.append((name, last.value, last.timestamp, last.step))
    record.sent = len(record.points)


def _deliver(store: Store, fingerprint: str, entry: Path) -> str:
    record = disk.read(entry)
    # By its name: on another server the number of an experiment would be another study's.
    experiment = store.place_of(record.study) if record.server == store.server else ""
    if not experiment:
        return ""
    known = settled(store, fingerprint, experiment, plain_metrics(record.metrics, record.tags))
    if known:
        disk.remove(entry)
        return record.run_id if known.run_id == record.run_id else ""
    try:
        begun = find(store, {"fingerprint": fingerprint}, experiment=experiment)
        if record.run_id not in {run.run_id for run in begun if run.status == RUNNING}:
            begin(store.client, record, experiment)
        end(store, record, entry)
    except Exception as error:
        if not is_refused(error):
            raise
        with suppress(Exception):
            end_running(store, fingerprint)
        raise UserError(
            f"MLflow does not take the result that is kept in {entry} ({reason(error)}): mend that, or "
            "delete the folder, and its cell is computed again."
        ) from error
    return record.run_id


def _log_dataset(client: MlflowClient, run_id: str, dataset: DatasetInput) -> None:
    """MLflow looks whether the data set is there and then writes it: of two runs that do so at one moment the
    later fails, in words of its database, and finds it when it looks again.
    """
    try:
        client.log_inputs(run_id, datasets=[dataset])
    except MlflowException as refused:
        if refused.error_code != "BAD_REQUEST":
            raise
        client.log_inputs(run_id, datasets=[dataset])
