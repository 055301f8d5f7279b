"""The table of a study as text: every number is formatted here, once, and printed in four formats."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ablation.formatting import ABSENT, SMOKE, difference_digits, number
from ablation.measures import Measure
from ablation.measures import measure as find_measure
from ablation.stats.analysis import Analysis
from ablation.stats.effects import Effect
from ablation.stats.statistics import Estimate, interval
from ablation.stats.verdicts import Verdict

STARS = ((0.001, "***"), (0.01, "**"), (0.05, "*"))
EQUIVALENT = "≡"


@dataclass(frozen=True)
class Entry:
    """One arm in one measure; every field is text as printed, "–" or "" where there is nothing to say.

    `reference` is the arm that the difference is to, and `to` says so, as in "to middle", where it is not
    the baseline. `mark` holds the stars of Holm's p and `EQUIVALENT`; `best` whether no mean is printed
    better.
    """

    arm: str
    baseline: bool
    reference: str
    to: str
    n: str
    mean: str
    low: str
    high: str
    difference: str
    difference_low: str
    difference_high: str
    p: str
    p_equivalence: str
    mark: str
    verdict: str
    best: bool


@dataclass(frozen=True)
class Panel:
    """One measure: its name, the direction that is better, its SESOI, and a row per arm."""

    measure: str
    label: str
    better: str
    sesoi: str
    rows: tuple[Entry, ...]


@dataclass(frozen=True)
class Table:
    """A study's table: a panel per measure, and under it the verdicts and everything that limits it.

    `warning` stands above the numbers of a study on a smoke budget (`quick`); it is "" for any other.
    """

    name: str
    title: str
    question: str
    source: str
    interval: str
    panels: tuple[Panel, ...]
    notes: tuple[str, ...]
    verdicts: tuple[Verdict, ...]
    conclusion: str
    caveats: tuple[str, ...]
    fixed: str
    quick: bool
    warning: str


def tabulate(analysis: Analysis) -> Table:
    """The table of `analysis`, all numbers formatted."""
    study = analysis.study
    return Table(
        study.name or "study",
        (study.name or "study").replace("_", " ").replace("-", " ").capitalize(),
        study.question,
        study.source,
        f"{analysis.level_words} interval",
        tuple(_panel(analysis, find_measure(name)) for name in study.measures),
        _notes(analysis),
        analysis.verdicts,
        analysis.conclusion,
        analysis.caveats,
        analysis.fixed,
        study.quick,
        SMOKE if study.quick else "",
    )


def _panel(analysis: Analysis, measure: Measure) -> Panel:
    study = analysis.study
    digits = difference_digits(measure.digits, study.measures[measure.name])
    best = _best(measure, {arm: analysis.means[arm, measure.name] for arm in study.specs})
    rows = tuple(_entry(analysis, measure, arm, best, digits) for arm in study.specs)
    sesoi = number(study.measures[measure.name], digits)
    return Panel(measure.name, measure.label, measure.better, sesoi, rows)


def _best(measure: Measure, means: Mapping[str, Estimate]) -> str:
    """The best mean as printed, so that arms a reader cannot tell apart are best together."""
    if measure.better == "neither":
        return ABSENT
    found = [e.mean for e in means.values() if e.n]
    best = (min if measure.better == "lower" else max)(found, default=float("nan"))
    return number(best, measure.digits)


def _entry(analysis: Analysis, measure: Measure, arm: str, best: str, digits: int) -> Entry:
    mean, effect = analysis.means[arm, measure.name], analysis.effect(arm, measure.name)
    gap = effect.estimate if effect else interval(np.empty(0), 0.95, 0.0)
    text = number(mean.mean, measure.digits)
    return Entry(
        arm,
        effect is None,
        effect.reference if effect else "",
        f"to {analysis.others[arm]}" if arm in analysis.others else "",
        str(mean.n),
        text,
        number(mean.low, measure.digits),
        number(mean.high, measure.digits),
        number(gap.mean, digits, signed=True),
        number(gap.low, digits, signed=True),
        number(gap.high, digits, signed=True),
        _p(effect.p_holm if effect else None),
        _p(effect.p_equivalence_holm if effect else None),
        _mark(effect, analysis.study.alpha),
        effect.verdict if effect and effect.p is not None else "",
        text == best != ABSENT,
    )


def _p(p: float | None) -> str:
    return ABSENT if p is None else "<0.001" if p < 0.001 else f"{p:.3f}"


def _mark(effect: Effect | None, alpha: float) -> str:
    if effect is None or effect.p_holm is None:
        return ""
    stars = next((mark for bound, mark in STARS if effect.p_holm < bound), "")
    return stars + (EQUIVALENT if effect.verdict == "equivalent" else "")


def _notes(analysis: Analysis) -> tuple[str, ...]:
    level = analysis.level_words
    other = ", or to the arm named beside it" if analysis.others else ""
    first = (
        f"Mean over n seeds with its {level} interval, and difference to {analysis.study.reference} (the "
        f"baseline){other}, paired by seed, with its {level} interval."
    )
    bold = "Bold is the best mean, which is no proof of a difference."
    if analysis.exploratory:
        return first, bold, "No effect is tested."
    marks = ", ".join(f"{mark} p < {bound:g}" for bound, mark in reversed(STARS))
    return first, bold, f"{marks} (Holm); {EQUIVALENT} equivalent: inside the smallest effect that matters."
