"""A study's results, a row a cell: Optuna's state and MLflow's numbers, tied by the fingerprint."""

from collections.abc import Mapping

import pandas as pd
from optuna.trial import TrialState

from ablation.errors import UserError
from ablation.runner.existing_runs import existing
from ablation.runner.ledger import Ledger, cells_in
from ablation.runner.recorded_plan import check_unchanged, fingerprints, plan_of
from ablation.stats.cells import MISSING, STOPPED
from ablation.study import Study
from ablation.tracking.read import cell_runs, curve_names, curves, logged_curves
from ablation.tracking.store import Store


def results(study: Study, store: Store, seeds: int | None = None) -> pd.DataFrame:
    """One row a cell of the plan, in its order: arm, seed, state, fingerprint, run_id, and the run's columns.

    state: "complete", "diverged", "failed", "running", "missing" (an interrupted cell, too) or "stopped" (one
    that never ran, since no undecided claim needed its arm any more). Without `seeds`, as
    many as `run` was last asked for. Raises `UserError` where the study was never run, or its plan has
    changed since.
    Of a study whose runs exist already, a row each run that counts.
    """
    if study.runs is not None:
        return existing(study, store).cells
    ledger = opened(study, store)
    versions, states = ledger.plan["versions"], ledger.states()
    if TrialState.COMPLETE in states.values():
        check_unchanged(study, ledger.plan, plan_of(study, versions))
    cells = fingerprints(study, study.cells(seeds or ledger.seed_counts[-1]), versions)
    found = cell_runs(store, study.name)
    runs, failed = accepted(found), set(found.fingerprint[found.outcome == "failed"])
    status, outcome = dict(runs.status), dict(runs.outcome)
    plan = {
        "arm": [cell.arm for cell in cells.values()],
        "seed": [cell.seed for cell in cells.values()],
        "state": [_state(states.get(k), status.get(k), outcome.get(k), k in failed) for k in cells],
        "fingerprint": list(cells),
    }
    return _joined(_with_stopped(pd.DataFrame(plan), ledger.stopped, study.first_seed), runs)


def recorded(store: Store, name: str) -> pd.DataFrame:
    """The cells of a study in the store, whatever its file says now: arm, seed and state, as in `results`."""
    cells, stopped = cells_in(store, name)
    found = cell_runs(store, name)
    runs, failed = accepted(found), set(found.fingerprint[found.outcome == "failed"])
    status, outcome = dict(runs.status), dict(runs.outcome)
    rows = [
        (arm, seed, _state(trial, status.get(key), outcome.get(key), key in failed))
        for key, (arm, seed, trial) in cells.items()
    ]
    frame = pd.DataFrame(rows, columns=["arm", "seed", "state"])
    return _with_stopped(frame, stopped, min(frame["seed"], default=0))


def _with_stopped(cells: pd.DataFrame, stopped: Mapping[str, int], first: int) -> pd.DataFrame:
    """The cells; those missing after the last seed, counted from `first`, of a stopped arm are "stopped"."""
    after = cells["arm"].map(stopped) <= cells["seed"] - first  # never, where an arm was not stopped
    return cells.assign(state=cells["state"].mask(after & cells["state"].eq(MISSING), STOPPED))


def opened(study: Study, store: Store) -> Ledger:
    """The ledger of a study that has been run; else a `UserError`."""
    ledger = Ledger.open(store, study)
    if ledger is None:
        raise UserError(f"{study.name} has no runs in {store.root}: run it first, or name another --store.")
    return ledger


def learning_curves(study: Study, frame: pd.DataFrame, store: Store) -> pd.DataFrame:
    """The learning curves of the complete cells of `results`: arm, seed, step, metric, value.

    They are those that the experiment declares, else those that the first run of each arm logged.
    """
    complete = frame[frame.state == "complete"] if study.runs is None else frame[:0]  # not in the store
    names = curve_names(study.experiment) or logged_curves(store, complete.drop_duplicates("arm").run_id)
    return curves(store, complete, names)


def _joined(plan: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """The cells with the columns of their runs, where these are complete or diverged."""
    counted = plan.fingerprint[plan.state.isin(["complete", "diverged"])]
    own = runs.drop(columns=["arm", "seed"], errors="ignore").loc[counted]
    kept = own.reindex(plan.fingerprint).reset_index(drop=True)
    texts = {name: kept[name].fillna("") if name in kept else "" for name in ("run_id", "failure")}
    return pd.concat([plan, kept.assign(**texts)], axis=1)


def accepted(runs: pd.DataFrame) -> pd.DataFrame:
    """The run that counts for each fingerprint: the first that finished, else the first that diverged."""
    counted = runs[(runs.status == "FINISHED") | (runs.outcome == "diverged")]
    order = counted.assign(diverged=counted.outcome == "diverged").sort_values("diverged", kind="stable")
    return order.drop(columns="diverged").drop_duplicates("fingerprint").set_index("fingerprint")


def _state(trial: TrialState | None, status: str | None, outcome: str | None, failed: bool) -> str:
    """Of a cell: by its trial, the status and outcome of its run, and whether any run of it failed."""
    if trial == TrialState.COMPLETE and status == "FINISHED":
        return "complete"
    if outcome == "diverged":
        return "diverged"
    if trial == TrialState.RUNNING:
        return "running"
    return "failed" if trial == TrialState.FAIL and failed else "missing"
