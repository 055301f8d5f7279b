"""Cells handed to a Ray cluster: the engine that asks for a place for each, and what a node does with one.

Ray is an extra (`ray`): it places, moves and ends what runs; nothing is scheduled here. Nodes
share nothing but the addresses of the servers, and how to reach them. These travel with each task and not by
Ray's environment, which its pages show: they hold passwords.
"""

import logging
import os
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

from ablation.errors import UserError
from ablation.experiment import Experiment
from ablation.runner.engines import Engine, Executor, ExecutorConfig
from ablation.runner.worker import Ended, Outcome, Task, answer, as_worker, work
from ablation.tracking.origin import origin
from ablation.tracking.store import Store

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
try:
    import ray
    from ray.exceptions import RayError, RayTaskError
except ImportError as error:
    raise UserError(
        "--engine ray wants Ray, which is not installed: pip install 'ablation-suite[ray]'."
    ) from error

MLFLOW = "URI", "USERNAME", "PASSWORD", "TOKEN", "INSECURE_TLS"
SETTINGS = ("ABLATION_OPTUNA_STORAGE", "ABLATION_PATIENCE", *(f"MLFLOW_TRACKING_{name}" for name in MLFLOW))
"""Variables of the environment that a node takes from the coordinator, those that are not set included."""
FILES = "MLFLOW_TRACKING_SERVER_CERT_PATH", "MLFLOW_TRACKING_CLIENT_CERT_PATH"
"""Variables that name files: a node that has its own keeps it, since files do not travel."""
HOME = ".ablation"  # in the home folder of a node: what it keeps of its own


def prepare(config: ExecutorConfig, experiments: Sequence[Experiment]) -> Executor:
    """As many cells in work as the cluster has CPUs, if nothing else is said."""
    places = connect(config.address, config.store)
    return Executor(
        config.workers or places, lambda cells: RayEngine(config.store, config.address, config.gpus)
    )


def connect(address: str | None, store: Store) -> int:
    """Join the cluster at the address, else that of RAY_ADDRESS, else one of this machine; its CPUs.

    Raises `UserError` where there is none, or where it has nodes that cannot reach the store.
    """
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, ignore_reinit_error=True)
    except (ConnectionError, RuntimeError, ValueError, RayError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__).rstrip(".")
        raise UserError(
            f"no Ray cluster answers at {address or 'this machine'} ({reason}): start one."
        ) from error
    alive = [node for node in ray.nodes() if node["Alive"]]
    if len(alive) > 1 and not store.shared:
        raise UserError(
            f"a cluster of {len(alive)} machines wants servers that all of them reach, but runs, their files "
            "or their trials are kept in the folder of one: set MLFLOW_TRACKING_URI to a tracking server and "
            "ABLATION_OPTUNA_STORAGE to PostgreSQL."
        )
    return int(ray.cluster_resources().get("CPU", 1))


class RayEngine(Engine):
    """A CPU for each task, and a share of a GPU where `gpus` is not 0: then the cell trains on it."""

    def __init__(self, store: Store, address: str | None = None, gpus: float = 0.0) -> None:
        connect(address, store)  # again, where the engine of the study before has left it
        self._variables = {name: os.environ[name] for name in SETTINGS + FILES if name in os.environ}
        # Tries are the scheduler's to count, as for every engine.
        how: dict[str, Any] = {"num_cpus": 1, "num_gpus": gpus, "max_retries": 0, "max_calls": 0}
        self._compute = ray.remote(**how)(compute)
        self._gpus = gpus
        self._data: dict[str, Any] = {}

    def submit(self, task: Task) -> "Future[Outcome]":
        """A future of the task's outcome; its exception is `lost` where its process or its node died."""
        experiment, settings = task.experiment, task.settings
        source = experiment.source(settings)
        if source not in self._data:
            self._data[source] = ray.put(experiment.pack(settings))
        packages = origin(experiment.packages).packages
        ours: Future[Outcome] = Future()
        # A node works in a folder of its own.
        there = replace(task, store=task.store.absolute(), accelerator=self._gpus > 0)
        sent = self._compute.remote(there, self._data[source], self._variables, packages)
        sent.future().add_done_callback(lambda theirs: _forward(theirs, ours))
        return ours

    def lost(self, error: BaseException) -> bool:
        """See `Engine.lost`."""
        return isinstance(error, RayError) and not isinstance(error, RayTaskError)

    def close(self) -> None:
        """Leave the cluster, which ends what this process still has there."""
        ray.shutdown()


def compute(task: Task, data: Any, variables: dict[str, str], packages: dict[str, str]) -> Ended:
    """On a node: what `work` does with the task, or the exception that it raised."""
    try:
        if (here := origin(task.experiment.packages).packages) != packages:
            differing = sorted(name for name in here | packages if here.get(name) != packages.get(name))
            raise UserError(
                f"a node wants the packages of the machine that runs the study, but has others of "
                f"{', '.join(differing)}: install the same."
            )
        for name in SETTINGS:
            os.environ.pop(name, None)  # what was set where `ray start` was called
        os.environ |= variables | {name: os.environ[name] for name in FILES if name in os.environ}
        task.experiment.unpack(task.settings, data)
        placed = replace(task, store=Path.home() / HOME) if Store(task.store).shared else task
        with as_worker():
            return work(placed)
    except Exception as error:
        return error


def _forward(theirs: "Future[Ended]", ours: "Future[Outcome]") -> None:
    answer(ours, theirs.exception() or theirs.result())
