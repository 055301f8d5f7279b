"""What the verbs print: plans, tables, states, links. It decides nothing."""

import json
import sys
from collections.abc import Mapping, Sequence
from os.path import relpath
from shlex import quote
from shutil import which
from time import process_time
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from ablation.errors import UserError
from ablation.formatting import SMOKE, count, duration, number, plan_size
from ablation.study import Study
from ablation.terminal import busy, console, say, whole

if TYPE_CHECKING:
    import pandas as pd

    from ablation.report.table import Table as StudyTable
    from ablation.report.tune import TuneResults
    from ablation.runner.doctor import Finding
    from ablation.runner.time_estimate import TuneWorkload, Workload
    from ablation.runner.verify import Verified
    from ablation.stats.cells import Seed
    from ablation.stats.power import Power
    from ablation.tracking.store import Store
    from ablation.tracking.views import StudyPages

_PLAIN: Any = {"title_justify": "left", "box": None, "header_style": "underline", "padding": (0, 1, 0, 0)}


def _grid(first: str, *more: str, title: str | None = None) -> Table:
    """A plain grid: a name or number that does not fit goes on in the next line, whole."""
    grid = Table(title=title, **_PLAIN)
    for name in (first, *more):
        grid.add_column(name, overflow="fold")
    return grid


def show_json(document: object) -> None:
    """One JSON document, whatever is no number, text, list or mapping as its text."""
    whole(json.dumps(document, indent=1, ensure_ascii=False, default=str))


def show_studies(studies: "Mapping[str, Study | UserError]") -> None:
    """A block a study: name, cells, question and arms, or what is wrong with its file."""
    for name, study in studies.items():
        if isinstance(study, UserError):
            say(Text.assemble((name, "bold"), f"  {study}"))
            say()
            continue
        size = plan_size(len(study.settings), study.seeds, study.cell_seconds)
        if study.runs is not None:
            size = f"{count(len(study.settings), 'arm')} of runs that exist already"
        say(Text.assemble((study.name, "bold"), f"  {size}"))
        say(study.question, indent=2)
        part = f" (report, part {study.part})" if study.part else ""
        say(f"arms{part}: {' · '.join(study.settings)}", indent=2)
        say()


def show_plan(
    study: Study, power: "Power", work: "Workload | None", tuning: "TuneWorkload | None" = None
) -> None:
    """What the run will take, and what it can find; `work` is None where the runs exist already.

    tuning: what `ablation tune` will take, where the study declares it.
    """
    say(Text.assemble((study.name, "bold"), f": {study.question}"))
    say()
    gates = (gate.sentence(study) for gate in study.gates)
    own = [tune_words(tuning)] if tuning else []
    for sentence in (*power.sentences, *gates, _work(work), *own):
        say(sentence, indent=2)
    show_warnings(study, power)


def _work(work: "Workload | None") -> str:
    """What is there, and what is to be trained."""
    if work is None:
        return "Its runs exist already: nothing is to run."
    if not work.lacking and not work.trials:
        return f"All {count(work.complete + work.shared, 'cell')} are there: nothing is to train."
    # What this command needed to import, to load and to check, a run needs, too.
    seconds = None if work.seconds is None else work.seconds + process_time()
    time = f"about {duration(seconds)}" if seconds is not None else "time known once one cell has run"
    shared = f", {work.shared} more in other studies" if work.shared else ""
    trials = f"{count(work.trials, 'trial')} of tuning and " if work.trials else ""
    are = "cell is" if work.complete == 1 else "cells are"
    return (
        f"{work.complete} {are} there{shared}; {trials}{count(work.lacking, 'cell')} to train on "
        f"{count(work.workers, 'worker')}: {time}."
    )


def tune_words(work: "TuneWorkload") -> str:
    """What `ablation tune` takes at most."""
    known = f"about {duration(work.seconds + process_time())}" if work.seconds else ""
    time = known or "time known once one cell has run"
    return (
        f"Tuning takes {count(work.trials, 'trial')} of at most {count(work.trial_seeds, 'seed')} each, and "
        f"2 arms × {count(work.seeds, 'seed')} to confirm the best: at most {count(work.runs, 'run')} on "
        f"{count(work.workers, 'worker')}, {time}."
    )


def show_warnings(study: Study, power: "Power") -> None:
    """What the seeds of a study cannot show, and what its experiment warns of, before any is spent."""
    for warning in warnings_of(study, power):
        say(warning, "yellow", indent=2)


def warnings_of(study: Study, power: "Power") -> list[str]:
    """The sentences of `show_warnings`, each once."""
    with busy("Looking at the settings"):  # an experiment may have to read its data for it
        own = [said for one in study.settings.values() for said in study.experiment.warnings(one)]
    return [*dict.fromkeys([*power.warnings, *own])]


def show_table(found: "StudyTable", asked: bool = False) -> None:
    """Question, conclusion, verdicts, and a grid a measure, fitted to the terminal; then the notes.

    asked: the question stands above already.
    """
    interval = found.spread("range")
    console.print()
    if found.warning:
        say(found.warning, "yellow")
        say()
    if not asked:
        say(found.study.question)
        say()
    say(found.analysis.conclusion, "bold")
    for judged in found.analysis.verdicts:
        say()
        say(Text.assemble((judged.word.upper(), "bold"), f": “{judged.claim.text}”"))
        say(judged.reason, indent=2)
        if judged.detail:
            say(judged.detail, "dim", indent=2)
    say()
    if found.empty:
        say(found.empty)
        say()
    for panel in () if found.empty else found.panels:
        title = f"{panel.label} ({panel.direction}, smallest effect that matters {panel.sesoi})"
        grid = _grid("arm", "n", "mean", "difference", "verdict", title=title)
        for row in panel.rows:
            mean = Text(f"{row.mean} {row.spread(interval)}", "bold" if row.best else "")
            difference = f"{row.difference} {row.difference_spread(interval)} {row.to}".rstrip()
            rest = ["baseline"] if row.baseline else [difference, row.verdict]
            grid.add_row(row.arm, row.n + row.seeds_mark, mean, *map(Text, rest))
        console.print(grid, "")
    for caveat in (*found.notes, *found.analysis.caveats):
        say(caveat, "dim", indent=2, lead="· ")


def show_front(study: Study, trials: "pd.DataFrame") -> None:
    """A row a complete trial, by its first objective, the front marked; then the hypervolume."""
    from ablation.stats.pareto import front_of

    assert study.search is not None
    found = front_of(study, trials)
    measures = {name: study.measure(name) for name in study.search.objectives}
    titles = [f"{study.label(k)} {'↓' if one.better == 'lower' else '↑'}" for k, one in measures.items()]
    grid = _grid("trial", *study.search.ranges, *titles, "")
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
    say()
    say(f"Hypervolume of the front: {found.hypervolume:.4g}, up to ({corner}){beyond}.")
    say(f"One seed a trial: a front of candidates, not an effect. {SMOKE if study.quick else ''}".strip())


def show_tuned(found: "TuneResults") -> None:
    """What the trials found, a row a setting, and how the best settings compare with the baseline."""
    head, rows = found.grid
    grid = _grid(head[0], *head[1:])
    for row in rows:
        grid.add_row(*row)
    console.print()
    console.print(grid, "")
    for sentence in found.sentences:
        say(sentence)
    if found.confirmation is not None:
        show_table(found.confirmation.table)


def show_links(store: "Store", name: str, quick: bool, tuned: bool = False) -> None:
    """How to open the study, called `name`, in MLflow, and how to export it, or what tuning it found."""
    # Where the environment is not activated, as after `make study`, the command has a path.
    command = "ablation" if which("ablation") else relpath(sys.argv[0])
    where = "" if str(store.root) == "mlruns" else f" --store {quote(str(store.root))}"
    options = where + (" --quick" if quick else "")
    say()
    whole(f"Compare in MLflow:  {command} ui{where}")
    verb = "tune" if tuned else "export"
    whole(f"Export the table:   {command} {verb} {quote(name)} --to out{options}")


def show_status(states: "Mapping[str, pd.DataFrame | UserError | None]", detailed: bool) -> None:
    """A row a study with its cells by state, or why it has none; detailed: the state of every cell."""
    from ablation.stats.cells import STATES, STOPPED

    frames = [cells for cells in states.values() if cells is not None and not isinstance(cells, UserError)]
    shown = [*STATES, *([STOPPED] if any(cells.state.eq(STOPPED).any() for cells in frames) else [])]
    grid = _grid("study", *shown, "seeds")
    for name, cells in states.items():
        if cells is None:
            grid.add_row(name, "not run")
        elif isinstance(cells, UserError):
            grid.add_row(name, "see below")
        else:
            counts = cells.state.value_counts()
            numbers = (str(counts.get(state, 0)) for state in shown)
            grid.add_row(name, *numbers, str(cells.seed.nunique()))
    console.print(grid)
    for cells in states.values():
        if isinstance(cells, UserError):
            say(str(cells))
        elif cells is not None and detailed:
            for arm, of_arm in cells.groupby("arm", sort=False):
                states_of_arm = of_arm.groupby("state").seed.apply(list)
                parts = [f"{state} {_seeds(seeds)}" for state, seeds in states_of_arm.items()]
                say(f"{arm}: {'; '.join(parts)}")


def _seeds(seeds: "list[Seed]") -> str:
    """Seeds in words: "seeds 0 to 4" where they follow on each other, else each."""
    first = seeds[0]
    if len(seeds) > 2 and isinstance(first, int) and seeds == list(range(first, first + len(seeds))):
        return f"seeds {seeds[0]} to {seeds[-1]}"
    return f"{'seed' if len(seeds) == 1 else 'seeds'} {', '.join(map(str, seeds))}"


def show_pages(home: str, server: str, studies: "Mapping[str, StudyPages]") -> None:
    """Where all studies are listed, then what is found and the links of every study, below `server`."""
    whole(f"All studies: {home}")
    for name, study in studies.items():
        say()
        say(Text(name, "bold"))
        if study.finding:
            say(study.finding, indent=2)
        width = max(len(page.title) for page in study.pages) + 2
        for page in study.pages:
            whole(f"  {page.title:{width}}{server}{page.path}")
        if study.note:
            say(study.note, indent=2)


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
    lead = "ok    " if found.kept else "LOOK  "
    say(f"{found.cell.arm}, seed {found.cell.seed}: {said}{where}", lead=lead)


def show_findings(findings: "Sequence[Finding]") -> None:
    """A line a finding, marked where it is not fine."""
    for finding in findings:
        say(finding.what, lead="ok    " if finding.fine else "LOOK  ")
