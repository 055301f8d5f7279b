"""The chapters of the report page, one per study: claims with their verdicts, table, figures and runs."""

import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from ablation.claims import Claim
from ablation.formatting import (
    SMOKE,
    bracket,
    count,
    difference_digits,
    heading,
    listing,
    number,
    plan_size,
    short_commit,
)
from ablation.report import figures
from ablation.report.gallery import Gallery, Png
from ablation.report.table import Table, tabulate
from ablation.stats import Analysis, Verdict
from ablation.stats.cells import SETTLED, planned
from ablation.stats.verdicts import WORDS
from ablation.study import Study

NOT_RUN, NO_RESULT = "not run yet", "no result"
LEGEND_ROW = 0.17
"""Inches: what a row of a legend takes from the axes above it."""
RUN_COLUMNS = ["arm", "seed", "state", "fingerprint", "run_id", "started", "code"]


@dataclass(frozen=True)
class ClaimText:
    """A claim with its verdict's word, or `NOT_RUN` or `NO_RESULT`; "" where there is nothing to say.

    about: the measure, and what its effect is called. effect, interval: its numbers.
    """

    text: str
    word: str
    rule: str
    about: str
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
class Evidence:
    """What the store holds of a study: its cells, a row each, and its learning curves.

    galleries: what its first seed's runs keep. figures[caption] is a figure of the study's own, shown after
    those that every study has.
    """

    analysis: Analysis
    cells: pd.DataFrame
    curves: pd.DataFrame
    galleries: Sequence[Gallery] = ()
    figures: Mapping[str, Figure] = field(default_factory=dict)


@dataclass(frozen=True)
class Chapter:
    """One study as the page shows it: how to run it, how many cells that is and how long it takes, and what
    its evidence says.

    Without evidence the study was not run yet, or `problem` says why its runs cannot be shown. `study` is
    None where its file cannot be read. `time` is "" where it is not known.
    """

    name: str
    study: Study | None
    command: str
    cells: int = 0
    time: str = ""
    evidence: Evidence | None = None
    problem: str = ""

    @property
    def title(self) -> str:
        """Its heading."""
        return heading(self.name)

    @property
    def part(self) -> str:
        """The place in the outline, as in "2 f, 2"; "" for none."""
        return self.study.part if self.study else ""

    @property
    def outline(self) -> dict[str, str]:
        """The titles of the parts that its experiment declares, by their numbers."""
        declared = self.study.experiment.outline if self.study else {}
        return {number: f"Part {number}: {title}" for number, title in declared.items()}

    @property
    def anchor(self) -> str:
        """The name as a fragment of an address and the beginning of a file's name; no two are alike."""
        return re.sub(r"[^\w-]", lambda odd: f".{ord(odd[0]):x}", self.name, flags=re.ASCII)

    @property
    def word(self) -> str:
        """What the summary says of a study without a claim."""
        return NO_RESULT if self.problem else "no claim" if self.evidence else NOT_RUN

    @property
    def size(self) -> str:
        """Its cells, as in "4 arms × 5 seeds = 20 cells"."""
        assert self.study is not None
        arms = len(self.study.settings)
        return plan_size(arms, self.cells // arms)

    @cached_property
    def claims(self) -> tuple[ClaimText, ...]:
        """The claims of the study, with what its runs say of them."""
        if self.study is None:
            return ()
        if self.evidence is None:
            return tuple(_claim(self.study, claim, self.word) for claim in self.study.claims)
        analysis = self.evidence.analysis
        return tuple(_judged(analysis.study, verdict) for verdict in analysis.verdicts)

    @cached_property
    def table(self) -> Table | None:
        """The study's table."""
        return tabulate(self.evidence.analysis) if self.evidence else None

    @cached_property
    def figure_groups(self) -> tuple[FigureGroup, ...]:
        """Effects, measures and curves, then the study's own figures."""
        return _figure_groups(self.anchor, self.evidence) if self.evidence else ()

    @property
    def galleries(self) -> tuple[Gallery, ...]:
        """What the runs of the first seed keep, in files that no other chapter has."""
        return (
            tuple(_named_after(self.anchor, one) for one in self.evidence.galleries) if self.evidence else ()
        )

    @property
    def about_galleries(self) -> str:
        """What the galleries show, and which arms have none; "" where the experiment has none at all."""
        if self.study is None or not self.study.experiment.sheet:
            return ""
        shown = {arm for gallery in self.galleries for arm in gallery.arms}
        apart = ["Arms with other inputs stand apart."] if len(self.galleries) > 1 else []
        bare = [arm for arm in self.study.settings if arm not in shown]
        gone = [f"Nothing is kept for {listing(bare)}."] if bare else []
        return " ".join([*dict.fromkeys(gallery.caption for gallery in self.galleries), *apart, *gone])

    @property
    def pngs(self) -> Iterator[Png]:
        """Every PNG of figures and galleries."""
        for group in self.figure_groups:
            yield from group.pngs
        for gallery in self.galleries:
            yield gallery.inputs
            yield from gallery.arms.values()

    @cached_property
    def runs(self) -> list[Any]:
        """The cells of the plan in its order, with `number` from 1; "" for what was not recorded.

        Each has `RUN_COLUMNS`, when it `began`, without the zone, which is UTC, and its `commit` in short.
        """
        if self.evidence is None:
            return []
        analysis = self.evidence.analysis
        cells = planned(analysis.study, self.evidence.cells, analysis.seeds)
        cells = cells.reindex(columns=RUN_COLUMNS).astype(object).fillna("")
        began = [text.partition("+")[0].replace("T", " ") for text in cells["started"]]
        known = cells.assign(
            number=range(1, len(cells) + 1), began=began, commit=cells["code"].map(short_commit)
        )
        return list(known.itertuples(index=False, name="Run"))

    @property
    def numbers(self) -> dict[str, str]:
        """The numbers of the runs behind each number of the table, by the keys of provenance.json."""
        places = {(run.arm, run.seed): run.number for run in self.runs}
        sources = self.evidence.analysis.sources if self.evidence else {}
        return {
            key: ", ".join(str(place) for place in sorted(places[s.arm, s.seed] for s in cells)) or "none"
            for key, cells in sources.items()
        }

    @property
    def lacking(self) -> str:
        """How much is still to be run."""
        missing = sum(run.state not in SETTLED for run in self.runs)
        return f"{missing} of {count(len(self.runs), 'cell')} are still to be run." if missing else ""

    @property
    def codes(self) -> list[str]:
        """The versions of the code that computed the runs, each once, as in "abc (5 runs)"."""
        counts = Counter(run.code for run in self.runs if run.code)
        return [f"{code} ({count(n, 'run')})" for code, n in counts.items()]


def parts(chapters: Iterable[Chapter]) -> dict[str, tuple[Chapter, ...]]:
    """The chapters of every part by its title, in the order of the outlines; those of no part come last."""
    ordered = sorted(chapters, key=lambda chapter: (_place(chapter.part), chapter.name))
    found: dict[str, tuple[Chapter, ...]] = {
        title: () for chapter in ordered for title in chapter.outline.values()
    }
    rest = "Further studies" if found else "Studies"
    for chapter in ordered:
        title = chapter.outline.get(next(iter(_words(chapter.part)), ""), rest)
        # A title that is met first here is that of the rest, and is put last.
        found[title] = (*found.get(title, ()), chapter)
    return found


def word_counts(claims: Iterable[ClaimText]) -> dict[str, int]:
    """How many claims have each word: every word of a verdict, and the others where there are any."""
    counts = Counter(claim.word for claim in claims)
    shown = [*WORDS, *(word for word in (NOT_RUN, NO_RESULT) if counts[word])]
    return {word: counts[word] for word in shown}


def _place(part: str) -> list[tuple[int, str]]:
    """The numbers and letters of a place, so that 10 comes after 9."""
    return [(int(word), "") if word.isdigit() else (0, word) for word in _words(part)]


def _words(part: str) -> list[str]:
    return re.findall(r"\d+|[a-z]+", part.lower())


def _claim(study: Study, claim: Claim, word: str, **found: str) -> ClaimText:
    rule = claim.rule
    about = f"{study.label(rule.measure)}, {rule.effect_words}"
    return ClaimText(claim.text, word, rule.sentence(study), about, **found)


def _judged(study: Study, verdict: Verdict) -> ClaimText:
    """A claim with its verdict, all numbers formatted."""
    name, estimate = verdict.claim.rule.measure, verdict.estimate
    digits = difference_digits(study.measure(name).digits, study.measures[name])
    return _claim(
        study,
        verdict.claim,
        verdict.word,
        effect=number(estimate.mean, digits, signed=True) if estimate.n else "",
        interval=bracket(estimate.low, estimate.high, digits, signed=True) if estimate.n > 1 else "",
        reason=verdict.reason,
    )


def _named_after(anchor: str, gallery: Gallery) -> Gallery:
    def named(png: Png) -> Png:
        return replace(png, file=f"{anchor}-{png.file}")

    arms = {arm: named(png) for arm, png in gallery.arms.items()}
    return replace(gallery, inputs=named(gallery.inputs), arms=arms)


def _figure_groups(anchor: str, evidence: Evidence) -> tuple[FigureGroup, ...]:
    """Every panel is a PNG of its own, so that panels stand in a row or, on a phone, in a column."""
    analysis, study = evidence.analysis, evidence.analysis.study
    level, labels = analysis.level_words, {name: study.label(name) for name in study.measures}
    kinds = (
        (
            "Effects",
            f"Difference to the baseline, mean and {level} interval; the band is the smallest effect that "
            "matters.",
            {label: _effects(analysis, name) for name, label in labels.items()},
        ),
        (
            "Measures",
            f"Mean and {level} interval of every arm; grey: {figures.seeds_in_grey(analysis.seeds)}.",
            {label: figures.measures(analysis, evidence.cells, [name]) for name, label in labels.items()},
        ),
        (
            "Learning curves",
            "Mean over seeds; the band goes from the least to the greatest seed, and training has none.",
            {panel[0]: _curves(panel) for panel in figures.recorded_curves(analysis, evidence.curves)},
        ),
    )
    groups = []
    for title, caption, drawn in kinds:
        by_text = {f"{title}: {label}": figure for label, figure in drawn.items()}
        name = f"{anchor}-{title.split()[-1].lower()}"
        groups.append(FigureGroup(title, caption, tuple(_pngs(name, by_text, study.quick))))
    own = tuple(_pngs(f"{anchor}-figure", evidence.figures, study.quick))
    groups.append(FigureGroup("Further figures", " ".join(evidence.figures), own, own=True))
    return tuple(group for group in groups if group.pngs)


def _effects(analysis: Analysis, name: str) -> Figure:
    figure = figures.effects(analysis, [name])
    for axes in figure.axes:
        # One panel alone has no room for the longer of its labels in a line.
        axes.set_xlabel(axes.get_xlabel().replace(" or ", "\nor "))
    return figure


def _curves(panel: tuple[str, figures.Curves]) -> Figure:
    figure = figures.curves([panel])
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
