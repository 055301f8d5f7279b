"""From the store to the reader: analyse a study's results, write its summary runs, export its files."""

from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from pathlib import Path
from typing import Any

import pandas as pd

from ablation.emoji.spec import flat
from ablation.report.export import export
from ablation.report.search import export_search
from ablation.runner.results import learning_curves, opened, results
from ablation.runner.search_results import search_results
from ablation.runner.tune import settle
from ablation.stats.analysis import Analysis, analyse
from ablation.study import Study
from ablation.tracking.arms import record_arm
from ablation.tracking.store import Store
from ablation.tracking.truths import gains_of_truths


@dataclass(frozen=True)
class Reading:
    """A study's cells, a row each, the numbers of seeds it was run with, and what every truth gained."""

    study: Study
    cells: pd.DataFrame
    looks: tuple[int, ...]
    truths: pd.DataFrame

    @cached_property
    def analysis(self) -> Analysis:
        """What follows from them."""
        return analyse(self.study, self.cells, int(self.cells.seed.nunique()), self.looks, self.truths)


def read(study: Study, store: Store, seeds: int | None = None) -> Reading:
    """The study's results in the store; `seeds` as it was last run if not given."""
    study = settle(study, store)
    cells = results(study, store, seeds)
    looks = tuple(opened(study, store).looks)
    truths = gains_of_truths(store, cells, study.measures)
    return Reading(study, cells, looks, truths)


def summarise(study: Study, store: Store, seeds: int | None = None) -> Analysis:
    """Write a summary run for every arm into MLflow, in place of older ones; the analysis that they show."""
    analysis = read(study, store, seeds).analysis
    experiment = store.experiment(study.name, {})
    for arm, spec in analysis.study.specs.items():
        settings = flat(spec)
        params = {name: settings[name] for name in study.columns}
        other = analysis.study.reference_of(arm)
        note = f"{arm}: means over seeds, their intervals, and differences to {other}.\n\n"
        record_arm(store, experiment, arm, params, _numbers(analysis, arm), note + analysis.conclusion)
    return analysis


def publish(study: Study, store: Store, to: Path, seeds: int | None = None) -> list[Path]:
    """Write the study's tables, figures, runs and provenance, and its search's, into `to`; the files."""
    reading = read(study, store, seeds)
    study, curves = reading.study, learning_curves(reading.cells, store)
    paths = export(
        study, reading.cells, curves, to, _provenance(reading.cells), reading.looks, reading.truths
    )
    trials = search_results(study, store)
    return paths if trials is None else paths + export_search(study, trials, to)


def _numbers(analysis: Analysis, arm: str) -> dict[str, float]:
    """The arm's finite numbers: mean, interval and difference of each measure, and the least n of them."""
    numbers: dict[str, float] = {}
    for name in analysis.study.measures:
        mean, effect = analysis.means[arm, name], analysis.effect(arm, name)
        numbers |= {name: mean.mean, f"{name} low": mean.low, f"{name} high": mean.high}
        numbers["n"] = min(numbers.get("n", mean.n), float(mean.n))
        if effect is not None:
            numbers[f"{name} difference"] = effect.estimate.mean
    return {name: value for name, value in numbers.items() if isfinite(value)}


def _provenance(cells: pd.DataFrame) -> dict[str, Any]:
    """What MLflow knows of each complete run, by fingerprint: where and when it was computed, how fast."""
    place = ["arm", "seed", "run_id", "reused_from", "built_on", "experiment"]
    known = [*place, "started", "code", "packages", "seconds"]
    kept = cells[cells.state == "complete"].set_index("fingerprint").reindex(columns=known)
    return {str(key): values for key, values in kept.to_dict("index").items()}
