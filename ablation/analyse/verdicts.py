"""Verdicts: what the effects say of each claim, in words that follow from the study file alone.

The rules, first match wins: cells not complete, a smoke budget, fewer than five seeds or the same
difference under every seed leave a claim inconclusive and untested; inside the smallest effect of
interest (TOST) it is equivalent; significant in the claimed direction it is supported, in the other
refuted; else inconclusive. All p-values are Holm's over the claims of the study.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from ablation.analyse.cells import lacking
from ablation.analyse.effects import FEWEST_SEEDS, Contrast, adjusted, contrast
from ablation.analyse.statistics import (
    EXACT_UP_TO,
    Estimate,
    equal,
    least_p,
    replication_ratio,
    seeds_needed,
    smallest_detectable,
)
from ablation.analyse.words import change, count, difference_digits, listing, number, p_words, percent
from ablation.measures import measure as find_measure
from ablation.study import Claim, Difference, Study

Word = Literal["supported", "refuted", "equivalent", "inconclusive"]
WORDS: tuple[Word, ...] = ("supported", "refuted", "equivalent", "inconclusive")
POWER = 0.8


@dataclass(frozen=True)
class Verdict:
    """What the runs say of one claim.

    `estimate` and `detectable` are in the unit of the measure; `detectable` is the smallest true effect
    that these seeds find with 80 % power at Holm's first step, at the spread seen: None where there is
    no spread, inf where there are too few seeds for any. The p-values are None where no test is made.
    """

    claim: Claim
    rule: str
    estimate: Estimate
    p: float | None
    p_holm: float | None
    p_equivalence_holm: float | None
    word: Word
    reason: str
    detectable: float | None
    arms: tuple[str, ...]
    seeds: tuple[int, ...]


def verdicts(study: Study, cells: pd.DataFrame) -> tuple[Verdict, ...]:
    """One verdict per claim, in the order of the study file; `cells` has one row per planned cell."""
    found = [contrast(study, cells, claim.rule) for claim in study.claims]
    ps, equals = adjusted(c.p for c in found), adjusted(c.p_equivalence for c in found)
    return tuple(
        _verdict(study, cells, *parts) for parts in zip(study.claims, found, ps, equals, strict=True)
    )


def conclusion(study: Study, verdicts: Sequence[Verdict]) -> str:
    """What follows for the study: its `supported` sentence if every claim is, else what is not shown."""
    if not verdicts:
        return "The study makes no claim; its effects stand for themselves."
    if all(v.word == "supported" for v in verdicts):
        return _sentence(study.supported or "every claim of the study is supported")
    groups = {word: [f"“{v.claim.text}”" for v in verdicts if v.word == word] for word in WORDS}
    parts = [f"{word}: {listing(texts)}" for word, texts in groups.items() if texts]
    return _sentence(f"Not shown: {study.supported or 'the claims together'} ({'; '.join(parts)})")


def rule_words(study: Study, claim: Claim) -> str:
    """The rule of a claim as a sentence."""
    rule, label = claim.rule, find_measure(claim.rule.measure).label
    if isinstance(rule, Difference):
        side = "above" if rule.direction == "up" else "below"
        return f"{label} of {rule.arm} lies {side} that of {study.reference}, paired by seed."
    levels = sorted(study.levels(rule.along).values())
    scale = {"log2": "log2 of the setting", "linear": "the setting", "rank": "its rank"}[rule.scale]
    verb = "rises" if rule.direction == "up" else "falls"
    return (
        f"{label} {verb} as {rule.along} grows from {levels[0]:g} to {levels[-1]:g}: "
        f"the change fitted by one straight line per seed over {scale}."
    )


def _verdict(
    study: Study, cells: pd.DataFrame, claim: Claim, found: Contrast, p: float | None, p_equal: float | None
) -> Verdict:
    detectable = _detectable(study, found)
    if p is None or p_equal is None:
        word, reason = _untested(study, cells, found)
    else:
        word, reason = _tested(study, claim, found, p, p_equal)
    return Verdict(
        claim,
        rule_words(study, claim),
        found.estimate,
        found.p,
        p,
        p_equal,
        word,
        _sentence(reason),
        detectable,
        found.arms,
        found.seeds,
    )


def _untested(study: Study, cells: pd.DataFrame, found: Contrast) -> tuple[Word, str]:
    gaps = lacking(cells, list(found.arms))
    planned = int(cells["arm"].isin(found.arms).sum())
    seen = f"what was seen is a {_seen(study, found)}" if found.seeds else "there is no estimate"
    if gaps:
        states = listing([f"{n} {state}" for state, n in gaps.items()])
        why = f"{sum(gaps.values())} of {count(planned, 'cell')} that it rests on are not complete ({states})"
    elif found.equal:
        return "inconclusive", _no_spread(study, found)
    elif study.quick:
        why = "a smoke budget only shows that the study runs"
    elif cells["seed"].nunique() < FEWEST_SEEDS:
        seeds = count(cells["seed"].nunique(), "seed")
        why = f"{seeds}, fewer than {FEWEST_SEEDS}, are exploratory"
    else:
        why = f"{found.measure} is not a number under every seed in every arm that it rests on"
    return "inconclusive", f"{why}, so no test is made; {seen}"


def _no_spread(study: Study, found: Contrast) -> str:
    kind, same = _kind(study, found), number(found.estimate.mean, _digits(study, found), signed=True)
    label = find_measure(found.measure).label
    return (
        f"every seed gives the same {kind} ({same}): {label} is too coarse, or the seeds too few, to show a "
        "spread, so no test is made"
    )


def _tested(study: Study, claim: Claim, found: Contrast, p: float, p_equal: float) -> tuple[Word, str]:
    seen, sesoi = _seen(study, found), _sesoi(study, found)
    if p_equal < study.alpha:
        return "equivalent", (
            f"the {seen} lies within ±{sesoi}, the smallest effect that matters "
            f"(two one-sided tests, {p_words(p_equal)} after Holm)"
        )
    if p >= study.alpha:
        return "inconclusive", (
            f"the {seen} neither shows a change ({p_words(p)} after Holm) nor rules out one of ±{sesoi}, "
            f"the smallest that matters ({p_words(p_equal)} after Holm); {_needed(study, found)}"
        )
    as_claimed = (found.estimate.mean > 0) == (claim.rule.direction == "up")
    side = "in the direction claimed" if as_claimed else "against the direction claimed"
    return ("supported" if as_claimed else "refuted"), (
        f"the {seen} is {side} ({p_words(p)} after Holm){_size(study, found)}"
    )


def _size(study: Study, found: Contrast) -> str:
    """A warning where an effect is shown, but not that it is as large as the one that matters."""
    nearest = min(abs(found.estimate.low), abs(found.estimate.high))
    if nearest >= study.measures[found.measure]:
        return f", and larger than {_sesoi(study, found)}, the smallest that matters"
    return f"; whether it reaches {_sesoi(study, found)}, the smallest that matters, is open"


def _needed(study: Study, found: Contrast) -> str:
    """How many more seeds would detect the smallest effect that matters, at the spread seen."""
    ratio = replication_ratio(study.test, study.baseline.data.parts)
    alpha, seeds = study.alpha / len(study.claims), len(found.seeds)
    sd = float(np.std(found.differences, ddof=1))
    needed = seeds_needed(study.measures[found.measure], sd, ratio, alpha, POWER)
    chance = f"{percent(POWER)} power at the spread seen"
    if needed is None:
        return (
            f"no number of seeds would find {_sesoi(study, found)} with {chance}, since all splits share one "
            "pool of images: more images would help, more seeds would not"
        )
    while least_p(needed, study.test) >= alpha and needed < EXACT_UP_TO:
        needed += 1
    if needed <= seeds:
        return (
            f"{count(seeds, 'seed')} find {_sesoi(study, found)} with {chance} or more, so these should have "
            "sufficed, and that they did not is a matter of chance"
        )
    return f"about {count(needed, 'seed')} would find {_sesoi(study, found)} with {chance}"


def _detectable(study: Study, found: Contrast) -> float | None:
    n = len(found.differences)
    if n < 2 or found.equal or equal(np.array(found.differences)):
        return None
    ratio, least = replication_ratio(study.test, study.baseline.data.parts), least_p(n, study.test)
    units = smallest_detectable(n, ratio, study.alpha / len(study.claims), POWER, least)
    return units * float(np.std(found.differences, ddof=1))


def _kind(study: Study, found: Contrast) -> str:
    single = len(found.arms) == 2 and found.arms[1] == study.reference
    return "difference" if single else "fitted change"


def _seen(study: Study, found: Contrast) -> str:
    return f"{_kind(study, found)} of {change(found.estimate, 1 - study.alpha, _digits(study, found))}"


def _sesoi(study: Study, found: Contrast) -> str:
    return number(study.measures[found.measure], _digits(study, found))


def _digits(study: Study, found: Contrast) -> int:
    return difference_digits(find_measure(found.measure).digits, study.measures[found.measure])


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."
