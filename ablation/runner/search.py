"""Search a study's settings for two objectives at once: Optuna is asked, workers compute, Optuna is told."""

from collections.abc import Callable

from ablation.emoji.run import identify
from ablation.runner.engines import Engine
from ablation.runner.plan import sources_of
from ablation.runner.scheduler import Progress, Scheduler
from ablation.runner.search_results import check_plan, settled_turns
from ablation.runner.trials import Trials, plan_of_search, searched
from ablation.runner.trials import check_search as check_search
from ablation.study import Study
from ablation.tracking.store import Store
from ablation.tracking.views import save_views


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
    Raises `UserError` where another process runs this search, or its plan has changed.
    """
    search, whole = check_search(study), searched(study)
    data = identify(whole.baseline).data
    check_plan(Trials.open(store, whole), store, study, data)
    store.create()
    with store.sole(f"study-{whole.name}", f"the search of {study.name}"):
        trials = Trials.create(store, whole)
        check_plan(trials, store, study, data)
        experiment = store.experiment(whole.name, {"mlflow.note.content": f"**{whole.question}**"})
        save_views(store, experiment, whole.varied, whole.measures)
        trials.abandon()
        settled = settled_turns(trials, store)
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
            crew = Scheduler(whole, store, trials, experiment, sources, progress, notify)
            turns = (trials.ask(turn, search, data) for turn in lacking)
            crew.work(turns, len(lacking), make_engine(workers), workers)
        return progress
