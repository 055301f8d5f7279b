"""Rules on numbers: what each arm's value counts in the effect of a rule, and how the rule reads."""

import numpy as np
from scipy import stats

from ablation.claims import Claim, Difference, Interaction, Level, Rule, Same, Trend
from ablation.errors import UserError
from ablation.measures import measure as find_measure
from ablation.stats.statistics import Array
from ablation.study import Study


def weights(study: Study, rule: Rule) -> dict[str, float]:
    """What each arm's value counts in the effect of `rule`, by arm name; less `offset` it is that effect."""
    if isinstance(rule, Level):
        return {rule.arm: 1.0}
    if isinstance(rule, Difference | Same):
        return {rule.arm: 1.0, other(study, rule): -1.0}
    if isinstance(rule, Interaction):
        return {rule.both: 1.0, rule.first: -1.0, rule.second: -1.0, study.reference: 1.0}
    arms = study.levels(rule.along, rule.around)
    return dict(zip(arms, map(float, slope(study, rule)), strict=True))


def offset(rule: Rule) -> float:
    """The number that the effect of `rule` is a difference to, where that is no arm's; else 0."""
    return rule.value if isinstance(rule, Level) else 0.0


def slope(study: Study, rule: Trend) -> Array:
    """Weights that turn one seed's values into their least-squares change over the whole range.

    One weight per arm of `study.levels`, those that differ from `rule.around` in `rule.along` alone. The
    line is fitted over log2 of the levels, the levels or their ranks; its slope times the range of those is
    the fitted change from the least to the largest level.
    """
    levels = np.array(list(study.levels(rule.along, rule.around).values()))
    if rule.scale == "log2" and levels.min() <= 0:
        raise UserError(
            f"a trend along {rule.along} on a log2 scale wants levels above 0, but got {levels.min():g}: "
            'declare it with scale="rank" or "linear".'
        )
    if rule.scale == "log2":
        levels = np.log2(levels)
    if rule.scale == "rank":
        levels = stats.rankdata(levels, "dense").astype(np.float64)
    centred = levels - levels.mean()
    return np.asarray(centred / (centred @ centred) * np.ptp(levels), dtype=np.float64)


def other(study: Study, rule: Difference | Same) -> str:
    """The arm that a difference is taken to: its own, else the one that the study sets its arm against."""
    return rule.to or study.reference_of(rule.arm)


def effect_words(rule: Rule) -> str:
    """What the effect of `rule` is called."""
    if isinstance(rule, Level):
        return f"difference to {rule.value:g}"
    names = {Trend: "fitted change", Interaction: "interaction"}
    return names.get(type(rule), "difference")


def rule_words(study: Study, claim: Claim) -> str:
    """The rule of a claim as a sentence."""
    rule, label = claim.rule, find_measure(claim.rule.measure).label
    if isinstance(rule, Level | Same):
        same = f"{rule.value:g}" if isinstance(rule, Level) else f"that of {other(study, rule)}"
        paired = ", paired by seed" if isinstance(rule, Same) else ""
        sesoi = f"{study.measures[rule.measure]:g}"
        return f"{label} of {rule.arm} is {same}, give or take {sesoi}, the smallest that matters{paired}."
    side = "above" if rule.direction == "up" else "below"
    if isinstance(rule, Difference):
        return f"{label} of {rule.arm} lies {side} that of {other(study, rule)}, paired by seed."
    if isinstance(rule, Interaction):
        return (
            f"{label}: the change from {study.reference} to {rule.both} lies {side} the changes from it to "
            f"{rule.first} and to {rule.second}, added up, paired by seed."
        )
    return _trend_words(study, rule, label)


def _trend_words(study: Study, rule: Trend, label: str) -> str:
    levels = sorted(study.levels(rule.along, rule.around).values())
    scale = {"log2": "log2 of the setting", "linear": "the setting", "rank": "its rank"}[rule.scale]
    around = f", all else as in {rule.around}" if rule.around else ""
    verb = "rises" if rule.direction == "up" else "falls"
    return (
        f"{label} {verb} as {rule.along} grows from {levels[0]:g} to {levels[-1]:g}{around}: "
        f"the change fitted by one straight line per seed over {scale}."
    )
