"""A study to a folder: tables, figures, every run, and the way back from each number to its runs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from ablation.errors import UserError
from ablation.fields import checked
from ablation.files import folder, replace, write
from ablation.formatting import SMOKE, count, listing, short_commit
from ablation.report.arms import arm_summaries
from ablation.report.data_files import (
    effects_frame,
    items_csv,
    provenance_json,
    runs_csv,
    verdicts_csv,
    verdicts_frame,
)
from ablation.report.drawing import PAGE, Figures, Look, save
from ablation.report.figure_files import figure_files
from ablation.report.figures import drawn
from ablation.report.figures import effects as forest_plots
from ablation.report.formats import FORMATS, render, supplements
from ablation.report.search import write_search
from ablation.report.table import Layout, Table, tabulate
from ablation.runner.existing_runs import existing, existing_items
from ablation.runner.ledger import Ledger
from ablation.runner.recorded_plan import CODE
from ablation.runner.results import learning_curves, opened, results
from ablation.runner.search import search_results
from ablation.runner.tables import Runs
from ablation.runner.tuned import with_tuned_values
from ablation.settings import flat
from ablation.stats.analysis import Analysis, analyse
from ablation.study import Study
from ablation.tracking.arms import record_arms
from ablation.tracking.read import items_of, logged_curves
from ablation.tracking.store import Store
from ablation.tracking.views import describe, save_views

SAME_CODE = "The runs come from {} versions of the experiment's code, which were declared to be the same."
OTHER_CODE = (
    "The code that {} trains with has changed since these runs: they are of version {}{}, and the code is "
    "now {}."
)


@checked
@dataclass(frozen=True, repr=False)
class Results:
    """A study and what its runs say: what a notebook shows.

    cells: a row a cell, as in `frame`. seed_counts: with how many seeds the study was run, each time, in
    order. items: columns arm, seed, measure, group, item and value; None or empty where there are none.
    remarks: sentences on the runs. store: where their learning curves are, if anywhere.
    """

    study: Study
    cells: pd.DataFrame
    seed_counts: tuple[int, ...] = ()
    items: pd.DataFrame | None = None
    remarks: tuple[str, ...] = ()
    store: Store | None = None

    @cached_property
    def analysis(self) -> Analysis:
        """What follows from them."""
        seeds = int(self.cells.seed.nunique())
        return analyse(self.study, self.cells, seeds, self.seed_counts, self.items, self.remarks)

    @cached_property
    def table(self) -> Table:
        """The study's table, with its verdicts, its conclusion and its caveats; every number is text."""
        return tabulate(self.analysis)

    @checked
    def text(self, format: str = "md", **layout: Any) -> str:
        """The table as "md", "tex", "csv" or "html", as `ablation table --format` prints it.

        layout: what `Layout` takes: measures, arms, digits, interval, font, transpose.
        """
        return render(tabulate(self.analysis, Layout(**layout)), format)

    def __str__(self) -> str:
        return self.text()

    @property
    def frame(self) -> pd.DataFrame:
        """A row a cell: arm, seed, state, the settings that differ between arms, metrics, then the run's own.

        state: "complete", "diverged", "failed", "running" or "missing". A metric is in its own unit, NaN
        where the cell is not complete; seconds are those of training.
        """
        arms = {arm: flat(settings) for arm, settings in self.study.settings.items()}
        columns = {name: [arms[arm][name] for arm in self.cells["arm"]] for name in self.study.columns}
        absent = {name: float("nan") for name in self.study.measures if name not in self.cells}
        whole = self.cells.assign(**columns, **absent)
        first = ["arm", "seed", "state", *self.study.columns, *self.study.measures]
        metrics = whole.select_dtypes("number").columns.difference(first, sort=False)
        known = [name for name in (*first, *metrics) if name in whole]
        return whole[[*known, *whole.columns.difference(known, sort=False)]]

    @property
    def effects(self) -> pd.DataFrame:
        """A row an effect: measure, arm, reference, n (seeds), difference with its interval, p, verdict.

        Differences are in the unit of the measure, p-values between 0 and 1; p_holm is adjusted over the arms
        of a measure. NaN, and the verdict "", where nothing is tested.
        """
        return effects_frame(self.analysis)

    @property
    def verdicts(self) -> pd.DataFrame:
        """A row a claim, with the columns of verdicts.csv: claim, rule, n (seeds), estimate, p, verdict.

        estimate, low, high and detectable are in the unit of the measure; detectable is the smallest effect
        that these seeds find with a power of 80 %. p_holm is adjusted over the claims that
        count, and apart over those that do not. NaN where there is no number.
        """
        return verdicts_frame(self.analysis)

    @property
    def conclusion(self) -> str:
        """What follows for the study, in a sentence or two."""
        return self.analysis.conclusion

    @cached_property
    def curves(self) -> pd.DataFrame:
        """The learning curves of the complete cells: arm, seed, step, metric, value. Reads the store."""
        if self.store is None:
            return pd.DataFrame(columns=["arm", "seed", "step", "metric", "value"])
        return learning_curves(self.study, self.cells, self.store)

    @property
    def figures(self) -> Figures:
        """New figures by name, as wide as a page: "effects", "measures" and "curves". Reads the store.

        What is higher than a page goes on in "effects_2".
        """
        return drawn(self.analysis, self.cells, self.curves, Look(PAGE))

    @checked
    def export(self, to: Path | str, **layout: Any) -> list[Path]:
        """Write tables (md, tex, csv, html), figures, runs, verdicts and provenance into the folder `to`.

        layout: of the tables, as in `text`. The paths of the files. Raises `UserError` where there is no
        cell, or the folder cannot be written.
        """
        paths = write_files(self, self.curves, Path(to), Layout(**layout))
        trials = search_results(self.study, self.store) if self.store else None
        return paths if trials is None else paths + write_search(self.study, trials, Path(to))

    def __repr__(self) -> str:
        return f"<Results of {self.study.name or 'a study'}: {count(len(self.cells), 'cell')}>"

    def _repr_html_(self) -> str:
        return self.table._repr_html_()


def read(study: Study, store: Store, seeds: int | None = None, remarks: Sequence[str] = ()) -> Results:
    """The study's results in the store, or its runs that exist; `seeds` as it was last run if not given.

    remarks: further sentences on the runs.
    """
    if study.runs is not None:
        if seeds is not None:
            raise UserError(f"the runs of {study.name or 'the study'} exist already: leave out --seeds.")
        return read_existing(study, store)
    study = with_tuned_values(study, store)
    cells = results(study, store, seeds)
    items = items_of(store, cells)
    # A run that another study computed may have items of measures that this one does not name.
    own = items[items["measure"].isin(study.recorded())]
    ledger = opened(study, store)
    said = (*remarks, *_on_code(study, ledger, cells))
    return Results(study, cells, tuple(ledger.seed_counts), own, said, store)


def _on_code(study: Study, ledger: Ledger, cells: pd.DataFrame) -> Iterator[str]:
    """Sentences on the code that made the runs, where it is not one and the present one."""
    if ledger.same_code:
        yield SAME_CODE.format(len(ledger.same_code) + 1)
    then, now = ledger.plan["versions"].get(CODE, ""), study.experiment.code()
    if then and now not in ("", then, *ledger.same_code):
        commits = cells["code"].dropna().unique() if "code" in cells else ()
        where = f", commit {listing([short_commit(one) for one in commits if one])}" if any(commits) else ""
        yield OTHER_CODE.format(study.name, then, where, now)


def read_existing(study: Study, store: Store, runs: Runs | None = None) -> Results:
    """The results of a study whose runs exist; runs: what its `Tracked` names, if they are read already."""
    found = existing(study, store, runs)
    return Results(study, found.cells, (), existing_items(study, store, found.cells), found.remarks)


def summarise(study: Study, store: Store, seeds: int | None = None, remarks: Sequence[str] = ()) -> Results:
    """Write what the study found into MLflow: its description, views and a summary run an arm; the results.

    Each summary run keeps the table and the figure of the effects; older ones are replaced. remarks: as in
    `read`.
    """
    found = read(study, store, seeds, remarks)
    analysis, place = found.analysis, store.experiment(study.name, {})
    warning = f"{SMOKE} " if study.quick else ""
    describe(store, place, found.study, warning + analysis.conclusion)
    if not study.experiment.curves:  # whatever the runs logged over steps
        complete = found.cells[found.cells.state == "complete"].drop_duplicates("arm")
        save_views(store, place, found.study, logged_curves(store, complete.run_id))
    with TemporaryDirectory() as scratch:
        write = partial(_write_shown, found, Path(scratch))
        record_arms(store, place, arm_summaries(analysis), found.text("html"), write)
    return found


def _write_shown(found: Results, to: Path) -> list[Path]:
    """Write the files that MLflow shows beside every arm into `to`; their paths."""
    write(found.text("html"), to / "table.html")
    paths = [to / "table.html"]
    for n, figure in enumerate(forest_plots(found.analysis, look=Look(PAGE)), 1):
        paths.append(to / ("effects.png" if n == 1 else f"effects_{n}.png"))
        save(figure, paths[-1])
    return paths


def publish(study: Study, store: Store, to: Path, seeds: int | None = None) -> list[Path]:
    """Write all files of a study in the store into `to`, and those of its search; their paths."""
    return read(study, store, seeds).export(to)


def write_files(
    found: Results,
    curves: pd.DataFrame,
    to: Path,
    layout: Layout = Layout(),  # noqa: B008
) -> list[Path]:
    """Write tables, figures, runs.csv, verdicts.csv and provenance.json into `to`; return their paths.

    `curves` has the columns arm, seed, step, metric and value. Where there are items, items.csv lists them,
    and verdicts.csv also has the effect of each claim clustered by item and seed. A file is replaced whole
    or not at all.
    """
    if found.cells.empty:
        raise UserError(f"study {found.study.name!r} has no cells to export: run it first.")
    analysis = found.analysis
    table = tabulate(analysis, layout)
    texts = {f"table.{format}": render(table, format) for format in FORMATS} | supplements(table)
    texts["runs.csv"] = runs_csv(found.study, found.cells, analysis.seeds)
    texts["verdicts.csv"] = verdicts_csv(analysis)
    texts["provenance.json"] = provenance_json(analysis, _provenance(found.cells))
    if found.items is not None and len(found.items):
        texts["items.csv"] = items_csv(found.items)
    drawn_files = figure_files(analysis, found.cells, curves)
    folder(to)
    writers = {name: partial(write, text) for name, text in texts.items()} | drawn_files
    return [replace(to / name, writer) for name, writer in writers.items()]


def _provenance(cells: pd.DataFrame) -> dict[str, Any]:
    """What MLflow knows of each complete run, by fingerprint: where and when it was computed, how fast."""
    place = ["arm", "seed", "run_id", "reused_from", "built_on", "experiment"]
    known = [*place, "started", "code", "packages", "seconds"]
    kept = cells[cells.state == "complete"].set_index("fingerprint").reindex(columns=known)
    return {str(key): values for key, values in kept.to_dict("index").items()}
