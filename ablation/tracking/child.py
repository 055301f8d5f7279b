"""What another process needs to write into a run with MLflow by itself; and a run that nobody keeps."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from mlflow import MlflowClient


def variables(address: str, experiment: str, run_id: str) -> dict[str, str]:
    """MLflow's own variables, by which `mlflow.start_run()` takes up the run."""
    return {
        "MLFLOW_TRACKING_URI": address,
        "MLFLOW_EXPERIMENT_ID": experiment,
        "MLFLOW_EXPERIMENT_NAME": "",
        "MLFLOW_RUN_ID": run_id,
    }


@dataclass(frozen=True)
class ScratchRun:
    """A run in a database of its own, which ends with its folder."""

    client: MlflowClient
    environment: Mapping[str, str]

    @classmethod
    def make(cls, folder: Path) -> Self:
        """A new one; the database takes seconds."""
        address = f"sqlite:///{folder.absolute() / 'mlflow.db'}"
        client = MlflowClient(tracking_uri=address)
        experiment = client.create_experiment("scratch", str(folder.absolute() / "artifacts"))
        run_id = client.create_run(experiment).info.run_id
        return cls(client, variables(address, experiment, run_id))

    def logged(self) -> tuple[dict[str, float], dict[str, str]]:
        """The last value of each metric, and the parameters."""
        data = self.client.get_run(self.environment["MLFLOW_RUN_ID"]).data
        return dict(data.metrics), dict(data.params)
