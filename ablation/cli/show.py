"""What the verbs print: progress with the time left, tables, states, links. It decides nothing."""

import sys
from collections.abc import Mapping, Sequence
from os.path import relpath
from shlex import quote
from shutil import which
from time import process_time
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ablation.errors import UserError
from ablation.formatting import SMOKE, count, duration, number, plan_size
from ablation.study import Study

if TYPE_CHECKING:
    import pandas as pd

    from ablation.runner.doctor import Finding
    from ablation.runner.time_estimate import Workload
    from ablation.runner.verify import Verified
    from ablation.stats.analysis import Analysis
    from ablation.stats.cells import Seed
    from ablation.stats.power import Power
    from ablation.tracking.store import Store
    from ablation.tracking.views import StudyPages

# No markup: names and errors are the user's, and may have brackets.
console = Console(highlight=False, soft_wrap=True, markup=False)
_PLAIN: Any = {"title_justify": "left", "box": None, "header_style": "underline", "padding": (0, 1, 0, 0)}


def show_studies(studies: "Mapping[str, Study | UserError]") -> None:
    """A block a study: name, cells, question and arms, or what is wrong with its file."""
    for name, study in studies.items():
        if isinstance(study, UserError):
            console.print(Text.assemble((name, "bold"), f"  {study}\n"))
            continue
        size = plan_size(len(study.settings), study.seeds, study.cell_seconds)
        if study.runs is not None:
            size = f"{count(len(study.settings), 'arm')} of runs that exist already"
        console.print(Text.assemble((study.name, "bold"), f"  {size}"))
        console.print(f"  {study.question}")
        part = f" (report, part {study.part})" if study.part else ""
        console.print(f"  arms{part}: {' · '.join(study.settings)}\n")


def show_plan(study: Study, power: "Power", work: "Workload") -> None:
    """What the run will take, and what it can find."""
    console.print(Text.assemble((study.name, "bold"), f": {study.question}\n"))
    for sentence in power.sentences:
        console.print(f"  {sentence}")
    # What this command needed to import, to load and to check, a run needs, too.
    seconds = None if work.seconds is None else work.seconds + process_time()
    time = f"about {duration(seconds)}" if seconds is not None else "time known once one cell has run"
    shared = f", {work.shared} more in other studies" if work.shared else ""
    trials = f"{work.trials} trials of tuning and " if work.trials else ""
    console.print(
        f"  {work.complete} cells are there{shared}; {trials}{work.lacking} cells to train on "
        f"{work.workers} at a time: {time}."
    )
    show_warnings(study, power)


def show_existing(study: Study, power: "Power") -> None:
    """What runs that exist can find; nothing is to run."""
    console.print(Text.assemble((study.name, "bold"), f": {study.question}\n"))
    for sentence in power.sentences:
        console.print(f"  {sentence}")
    console.print("  Its runs exist already: nothing is to run.")
    show_warnings(study, power)


def show_warnings(study: Study, power: "Power") -> None:
    """What the seeds of a study cannot show, and what its experiment warns of, before any is spent."""
    own = (said for one in study.settings.values() for said in study.experiment.warnings(one))
    for warning in dict.fromkeys([*power.warnings, *own]):
        console.print(Text(f"  {warning}", "yellow"))


def show_table(analysis: "Analysis") -> None:
    """The study's table for a terminal, a block a measure, with verdicts and caveats."""
    from ablation.report.table import tabulate

    table = tabulate(analysis)
    console.print()
    for panel in table.panels:
        title = f"{panel.label} ({panel.better} is better, SESOI {panel.sesoi})"
        grid = Table("arm", "n", "mean", "difference", "verdict", title=title, **_PLAIN)
        for row in panel.rows:
            mean = Text(f"{row.mean} [{row.low}, {row.high}]", "bold" if row.best else "")
            difference = f"{row.difference} [{row.difference_low}, {row.difference_high}] {row.to}".rstrip()
            verdict = " ".join(filter(None, (row.verdict, row.mark)))
            rest = ["baseline"] if row.baseline else [difference, verdict]
            grid.add_row(row.arm, row.n, mean, *map(Text, rest))
        console.print(grid, "")
    for judged in analysis.verdicts:
        console.print(Text.assemble((f"\n{judged.word.upper()}", "bold"), f": “{judged.claim.text}”"))
        console.print(Text(f"  {judged.reason}"))
    console.print(Text(f"\n{analysis.conclusion}\n"))
    for caveat in (*table.notes, *analysis.caveats):
        console.print(Text(f"  · {caveat}", "dim"))


def show_front(study: Study, trials: "pd.DataFrame") -> None:
    """A row a complete trial, by its first objective, the front marked; then the hypervolume."""
    from ablation.stats.pareto import front_of

    assert study.search is not None
    found = front_of(study, trials)
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


def show_links(store: "Store", name: str, quick: bool) -> None:
    """How to open the study, called `name`, in MLflow, and how to export it."""
    # Where the environment is not activated, as after `make study`, the command has a path.
    command = "ablation" if which("ablation") else relpath(sys.argv[0])
    where = "" if str(store.root) == "mlruns" else f" --store {quote(str(store.root))}"
    options = where + (" --quick" if quick else "")
    console.print(f"\nCompare in MLflow:  {command} ui{where}")
    console.print(f"Export the table:   {command} export {quote(name)} --to out{options}")


def show_status(states: "Mapping[str, pd.DataFrame | UserError | None]", detailed: bool) -> None:
    """A row a study with its cells by state, or why it has none; detailed: the state of every cell."""
    from ablation.stats.cells import STATES

    grid = Table("study", *STATES, "seeds", **_PLAIN)
    for name, cells in states.items():
        if cells is None:
            grid.add_row(name, "not run")
        elif isinstance(cells, UserError):
            grid.add_row(name, "see below")
        else:
            counts = cells.state.value_counts()
            numbers = (str(counts.get(state, 0)) for state in STATES)
            grid.add_row(name, *numbers, str(cells.seed.nunique()))
    console.print(grid)
    for cells in states.values():
        if isinstance(cells, UserError):
            console.print(str(cells))
        elif cells is not None and detailed:
            for arm, of_arm in cells.groupby("arm", sort=False):
                states_of_arm = of_arm.groupby("state").seed.apply(list)
                parts = [f"{state} {_seeds(seeds)}" for state, seeds in states_of_arm.items()]
                console.print(f"{arm}: {'; '.join(parts)}")


def _seeds(seeds: "list[Seed]") -> str:
    """Seeds in words: "seeds 0 to 4" where they follow on each other, else each."""
    first = seeds[0]
    if len(seeds) > 2 and isinstance(first, int) and seeds == list(range(first, first + len(seeds))):
        return f"seeds {seeds[0]} to {seeds[-1]}"
    return f"{'seed' if len(seeds) == 1 else 'seeds'} {', '.join(map(str, seeds))}"


def show_pages(home: str, server: str, studies: "Mapping[str, StudyPages]") -> None:
    """Where all studies are listed, then what is found and the links of every study, below `server`."""
    console.print(f"All studies: {home}")
    for name, study in studies.items():
        console.print(Text(f"\n{name}", "bold"))
        if study.finding:
            console.print(f"  {study.finding}")
        width = max(len(page.title) for page in study.pages) + 2
        for page in study.pages:
            console.print(f"  {page.title:{width}}{server}{page.path}")
        if study.note:
            console.print(f"  {study.note}")


def show_verified(found: "Verified") -> None:
    """A line a cell: whether it came out the same, and where not, how far from what was recorded."""
    if found.equal:
        said = "the same, bit for bit"
    else:
        shown = [f"{name} {then:g}, now {now:g}" for name, (then, now) in list(found.differing.items())[:3]]
        shown += [f"and {len(found.differing) - 3} more"] if len(found.differing) > 3 else []
        shown += [f"another {name}" for name in found.files if not shown]
        said = f"{'near' if found.kept else 'DIFFERS'}: {', '.join(shown)}"
    where = f" (its origin differs in: {', '.join(found.elsewhere)})" if found.elsewhere else ""
    console.print(
        f"{'ok  ' if found.kept else 'LOOK'}  {found.cell.arm}, seed {found.cell.seed}: {said}{where}"
    )


def show_findings(findings: "Sequence[Finding]") -> None:
    """A line a finding, marked where it is not fine."""
    for finding in findings:
        console.print(f"{'ok  ' if finding.fine else 'LOOK'}  {finding.what}")
