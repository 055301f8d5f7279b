"""A chapter as text: its claims and their verdicts, and the runs behind its numbers, ready for a template."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from ablation.emoji.reconstructions import Rows, reconstructions
from ablation.formatting import count, listing
from ablation.report.chapters import Chapter, Evidence
from ablation.report.claimed import BROKEN, OPEN, Judged, judged, look, unjudged
from ablation.report.embed import Group, groups
from ablation.report.table import Table, tabulate
from ablation.stats.cells import planned


@dataclass(frozen=True)
class Run:
    """A cell of the plan with its number in the section's list; texts are "" where nothing was recorded."""

    number: int
    arm: str
    seed: int
    state: str
    fingerprint: str
    run_id: str
    started: str
    code: str

    @property
    def began(self) -> str:
        """When it started, without the zone, which is UTC."""
        return self.started.partition("+")[0].replace("T", " ")

    @property
    def commit(self) -> str:
        """The code's commit in ten characters, with what follows a "+"."""
        commit, plus, rest = self.code.partition("+")
        return commit[:10] + plus + rest


@dataclass(frozen=True)
class Section:
    """A chapter as the page shows it.

    numbers[key] are the numbers of the runs behind a number of the table, by the keys of provenance.json.
    `lacking` says how much is still to be run, `bare` which arms have no reconstructions to show.
    """

    chapter: Chapter
    title: str
    claims: tuple[Judged, ...]
    table: Table | None = None
    figures: tuple[Group, ...] = ()
    rows: tuple[Rows, ...] = ()
    bare: tuple[str, ...] = ()
    runs: tuple[Run, ...] = ()
    numbers: dict[str, str] | None = None
    lacking: str = ""

    @property
    def word(self) -> str:
        """What the summary says of a study without a claim."""
        return BROKEN if self.chapter.problem else "no claim" if self.table else OPEN

    @property
    def look(self) -> str:
        """The class of the word in the style sheet."""
        return look(self.word)

    @property
    def size(self) -> str:
        """Its cells, as in "4 arms × 5 seeds = 20 cells"."""
        assert self.chapter.study is not None
        arms, cells = len(self.chapter.study.specs), self.chapter.cells
        return f"{count(arms, 'arm')} × {count(cells // arms, 'seed')} = {count(cells, 'cell')}"

    @property
    def about_rows(self) -> str:
        """What the reconstructions are, and which are not there."""
        seed = self.runs[0].seed
        same = "the same in every arm" if len(self.rows) == 1 else "and arms of other data have others"
        shown = f"Pictures that training never saw, under seed {seed}; a rule chose them, {same}."
        gone = f"No reconstructions of seed {seed} are kept for {listing(self.bare)}." if self.bare else ""
        return " ".join(filter(None, (shown if self.rows else "", gone)))

    @property
    def codes(self) -> tuple[str, ...]:
        """The versions of the code that computed the runs, each once, as in "abc (5 runs)"."""
        counts = Counter(run.code for run in self.runs if run.code)
        return tuple(f"{code} ({count(n, 'run')})" for code, n in counts.items())


def section(chapter: Chapter) -> Section:
    """Everything that the page says of a chapter."""
    title = chapter.name.replace("_", " ").replace("-", " ").capitalize()
    if chapter.study is None:
        return Section(chapter, title, ())
    if chapter.evidence is None:
        word = BROKEN if chapter.problem else OPEN
        return Section(chapter, title, tuple(unjudged(chapter.study, c, word) for c in chapter.study.claims))
    analysis, cells = chapter.evidence.analysis, _cells(chapter.evidence)
    runs = tuple(_runs(cells))
    return Section(
        chapter,
        title,
        tuple(judged(analysis.study, verdict) for verdict in analysis.verdicts),
        tabulate(analysis),
        groups(chapter.anchor, chapter.evidence),
        reconstructions(chapter.anchor, chapter.evidence.sheets),
        tuple(arm for arm in analysis.study.specs if arm not in chapter.evidence.sheets),
        runs,
        _numbers(chapter.evidence, runs),
        _lacking(runs),
    )


def _cells(evidence: Evidence) -> pd.DataFrame:
    """The cells in the order of the plan, with the columns of a `Run`, "" for what was not recorded."""
    cells = planned(evidence.analysis.study, evidence.cells, evidence.analysis.seeds)
    known = ["arm", "seed", "state", "fingerprint", "run_id", "started", "code"]
    return cells.reindex(columns=known).astype(object).fillna("")


def _runs(cells: pd.DataFrame) -> Iterable[Run]:
    for index, row in enumerate(cells.itertuples(index=False), 1):
        arm, seed, *texts = row
        yield Run(index, str(arm), int(str(seed)), *map(str, texts))


def _numbers(evidence: Evidence, runs: Iterable[Run]) -> dict[str, str]:
    places = {(run.arm, run.seed): run.number for run in runs}
    return {
        key: ", ".join(str(place) for place in sorted(places[s.arm, s.seed] for s in sources)) or "none"
        for key, sources in evidence.analysis.sources.items()
    }


def _lacking(runs: tuple[Run, ...]) -> str:
    settled = ("complete", "diverged")
    missing = sum(run.state not in settled for run in runs)
    return f"{missing} of {count(len(runs), 'cell')} are still to be run." if missing else ""
