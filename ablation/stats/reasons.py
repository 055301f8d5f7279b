"""The word of a verdict and its reason: the rules by which every claim is judged.

First match wins: cells not complete, a smoke budget, fewer than five seeds or the same
difference under every seed leave a claim inconclusive and untested; inside the smallest effect of
interest (TOST) it is equivalent; significant in the claimed direction it is supported, in the other
refuted; else inconclusive. A claim of a level, or that two arms are the same, is supported where it is
equivalent, and refuted in either direction. All p-values are Holm's over the claims of the study.
"""

from typing import Literal

import numpy as np
import pandas as pd

from ablation.claims import Level, Undirected
from ablation.formatting import a, change, count, difference_digits, listing, number, p_words, percent
from ablation.measures import measure as find_measure
from ablation.stats.cells import lacking
from ablation.stats.effects import FEWEST_SEEDS, Contrast
from ablation.stats.rules import effect_words
from ablation.stats.statistics import EXACT_UP_TO, least_p, replication_ratio, seeds_needed
from ablation.study import Study

Word = Literal["supported", "refuted", "equivalent", "inconclusive"]
WORDS: tuple[Word, ...] = ("supported", "refuted", "equivalent", "inconclusive")
POWER = 0.8


def untested(study: Study, cells: pd.DataFrame, found: Contrast) -> tuple[Word, str]:
    """The word and why no test is made, the gravest reason first; `cells` has one row per planned cell."""
    gaps = lacking(cells, list(found.arms))
    planned = int(cells["arm"].isin(found.arms).sum())
    seen = f"what was seen is {a(_seen(study, found))}" if found.seeds else "there is no estimate"
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
        why = f"{found.rule.measure} is not a number under every seed in every arm that it rests on"
    return "inconclusive", f"{why}, so no test is made; {seen}"


def _no_spread(study: Study, found: Contrast) -> str:
    kind, same = effect_words(found.rule), number(found.estimate.mean, _digits(study, found), signed=True)
    label = find_measure(found.rule.measure).label
    return (
        f"every seed gives the same {kind} ({same}): {label} is too coarse, or the seeds too few, to show a "
        "spread, so no test is made"
    )


def tested(study: Study, found: Contrast, p: float, p_equal: float) -> tuple[Word, str]:
    """The word and what it rests on; `p` and `p_equal` are Holm's, of a difference and of equivalence."""
    seen, sesoi, rule = _seen(study, found), _sesoi(study, found), found.rule
    undirected = isinstance(rule, Undirected)
    if p_equal < study.alpha:
        return "supported" if undirected else "equivalent", (
            f"the {seen} lies within ±{sesoi}, the smallest effect that matters "
            f"(two one-sided tests, {p_words(p_equal)} after Holm)"
        )
    if p >= study.alpha:
        shown, open_ = ("another value", "one off by") if isinstance(rule, Level) else ("a change", "one of")
        return "inconclusive", (
            f"the {seen} neither shows {shown} ({p_words(p)} after Holm) nor rules out {open_} ±{sesoi}, "
            f"the smallest that matters ({p_words(p_equal)} after Holm); {_needed(study, found)}"
        )
    word: Word
    if isinstance(rule, Undirected):
        named = "another value than the one claimed" if isinstance(rule, Level) else "that the two differ"
        word, said = "refuted", f"shows {named}"
    elif (found.estimate.mean > 0) == (rule.direction == "up"):
        word, said = "supported", "is in the direction claimed"
    else:
        word, said = "refuted", "is against the direction claimed"
    return word, f"the {seen} {said} ({p_words(p)} after Holm){_size(study, found)}"


def _size(study: Study, found: Contrast) -> str:
    """A warning where an effect is shown, but not that it is as large as the one that matters."""
    nearest = min(abs(found.estimate.low), abs(found.estimate.high))
    if nearest >= study.measures[found.rule.measure]:
        return f", and larger than {_sesoi(study, found)}, the smallest that matters"
    return f"; whether it reaches {_sesoi(study, found)}, the smallest that matters, is open"


def _needed(study: Study, found: Contrast) -> str:
    """How many more seeds would detect the smallest effect that matters, at the spread seen."""
    ratio = replication_ratio(study.test, study.baseline.data.parts)
    alpha, seeds = study.alpha / len(study.claims), len(found.seeds)
    sd = float(np.std(found.differences, ddof=1))
    needed = seeds_needed(study.measures[found.rule.measure], sd, ratio, alpha, POWER)
    chance = f"{percent(POWER)} power at the spread seen"
    if needed is None:
        return (
            f"no number of seeds would find {_sesoi(study, found)} with {chance}, since all splits share one "
            "pool of images: more images would help, more seeds would not"
        )
    while least_p(needed, study.test) >= alpha and needed < EXACT_UP_TO:
        needed += 1
    if needed <= seeds and isinstance(found.rule, Undirected):
        return (
            f"{count(seeds, 'seed')} find {_sesoi(study, found)} with {chance} or more, but to show that "
            "there is no such difference takes more"
        )
    if needed <= seeds:
        return (
            f"{count(seeds, 'seed')} find {_sesoi(study, found)} with {chance} or more, so these should have "
            "sufficed, and that they did not is a matter of chance"
        )
    return f"about {count(needed, 'seed')} would find {_sesoi(study, found)} with {chance}"


def _seen(study: Study, found: Contrast) -> str:
    return f"{effect_words(found.rule)} of {change(found.estimate, 1 - study.alpha, _digits(study, found))}"


def _sesoi(study: Study, found: Contrast) -> str:
    return number(study.measures[found.rule.measure], _digits(study, found))


def _digits(study: Study, found: Contrast) -> int:
    return difference_digits(find_measure(found.rule.measure).digits, study.measures[found.rule.measure])
