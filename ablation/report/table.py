"""The table of a study as text: every number of it is formatted here, once, for all formats."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import nan
from typing import Literal

from ablation.errors import UserError, check_known
from ablation.fields import checked
from ablation.formatting import ABSENT, SMOKE, count, difference_digits, heading, number, p_words
from ablation.measures import Measure
from ablation.stats.analysis import Analysis
from ablation.stats.effects import Effect
from ablation.stats.statistics import Estimate
from ablation.study import Study

NO_ESTIMATE = Estimate(nan, nan, nan, 0)
NOT_TESTED = "not tested"
MARKS = {"better": "+", "worse": "−", "higher": "↑", "lower": "↓", "equivalent": "≡"}
MARKS |= {"not judged": "§", NOT_TESTED: "†"}
"""What a compact table shows of a verdict; an inconclusive effect has no mark."""
OTHER_SEEDS = "‡"
"""Marks a mean over other seeds than that of the arm that it is compared with."""
MOST_DIGITS = 15
Interval = Literal["pm", "range"]
Font = Literal["scriptsize", "footnotesize", "small", "normalsize"]


@checked
@dataclass(frozen=True)
class Layout:
    """How a table is shown; it changes no number and no verdict.

    measures, arms: the ones to show, in this order; all if empty. digits: the decimals of every number, the
    measures' own if None. interval: "pm" (mean ± half the width) or "range" (mean [low, high]); "" is "pm" in
    LaTeX and "range" elsewhere. font: LaTeX's word for the size. transpose: in LaTeX, a row a measure.

    Raises `UserError` where there is no such interval, font or number of digits.
    """

    measures: Sequence[str] = ()
    arms: Sequence[str] = ()
    digits: int | None = None
    interval: Interval | Literal[""] = ""
    font: Font = "footnotesize"
    transpose: bool = False

    def __post_init__(self) -> None:
        """Refuse what no table can be like."""
        if self.digits is not None and not 0 <= self.digits <= MOST_DIGITS:
            raise UserError(f"digits wants a whole number from 0 to {MOST_DIGITS}, but got {self.digits}.")


@dataclass(frozen=True)
class Entry:
    """One arm in one measure; every field is text as printed, "–" or "" where there is nothing to say.

    `reference` is the arm that the difference is to. Where that is not the baseline, `to` names it, as in
    "to middle". `tag` is "baseline" where the arm is one and is not called so. `half` is half the width of
    the mean's interval. `verdict` is a word of an effect, or "not tested"; `mark` its sign in `MARKS`, which
    is "" where the study tests nothing at all. `seeds_mark`: `OTHER_SEEDS`. `best`: no printed mean of an arm
    that is shown is better. `wins`: under how many seeds the arm is better, as in "better in 9 of 10".
    """

    arm: str
    baseline: bool
    tag: str
    reference: str
    to: str
    n: str
    mean: str
    low: str
    high: str
    half: str
    difference: str
    difference_low: str
    difference_high: str
    difference_half: str
    p: str
    p_equivalence: str
    mark: str
    seeds_mark: str
    verdict: str
    best: bool
    wins: str

    def spread(self, interval: Interval) -> str:
        """The interval of the mean: "± 0.002" or "[0.010, 0.014]"; "" where there is none."""
        return _spread(interval, self.half, self.low, self.high)

    def difference_spread(self, interval: Interval) -> str:
        """The interval of the difference, as in `spread`."""
        return _spread(interval, self.difference_half, self.difference_low, self.difference_high)


@dataclass(frozen=True)
class Panel:
    """One measure: its name, the direction that is better, its SESOI, and a row per arm."""

    measure: str
    label: str
    better: str
    sesoi: str
    rows: tuple[Entry, ...]

    @property
    def direction(self) -> str:
        """Which way is better, in words."""
        return "no direction is better" if self.better == "neither" else f"{self.better} is better"


@dataclass(frozen=True)
class Table:
    """A study's table: a panel per measure, and the notes under it; the rest is what `analysis` says."""

    analysis: Analysis
    panels: tuple[Panel, ...]
    notes: tuple[str, ...]
    layout: Layout = Layout()

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

    @property
    def empty(self) -> str:
        """What stands instead of the numbers where there is none; "" where there are."""
        if any(estimate.n for estimate in self.analysis.means.values()):
            return ""
        return "No cell is complete, so there is no number to show."

    def spread(self, usual: Interval) -> Interval:
        """How intervals are printed in a format that usually prints them as `usual`."""
        return self.layout.interval or usual

    def legend(self, interval: Interval, reference: str) -> str:
        """What n, the interval, bold and the marks of a compact table are; reference: the baseline's name."""
        return _legend(self, interval, reference)

    def whole(self) -> "Table":
        """The same with every arm and every measure."""
        return tabulate(self.analysis, replace(self.layout, measures=(), arms=()))

    def _repr_html_(self) -> str:
        """The table as a notebook shows it."""
        from ablation.report.formats import template

        return template("notebook.html").render(table=self)


def tabulate(analysis: Analysis, layout: Layout = Layout()) -> Table:
    """The table of `analysis`. Raises `UserError` where `layout` names what the study does not have."""
    study = analysis.study
    for kind, names, known in (
        ("measure in this study", layout.measures, study.measures),
        ("arm", layout.arms, study.settings),
    ):
        for name in names:
            check_known(kind, name, known)
    arms = tuple(dict.fromkeys(layout.arms)) or tuple(study.settings)
    measures = tuple(dict.fromkeys(layout.measures)) or tuple(study.measures)
    panels = tuple(_panel(analysis, name, arms, layout.digits) for name in measures)
    return Table(analysis, panels, tuple(_notes(analysis, panels)), layout)


def _panel(analysis: Analysis, name: str, arms: Sequence[str], wanted: int | None) -> Panel:
    study, measure = analysis.study, analysis.study.measure(name)
    own = difference_digits(measure.digits, study.measures[name])
    digits, difference = (measure.digits, own) if wanted is None else (wanted, wanted)
    blocks = {arm: study.blocks.of(arm) for arm in arms}
    best = {
        block: _best(measure, [analysis.means[arm, name] for arm in arms if blocks[arm] == block], digits)
        for block in blocks.values()
    }
    rows = tuple(_entry(analysis, arm, name, best[blocks[arm]], digits, difference) for arm in arms)
    return Panel(name, study.label(name), measure.better, number(study.measures[name], own), rows)


def _best(measure: Measure, means: Iterable[Estimate], digits: int) -> str:
    """The best mean as printed, so that arms that a reader cannot tell apart are best together."""
    if measure.better == "neither":
        return ABSENT
    found = [estimate.mean for estimate in means if estimate.n]
    best = (min if measure.better == "lower" else max)(found, default=nan)
    return number(best, digits)


def _entry(analysis: Analysis, arm: str, name: str, best: str, digits: int, difference: int) -> Entry:
    """`digits`: the decimals of a mean; `difference`: those of a difference."""
    mean, effect = analysis.means[arm, name], analysis.effect(arm, name)
    gap = effect.estimate if effect else NO_ESTIMATE
    text = number(mean.mean, digits)
    verdict = _verdict(effect)
    return Entry(
        arm,
        effect is None,
        "baseline" if effect is None and arm.lower() != "baseline" else "",
        effect.reference if effect else "",
        f"to {analysis.others[arm]}" if arm in analysis.others else "",
        str(mean.n),
        text,
        number(mean.low, digits),
        number(mean.high, digits),
        number((mean.high - mean.low) / 2, digits),
        number(gap.mean, difference, signed=True),
        number(gap.low, difference, signed=True),
        number(gap.high, difference, signed=True),
        number((gap.high - gap.low) / 2, difference),
        p_words(effect.p_holm if effect else None, in_table=True),
        p_words(effect.p_equivalence_holm if effect else None, in_table=True),
        "" if analysis.exploratory else MARKS.get(verdict, ""),
        OTHER_SEEDS if effect and _other_seeds(analysis, effect) else "",
        verdict,
        text == best != ABSENT,
        _wins(analysis.study.measure(name), effect),
    )


def _wins(measure: Measure, effect: Effect | None) -> str:
    """As in "better in 8.5 of 10": a seed under which the two are equal is half a one."""
    n = len(effect.differences) if effect else 0
    if effect is None or not n:
        return ""
    wins = n - effect.above if measure.better == "lower" else effect.above
    return f"{'higher' if measure.better == 'neither' else 'better'} in {wins:g} of {n}"


def _verdict(effect: Effect | None) -> str:
    if effect is None:
        return ""
    return NOT_TESTED if effect.p is None else effect.verdict


def _other_seeds(analysis: Analysis, effect: Effect) -> bool:
    """Whether the two means of an effect are over different seeds, so that they do not subtract to it."""
    own, other = (
        {source.seed for source in analysis.sources[f"{arm}/{effect.measure}/mean"]}
        for arm in (effect.arm, effect.reference)
    )
    return bool(own) and own != other


def _spread(interval: Interval, half: str, low: str, high: str) -> str:
    if half == ABSENT:
        return ""
    return f"± {half}" if interval == "pm" else f"[{low}, {high}]"


def _legend(table: Table, interval: Interval, reference: str) -> str:
    analysis, study = table.analysis, table.study
    rows = [row for panel in table.panels for row in panel.rows]
    counts = sorted({int(row.n) for row in rows} - {0})
    seeds = (
        f"n = {counts[0]} to {counts[-1]} seeds"
        if len(counts) > 1
        else (f"n = {count(counts[0], 'seed')}" if counts else "n seeds")
    )
    level = analysis.level_words
    said = [
        f"Mean ± half the width of its {level} interval over {seeds}"
        if interval == "pm"
        else f"Mean and its {level} interval over {seeds}"
    ]
    said += (
        [f"bold: best mean{' of a block' * bool(study.by_block)}"] if any(row.best for row in rows) else []
    )
    if analysis.exploratory:
        said.append("no effect is tested")
    else:
        named = "the baseline" if reference.lower() == "baseline" else f"“{reference}”"
        other = ", or with the arm named below it" if any(row.to for row in rows) else ""
        words = [f"{MARKS[word]} {word}" for word in MARKS if word in {row.verdict for row in rows}]
        words += ["unmarked: inconclusive"] if any(row.verdict == "inconclusive" for row in rows) else []
        how = f"compared with {named}{other}, {study.pairing} (Holm, p < {study.alpha:g})"
        said += [f"{how}: {', '.join(words)}"] if words else []
    said += [_other_seeds_words(rows)] if any(row.seeds_mark for row in rows) else []
    return "; ".join(said) + "."


def _other_seeds_words(rows: Sequence[Entry]) -> str:
    return f"{OTHER_SEEDS} over other seeds than the arm it is compared with: the means do not subtract"


def _notes(analysis: Analysis, panels: Sequence[Panel]) -> Iterable[str]:
    study, level = analysis.study, analysis.level_words
    rows = [row for panel in panels for row in panel.rows]
    named = study.reference.lower() == "baseline"
    reference = "the baseline" if named else f"{study.reference} (the baseline)"
    other = ", or to the arm named beside it" if analysis.others else ""
    yield (
        f"Mean over n seeds with its {level} interval, and difference to {reference}{other}, "
        f"{study.pairing}, with its {level} interval."
    )
    block = " of each block" if study.by_block else ""
    yield f"Bold marks the best mean{block}, which is no proof of a difference."
    if analysis.exploratory:
        yield "No effect is tested."
    else:
        yield (
            f"Verdicts: better or worse where p < {study.alpha:g} after Holm's correction over the arms of a "
            "measure; equivalent inside the smallest effect that matters; inconclusive where none is shown"
            f"{'; not judged where a gate is not passed' * any(row.verdict == 'not judged' for row in rows)}."
        )
    if any(row.seeds_mark for row in rows):
        yield f"{_other_seeds_words(rows)}."
    if (shown := len(panels[0].rows)) < len(study.settings) or len(panels) < len(study.measures):
        yield (
            f"Shown are {shown} of {count(len(study.settings), 'arm')} and {len(panels)} of "
            f"{count(len(study.measures), 'measure')}; p-values are corrected over all arms."
        )
