"""The power of a study: what it can find, in the unit of its measures once some runs tell the spread."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil, floor, isinf, sqrt

import numpy as np
import pandas as pd
from scipy import stats

from ablation.claims import Claim, Difference, Over, Rule
from ablation.formatting import apart, count, difference_digits, number, percent
from ablation.stats.crossed import FEWEST_CLUSTERS
from ablation.stats.effects import Contrast, contrast, family_of
from ablation.stats.sequential import rule_words, share_at
from ablation.stats.statistics import (
    EXACT_UP_TO,
    TESTS,
    WANTED_POWER,
    coarsest_step,
    detectable_limit,
    equal,
    equivalence_power,
    fewest,
    least_p,
    power,
    seeds_needed,
    smallest_detectable,
    smallest_shown,
    t_detectable,
    t_equivalence_power,
    t_power,
)
from ablation.study import FEWEST_SEEDS, Study


@dataclass(frozen=True)
class EffectPower:
    """What so many seeds show of one effect, at the spread of the runs that are there.

    text: the claim, or "ARM on MEASURE" where the study has none. pilot: how many seeds tell the spread.
    detectable: the smallest true effect found with 80 % power, and `matters` the SESOI, both in the unit of
    the measure; `power`: the chance to find the latter, between 0 and 1. needed: the fewest seeds that find
    it with 80 % power, None where no number does. clusters: of test items, as many as do with the planned
    seeds; `needed` is then no less than these, and over the items that are there.

    Of a claim without a direction, which equivalence supports, they say what is shown where there is no
    effect: `detectable` is the smallest bound that it is shown to lie within with 80 % power, and the others
    are about the bound that matters.

    spread: the deviation of the paired differences, NaN over items. step: of the measure, as in `Contrast`,
    and coarsest: the largest with which these seeds can show equivalence.
    """

    text: str
    rule: Rule
    pilot: int
    seeds: int
    detectable: float
    matters: float
    power: float
    needed: int | None
    clusters: int | None
    spread: float
    step: float
    coarsest: float
    unit: str = ""

    @property
    def suffices(self) -> bool:
        """Whether the smallest effect that matters is found, or shown to be absent, with 80 % power."""
        return self.detectable <= self.matters

    @property
    def too_coarse(self) -> bool:
        """Whether no runs of these seeds could show equivalence."""
        return self.step >= self.coarsest


@dataclass(frozen=True)
class Power:
    """What the seeds of a study can detect.

    `comparisons` is the size of Holm's family: the claims that count, or the others where none does, or the
    arms where there is no claim.
    `detectable` is the smallest true effect found with 80 % power at Holm's first step, in standard
    deviations of the paired differences, inf where there are too few seeds for the test; `limit` is what
    it tends to with ever more seeds. Where test items are a sample, both leave their spread out, which no
    declaration tells. `least_p` is the smallest p-value that the test can give. `effects` say the same in
    the unit of the measure, where runs tell the spread.
    """

    comparisons: int
    detectable: float
    limit: float
    least_p: float
    sentences: tuple[str, ...]
    warnings: tuple[str, ...]
    effects: tuple[EffectPower, ...] = ()


def power_of(study: Study, seeds: int, pilot: Sequence[tuple[str, Contrast]] = ()) -> Power:
    """What `study` can detect with `seeds` seeds, as numbers and as sentences; `pilot` as of `piloted`."""
    comparisons = _comparisons(study)
    alpha, least = study.alpha / comparisons * share_at(study, seeds), least_p(seeds, study.test)
    detectable = smallest_detectable(seeds, study.ratio, alpha, least)
    limit = detectable_limit(study.ratio, study.alpha / comparisons * share_at(study, study.seeds))
    tested = seeds >= FEWEST_SEEDS and not isinf(detectable) and not study.quick
    varying = [(text, one) for text, one in pilot if _varies(one)] if tested else []
    effects = tuple(effect_power(study, one, seeds, text) for text, one in varying)
    sentences = [*_sentences(study, seeds, comparisons)]
    if effects:
        sentences += [*_about_pilot(study, effects), *(said(study, one) for one in effects if one.suffices)]
    elif seeds >= FEWEST_SEEDS:
        sentences += _before_any_run(study, seeds, detectable)
    if tested:
        sentences += [_flat(text, one) for text, one in pilot if one.seeds and not _varies(one)]
    warnings = [*_warnings(study, seeds, alpha, least)]
    warnings += [said(study, one) for one in effects if not one.suffices]
    warnings += [f"“{one.text}”: {coarse_words(study, one)}." for one in effects if one.too_coarse]
    return Power(comparisons, detectable, limit, least, tuple(sentences), tuple(warnings), effects)


def piloted(
    study: Study, cells: pd.DataFrame, items: pd.DataFrame | None = None
) -> list[tuple[str, Contrast]]:
    """The effects in the complete cells: of each claim, or of each arm where there is none.

    `cells` and `items` as in `effects`.
    """
    claims = study.claims or [
        Claim(f"{arm} on {study.label(name)}", Difference(name, "up", arm))
        for name in study.measures
        for arm in study.settings
        if arm != study.reference_of(arm)
    ]
    found = ((claim, contrast(study, cells, claim.rule, items)) for claim in claims)
    return [
        (claim.text, replace(one, family=family_of(study, claim) if study.claims else _comparisons(study)))
        for claim, one in found
    ]


def _comparisons(study: Study) -> int:
    counting = sum(claim.counts for claim in study.claims)
    return max(counting or len(study.claims) or len(study.settings) - 1, 1)


def _flat(text: str, found: Contrast) -> str:
    """Of an effect that does not vary, or is there once."""
    if len(found.differences) < 2:
        return f"“{text}”: one seed alone ran, which shows no spread."
    return f"“{text}”: the {len(found.seeds)} seeds that ran give the same difference, which shows no spread."


def _varies(found: Contrast) -> bool:
    if len(found.differences) < 2 or found.equal:
        return False
    if found.sample is not None:
        return found.sample.clusters > 1 and found.sample.error() > 0
    return not equal(np.array(found.differences))


def seeds_that_find(study: Study, sd: float, delta: float, alpha: float) -> int | None:
    """The fewest seeds that find `delta` with 80 % power by the study's test; None where no number does.

    `sd` is the deviation of the paired differences over seeds.
    """
    needed = seeds_needed(delta, sd, study.ratio, alpha)
    while needed is not None and least_p(needed, study.test) >= alpha and needed < EXACT_UP_TO:
        needed += 1
    return needed


def effect_power(
    study: Study, found: Contrast, seeds: int, text: str = "", final: bool = False
) -> EffectPower:
    """What `seeds` seeds show of an effect that varies, at Holm's first step.

    final: at the level of the last look, where looks are declared, however many seeds there are.
    """
    matters, alpha = study.measures[found.rule.measure], study.alpha / found.family
    alpha *= share_at(study, study.seeds if final else seeds)
    spread, clusters, unit = float("nan"), None, ""
    equivalence, floor = found.rule.direction is None, found.step / sqrt(seeds)
    coarsest = coarsest_step(matters, seeds, study.ratio, alpha)
    if (sample := found.sample) is not None:

        def chance(n: int, m: int, bound: float = matters) -> float:
            error, degrees = sample.error(n, m), sample.degrees(n, m)
            if equivalence:
                return t_equivalence_power(bound, error, degrees, alpha, found.step / sqrt(n))
            return t_power(bound / error, degrees, alpha)

        error, degrees = sample.error(seeds), sample.degrees(seeds)
        detectable, here = error * t_detectable(degrees, alpha), chance(seeds, sample.clusters)
        if equivalence:
            least = max(error, floor)
            detectable = smallest_shown(lambda bound: chance(seeds, sample.clusters, bound), least)
        needed, clusters = sample.needed(chance, seeds)
        coarsest = matters / float(stats.t.isf(alpha, degrees)) * sqrt(seeds)
        unit = sample.unit
    else:
        spread = float(np.std(found.differences, ddof=1))
        if equivalence:

            def shown(n: int, bound: float = matters) -> float:
                return equivalence_power(bound, spread, n, study.ratio, alpha, found.step)

            detectable = smallest_shown(lambda bound: shown(seeds, bound), max(spread, found.step))
            here, needed = shown(seeds), fewest(shown)
        else:
            detectable = spread * smallest_detectable(seeds, study.ratio, alpha, least_p(seeds, study.test))
            here = power(matters, spread, seeds, study.ratio, alpha)
            needed = seeds_that_find(study, spread, matters, alpha)
    return EffectPower(
        text,
        found.rule,
        len(found.differences),
        seeds,
        detectable,
        matters,
        here,
        needed,
        clusters,
        spread,
        found.step,
        coarsest,
        unit,
    )


def said(study: Study, one: EffectPower) -> str:
    """What is found of one effect, and where that does not suffice, what would."""
    digits = apart([one.detectable], one.matters, _digits(study, one))
    found, matters = number(one.detectable, digits), number(one.matters, digits)
    label, seeds = study.label(one.rule.measure), count(one.seeds, "seed")
    equivalence = one.rule.direction is None
    find = "show" if equivalence else "find"
    what = f"an effect of 0 to be within ±{found}" if equivalence else f"an effect of {found} or more"
    said = f"“{one.text}”: {seeds} {find} {what} in {label}; the smallest that matters is {matters}"
    if one.suffices:
        return f"{said}."
    chance = "less than 1" if one.power < 0.01 else f"{floor(100 * one.power)}"
    these = f" with these {one.unit}" if one.unit else ""
    ways = [f"about {count(one.needed, 'seed')}{these}"] if one.needed else []
    ways += [f"about {one.clusters:,} {one.unit} with {seeds}"] if one.clusters else []
    if ways:
        advice = f"It takes {' or '.join(ways)} to {find} it {_times(WANTED_POWER)}."
    elif one.unit:
        advice = f"Neither more seeds alone nor more {one.unit} alone would do: it takes more of both."
    elif study.ratio:
        advice = f"No number of seeds would do{limit_words(study, one)}. As declared, this cannot succeed."
    else:
        advice = "10,000 seeds would not do: this cannot succeed without a smaller spread."
    return f"{said}, which they would {find} {chance} times in 100. {advice}"


def limit_words(study: Study, one: EffectPower) -> str:
    """Why no number of seeds does where splits are resampled, and which spread would."""
    digits = _digits(study, one) + 1
    enough, spread = number(one.spread * one.matters / one.detectable, digits), number(one.spread, digits)
    return (
        ", since the variance of Nadeau and Bengio does not fall below a limit that follows from the n_test "
        f"/ n_train of {study.ratio:.3g} that it assumes; {count(one.seeds, 'seed')} would do if the paired "
        f"differences had a standard deviation of {enough}, and they have one of {spread}"
    )


def coarse_words(study: Study, one: EffectPower) -> str:
    """That a measure is too coarse for a test of equivalence."""
    digits = _digits(study, one) + 1
    step, coarsest, matters = (number(x, digits) for x in (one.step, one.coarsest, one.matters))
    times = ceil(10 * one.step / one.coarsest) / 10
    return (
        f"{count(one.seeds, 'seed')} cannot show the effect to be within ±{matters}, however the runs turn "
        f"out: one test item can move it by {step}, and that may be at most {coarsest}. It takes at least "
        f"{times:g} times as many test items, more seeds, or a larger effect that matters, declared before "
        "the runs"
    )


def _digits(study: Study, one: EffectPower) -> int:
    return difference_digits(study.measure(one.rule.measure).digits, one.matters)


def _times(share: float) -> str:
    return f"{100 * share:.0f} times in 100"


def _about_pilot(study: Study, effects: Sequence[EffectPower]) -> Iterator[str]:
    """How far the spread is known: over seeds alone by the chi-square interval of a standard deviation."""
    pilots = sorted({one.pilot for one in effects})
    seeds = count(pilots[-1], "seed") if len(pilots) == 1 else f"{pilots[0]} to {count(pilots[-1], 'seed')}"
    fewest = pilots[0]
    low, high = (sqrt((fewest - 1) / stats.chi2.ppf(q, fewest - 1)) for q in (0.975, 0.025))
    true = f"; the true one may be {low:.1f} to {high:.1f} times as large"
    of = f", where {fewest} ran" if len(pilots) > 1 else ""
    items = " and of their test items" if study.of_items else f"{true}{of}"
    yield f"The spread is that of {seeds} that ran{items}."
    yield f"To find an effect is to find it {_times(WANTED_POWER)}."
    if study.test == "sign_flip":
        yield "That is counted by the t test: an exact sign-flip test of few seeds finds less."


def _sentences(study: Study, seeds: int, comparisons: int) -> Iterator[str]:
    arms = len(study.settings)
    yield f"{count(arms, 'arm')} × {count(seeds, 'seed')} = {count(arms * seeds, 'cell')}."
    others = len(study.claims) - comparisons
    over = count(comparisons, "claim" if study.claims else "arm")
    if study.claims and others:
        over += f" that count{'s' * (comparisons == 1)}, and apart over {count(others, 'claim')} that "
        over += "does not" if others == 1 else "do not"
    yield f"Test: two-sided {TESTS[study.test]}, Holm over {over}, alpha {study.alpha:g}."
    if study.looks:
        yield (
            f"Sequential rule: {rule_words(study)}. What is said of power is of the look at "
            f"{seeds} seeds alone; earlier ones add a little. With --until-decided, "
            f"{count(arms * seeds, 'cell')} are the most that run."
        )


def _before_any_run(study: Study, seeds: int, detectable: float) -> Iterator[str]:
    """What no run tells yet: how large the spread may be."""
    these = count(seeds, "seed")
    if isinf(detectable):
        yield f"With {these} no effect can be found, however large."
        return
    where = ", where all test items show the same difference" if study.of_items else ""
    yield (
        f"No runs tell the spread yet. {these} find an effect ({percent(WANTED_POWER)} power) of "
        f"{detectable:.2f} standard deviations of the paired differences{where}."
    )
    families: dict[str, int] = {}
    for claim in study.claims:
        name = claim.rule.measure
        families[name] = max(families.get(name, 0), family_of(study, claim))
    for name, family in (families or dict.fromkeys(study.measures, _comparisons(study))).items():
        matters, alpha = study.measures[name], study.alpha / family * share_at(study, seeds)
        digits = difference_digits(study.measure(name).digits, matters)
        found = smallest_detectable(seeds, study.ratio, alpha, least_p(seeds, study.test))
        bound = number(matters / found, digits + 1)
        limit = detectable_limit(study.ratio, alpha)
        never = f"; above {number(matters / limit, digits + 1)} no number of seeds finds it" if limit else ""
        yield (
            f"{study.label(name)}: an effect of {number(matters, digits)}, the smallest that matters, is "
            f"found if that standard deviation is at most {bound}{never}."
        )
    if any(isinstance(claim.rule, Over) and claim.rule.blocks == "new" for claim in study.claims):
        yield (
            "A claim over new blocks takes more where the effect differs between blocks: by how much only "
            "runs show."
        )
    if study.of_items:
        yield (
            "Where test items differ, it takes more: by how much follows from their number and their spread, "
            f"which only runs show. With fewer than {FEWEST_CLUSTERS} clusters of test items no test is made."
        )


def _warnings(study: Study, seeds: int, alpha: float, least: float) -> Iterator[str]:
    if study.quick:
        yield "Smoke budget: its numbers will mean nothing."
    if seeds < FEWEST_SEEDS:
        yield f"{count(seeds, 'seed')}, fewer than {FEWEST_SEEDS}, are exploratory: no test will be made."
    elif study.looks and seeds < study.looks[0]:
        yield (
            f"{count(seeds, 'seed')}, fewer than those of the first look, {study.looks[0]}: no test will be "
            "made."
        )
    if least >= alpha > 0:
        enough = next((n for n in range(2, EXACT_UP_TO + 1) if least_p(n, study.test) < alpha), 0)
        yield (
            f"The least p-value that {count(seeds, 'seed')} can give is {least:.4g}, not below the "
            f"{alpha:.4g} that Holm's first step asks for: "
            + (
                f"give at least {max(enough, FEWEST_SEEDS)} seeds."
                if enough
                else "no number of seeds suffices."
            )
        )
