"""A study to a folder: tables, figures, every run, and the way back from each number to its runs."""

from dataclasses import dataclass
from functools import cached_property, partial
from math import isfinite
from pathlib import Path
from typing import Any

import pandas as pd

from ablation.errors import UserError
from ablation.files import folder, replace, write
from ablation.formatting import SMOKE
from ablation.report import figures
from ablation.report.data_files import items_csv, provenance_json, runs_csv, verdicts_csv
from ablation.report.formats import FORMATS, render
from ablation.report.search import write_search
from ablation.report.table import tabulate
from ablation.runner.existing_runs import existing, existing_items
from ablation.runner.results import learning_curves, opened, results
from ablation.runner.search import search_results
from ablation.runner.tables import Runs
from ablation.runner.tuning import with_tuned_values
from ablation.settings import flat
from ablation.stats.analysis import Analysis, analyse
from ablation.study import Study
from ablation.tracking.arms import record_arm
from ablation.tracking.read import items_of
from ablation.tracking.store import Store

SAME_CODE = "The runs come from {} versions of the experiment's code, which were declared to be the same."


@dataclass(frozen=True)
class StudyResults:
    """A study and what a store holds of it: a row a cell, and the values of single test items.

    seed_counts: with how many seeds the study was run, each time, in order. items: columns arm, seed,
    measure, group, item and value; None or empty where there are none. remarks: sentences on the runs.
    """

    study: Study
    cells: pd.DataFrame
    seed_counts: tuple[int, ...] = ()
    items: pd.DataFrame | None = None
    remarks: tuple[str, ...] = ()

    @cached_property
    def analysis(self) -> Analysis:
        """What follows from them."""
        seeds = int(self.cells.seed.nunique())
        return analyse(self.study, self.cells, seeds, self.seed_counts, self.items, self.remarks)


def read(study: Study, store: Store, seeds: int | None = None) -> StudyResults:
    """The study's results in the store, or its runs that exist; `seeds` as it was last run if not given."""
    if study.runs is not None:
        if seeds is not None:
            raise UserError(f"the runs of {study.name or 'the study'} exist already: leave out --seeds.")
        return read_existing(study, store)
    study = with_tuned_values(study, store)
    cells = results(study, store, seeds)
    items = items_of(store, cells)
    # A run that another study computed may have items of measures that this one does not name.
    own = items[items["measure"].isin(list(study.measures))]
    ledger = opened(study, store)
    remarks = (SAME_CODE.format(len(ledger.same_code) + 1),) if ledger.same_code else ()
    return StudyResults(study, cells, tuple(ledger.seed_counts), own, remarks)


def read_existing(study: Study, store: Store, runs: Runs | None = None) -> StudyResults:
    """The results of a study whose runs exist; runs: what its `Tracked` names, if they are read already."""
    found = existing(study, store, runs)
    return StudyResults(study, found.cells, (), existing_items(study, store, found.cells), found.remarks)


def summarise(study: Study, store: Store, seeds: int | None = None) -> Analysis:
    """Write a summary run for every arm into MLflow, in place of older ones; the analysis that they show."""
    analysis = read(study, store, seeds).analysis
    experiment = store.experiment(study.name, {})
    for arm, one in analysis.study.settings.items():
        settings = flat(one)
        params = {name: settings[name] for name in study.columns}
        other = analysis.study.reference_of(arm)
        note = f"{arm}: means over seeds, their intervals, and differences to {other}.\n\n"
        record_arm(store, experiment, arm, params, _numbers(analysis, arm), note + analysis.conclusion)
    return analysis


def publish(study: Study, store: Store, to: Path, seeds: int | None = None) -> list[Path]:
    """Write all files of a study in the store into `to`, and those of its search; their paths."""
    return write_results(read(study, store, seeds), store, to)


def write_results(found: StudyResults, store: Store, to: Path) -> list[Path]:
    """Write all files of these results into `to`, with curves and search as the store has them."""
    paths = write_files(found, learning_curves(found.study, found.cells, store), to)
    trials = search_results(found.study, store)
    return paths if trials is None else paths + write_search(found.study, trials, to)


def write_files(found: StudyResults, curves: pd.DataFrame, to: Path) -> list[Path]:
    """Write tables, figures, runs.csv, verdicts.csv and provenance.json into `to`; return their paths.

    `curves` has the columns arm, seed, step, metric and value. Where there are items, items.csv lists them,
    and verdicts.csv also has the effect of each claim clustered by item and seed. A file is replaced whole
    or not at all.
    """
    if found.cells.empty:
        raise UserError(f"study {found.study.name!r} has no cells to export: run it first.")
    analysis = found.analysis
    table = tabulate(analysis)
    texts = {f"table.{format}": render(table, format) for format in FORMATS}
    texts["runs.csv"] = runs_csv(found.study, found.cells, analysis.seeds)
    texts["verdicts.csv"] = verdicts_csv(analysis)
    texts["provenance.json"] = provenance_json(analysis, _provenance(found.cells))
    if found.items is not None and len(found.items):
        texts["items.csv"] = items_csv(found.items)
    drawn = {
        "effects": figures.effects(analysis),
        "measures": figures.measures(analysis, found.cells),
        "curves": figures.curves(figures.recorded_curves(analysis, curves)),
    }
    for figure in drawn.values() if analysis.study.quick else ():
        figures.warn(figure, SMOKE)
    folder(to)
    writers = {name: partial(write, text) for name, text in texts.items()}
    writers |= {f"{n}.{suffix}": partial(figures.save, drawn[n]) for n in drawn for suffix in ("png", "pdf")}
    return [replace(to / name, writer) for name, writer in writers.items()]


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
