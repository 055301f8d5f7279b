"""Read runs back: the one that settles a fingerprint, and a study's runs and curves as data frames."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pandas as pd

from ablation.tracking.find import find, points
from ablation.tracking.rows import RunRow
from ablation.tracking.store import ROLE_CELL, Store

KEPT_TAGS = ("arm", "fingerprint", "outcome", "error", "reused_from", "built_on", "packages")
COMMIT = "mlflow.source.git.commit"
ROW_TAGS = (*KEPT_TAGS, COMMIT, "dirty", "seed")
CURVES = tuple(
    f"{side}_{name}" for side in ("train", "validation") for name in ("mse", "cross_entropy", "accuracy")
)


@dataclass(frozen=True)
class Settled:
    """A run that needs no other: finished, or diverged, which the same spec would do again.

    lacking: the measures that were asked for and that it does not have.
    """

    run_id: str
    experiment: str
    diverged: bool
    error: str = ""
    lacking: tuple[str, ...] = ()


def settled(store: Store, fingerprint: str, experiment: str, measures: Iterable[str] = ()) -> Settled | None:
    """The run of the fingerprint that finished or diverged, if any: the experiment's own before another's.

    Another experiment's run counts if it has all the `measures`; the own counts, and says what it lacks.
    """
    found = []
    for run in find(store, {"fingerprint": fingerprint}, metrics=True):
        if _final(run):
            error, diverged = run.tags.get("error", ""), run.tags.get("outcome") == "diverged"
            lacking = _lacking(run, measures)
            elsewhere = run.experiment != experiment
            if not (elsewhere and lacking):
                order = (elsewhere, "reused_from" in run.tags, run.started)
                found.append((order, Settled(run.run_id, run.experiment, diverged, error, lacking)))
    return min(found, key=lambda pair: pair[0])[1] if found else None


def finished_with(store: Store, trunk: str) -> list[str]:
    """The finished runs, oldest first, that trained what has the fingerprint `trunk`; mirrors left out."""
    runs = [run for tag in ("fingerprint", "trunk") for run in find(store, {tag: trunk}, status="FINISHED")]
    return [run.run_id for run in runs if not {"reused_from", "built_on"} & run.tags.keys()]


def standing(store: Store) -> pd.DataFrame:
    """The finished cell runs whose network is that of their own settings, in any experiment, as `cell_runs`
    has them: they trained it, or measured it anew.
    """
    runs = find(store, {"role": ROLE_CELL}, status="FINISHED", metrics=True)
    return pd.DataFrame(
        [_row(run) for run in runs if not {"reused_from", "quick"} & run.tags.keys() and _own(run)]
    )


def _own(run: RunRow) -> bool:
    """Whether the run took no weights, or those of a run of its own fingerprint."""
    return "built_on" not in run.tags or run.tags.get("trunk") == run.tags["fingerprint"]


def finished(store: Store, measures: Sequence[str] = ()) -> list[str]:
    """The fingerprints of the runs that need no other: finished with all the `measures`, or diverged."""
    found = find(store, {"role": ROLE_CELL}, metrics=bool(measures))
    return sorted({run.tags["fingerprint"] for run in found if _final(run) and not _lacking(run, measures)})


def running(store: Store) -> list[str]:
    """The fingerprints of the runs that say RUNNING."""
    runs = find(store, {}, status="RUNNING")
    return sorted({run.tags["fingerprint"] for run in runs if "fingerprint" in run.tags})


def bury(store: Store, fingerprint: str) -> list[str]:
    """End as KILLED the runs of the fingerprint that still say RUNNING; their ids.

    Call it under the fingerprint's lock alone: who holds it knows that their process is gone.
    """
    dead = []
    for run in find(store, {"fingerprint": fingerprint}, status="RUNNING"):
        store.client.set_tag(run.run_id, "outcome", "killed")
        # Not before it began: the clock may have jumped since, or be another machine's.
        store.client.set_terminated(run.run_id, "KILLED", max(run.started, int(time.time() * 1000)))
        dead.append(run.run_id)
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
    place = experiment.experiment_id
    runs = find(store, {"role": ROLE_CELL}, experiment=place, metrics=True, kept=ROW_TAGS)
    return (
        pd.DataFrame(map(_row, runs))
        if runs
        else pd.DataFrame(columns=["run_id", "status", "outcome", "fingerprint"])
    )


def curves(store: Store, runs: pd.DataFrame) -> pd.DataFrame:
    """Learning curves of the runs (columns run_id, arm, seed): arm, seed, epoch, metric, value."""
    found = points(store, list(runs["run_id"]), CURVES)
    place = found["run_id"].cat.codes.to_numpy()
    cells = {
        "arm": runs["arm"].astype("category").array.take(place),
        "seed": runs["seed"].to_numpy()[place],
    }
    named = found[["step", "name", "value"]].rename(columns={"step": "epoch", "name": "metric"})
    return pd.DataFrame(cells | {name: named[name].array for name in named})


def _final(run: RunRow) -> bool:
    """Whether the run finished, or diverged, which its spec would do again."""
    return run.status == "FINISHED" or run.tags.get("outcome") == "diverged"


def _lacking(run: RunRow, measures: Iterable[str]) -> tuple[str, ...]:
    """The measures that a final run does not have; a diverged one needs none."""
    if run.tags.get("outcome") == "diverged":
        return ()
    return tuple(name for name in measures if name not in run.metrics)


def _row(run: RunRow) -> dict[str, object]:
    tags = run.tags
    named = {key: tags.get(key, "") for key in KEPT_TAGS}
    code = tags.get(COMMIT, "") + ("+dirty" if tags.get("dirty") == "True" else "")
    place = {"run_id": run.run_id, "status": run.status, "experiment": run.experiment}
    started = datetime.fromtimestamp(run.started / 1000, UTC).isoformat(timespec="seconds")
    metrics: dict[str, object] = {name.rpartition("/")[2]: value for name, value in run.metrics.items()}
    seed = int(tags.get("seed", -1))
    return {**place, "started": started, "code": code, **named, "seed": seed, **metrics}
