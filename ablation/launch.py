"""Run a study from a notebook or a script: what `ablation run` does, without the terminal."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ablation.report.export import summarise
from ablation.runner.engines import ExecutorConfig, executor
from ablation.runner.recorded_plan import CodeChange
from ablation.runner.scheduler import Progress, run_study
from ablation.runner.tuning import tuning_of, with_tuned_values
from ablation.stats.analysis import Analysis
from ablation.study import Study
from ablation.tracking.store import Store


def run(
    study: Study,
    *,
    store: str | Path = "mlruns",
    seeds: int | None = None,
    workers: int | None = None,
    engine: str = "local",
    code: CodeChange = "",
    notify: Callable[[Progress], None] = lambda progress: None,
) -> Analysis:
    """Train every cell of the study that has no finished run in the folder `store`; what the runs say.

    `seeds`: replications of every arm, the study's own number if None. `workers`: cells at once, the engine's
    own number if None. `code`: where the code changed since earlier runs, "same" takes them for runs of the
    same code, "new" starts over. `notify` is called as cells end. Raises `UserError` where the study cannot
    run as declared; a cell that fails or diverges does not stop the others, and stands in
    `Analysis.caveats`.
    """
    place = Store(Path(store))
    hands = executor(engine, ExecutorConfig(place, workers), [study.experiment])
    study = with_tuned_values(study, place, anew=code == "new")
    if study.tuned and (code == "new" or not study.chosen):
        run_study(tuning_of(study), place, hands.make, hands.cells, None, notify, code)
        study = with_tuned_values(replace(study, chosen={}), place, anew=code == "new")
    run_study(study, place, hands.make, hands.cells, seeds, notify, code)
    return summarise(study, place, seeds or study.seeds)
