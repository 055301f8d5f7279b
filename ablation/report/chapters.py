"""The chapters of the report page, one per study: claims with their verdicts, table, figures and runs."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import isfinite
from pathlib import PurePath
from shlex import quote
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from ablation.claims import Claim
from ablation.formatting import (
    bracket,
    count,
    difference_digits,
    heading,
    listing,
    number,
    plan_size,
)
from ablation.report import figures
from ablation.report.drawing import encoded
from ablation.report.gallery import Gallery, Png
from ablation.report.table import Table, tabulate
from ablation.stats.analysis import Analysis
from ablation.stats.cells import COMPLETE, DIVERGED, STOPPED, planned
from ablation.stats.verdicts import Verdict
from ablation.study import Study

NOT_RUN, NO_RESULT = "not run yet", "no result"
FORMS = {
    **dict.fromkeys(("supported", "refuted"), "filled"),
    "equivalent": "diamond",
    "ruled out": "square",
    "inconclusive": "hollow",
    "not judged": "bar",
}
"""How the point of a verdict is drawn."""
RUN_COLUMNS = ["arm", "seed", "state", "fingerprint", "run_id", "started", "code"]


@dataclass(frozen=True)
class Place:
    """Where the effect of a claim stands, in units of the smallest effect that matters, above 0 as claimed.

    NaN where there is no number. form: how its point is drawn, one of `FORMS`, or "cross" where nothing is
    tested.
    """

    low: float
    mean: float
    high: float
    form: str

    @property
    def numbers(self) -> str:
        """As in "+2.1 [+0.4, +3.8]"."""
        spread = f" {bracket(self.low, self.high, 1, signed=True)}" if isfinite(self.low) else ""
        return f"{number(self.mean, 1, signed=True)}{spread}"


@dataclass(frozen=True)
class ClaimText:
    """A claim with its verdict's word, or `NOT_RUN` or `NO_RESULT`; "" where there is nothing to say.

    about: the measure, and what its effect is called. effect, interval: its numbers; place: the same among
    all claims, None where there are none. counts: as of a `Claim`; tested: whether there was a test.
    """

    text: str
    word: str
    rule: str
    about: str
    effect: str = ""
    interval: str = ""
    reason: str = ""
    detail: str = ""
    place: Place | None = None
    counts: bool = True
    tested: bool = False


@dataclass(frozen=True)
class FigureGroup:
    """Figures that answer one question, under one caption; `own` are a study's, of any width."""

    title: str
    caption: str
    pngs: tuple[Png, ...]
    own: bool = False


@dataclass(frozen=True)
class Evidence:
    """What the store holds of a study, a row a cell, its learning curves, and what follows from them.

    galleries: what its first seed's runs keep. figures[caption] is a figure of the study's own, shown after
    those that every study has.
    """

    analysis: Analysis
    cells: pd.DataFrame
    curves: pd.DataFrame
    galleries: Sequence[Gallery] = ()
    figures: Mapping[str, Figure] = field(default_factory=dict)

    @cached_property
    def table(self) -> Table:
        """The study's table."""
        return tabulate(self.analysis)

    @cached_property
    def figure_groups(self) -> tuple[FigureGroup, ...]:
        """Effects, measures and curves, then the study's own figures.

        Every panel is a PNG of its own, so that panels stand in a row or, on a phone, in a column.
        """
        analysis, level = self.analysis, self.analysis.level_words
        labels = {name: analysis.study.label(name) for name in analysis.study.measures}

        def group(title: str, caption: str, drawn: Mapping[str, Sequence[Figure]]) -> FigureGroup:
            by_text = {
                f"{title}: {label}{f', continued ({n})' if n > 1 else ''}": figure
                for label, parts in drawn.items()
                for n, figure in enumerate(parts, 1)
            }
            return FigureGroup(title, caption, self._pngs(title.split()[-1].lower(), by_text))

        groups = (
            group(
                "Effects",
                f"Difference to the baseline, mean and {level} interval; the band is the smallest effect "
                "that matters.",
                {label: figures.effects(analysis, [name]) for name, label in labels.items()},
            ),
            group(
                "Measures",
                f"Mean and {level} interval of every arm; grey: {figures.seeds_in_grey(analysis.seeds)}.",
                {label: figures.measures(analysis, self.cells, [name]) for name, label in labels.items()},
            ),
            group(
                "Learning curves",
                "Mean over seeds; the band goes from the least to the greatest seed, and training has none.",
                {
                    panel[0]: figures.curves(analysis, [panel])
                    for panel in figures.recorded_curves(analysis, self.curves)
                },
            ),
            FigureGroup(
                "Further figures", " ".join(self.figures), self._pngs("figure", self.figures), own=True
            ),
        )
        return tuple(group for group in groups if group.pngs)

    def _pngs(self, name: str, drawn: Mapping[str, Figure]) -> tuple[Png, ...]:
        """drawn[alt] is a figure, and `alt` its text for whoever cannot see it."""
        return tuple(
            Png(f"{name}-{index}.png", alt, encoded(figure, ".png"))
            for index, (alt, figure) in enumerate(drawn.items(), 1)
        )

    @property
    def about_galleries(self) -> str:
        """What the galleries show, and which arms have none; "" where the experiment has none at all."""
        study = self.analysis.study
        if not study.experiment.sheet:
            return ""
        shown = {arm for gallery in self.galleries for arm in gallery.arms}
        captions = [*dict.fromkeys(gallery.caption for gallery in self.galleries)]
        apart = ["Arms with other inputs stand apart."] if len(self.galleries) > len(captions) else []
        bare = [arm for arm in study.settings if arm not in shown]
        gone = [f"Nothing is kept for {listing(bare)}."] if bare else []
        return " ".join([*captions, *apart, *gone])

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
        """The cells in the order of the plan, with `RUN_COLUMNS`; "" for what was not recorded."""
        cells = planned(self.analysis.study, self.cells, self.analysis.seeds)
        known = cells.reindex(columns=RUN_COLUMNS).astype(object).fillna("")
        return list(known.itertuples(index=False, name="Run"))

    @property
    def numbers(self) -> dict[str, str]:
        """The runs behind each number of the table, counted from 1, by the keys of provenance.json."""
        places = {(run.arm, run.seed): number for number, run in enumerate(self.runs, 1)}
        return {
            key: ", ".join(map(str, sorted(places[s.arm, s.seed] for s in cells))) or "none"
            for key, cells in self.analysis.sources.items()
        }

    @property
    def lacking(self) -> str:
        """How much is still to be run."""
        missing = sum(run.state not in (COMPLETE, DIVERGED, STOPPED) for run in self.runs)
        return f"{missing} of {count(len(self.runs), 'cell')} are still to be run." if missing else ""

    @property
    def codes(self) -> list[str]:
        """The versions of the code that computed the runs, each once, as in "abc (5 runs)"."""
        counts = Counter(run.code for run in self.runs if run.code)
        return [f"{code} ({count(n, 'run')})" for code, n in counts.items()]


@dataclass(frozen=True)
class Chapter:
    """One study as the page shows it: how to run it, and what its evidence says.

    Without evidence the study was not run yet, or `problem` says why its runs cannot be shown. `study` is
    None where its file cannot be read. tunes: the study of which it confirms the tuned settings, if any.
    """

    name: str
    study: Study | None
    seeds: int = 0
    evidence: Evidence | None = None
    problem: str = ""
    tunes: str = ""

    @property
    def title(self) -> str:
        """Its heading; a file is called without its folder."""
        return heading(PurePath(self.name).stem if self.name.endswith(".py") else self.name)

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
    def introduction(self) -> str:
        """What its experiment says of the text whose claims are studied."""
        return self.study.experiment.about if self.study else ""

    @property
    def anchor(self) -> str:
        """The name as a fragment of an address and the beginning of a file's name; no two are alike."""
        return re.sub(r"[^\w-]", lambda odd: f".{ord(odd[0]):x}", self.name, flags=re.ASCII)

    @property
    def unrun(self) -> bool:
        """Whether there is nothing to show yet, and no problem either."""
        return self.evidence is None and not self.problem

    @property
    def words(self) -> dict[str, int]:
        """How many of its claims have each word, else its own word; in the order of the claims."""
        return dict(Counter(claim.word for claim in self.claims) or {self.word: 1})

    @property
    def word(self) -> str:
        """What the summary says of a study without a claim."""
        return NO_RESULT if self.problem else "no claim" if self.evidence else NOT_RUN

    @property
    def size(self) -> str:
        """Its cells, and how long they take where that is known."""
        assert self.study is not None
        if self.study.runs is not None:
            return f"{count(len(self.study.settings), 'arm')} of runs that exist already"
        known = not self.study.quick
        return plan_size(len(self.study.settings), self.seeds, self.study.cell_seconds if known else 0)

    @property
    def command(self) -> str:
        """What runs it, and its search."""
        assert self.study is not None
        run, quick = f"ablation run {quote(self.name)}", " --quick" if self.study.quick else ""
        if self.study.runs is not None:
            return run
        if self.tunes:
            return f"ablation tune {quote(self.tunes)}{quick}"
        search = f" && {run} --search{quick}" if self.study.search else ""
        return f"{run} --seeds {self.seeds}{quick}{search}"

    @cached_property
    def claims(self) -> list[ClaimText]:
        """The claims of the study, with what its runs say of them."""
        if self.evidence:
            analysis = self.evidence.analysis
            return [_judged(analysis.study, verdict) for verdict in analysis.verdicts]
        return [_claim(self.study, claim, self.word) for claim in self.study.claims] if self.study else []


def _claim(study: Study, claim: Claim, word: str, **found: Any) -> ClaimText:
    rule = claim.rule
    about = f"{study.label(rule.measure)}, {rule.effect_words}"
    return ClaimText(claim.text, word, rule.sentence(study), about, counts=claim.counts, **found)


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
        detail=verdict.detail,
        place=_place(study, verdict) if estimate.n else None,
        tested=verdict.p_holm is not None,
    )


def _place(study: Study, verdict: Verdict) -> Place:
    rule, estimate = verdict.claim.rule, verdict.estimate
    unit = study.measures[rule.measure] * (-1 if rule.direction == "down" else 1)
    low, high = sorted((estimate.low / unit, estimate.high / unit))
    form = FORMS[verdict.word] if verdict.p_holm is not None else "cross"
    return Place(low, estimate.mean / unit, high, form)
