"""A chapter as text and figures for a template: claims with their verdicts, table, figures, and the runs."""

import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from ablation.claims import Claim
from ablation.formatting import SMOKE, bracket, count, difference_digits, listing, number
from ablation.report import figures
from ablation.report.chapters import Chapter, Evidence
from ablation.report.gallery import Gallery, Png
from ablation.report.table import Table, tabulate
from ablation.stats.cells import planned
from ablation.stats.verdicts import WORDS, Verdict
from ablation.study import Study

NOT_RUN, NO_RESULT = "not run yet", "no result"
LEGEND_ROW = 0.17
"""Inches: what a row of a legend takes from the axes above it."""


@dataclass(frozen=True)
class ClaimText:
    """A claim with its verdict's word, or `NOT_RUN` or `NO_RESULT`; "" where there is nothing to say.

    effect_words: what the effect is called. effect, interval: its numbers.
    """

    text: str
    word: str
    rule: str
    measure: str
    effect_words: str
    effect: str = ""
    interval: str = ""
    reason: str = ""


@dataclass(frozen=True)
class FigureGroup:
    """Figures that answer one question, under one caption; `own` are a study's, of any width."""

    title: str
    caption: str
    pngs: tuple[Png, ...]
    own: bool = False


@dataclass(frozen=True)
class ListedRun:
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
    `lacking` says how much is still to be run.
    """

    chapter: Chapter
    title: str
    claims: tuple[ClaimText, ...]
    table: Table | None = None
    figures: tuple[FigureGroup, ...] = ()
    galleries: tuple[Gallery, ...] = ()
    runs: tuple[ListedRun, ...] = ()
    numbers: dict[str, str] = field(default_factory=dict)
    lacking: str = ""

    @property
    def word(self) -> str:
        """What the summary says of a study without a claim."""
        return NO_RESULT if self.chapter.problem else "no claim" if self.table else NOT_RUN

    @property
    def size(self) -> str:
        """Its cells, as in "4 arms × 5 seeds = 20 cells"."""
        assert self.chapter.study is not None
        arms, cells = len(self.chapter.study.settings), self.chapter.cells
        return f"{count(arms, 'arm')} × {count(cells // arms, 'seed')} = {count(cells, 'cell')}"

    @property
    def about_galleries(self) -> str:
        """What the galleries show, and which arms have none; "" where the experiment has none at all."""
        study = self.chapter.study
        if study is None or not study.experiment.sheet:
            return ""
        shown = {arm for gallery in self.galleries for arm in gallery.arms}
        apart = ["Arms with other inputs stand apart."] if len(self.galleries) > 1 else []
        bare = [arm for arm in study.settings if arm not in shown]
        gone = [f"Nothing is kept for {listing(bare)}."] if bare else []
        return " ".join([*dict.fromkeys(gallery.caption for gallery in self.galleries), *apart, *gone])

    @property
    def codes(self) -> tuple[str, ...]:
        """The versions of the code that computed the runs, each once, as in "abc (5 runs)"."""
        counts = Counter(run.code for run in self.runs if run.code)
        return tuple(f"{code} ({count(n, 'run')})" for code, n in counts.items())

    @property
    def pngs(self) -> Iterator[Png]:
        """Every PNG of figures and galleries."""
        for group in self.figures:
            yield from group.pngs
        for gallery in self.galleries:
            yield gallery.inputs
            yield from gallery.arms.values()


def section(chapter: Chapter) -> Section:
    """Everything that the page says of a chapter."""
    title = chapter.name.replace("_", " ").replace("-", " ").capitalize()
    if chapter.study is None:
        return Section(chapter, title, ())
    if chapter.evidence is None:
        word = NO_RESULT if chapter.problem else NOT_RUN
        return Section(chapter, title, tuple(_claim(chapter.study, c, word) for c in chapter.study.claims))
    analysis = chapter.evidence.analysis
    runs = tuple(_runs(chapter.evidence))
    return Section(
        chapter,
        title,
        tuple(_judged(analysis.study, verdict) for verdict in analysis.verdicts),
        tabulate(analysis),
        _figures(chapter.anchor, chapter.evidence),
        tuple(_named_after(chapter.anchor, gallery) for gallery in chapter.evidence.galleries),
        runs,
        _numbers(chapter.evidence, runs),
        _lacking(runs),
    )


def word_counts(claims: Iterable[ClaimText]) -> dict[str, int]:
    """How many claims have each word: every word of a verdict, and the others where there are any."""
    counts = Counter(claim.word for claim in claims)
    shown = [*WORDS, *(word for word in (NOT_RUN, NO_RESULT) if counts[word])]
    return {word: counts[word] for word in shown}


def _claim(study: Study, claim: Claim, word: str) -> ClaimText:
    rule = claim.rule
    return ClaimText(claim.text, word, rule.sentence(study), study.label(rule.measure), rule.effect_words)


def _judged(study: Study, verdict: Verdict) -> ClaimText:
    """A claim with its verdict, all numbers formatted."""
    name, estimate = verdict.claim.rule.measure, verdict.estimate
    digits = difference_digits(study.measure(name).digits, study.measures[name])
    return replace(
        _claim(study, verdict.claim, verdict.word),
        effect=number(estimate.mean, digits, signed=True) if estimate.n else "",
        interval=bracket(estimate.low, estimate.high, digits, signed=True) if estimate.n > 1 else "",
        reason=verdict.reason,
    )


def _runs(evidence: Evidence) -> Iterator[ListedRun]:
    """The cells in the order of the plan, "" for what was not recorded."""
    cells = planned(evidence.analysis.study, evidence.cells, evidence.analysis.seeds)
    known = ["arm", "seed", "state", "fingerprint", "run_id", "started", "code"]
    rows = cells.reindex(columns=known).astype(object).fillna("").itertuples(index=False)
    for index, (arm, seed, *texts) in enumerate(rows, 1):
        yield ListedRun(index, str(arm), int(str(seed)), *map(str, texts))


def _numbers(evidence: Evidence, runs: Iterable[ListedRun]) -> dict[str, str]:
    places = {(run.arm, run.seed): run.number for run in runs}
    return {
        key: ", ".join(str(place) for place in sorted(places[s.arm, s.seed] for s in sources)) or "none"
        for key, sources in evidence.analysis.sources.items()
    }


def _lacking(runs: tuple[ListedRun, ...]) -> str:
    final = ("complete", "diverged")
    missing = sum(run.state not in final for run in runs)
    return f"{missing} of {count(len(runs), 'cell')} are still to be run." if missing else ""


def _named_after(anchor: str, gallery: Gallery) -> Gallery:
    """The gallery with file names that no other chapter has."""

    def named(png: Png) -> Png:
        return replace(png, file=f"{anchor}-{png.file}")

    arms = {arm: named(png) for arm, png in gallery.arms.items()}
    return replace(gallery, inputs=named(gallery.inputs), arms=arms)


def _figures(anchor: str, evidence: Evidence) -> tuple[FigureGroup, ...]:
    """Effects, measures and curves, then the study's own figures.

    Every panel is a PNG of its own, so that panels stand in a row or, on a phone, in a column.
    """
    analysis = evidence.analysis
    level, quick = analysis.level_words, analysis.study.quick
    kinds: tuple[tuple[str, str, Sequence[Any], Callable[[Sequence[Any]], Figure]], ...] = (
        (
            "Effects",
            f"Difference to the baseline, mean and {level} interval; the band is the smallest effect that "
            "matters.",
            figures.effect_panels(analysis),
            _effects,
        ),
        (
            "Measures",
            f"Mean and {level} interval of every arm; grey: {figures.seeds_in_grey(analysis.seeds)}.",
            figures.measure_panels(analysis, evidence.cells),
            figures.measures,
        ),
        (
            "Learning curves",
            "Mean over seeds; the band goes from the least to the greatest seed, and training has none.",
            figures.curve_panels(analysis, evidence.curves),
            _curves,
        ),
    )
    groups = []
    for title, caption, panels, draw in kinds:
        drawn = {f"{title}: {panel.label}": draw([panel]) for panel in panels}
        name = f"{anchor}-{title.split()[-1].lower()}"
        groups.append(FigureGroup(title, caption, tuple(_pngs(name, drawn, quick))))
    own = tuple(_pngs(f"{anchor}-figure", evidence.figures, quick))
    groups.append(FigureGroup("Further figures", " ".join(evidence.figures), own, own=True))
    return tuple(group for group in groups if group.pngs)


def _effects(panels: Sequence[Any]) -> Figure:
    figure = figures.effects(panels)
    for axes in figure.axes:
        # One panel alone has no room for the longer of its labels in a line.
        axes.set_xlabel(axes.get_xlabel().replace(" or ", "\nor "))
    return figure


def _curves(panels: Sequence[Any]) -> Figure:
    figure = figures.curves(panels)
    rows = len(figure.legends[0].get_texts()) / 2
    figure.set_figheight(figure.get_figheight() + LEGEND_ROW * rows)
    return figure


def _pngs(name: str, drawn: Mapping[str, Figure], quick: bool) -> Iterator[Png]:
    """drawn[alt] is a figure, and `alt` its text for whoever cannot see it."""
    for index, (alt, figure) in enumerate(drawn.items(), 1):
        if quick:
            figures.warn(figure, SMOKE.replace(": ", ":\n"))
        yield Png(f"{name}-{index}.png", alt, _png(figure))


def _png(figure: Figure) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "figure.png"
        figures.save(figure, path)
        return path.read_bytes()
