"""Verdicts: how a claim is judged by its effect, and how the verdict is said.

The first that holds decides. Cells that are not complete, a smoke budget, fewer than five seeds or the same
difference under every seed leave a claim untested and inconclusive. One that is guarded by a gate that is not
passed is not judged (`stats.gates`). An effect inside the smallest effect of interest (TOST) is equivalent;
one that is significant in the claimed direction is supported, in the other refuted; one that is shown to be
smaller than the smallest that matters in the claimed direction is ruled out; any other is inconclusive. A
claim without a direction (of a level, or that two arms are the same) is supported where it is equivalent, and
refuted by a significant effect in either direction.

p-values are adjusted over the claims that count, and apart over those that do not: `effects.contrasts`, and
docs/decisions/0037-false-verdicts.md.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd

from ablation.claims import Claim
from ablation.formatting import (
    a,
    apart,
    bracket,
    change,
    count,
    difference_digits,
    listing,
    number,
    p_words,
    percent,
    some,
)
from ablation.stats.cells import Seed, common, lacking
from ablation.stats.crossed import Sample
from ablation.stats.effects import Contrast, contrasts
from ablation.stats.gates import Gated, closed, gated
from ablation.stats.power import coarse_words, effect_power, limit_words
from ablation.stats.statistics import (
    WANTED_POWER,
    Estimate,
    equal,
    least_p,
    smallest_detectable,
    t_detectable,
)
from ablation.stats.two_way_bootstrap import Clustered, clustered
from ablation.study import FEWEST_SEEDS, Study

Word = Literal["supported", "refuted", "equivalent", "ruled out", "inconclusive", "not judged"]
WORDS: tuple[Word, ...] = get_args(Word)
AGAINST = ("refuted", "equivalent", "ruled out")
"""The words of a claim that does not hold."""
RULES = 3
"""The number of the rules above, which every verdicts.csv carries; docs/verdicts.md says what others were."""


@dataclass(frozen=True)
class Verdict:
    """What the runs say of one claim; `rule` is a sentence.

    `reason` says it as one would to a colleague, `detail` with p-values; "" where no test is made.
    `estimate` and `detectable` are in the unit of the measure; `detectable` is the smallest true effect
    that these seeds find with 80 % power at Holm's first step, at the spread seen: None where there is
    no spread, inf where there are too few seeds for any. The p-values are None where no test is made;
    p_ruled_out_holm also for a claim without a direction.
    `clustered` is the effect with its interval over items and seeds; None without values of single items.
    `sample`: over which items the effect itself is, where these are a sample. `closed`: the gates that guard
    the claim and are not passed.
    """

    claim: Claim
    rule: str
    estimate: Estimate
    p: float | None
    p_holm: float | None
    p_equivalence_holm: float | None
    p_ruled_out_holm: float | None
    word: Word
    reason: str
    detail: str
    detectable: float | None
    arms: tuple[str, ...]
    seeds: tuple[Seed, ...]
    clustered: Clustered | None
    sample: Sample | None = None
    closed: tuple[Gated, ...] = ()


def verdicts(
    study: Study,
    cells: pd.DataFrame,
    items: pd.DataFrame | None = None,
    gates: Sequence[Gated] | None = None,
) -> tuple[Verdict, ...]:
    """One verdict per claim, in the order of the study file; `cells` has one row per planned cell.

    `items` has the values of single test items (`crossed`, `clustered`). gates: what became of those of the
    study; found here where they are not given.
    """
    found: dict[int, Contrast] = {}
    gates = gated(study, cells, items) if gates is None else gates
    for counts in (True, False):
        own = [n for n, claim in enumerate(study.claims) if claim.counts == counts]
        found |= zip(own, contrasts(study, cells, [study.claims[n].rule for n in own], items), strict=True)
    return tuple(_verdict(study, cells, items, one, found[n], gates) for n, one in enumerate(study.claims))


def conclusion(study: Study, verdicts: Sequence[Verdict]) -> str:
    """What follows for the study: how many claims that count are supported, and what the others are."""
    verdicts = [verdict for verdict in verdicts if verdict.claim.counts]
    if not verdicts:
        return _sentence(study, "the study declares no claim that decides it; see the effects of its arms")
    groups = {word: [f"“{v.claim.text}”" for v in verdicts if v.word == word] for word in WORDS}
    counted = f"{len(groups['supported'])} of {count(len(verdicts), 'claim')} supported"
    counted += f", {len(shut)} not judged" if (shut := groups["not judged"]) else ""
    if len(groups["supported"]) == len(verdicts):
        return _sentence(study, f"{counted}: {study.supported or listing(groups['supported'])}")
    if study.supported:
        against = sum(verdict.word in AGAINST for verdict in verdicts)
        lead = (
            "not shown" if not against else "does not hold" if against == len(verdicts) else "not as a whole"
        )
        counted += f"; {lead}: {study.supported.rstrip('.')}"
    said = [f"{word.capitalize()}: {listing(texts)}." for word, texts in groups.items() if texts]
    return _sentence(study, " ".join([f"{counted}.", *said]))


def _verdict(
    study: Study,
    cells: pd.DataFrame,
    items: pd.DataFrame | None,
    claim: Claim,
    found: Contrast,
    gates: Sequence[Gated],
) -> Verdict:
    p, p_equal = found.p_holm, found.p_equivalence_holm
    shut = closed(gates, claim.rule.measure)
    word: Word = "inconclusive"
    if p is None or p_equal is None:
        reason, detail = f"Not tested: {_untested(study, cells, found)}", ""
    elif shut:
        word = "not judged"
        reason = f"Not judged: {listing([one.why(study) for one in shut])}"
        detail = _sentence(study, f"the {_seen(study, found)} has no verdict")
    else:
        word = _word(study, found)
        reason, detail = _reason(study, found, word), _sentence(study, _detail(study, found, word))
    reason = " ".join([f"{reason.rstrip('.')}.", *_blocks(study, found)])
    return Verdict(
        claim,
        claim.rule.sentence(study),
        found.estimate,
        found.p,
        p,
        p_equal,
        found.p_excluded_holm,
        word,
        _sentence(study, reason),
        detail,
        _detectable(study, found),
        found.arms,
        found.seeds,
        None
        if items is None or found.sample is not None or not study.experiment.has_strata(claim.rule.measure)
        else clustered(study, claim.rule, items),
        found.sample,
        tuple(shut),
    )


def _detectable(study: Study, found: Contrast) -> float | None:
    n = len(found.differences)
    if n < 2 or found.equal:
        return None
    if equal(np.array(found.differences)) if found.sample is None else not found.sample.error() > 0:
        return None
    alpha = study.alpha / found.family * found.weight
    if found.sample is not None:
        degrees = found.sample.degrees()
        return found.sample.error() * t_detectable(degrees, alpha)
    units = smallest_detectable(n, study.ratio, alpha, least_p(n, study.test))
    return units * float(np.std(found.differences, ddof=1))


def _untested(study: Study, cells: pd.DataFrame, found: Contrast) -> str:
    """Why no test is made, the gravest reason first; `cells` has one row per planned cell."""
    gaps = lacking(cells, list(found.arms))
    planned = int(cells["arm"].isin(found.arms).sum())
    seen = f"what was seen is {a(_seen(study, found))}" if found.seeds else "there is no estimate"
    if gaps:
        states = listing([f"{n} {state}" for state, n in gaps.items()])
        why = f"{sum(gaps.values())} of {count(planned, 'cell')} that it rests on are not complete ({states})"
    elif found.equal:
        same = number(found.estimate.mean, _digits(study, found), signed=True)
        one = "" if found.sample is None else f"every {found.sample.of.removesuffix('s')} under "
        every = f"{one}every seed"
        idle = "does the training use what the arms vary? Or " if found.estimate.mean == 0 else ""
        return (
            f"{every} gives the same {found.rule.effect_words} ({same}): {idle}"
            f"{study.label(found.rule.measure)} is too coarse, or the seeds too few, to show a spread"
        )
    elif study.quick:
        why = "a smoke budget only shows that the study runs"
    elif len(paired := common(cells, list(found.arms))) < FEWEST_SEEDS:
        seeds = count(len(paired), "seed")
        why = f"{seeds}, fewer than {FEWEST_SEEDS}, are exploratory"
    elif study.looks and len(paired) < study.looks[0]:
        why = f"{count(len(paired), 'seed')} are fewer than those of the first look, {study.looks[0]}"
    elif found.sample is not None and found.sample.clusters < found.sample.fewest:
        why = _too_few(found.sample)
    else:
        why = f"{found.rule.measure} is not a number under every seed in every arm that it rests on"
    return f"{why}; {seen}"


def _too_few(sample: Sample) -> str:
    """Why the items do not suffice for a test."""
    if sample.items:
        return f"{sample.over}, fewer than {sample.fewest}, show too little of how they differ"
    if sample.lacking:
        return f"no test item is common to all runs that it rests on ({sample.lacking} are in some of them)"
    return "the runs that it rests on kept no test items"


def _word(study: Study, found: Contrast) -> Word:
    """The verdict of an effect that was tested."""
    direction = found.rule.direction

    def shown(p: float | None) -> bool:
        return p is not None and p < study.alpha

    if shown(found.p_equivalence_holm):
        return "supported" if direction is None else "equivalent"
    if shown(found.p_holm):
        return "supported" if direction and found.up == (direction == "up") else "refuted"
    return "ruled out" if shown(found.p_excluded_holm) else "inconclusive"


def _reason(study: Study, found: Contrast, word: Word) -> str:
    """The verdict as one would say it to a colleague: where the effect lies, and what that means."""
    seen, sesoi, digits = found.estimate, _sesoi(study, found), _digits(study, found)
    low, high, mean = (number(value, digits, signed=True) for value in (seen.low, seen.high, seen.mean))
    subject, between = found.rule.subject(study), f"lies between {low} and {high}"
    shown = seen.low > 0 or seen.high < 0
    if word == "inconclusive":
        why = f", but {_unconfirmed(study, found, found.p, 'a difference from 0')}" if shown else ""
        small = f"; the interval is within it, but {_unconfirmed(study, found, found.p_equivalence, 'that')}"
        small *= _within(study, found)
        return (
            f"Not settled: {subject} {between}{why}; the smallest that matters is {sesoi}{small}. "
            f"{_needed(study, found)}"
        )
    # The tests are one-sided and adjusted, so that the interval may be the wider of the two.
    if word == "ruled out":
        up = found.rule.direction == "up"
        beyond = (seen.high if up else -seen.low) < study.measures[found.rule.measure]
        where = f"{between}," if beyond else f"is {mean}: the test shows it to lie"
        side = "below" if up else "above"
        return (
            f"No effect that matters in the direction claimed: {subject} {where} {side} "
            f"{_bound(study, found)}, the smallest that matters; one that matters in the other direction is "
            "not ruled out"
        )
    if word == "equivalent" or (word == "supported" and found.rule.direction is None):
        lead = "Yes" if word == "supported" else "No difference that matters"
        within = _within(study, found)
        where = between if within else f"is {mean}: the tests show it to lie"
        return f"{lead}: {subject} {where}{',' * within} within ±{sesoi}, the smallest that matters"
    opposite = ", the opposite" if found.rule.direction else ""
    lead = "Yes" if word == "supported" else f"No{opposite}"
    return f"{lead}: {subject} {between if shown else f'is {mean}'}{_size(study, found)}"


def _detail(study: Study, found: Contrast, word: Word) -> str:
    """The estimate with its interval, and the p-values that the verdict rests on."""
    seen, sesoi, rule = _seen(study, found), _sesoi(study, found), found.rule
    p, p_equal, p_out = (
        f"{p_words(one)} after Holm"
        for one in (found.p_holm, found.p_equivalence_holm, found.p_excluded_holm)
    )
    bound = f"{rule.one_of} ±{sesoi} ({p_equal})"
    if rule.direction:
        bound = f"{rule.one_of} {_bound(study, found)} or {'more' if rule.direction == 'up' else 'less'}"
    if word == "equivalent" or (word == "supported" and rule.direction is None):
        return (
            f"the {seen} lies within ±{sesoi}, the smallest effect that matters "
            f"(two one-sided tests, {p_equal})"
        )
    if word == "ruled out":
        return f"the {seen} rules out {bound} (one-sided test, {p_out})"
    if word == "inconclusive":
        bound += f" ({p_out})" * bool(rule.direction)
        return f"the {seen} neither shows {rule.another} ({p}) nor rules out {bound}"
    if rule.direction is None:
        said = f"shows {rule.refutation}"
    elif word == "supported":
        said = "is in the direction claimed"
    else:
        said = "is against the direction claimed"
    return f"the {seen} {said} ({p})"


def _blocks(study: Study, found: Contrast) -> Iterator[str]:
    """Of a claim over blocks: in which of them the effect is another than the mean says."""
    if not found.by_block or not found.seeds:
        return
    mean, sesoi = found.estimate.mean, study.measures[found.rule.measure]
    other = {block: one for block, one in found.by_block.items() if one.mean * mean < 0}
    large = {block: one for block, one in found.by_block.items() if abs(one.mean) >= sesoi}
    total = len(found.by_block)
    if other:
        where = f"{len(other)} of {total} blocks"
        yield f"In {where} the effect has the other sign: {_each(study, found, other)}."
    else:
        yield f"The effect has one sign in all {total} blocks."
    if abs(mean) < sesoi and large:
        yield f"It is as large as what matters in {_each(study, found, large)}."
    if found.these is None:
        yield "This is about these blocks and no others."
    else:
        alone = _shown(study, found, found.these)
        yield f"Over seeds alone, which is about these blocks and no others, it is {alone}."


def _each(study: Study, found: Contrast, blocks: Mapping[str, Estimate]) -> str:
    """The effects in blocks with their intervals, the largest first."""
    ordered = sorted(blocks, key=lambda block: -abs(blocks[block].mean))
    return some([f"{block} {_shown(study, found, blocks[block])}" for block in ordered])


def _shown(study: Study, found: Contrast, one: Estimate) -> str:
    digits = _digits(study, found)
    return f"{number(one.mean, digits, signed=True)} {bracket(one.low, one.high, digits, signed=True)}"


def _size(study: Study, found: Contrast) -> str:
    """Whether the effect, which is shown, is shown to be as large as the one that matters."""
    sesoi, seen = _sesoi(study, found), found.estimate
    nearest = max(seen.low, -seen.high, 0.0)  # none where a test without an interval of its own shows it
    if nearest >= study.measures[found.rule.measure]:
        return f", beyond {sesoi}, the smallest that matters"
    if _within(study, found):
        that = _unconfirmed(study, found, found.p_equivalence, "that")
        return f", within ±{sesoi}, the smallest that matters, but {that}"
    return f"; whether it reaches {sesoi}, the smallest that matters, is open"


def _within(study: Study, found: Contrast) -> bool:
    """Whether the interval lies within the smallest effect that matters."""
    return bool(max(-found.estimate.low, found.estimate.high) <= study.measures[found.rule.measure])


def _unconfirmed(study: Study, found: Contrast, p: float | None, what: str) -> str:
    """Why no test confirms what the interval, which is of one effect alone, suggests."""
    if p is not None and p < study.alpha:
        return (
            f"{what} is not shown after Holm's correction over {count(found.family, 'claim')} (the table "
            "corrects over the arms within a measure, so that its word can differ)"
        )
    if study.test == "sign_flip":
        return f"so few sign flips do not show {what}"
    return f"the test does not show {what}"


def _needed(study: Study, found: Contrast) -> str:
    """What would settle the claim, if the spread stayed as observed."""
    seeds, directed = len(found.seeds), found.rule.direction is not None
    one, sesoi = effect_power(study, found, seeds, final=True), _sesoi(study, found)
    here = "At the observed spread"
    if one.too_coarse:
        if not directed:
            return coarse_words(study, one)
        here = f"{coarse_words(study, one)}. {here}"
    power = f"{percent(WANTED_POWER)} power"
    if study.test == "sign_flip" and directed:
        power += ", counted by the t test: few sign flips find less"
    find = f"find an effect of {sesoi}" if directed else f"show an effect of 0 to be within ±{sesoi}"
    if one.needed is not None and one.needed <= seeds:
        these = f"{count(seeds, 'seed')}{f' and {found.sample.over}' if found.sample else ''}"
        miss = (
            "smaller than that, or missed here by chance"
            if directed
            else "not quite 0, or missed here by chance"
        )
        return f"{here}, {these} {find} ({power}): it may be {miss}, and more seeds would tell"
    if found.sample is not None:
        ways = [f"about {one.needed} seeds with these {found.sample.over}"] if one.needed else []
        ways += [f"about {one.clusters:,} {one.unit} with {count(seeds, 'seed')}"] if one.clusters else []
        if ways:
            return f"{here}, {' or '.join(ways)} would {find} ({power})"
        return (
            f"{here}, neither more seeds with these {found.sample.over} nor more of them with "
            f"{count(seeds, 'seed')} would {find} ({power}): it takes more of both"
        )
    if one.needed is not None:
        return f"{here}, about {count(one.needed, 'seed')} would {find} ({power})"
    if study.ratio:
        return f"{here}, no number of seeds would {find} ({power}){limit_words(study, one)}"
    return f"{here}, it would take more than 10,000 seeds to {find} ({power})"


def _seen(study: Study, found: Contrast) -> str:
    spread = change(found.estimate, 1 - study.alpha, _digits(study, found))
    return f"{found.rule.effect_words} of {spread}"


def _sesoi(study: Study, found: Contrast) -> str:
    return number(study.measures[found.rule.measure], _digits(study, found))


def _bound(study: Study, found: Contrast) -> str:
    """The smallest effect that matters with the sign of the direction claimed."""
    sign = 1 if found.rule.direction == "up" else -1
    return number(sign * study.measures[found.rule.measure], _digits(study, found), signed=True)


def _digits(study: Study, found: Contrast) -> int:
    """Decimals of an effect: so many that no end of its interval rounds to the smallest that matters."""
    name = found.rule.measure
    digits, sesoi = difference_digits(study.measure(name).digits, study.measures[name]), study.measures[name]
    return apart((found.estimate.low, found.estimate.high), sesoi, digits)


def _sentence(study: Study, text: str) -> str:
    """The text as a sentence, which says where it was declared after the runs."""
    after = "" if study.runs is None else " (declared after the runs)"
    return text[:1].upper() + text[1:].rstrip(".") + after + "."
