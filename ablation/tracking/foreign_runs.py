"""Runs of an MLflow experiment that others fill: they are read, and nothing is ever written."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from io import BytesIO
from math import isfinite, nan
from pathlib import Path
from urllib.parse import quote

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import LifecycleStage, ViewType
from mlflow.exceptions import MlflowException
from sqlalchemy import make_url

from ablation.errors import UserError, unknown
from ablation.tracking.addresses import named, shown, without_credentials
from ablation.tracking.availability import (
    ANSWER_SECONDS,
    DATABASES,
    UNREACHABLE,
    ServerUnavailable,
    is_unavailable,
    knock,
    reason,
    why,
)
from ablation.tracking.cache import as_logged
from ablation.tracking.store import paged

DATABASE = "mlflow.db"
READ_ONLY = {"postgresql": "options=-c%20default_transaction_read_only%3Don"}
NO_ENTRY = (401, 403)


@dataclass(frozen=True)
class ForeignRun:
    """A run as MLflow has it. metrics: the last value of each. parent: the run that it is nested in.

    The last value is that of the highest step; of several at one step that of the latest moment, and of
    several in one millisecond the largest: MLflow keeps no order of them.
    """

    run_id: str
    status: str
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    parent: str
    code: str
    deleted: bool


@dataclass(frozen=True)
class ForeignRuns:
    """The runs of MLflow's experiment called `experiment`.

    MLflow is looked for where MLFLOW_TRACKING_URI says; else in the folder `root` if it holds mlflow.db; else
    in the working folder. A database is opened for reading alone. Every method raises `UserError` where
    MLflow cannot be read.
    """

    experiment: str
    root: Path

    @cached_property
    def address(self) -> str:
        """Of MLflow, to read it."""
        if "MLFLOW_TRACKING_URI" not in os.environ:
            own = self.root / DATABASE
            return self._read_only(own if own.is_file() else Path(DATABASE))
        address = without_credentials(named("MLFLOW_TRACKING_URI", "", "correct it, or unset it."))
        if address.startswith("sqlite"):
            return self._read_only(Path(make_url(address).database or ""))
        if not address.startswith(("http", *DATABASES)):
            raise UserError(
                f"MLFLOW_TRACKING_URI wants a server or a database, but is {shown(address)}: correct it."
            )
        option = READ_ONLY.get(make_url(address).get_backend_name(), "")
        return f"{address}{'&' if '?' in address else '?'}{option}" if option else address

    @cached_property
    def client(self) -> MlflowClient:
        """MLflow's client."""
        with self._errors():
            if not self.address.startswith("sqlite"):
                knock(self.address, ANSWER_SECONDS)
            return MlflowClient(tracking_uri=self.address)

    def runs(self) -> list[ForeignRun]:
        """The runs, oldest first; those that were deleted, too, and say so."""
        client = self.client
        with self._errors():
            found = client.get_experiment_by_name(self.experiment)
            if found is None:
                names = [one.name for one in paged(client.search_experiments)]
                raise unknown("MLflow experiment", self.experiment, names)
            if found.lifecycle_stage == "deleted":
                raise UserError(
                    f"the MLflow experiment {self.experiment} was deleted: restore it (`mlflow experiments "
                    f"restore -x {found.experiment_id}`), or name another."
                )
            order = ["attributes.start_time ASC", "attributes.run_id ASC"]
            search = partial(
                client.search_runs, [found.experiment_id], run_view_type=ViewType.ALL, order_by=order
            )
            return [
                ForeignRun(
                    run.info.run_id,
                    run.info.status,
                    run.data.params,
                    {name: as_logged(value) for name, value in run.data.metrics.items()},
                    run.data.tags.get("mlflow.parentRunId", ""),
                    run.data.tags.get("mlflow.source.git.commit", ""),
                    run.info.lifecycle_stage == LifecycleStage.DELETED,
                )
                for run in paged(search)
            ]

    def best(self, run_id: str, metric: str, better: str) -> float:
        """The best finite value in the curve of the metric; NaN where there is none."""
        with self._errors():
            history = self.client.get_metric_history(run_id, metric)
        values = [point.value for point in history if isfinite(as_logged(point.value))]
        return float((min if better == "lower" else max)(values, default=nan))

    def parquet(self, run_id: str, name: str) -> pd.DataFrame:
        """The artifact `name` of the run."""
        with tempfile.TemporaryDirectory() as folder:
            try:
                path = Path(self.client.download_artifacts(run_id, name, folder))
                return pd.read_parquet(BytesIO(path.read_bytes()), dtype_backend="pyarrow")
            except (MlflowException, OSError, ValueError) as error:
                if is_unavailable(error):
                    raise self._said(error) from None
                said = reason(error) if isinstance(error, MlflowException | OSError) else "no Parquet"
                raise UserError(
                    f"the run {run_id} wants the artifact {name} in Parquet, but it cannot be read ({said}): "
                    "log it with the run, or leave out items."
                ) from error

    def _read_only(self, database: Path) -> str:
        if not database.is_file():
            raise UserError(
                f"mlflow:{self.experiment} wants MLflow's runs, but there is no file {database}: set "
                "MLFLOW_TRACKING_URI, or name the folder of mlflow.db with --store."
            )
        # The driver is named since MLflow makes the folder of "sqlite:///file:...", which it is none of.
        return f"sqlite+pysqlite:///file:{quote(str(database.absolute()))}?mode=ro&uri=true"

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except UNREACHABLE as error:
            raise self._said(error) from None  # the error may quote the password

    def _said(self, error: BaseException) -> UserError:
        place = shown(self.address)
        if self.address.startswith("sqlite"):
            place = (make_url(self.address).database or "").removeprefix("file:")
        if isinstance(error, MlflowException) and error.get_http_status_code() in NO_ENTRY:
            return UserError(
                f"MLflow at {place} wants a user who may read there, but says "
                f"{error.get_http_status_code()}: set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, "
                "or MLFLOW_TRACKING_TOKEN."
            )
        kind = ServerUnavailable if is_unavailable(error) else UserError
        return kind(
            f"MLflow at {place} cannot be read ({why(error, self.address)}): check MLFLOW_TRACKING_URI, or "
            "name the folder of mlflow.db with --store."
        )
