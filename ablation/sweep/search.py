"""Search a study's settings for two objectives at once: Optuna is asked, workers compute, Optuna is told."""

from collections.abc import Callable

import pandas as pd
from optuna.trial import TrialState

from ablation.learn.run import identify
from ablation.study import Study
from ablation.sweep.crew import Crew, Progress
from ablation.sweep.engine import Engine
from ablation.sweep.plan import check_unchanged, sources_of
from ablation.sweep.trials import Trials, plan_of_search, searched
from ablation.sweep.trials import check_search as check_search
from ablation.track.read import cell_runs
from ablation.track.store import Store
from ablation.track.views import save_views


def run_search(
    study: Study,
    store: Store,
    make_engine: Callable[[int], Engine],
    workers: int,
    notify: Callable[[Progress], None] = lambda progress: None,
) -> Progress:
    """Take every turn of the study's search that has no settled trial, `workers` at a time.

    A run that diverged settles its trial; one that failed otherwise is tried again by the next search.
    With one worker two searches of one study are equal, interrupted or not. With several, the order in
    which trials end decides what the sampler knows when it is asked next, so they are not.
    Raises `Mistake` where another process runs this search, or its plan has changed.
    """
    search, whole = check_search(study), searched(study)
    data = identify(whole.baseline).data
    _check_plan(Trials.open(store, whole), store, study, data)
    store.create()
    with store.sole(f"study-{whole.name}", f"the search of {study.name}"):
        trials = Trials.create(store, whole)
        _check_plan(trials, store, study, data)
        experiment = store.experiment(whole.name, {"mlflow.note.content": f"**{whole.question}**"})
        save_views(store, experiment, whole.varied, whole.measures)
        trials.abandon()
        settled = _settled(trials, store)
        if settled.empty:
            trials.plan = plan_of_search(study, data)
        progress = Progress(search.trials, failed=dict(settled.error[settled.state == "diverged"]))
        progress.there = int((settled.state == "complete").sum())
        lacking = [turn for turn in range(search.trials) if turn not in set(settled.number)]
        if progress.done:
            progress.last = f"{progress.done} trials were there already"
        notify(progress)
        if lacking:
            workers = min(workers, len(lacking))
            sources = {sources_of(whole.baseline): data}
            crew = Crew(whole, store, trials, experiment, sources, progress, notify)
            turns = (trials.ask(turn, search, data) for turn in lacking)
            crew.work(turns, len(lacking), make_engine(workers), workers)
        return progress


def search_results(study: Study, store: Store) -> pd.DataFrame | None:
    """One row a settled trial, by its turn; None where the study has no search or no trial of it settled.

    Columns: number (the turn, from 0), state ("complete" or "diverged"), fingerprint, run_id, error, then
    the searched settings and the objectives (NaN where it diverged). Raises `Mistake` where the plan changed.
    """
    trials = Trials.open(store, searched(study)) if study.search else None
    if trials is None or trials.plan is None:
        return None
    _check_plan(trials, store, study, trials.plan["data"])
    found = _settled(trials, store)
    return None if found.empty else found.reset_index(drop=True)


def _check_plan(trials: Trials | None, store: Store, study: Study, data: str) -> None:
    if trials is not None and trials.plan and not _settled(trials, store).empty:
        check_unchanged(trials.study, trials.plan, plan_of_search(study, data))


def _settled(trials: Trials, store: Store) -> pd.DataFrame:
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
