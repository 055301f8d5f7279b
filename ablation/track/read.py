"""Read runs back: the one that settles a fingerprint, and a study's runs and curves as data frames."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pandas as pd
from mlflow.entities import Run, ViewType

from ablation.track.store import ROLE_CELL, Store

PAGE = 1000  # runs asked for at once
KEPT_TAGS = ("arm", "fingerprint", "outcome", "error", "reused_from", "built_on", "packages")
CURVES = tuple(
    f"{side}_{name}" for side in ("train", "validation") for name in ("mse", "cross_entropy", "accuracy")
)


@dataclass(frozen=True)
class Settled:
    """A run that needs no other: finished, or diverged, which the same spec would do again."""

    run_id: str
    experiment: str
    diverged: bool
    error: str = ""


def settled(store: Store, fingerprint: str, experiment: str) -> Settled | None:
    """The run of the fingerprint that finished or diverged, if any: the experiment's own before another's."""
    found = []
    for run in _search(store, _all(store), f"tags.fingerprint = '{fingerprint}'"):
        diverged = run.data.tags.get("outcome") == "diverged"
        if run.info.status == "FINISHED" or diverged:
            mirrored = "reused_from" in run.data.tags
            order = (run.info.experiment_id != experiment, mirrored, run.info.start_time)
            error = run.data.tags.get("error", "")
            found.append((order, Settled(run.info.run_id, run.info.experiment_id, diverged, error)))
    return min(found, key=lambda pair: pair[0])[1] if found else None


def finished_with(store: Store, trunk: str) -> list[str]:
    """The finished runs, oldest first, that trained what has the fingerprint `trunk`; mirrors left out."""
    runs = [
        run
        for tag in ("fingerprint", "trunk")
        for run in _search(store, _all(store), f"tags.{tag} = '{trunk}' and attributes.status = 'FINISHED'")
    ]
    return [run.info.run_id for run in runs if not {"reused_from", "built_on"} & run.data.tags.keys()]


def standing(store: Store) -> pd.DataFrame:
    """The finished cell runs that trained, in any experiment, as `cell_runs` has them."""
    text = f"tags.role = '{ROLE_CELL}' and attributes.status = 'FINISHED'"
    runs = (run for run in _search(store, _all(store), text))
    rows = [_row(run) for run in runs if not {"reused_from", "built_on", "quick"} & run.data.tags.keys()]
    return pd.DataFrame(rows)


def finished(store: Store) -> list[str]:
    """The fingerprints of the runs that need no other: finished, or diverged."""
    runs = _search(store, _all(store), f"tags.role = '{ROLE_CELL}'")
    good = (
        run for run in runs if run.info.status == "FINISHED" or run.data.tags.get("outcome") == "diverged"
    )
    return sorted({run.data.tags["fingerprint"] for run in good})


def running(store: Store) -> list[str]:
    """The fingerprints of the runs that say RUNNING."""
    runs = _search(store, _all(store), "attributes.status = 'RUNNING'")
    return sorted({run.data.tags["fingerprint"] for run in runs if "fingerprint" in run.data.tags})


def bury(store: Store, fingerprint: str) -> list[str]:
    """End as KILLED the runs of the fingerprint that still say RUNNING; their ids.

    Call it under the fingerprint's lock alone: who holds it knows that their process is gone.
    """
    dead = []
    text = f"attributes.status = 'RUNNING' and tags.fingerprint = '{fingerprint}'"
    for run in _search(store, _all(store), text):
        store.client.set_tag(run.info.run_id, "outcome", "killed")
        store.client.set_terminated(run.info.run_id, "KILLED")
        dead.append(run.info.run_id)
    return dead


def bury_free(store: Store, fingerprints: Iterable[str]) -> dict[str, list[str] | None]:
    """`bury` each fingerprint whose lock is free: the ids that ended, or None where it is being computed."""
    ended: dict[str, list[str] | None] = {}
    for fingerprint in fingerprints:
        with store.free(cell_lock(fingerprint)) as dead:
            ended[fingerprint] = bury(store, fingerprint) if dead else None
    return ended


def cell_lock(fingerprint: str) -> str:
    """The name of the lock that whoever computes the fingerprint holds."""
    return f"cell-{fingerprint}"


def cell_runs(store: Store, study: str) -> pd.DataFrame:
    """One row a cell run of the study's experiment, oldest first.

    Columns: run_id, experiment, status, started (UTC), code (commit), packages, outcome, error, arm, seed,
    fingerprint, reused_from, and a column a metric.
    """
    experiment = store.client.get_experiment_by_name(study)
    if experiment is None:
        return pd.DataFrame(columns=["run_id", "status", "outcome", "fingerprint"])
    rows = [_row(run) for run in _search(store, [experiment.experiment_id], f"tags.role = '{ROLE_CELL}'")]
    return (
        pd.DataFrame(rows) if rows else pd.DataFrame(columns=["run_id", "status", "outcome", "fingerprint"])
    )


def curves(store: Store, runs: pd.DataFrame) -> pd.DataFrame:
    """Learning curves of the runs (columns run_id, arm, seed): arm, seed, epoch, metric, value."""
    rows = [
        (arm, seed, point.step, name, point.value)
        for run_id, arm, seed in runs[["run_id", "arm", "seed"]].itertuples(index=False)
        for name in CURVES
        for point in store.client.get_metric_history(run_id, name)
    ]
    return pd.DataFrame(rows, columns=["arm", "seed", "epoch", "metric", "value"])


def _row(run: Run) -> dict[str, object]:
    tags = run.data.tags
    named = {key: tags.get(key, "") for key in KEPT_TAGS}
    code = tags.get("mlflow.source.git.commit", "") + ("+dirty" if tags.get("dirty") == "True" else "")
    place = {"run_id": run.info.run_id, "status": run.info.status, "experiment": run.info.experiment_id}
    started = datetime.fromtimestamp(run.info.start_time / 1000, UTC).isoformat(timespec="seconds")
    metrics = {name.rpartition("/")[2]: value for name, value in run.data.metrics.items()}
    return place | {"started": started, "code": code} | named | {"seed": int(tags.get("seed", -1))} | metrics


def _all(store: Store) -> list[str]:
    return [experiment.experiment_id for experiment in store.client.search_experiments()]


def _search(store: Store, experiments: list[str], text: str) -> Iterator[Run]:
    """Every run that matches, page by page, oldest first."""
    token = None
    while True:
        page = store.client.search_runs(
            experiments, text, ViewType.ACTIVE_ONLY, PAGE, ["attributes.start_time ASC"], token
        )
        yield from page
        token = page.token
        if not token:
            return
