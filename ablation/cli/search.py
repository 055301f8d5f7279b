"""The option --search of the verb run: search, then print the trials, the front and where to see them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from ablation.cli.progress_bar import Reporter
from ablation.cli.show import _PLAIN, console
from ablation.errors import UserError
from ablation.study import Study

if TYPE_CHECKING:
    import pandas as pd

    from ablation.runner.engines import Executor
    from ablation.runner.scheduler import Progress
    from ablation.stats.pareto import Front
    from ablation.tracking.store import Store


def search_each(studies: Mapping[str, Study], store: "Store", seeds: int | None, how: "Executor") -> int:
    """Carry out the search of every study and print what it found; 1 where a trial failed, else 0."""
    from ablation.runner.search import check_search

    if seeds is not None:
        raise UserError("--search wants no --seeds: all of its trials share a seed of their own. Drop one.")
    for study in studies.values():
        check_search(study)
    return max(_search(study, store, how) for study in studies.values())


def _search(study: Study, store: "Store", how: "Executor") -> int:
    from ablation.runner.search import run_search, search_results, searched
    from ablation.stats.pareto import front_of

    whole = searched(study)
    with Reporter(whole, how.cells) as reporter:
        progress = run_search(study, store, how.make, how.cells, reporter.notify)
    show_progress(progress)
    found = search_results(study, store)
    if found is not None:
        show_front(study, found, front_of(study, found))
    console.print(f"\nIn MLflow:  `ablation ui`, experiment {whole.name}")
    return 1 if progress.failed else 0


def show_progress(progress: "Progress") -> None:
    """How many trials were trained, were there, diverged or failed, and why."""
    words = [f"{progress.trained} trained", f"{progress.there} there before"]
    if progress.reused:
        words.append(f"{progress.reused} reused: their runs were in the store")
    console.print(f"  {progress.total} trials: {', '.join(words)}, {len(progress.failed)} failed")
    for trial, reason in progress.failed.items():
        console.print(Text.assemble(("  failed ", "red"), f"{trial}: {reason}"))


def show_front(study: Study, trials: "pd.DataFrame", found: "Front") -> None:
    """A row a complete trial, by its first objective, the front marked; then the hypervolume."""
    from ablation.formatting import SMOKE, number

    assert study.search is not None
    measures = {name: study.measure(name) for name in study.search.objectives}
    titles = [f"{study.label(k)} {'↓' if one.better == 'lower' else '↑'}" for k, one in measures.items()]
    grid = Table("trial", *study.search.ranges, *titles, "", **_PLAIN)
    marked = trials.assign(front=found.members)
    shown = marked[marked.state == "complete"].sort_values(next(iter(measures)), kind="stable")
    for _, row in shown.iterrows():
        settings = [f"{row[name]:.3g}" for name in study.search.ranges]
        values = [number(row[name], one.digits) for name, one in measures.items()]
        cells = [str(row.number), *settings, *values, "front" if row.front else ""]
        grid.add_row(*cells, style="bold" if row.front else "dim")
    console.print()
    console.print(grid)
    corner = ", ".join(f"{value:g}" for value in found.reference)
    complete = int((trials.state == "complete").sum())
    beyond = f"; beyond it: {found.outside} of {complete} trials" if found.outside else ""
    console.print(f"\nHypervolume of the front: {found.hypervolume:.4g}, up to ({corner}){beyond}.")
    console.print(
        f"One seed a trial: a front of candidates, not an effect. {SMOKE if study.quick else ''}".strip()
    )
