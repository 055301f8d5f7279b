"""Read runs back: the one that settles a fingerprint, a study's runs, curves and items as data frames."""

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from io import BytesIO
from typing import Any

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException

from ablation.experiment import SIDES, Experiment
from ablation.stats.items import ITEM_COLUMNS
from ablation.tracking.artifacts import artifact
from ablation.tracking.availability import is_unavailable
from ablation.tracking.cache import Curve, as_logged, curve_of, recall, remember
from ablation.tracking.journal_on_disk import remove_dead
from ablation.tracking.origin import COMMIT
from ablation.tracking.store import ROLE_CELL, Store, paged

REMARKS = "remarks"
"""The tag of a run with what its experiment remarks of the data, a line each."""
KEPT_TAGS = (
    *("arm", "fingerprint", "outcome", "failure", "reused_from", "built_on", "packages", "items"),
    REMARKS,
)
SECTIONS = "sections"
"""The tag of a run that names the sections of its metrics, as in "speed" for "speed/seconds"."""
OPEN = "running"
"""The tag `outcome` of a run that another process may end before we do (`Experiment.logs_itself`)."""
SAME_CODE = "code_taken_for_the_same"
"""The tag of a run whose code its study declared to be that of earlier runs: no other study may take it."""
NOTE = "note."
"""How the tags begin that have the notes of a run (`Run.note`)."""
ITEMS = "items.csv"
MACHINE = "system/"
"""How the names of the metrics begin that MLflow itself takes of a machine."""


@dataclass(frozen=True)
class RunRow:
    """A recorded run; started in milliseconds of Unix time. status: MLflow's, but RUNNING until it is we who
    ended it. metrics: the last value of each, by its name in the experiment, without the section.
    """

    run_id: str
    experiment: str
    status: str
    started: int
    tags: dict[str, str]
    metrics: dict[str, float]

    @property
    def diverged(self) -> bool:
        """Whether the settings made training diverge, which they would do again."""
        return self.tags.get("outcome") == "diverged"

    @property
    def final(self) -> bool:
        """Whether the run needs no other: it finished or diverged."""
        return self.status == "FINISHED" or self.diverged

    def lacking(self, measures: Iterable[str]) -> list[str]:
        """The measures that a final run does not have; a diverged one needs none."""
        return [] if self.diverged else [name for name in measures if name not in self.metrics]


def find(store: Store, tags: Mapping[str, str], *, status: str = "", experiment: str = "") -> list[RunRow]:
    """The active runs with these tags, oldest first, of one experiment or of all that are ours.

    status: MLflow's own, to which `RunRow.status` is held, too.
    """
    words = [f"tags.`{key}` = '{value}'" for key, value in tags.items()]
    words += [f"attributes.status = '{status}'"] if status else []
    places = [experiment] if experiment else [one.experiment_id for one in store.experiments()]
    if not places:
        return []
    order = ["attributes.start_time ASC"]
    search = partial(store.client.search_runs, places, " and ".join(words), order_by=order)
    found = [_found(run) for run in paged(search)]
    return [run for run in found if status in ("", run.status)]


def settled(store: Store, fingerprint: str, place: str, measures: Collection[str] = ()) -> RunRow | None:
    """The run of the fingerprint that is final, if any: that of the experiment `place` first.

    Another experiment's run counts if it has all the `measures`; the own counts whatever it lacks.
    """
    return _settling(find(store, {"fingerprint": fingerprint}), place, measures)


def settled_alone(store: Store, fingerprint: str, place: str, measures: Collection[str]) -> RunRow | None:
    """`mark_killed`, and then `settled`, by one search. Call it under the fingerprint's lock alone."""
    remove_dead(store, fingerprint)
    runs = find(store, {"fingerprint": fingerprint})
    _end_running(store, runs)
    return _settling(runs, place, measures)


def _settling(runs: Iterable[RunRow], place: str, measures: Collection[str]) -> RunRow | None:
    final = (run for run in runs if run.final)
    return min(
        (
            run
            for run in final
            if run.experiment == place or not (SAME_CODE in run.tags or run.lacking(measures))
        ),
        key=lambda run: (run.experiment != place, "reused_from" in run.tags, run.started),
        default=None,
    )


def finished_with(store: Store, training: str) -> list[str]:
    """The finished runs, oldest first, that trained what has this fingerprint of training settings."""
    runs = find(store, {"training": training}, status="FINISHED")
    return [run.run_id for run in runs if not {"reused_from", "built_on", SAME_CODE} & run.tags.keys()]


def standing(store: Store, quick: bool = False) -> pd.DataFrame:
    """The finished cell runs, in any study, that hold what their own settings train, as `cell_runs` has them:
    they trained it, or measured it anew. Those of a smoke budget where `quick`, else the others.
    """
    runs = [
        run
        for run in find(store, {"role": ROLE_CELL}, status="FINISHED")
        if "reused_from" not in run.tags
        and ("quick" in run.tags) == quick
        and ("built_on" not in run.tags or run.tags.get("training") == run.tags["fingerprint"])
    ]
    return pd.DataFrame(map(_row, runs))


def finished(store: Store, measures: Collection[str] = ()) -> set[str]:
    """The fingerprints of the final runs that have all the `measures`."""
    found = find(store, {"role": ROLE_CELL})
    return {run.tags["fingerprint"] for run in found if run.final and not run.lacking(measures)}


def tags_of(store: Store, run_id: str) -> dict[str, str] | None:
    """The tags of a run; None where the store has no such run."""
    try:
        return dict(store.client.get_run(run_id).data.tags)
    except MlflowException as error:
        if is_unavailable(error):
            raise
        return None


def metrics_of(store: Store, run_id: str) -> dict[str, float]:
    """The metrics of a run, as `RunRow` has them."""
    return _found(store.client.get_run(run_id)).metrics


def running(store: Store) -> list[str]:
    """The fingerprints of the runs that say RUNNING."""
    runs = [*find(store, {}, status="RUNNING"), *find(store, {"outcome": OPEN})]
    return sorted({run.tags["fingerprint"] for run in runs if "fingerprint" in run.tags})


def end_running(store: Store, fingerprint: str) -> list[str]:
    """End as KILLED, in MLflow, the runs of the fingerprint that say RUNNING; their ids."""
    return _end_running(store, find(store, {"fingerprint": fingerprint}))


def _end_running(store: Store, runs: Iterable[RunRow]) -> list[str]:
    dead = []
    for run in runs:
        if run.status != "RUNNING":
            continue
        store.client.set_tag(run.run_id, "outcome", "killed")
        # Not before it began: the clock may have jumped since, or be another machine's.
        store.client.set_terminated(run.run_id, "KILLED", max(run.started, int(time.time() * 1000)))
        dead.append(run.run_id)
    return dead


def mark_killed(store: Store, fingerprint: str) -> list[str]:
    """End as KILLED the runs of the fingerprint that still say RUNNING, and drop their journals; their ids.

    Call it under the fingerprint's lock alone: holding the lock proves that their process died.
    """
    remove_dead(store, fingerprint)
    return end_running(store, fingerprint)


def mark_killed_if_free(store: Store, fingerprints: Iterable[str]) -> dict[str, list[str] | None]:
    """`mark_killed` each fingerprint whose lock is free: the ids that ended, or None where it is computed."""
    ended: dict[str, list[str] | None] = {}
    for fingerprint in fingerprints:
        with store.free(cell_lock(fingerprint)) as dead:
            ended[fingerprint] = mark_killed(store, fingerprint) if dead else None
    return ended


def cell_lock(fingerprint: str) -> str:
    """The name of the lock that whoever computes the fingerprint holds."""
    return f"cell-{fingerprint}"


def cell_runs(store: Store, study: str) -> pd.DataFrame:
    """One row a cell run of the study's experiment, oldest first.

    Columns: run_id, experiment, status, started (UTC), code (commit), packages, remarks, outcome, error, arm,
    seed, fingerprint, reused_from, a column note_NAME a note, and a column a metric.
    """
    place = store.place_of(study)
    runs = find(store, {"role": ROLE_CELL}, experiment=place) if place else []
    columns = None if runs else ["run_id", "status", "outcome", "fingerprint"]
    return pd.DataFrame(map(_row, runs), columns=columns)


def curve_names(experiment: Experiment) -> tuple[str, ...]:
    """The names under which the curves that the experiment declares are logged: x, train_x, validation_x."""
    return tuple(f"{side}{name}" for side in ("", *(f"{s}_" for s in SIDES)) for name in experiment.curves)


def logged_curves(store: Store, run_ids: Iterable[str]) -> tuple[str, ...]:
    """The metrics that these runs, which ended, logged at more than one step; in alphabetical order."""
    found = set()
    for run_id in run_ids:
        logged = curves_of(store, run_id, sorted(metrics_of(store, run_id)))
        found |= {name for name, curve in logged.items() if len(curve) > 1}
    return tuple(sorted(name for name in found if not name.startswith(MACHINE)))


def curves_of(store: Store, run_id: str, names: Sequence[str]) -> dict[str, Curve]:
    """The curves of a run that ended, empty where it has none of that name."""
    found = recall(store, run_id, names)
    if found is None:
        found = {name: _history(store, run_id, name) for name in names}
        remember(store, run_id, found)
    return found


def curves(store: Store, runs: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Learning curves of runs that ended (columns run_id, arm, seed): arm, seed, step, metric, value.

    Rows are in the order of runs, names and steps.
    """
    points = [
        (arm, seed, step, name, value)
        for run_id, arm, seed in zip(runs["run_id"], runs["arm"], runs["seed"], strict=True)
        for name, curve in curves_of(store, run_id, names).items()
        for step, value in curve
    ]
    return pd.DataFrame(points, columns=["arm", "seed", "step", "metric", "value"]).astype(
        {
            "arm": runs["arm"].astype("category").dtype,
            "seed": np.int64,
            "step": np.int64,
            "metric": pd.CategoricalDtype(list(names)),
            "value": np.float64,
        }
    )


def items_of(store: Store, cells: pd.DataFrame) -> pd.DataFrame:
    """What complete cells kept of single test items: arm, seed, measure, group, item, value.

    cells: a row a cell with arm, seed, state, run_id, reused_from and items. No rows where no run kept any.
    """
    found = []
    kept = cells[(cells["state"] == "complete") & (cells["items"] != "")] if "items" in cells else cells[:0]
    for cell in kept.to_dict("records"):
        original = cell.get("reused_from")  # a mirrored run keeps no files of its own
        run_id = str(original if isinstance(original, str) and original else cell["run_id"])
        content = artifact(store, run_id, ITEMS)
        if content is not None:
            rows = pd.read_csv(BytesIO(content), dtype=str, keep_default_na=False)
            rows["value"] = rows["value"].map(float)  # to the last bit
            found.append(rows[list(ITEM_COLUMNS)].assign(arm=cell["arm"], seed=cell["seed"]))
    columns = ["arm", "seed", *ITEM_COLUMNS]
    return pd.concat(found, ignore_index=True)[columns] if found else pd.DataFrame(columns=columns)


def plain_metrics(metrics: Mapping[str, float], tags: Mapping[str, str]) -> dict[str, float]:
    """The metrics of a run with these tags by their names in the experiment: without a section's name."""
    sections = tuple(f"{name}/" for name in tags.get(SECTIONS, "").split(", ") if name)
    return {
        name.partition("/")[2] if name.startswith(sections or "/") else name: value
        for name, value in metrics.items()
    }


def _found(run: Any) -> RunRow:
    info, tags = run.info, run.data.tags
    logged = {name: as_logged(value) for name, value in run.data.metrics.items()}
    metrics = plain_metrics(logged, tags)
    status = "RUNNING" if tags.get("outcome") == OPEN else info.status
    return RunRow(info.run_id, info.experiment_id, status, info.start_time, tags, metrics)


def _history(store: Store, run_id: str, name: str) -> Curve:
    try:
        points = store.client.get_metric_history(run_id, name)
    except MlflowException as error:
        if is_unavailable(error):
            raise
        return []
    return curve_of(
        (p.step, p.value) for p in sorted(points, key=lambda point: (point.step, point.timestamp))
    )


def _row(run: RunRow) -> dict[str, object]:
    tags = run.tags
    named = {key: tags.get(key, "") for key in KEPT_TAGS}
    code = tags.get(COMMIT, "") + ("+dirty" if tags.get("dirty") == "True" else "")
    place = {"run_id": run.run_id, "status": run.status, "experiment": run.experiment}
    started = datetime.fromtimestamp(run.started / 1000, UTC).isoformat(timespec="seconds")
    seed = int(tags.get("seed", -1))
    notes = {f"note_{key.removeprefix(NOTE)}": text for key, text in tags.items() if key.startswith(NOTE)}
    return {**place, "started": started, "code": code, **named, **notes, "seed": seed, **run.metrics}
