"""The table of a study as text: every number of it is formatted here, once, for all formats."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import nan

from ablation.formatting import ABSENT, SMOKE, difference_digits, heading, number, p_words
from ablation.measures import Measure
from ablation.stats.analysis import Analysis
from ablation.stats.effects import Effect
from ablation.stats.statistics import Estimate
from ablation.study import Study

NO_ESTIMATE = Estimate(nan, nan, nan, 0)
STARS = ((0.001, "***"), (0.01, "**"), (0.05, "*"))
EQUIVALENT = "≡"


@dataclass(frozen=True)
class Entry:
    """One arm in one measure; every field is text as printed, "–" or "" where there is nothing to say.

    `reference` is the arm that the difference is to. Where that is not the baseline, `to` names it, as in
    "to middle". `mark` holds the stars of Holm's p and `EQUIVALENT`. `best`: no arm's printed mean is better.
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
    """A study's table: a panel per measure, and the notes under it; the rest is what `analysis` says."""

    analysis: Analysis
    panels: tuple[Panel, ...]
    notes: tuple[str, ...]

    @property
    def study(self) -> Study:
        """The study, whose tuned settings may have been chosen."""
        return self.analysis.study

    @property
    def title(self) -> str:
        """The study's name as a heading."""
        return heading(self.study.name or "study")

    @property
    def interval(self) -> str:
        """What an interval is, as in "95 % interval"."""
        return f"{self.analysis.level_words} interval"

    @property
    def warning(self) -> str:
        """What stands above the numbers of a study on a smoke budget; "" for any other."""
        return SMOKE if self.study.quick else ""

    def _repr_html_(self) -> str:
        """The table as a notebook shows it."""
        from ablation.report.formats import template

        return template("notebook.html").render(table=self)


def tabulate(analysis: Analysis) -> Table:
    """The table of `analysis`."""
    panels = tuple(_panel(analysis, name) for name in analysis.study.measures)
    return Table(analysis, panels, _notes(analysis))


def _panel(analysis: Analysis, name: str) -> Panel:
    study, measure = analysis.study, analysis.study.measure(name)
    digits = difference_digits(measure.digits, study.measures[name])
    best = _best(measure, [analysis.means[arm, name] for arm in study.settings])
    rows = tuple(_entry(analysis, arm, name, best, digits) for arm in study.settings)
    return Panel(name, study.label(name), measure.better, number(study.measures[name], digits), rows)


def _best(measure: Measure, means: Iterable[Estimate]) -> str:
    """The best mean as printed, so that arms that a reader cannot tell apart are best together."""
    if measure.better == "neither":
        return ABSENT
    found = [estimate.mean for estimate in means if estimate.n]
    best = (min if measure.better == "lower" else max)(found, default=float("nan"))
    return number(best, measure.digits)


def _entry(analysis: Analysis, arm: str, name: str, best: str, difference: int) -> Entry:
    """`difference`: the decimals of a difference."""
    mean, effect = analysis.means[arm, name], analysis.effect(arm, name)
    digits = analysis.study.measure(name).digits
    gap = effect.estimate if effect else NO_ESTIMATE
    text = number(mean.mean, digits)
    return Entry(
        arm,
        effect is None,
        effect.reference if effect else "",
        f"to {analysis.others[arm]}" if arm in analysis.others else "",
        str(mean.n),
        text,
        number(mean.low, digits),
        number(mean.high, digits),
        number(gap.mean, difference, signed=True),
        number(gap.low, difference, signed=True),
        number(gap.high, difference, signed=True),
        p_words(effect.p_holm if effect else None, in_table=True),
        p_words(effect.p_equivalence_holm if effect else None, in_table=True),
        _mark(effect),
        effect.verdict if effect and effect.p is not None else "",
        text == best != ABSENT,
    )


def _mark(effect: Effect | None) -> str:
    if effect is None or effect.p_holm is None:
        return ""
    stars = next((mark for bound, mark in STARS if effect.p_holm < bound), "")
    return stars + (EQUIVALENT if effect.verdict == "equivalent" else "")


def _notes(analysis: Analysis) -> tuple[str, ...]:
    level = analysis.level_words
    other = ", or to the arm named beside it" if analysis.others else ""
    first = (
        f"Mean over n seeds with its {level} interval, and difference to {analysis.study.reference} (the "
        f"baseline){other}, {analysis.study.pairing}, with its {level} interval."
    )
    bold = "Bold marks the best mean, which is no proof of a difference."
    if analysis.exploratory:
        return first, bold, "No effect is tested."
    marks = ", ".join(f"{mark} p < {bound:g}" for bound, mark in reversed(STARS))
    return first, bold, f"{marks} (Holm); {EQUIVALENT} equivalent: inside the smallest effect that matters."
