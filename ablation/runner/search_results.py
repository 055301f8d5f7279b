"""What came of a search, turn by turn; read back without the libraries that train."""

import pandas as pd
from optuna.trial import TrialState

from ablation.runner.plan import check_unchanged
from ablation.runner.trials import Trials, plan_of_search, searched
from ablation.study import Study
from ablation.tracking.read import cell_runs
from ablation.tracking.store import Store


def search_results(study: Study, store: Store) -> pd.DataFrame | None:
    """One row a settled trial, by its turn; None where the study has no search or no trial of it settled.

    Columns: number (the turn, from 0), state ("complete" or "diverged"), fingerprint, run_id, error, then
    the searched settings and the objectives (NaN where it diverged). Raises `UserError` where the plan changed.
    """
    trials = Trials.open(store, searched(study)) if study.search else None
    if trials is None or trials.plan is None:
        return None
    check_plan(trials, store, study, trials.plan["data"])
    found = settled_turns(trials, store)
    return None if found.empty else found.reset_index(drop=True)


def check_plan(trials: Trials | None, store: Store, study: Study, data: str) -> None:
    """Raise `UserError` where trials are settled, and their plan is not that of the declared search."""
    if trials is not None and trials.plan and not settled_turns(trials, store).empty:
        check_unchanged(trials.study, trials.plan, plan_of_search(study, data))


def settled_turns(trials: Trials, store: Store) -> pd.DataFrame:
    """The rows of `search_results`, by the trials' names. That a run diverged is what its tags say."""
    runs = cell_runs(store, trials.study.name)
    runs = runs[(runs.status == "FINISHED") | (runs.outcome == "diverged")]
    runs = runs.drop_duplicates("fingerprint").set_index("fingerprint")
    names, columns = list(trials.study.measures), ["number", "state", "fingerprint", "run_id", "error"]
    rows = {}
    for turn, trial in sorted(trials.last().items()):
        key = trial.user_attrs["fingerprint"]
        run = runs.loc[key] if key in runs.index else pd.Series({"run_id": "", "error": "", "outcome": ""})
        if trial.state == TrialState.COMPLETE or run.outcome == "diverged":
            state = "complete" if trial.state == TrialState.COMPLETE else "diverged"
            place = dict(zip(columns, (turn, state, key, run.run_id, run.error), strict=True))
            values = dict(zip(names, trial.values or (float("nan"),) * len(names), strict=True))
            rows[f"trial {turn}"] = place | trial.params | values
    return pd.DataFrame.from_dict(rows, orient="index", columns=None if rows else columns)
