"""All that MLflow is told of a run, as plain data: so that it can be told again, or later, from a file."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import BAD_REQUEST, ErrorCode

AT_ONCE = 1000  # points of a curve that MLflow takes in one request

Point = tuple[str, float, int, int]  # name, value, moment in milliseconds, step


@dataclass
class Account:
    """A run as it is told to MLflow. Moments are milliseconds since 1970; points are in the order they came.

    dataset: name, digest, source and profile. status: FINISHED or FAILED once it has `ended`. server: the
    store's, "" where an earlier version did not say.
    """

    fingerprint: str
    experiment: str
    tags: dict[str, str]
    params: dict[str, str]
    dataset: dict[str, str]
    started: int
    run_id: str = ""
    points: list[Point] = field(default_factory=list)
    status: str = "RUNNING"
    ended: int = 0
    server: str = ""


def begin(client: MlflowClient, account: Account) -> str:
    """Make the account's run; its id. `describe` it next."""
    run = client.create_run(account.experiment, start_time=account.started, tags=account.tags)
    return str(run.info.run_id)


def describe(client: MlflowClient, run_id: str, account: Account) -> None:
    """Write the run's parameters, and name its data."""
    client.log_batch(run_id, params=[Param(*item) for item in account.params.items()])
    dataset = Dataset(source_type="ablation", **account.dataset)
    _log_dataset(client, run_id, DatasetInput(dataset, [InputTag("mlflow.data.context", "training")]))


def log(client: MlflowClient, run_id: str, points: Sequence[Point]) -> None:
    """Write the points; to write them again doubles none, since MLflow keeps equal ones once."""
    for first in range(0, len(points), AT_ONCE):
        some = points[first : first + AT_ONCE]
        client.log_batch(run_id, metrics=[Metric(*point) for point in some])


def end(
    client: MlflowClient, run_id: str, account: Account, points: Sequence[Point], files: Path | None
) -> None:
    """Write what is left of a run that ended, points, files and tags, then its status; again, if need be."""
    log(client, run_id, points)
    if files is not None:
        client.log_artifacts(run_id, str(files))
    if account.status != "FINISHED":
        client.log_batch(run_id, tags=[RunTag(*item) for item in account.tags.items()])
    client.set_terminated(run_id, account.status, account.ended)


def _log_dataset(client: MlflowClient, run_id: str, dataset: DatasetInput) -> None:
    """MLflow keeps a data set once an experiment, looks whether it is there and then writes it: of two runs
    that do so at one moment the later fails, and finds it when it looks again. Each database says that in
    other words, so what MLflow takes for a bad request is asked for again, whatever it says.
    """
    try:
        client.log_inputs(run_id, datasets=[dataset])
    except MlflowException as refused:
        if refused.error_code != ErrorCode.Name(BAD_REQUEST):
            raise
        client.log_inputs(run_id, datasets=[dataset])
