"""What MLflow's pages show of each arm: a few rounded numbers to draw, and the rest in words."""

from math import isfinite

from ablation.formatting import bracket, difference_digits, number, p_words
from ablation.settings import flat
from ablation.stats.analysis import Analysis
from ablation.stats.effects import Effect
from ablation.stats.statistics import Estimate
from ablation.tracking.arms import ArmSummary

MOST = 7
"""Metrics of an arm: the labels of MLflow's compare page do not stay beside their numbers with more."""
BASELINE = "(baseline)"
UNTESTED = "not tested"


def arm_summaries(analysis: Analysis) -> list[ArmSummary]:
    """What is recorded of each arm, in the study's order.

    Metrics: of one measure after another in the study's order, MEASURE (the mean), "MEASURE difference",
    "MEASURE low", "MEASURE high" (the difference with its interval, in the unit of the measure) and
    "MEASURE p" (Holm's), as far as there is room for `MOST`; and `n`, the least number of seeds of any
    measure.
    Tags, of every measure: mean.MEASURE and difference.MEASURE with their intervals, p.MEASURE (Holm's),
    verdict.MEASURE; and `against`, the arm that the differences are to.
    """
    return [_summary(analysis, arm) for arm in analysis.study.settings]


def _summary(analysis: Analysis, arm: str) -> ArmSummary:
    study = analysis.study
    settings, other = flat(study.settings[arm]), study.reference_of(arm)
    tags = {"against": BASELINE if other == arm else other}
    numbers: dict[str, float] = {}
    for name in study.measures:
        mean, effect = analysis.means[arm, name], analysis.effect(arm, name)
        digits = study.measure(name).digits
        finer = difference_digits(digits, study.measures[name])
        tags[f"mean.{name}"] = _words(mean, digits)
        numbers[name] = round(mean.mean, digits)
        if effect is not None:
            tags |= {f"{what}.{name}": text for what, text in _effect_words(effect, finer).items()}
        numbers |= {f"{name} {what}": value for what, value in _effect_numbers(effect, finer).items()}
    shown = {name: value for name, value in list(numbers.items())[: MOST - 1] if isfinite(value)}
    # After the first measure: MLflow's compare page draws the metric that stands first.
    shown["n"] = min(analysis.means[arm, name].n for name in study.measures)
    to = "the baseline" if other == arm else f"differences to {other}"
    note = f"{arm}: means over seeds with their intervals, {to}.\n\n{analysis.conclusion}"
    return ArmSummary(arm, {name: settings[name] for name in study.columns}, shown, tags, note)


def _words(estimate: Estimate, digits: int, signed: bool = False) -> str:
    """As in "−0.0012 [−0.0021, −0.0003]"."""
    text = number(estimate.mean, digits, signed)
    return text if estimate.n < 2 else f"{text} {bracket(estimate.low, estimate.high, digits, signed)}"


def _effect_words(effect: Effect, digits: int) -> dict[str, str]:
    tested = effect.p is not None
    return {
        "difference": _words(effect.estimate, digits, signed=True),
        "p": p_words(effect.p_holm, in_table=True),
        "verdict": effect.verdict if tested else UNTESTED,
    }


def _effect_numbers(effect: Effect | None, digits: int) -> dict[str, float]:
    """The same names for every arm; NaN where there is no such number."""
    nan = float("nan")
    if effect is None:
        return dict.fromkeys(("difference", "low", "high", "p"), nan)
    found = effect.estimate
    return {
        "difference": round(found.mean, digits),
        "low": round(found.low, digits),
        "high": round(found.high, digits),
        "p": nan if effect.p_holm is None else float(f"{effect.p_holm:.2g}"),
    }
