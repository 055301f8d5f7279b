"""The power of a study: what it can find, in the unit of its measures once some runs tell the spread."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import floor, isinf, sqrt

import numpy as np
import pandas as pd
from scipy import stats

from ablation.claims import Claim, Difference, Rule
from ablation.formatting import apart, count, difference_digits, number, percent
from ablation.stats.crossed import FEWEST_CLUSTERS
from ablation.stats.effects import FEWEST_SEEDS, Contrast, contrast
from ablation.stats.statistics import (
    EXACT_UP_TO,
    TESTS,
    WANTED_POWER,
    detectable_limit,
    equal,
    least_p,
    power,
    seeds_needed,
    smallest_detectable,
    t_detectable,
    t_power,
)
from ablation.study import Study


@dataclass(frozen=True)
class EffectPower:
    """What the planned seeds find of one effect, at the spread of the runs that are there.

    text: the claim, or "ARM on MEASURE" where the study has none. pilot: how many seeds tell the spread.
    detectable: the smallest true effect found with 80 % power, and `matters` the SESOI, both in the unit of
    the measure; `power`: the chance to find the latter, between 0 and 1. needed: the fewest seeds that find
    it with 80 % power, None where no number does. clusters: of test items, as many as do with the planned
    seeds; `needed` is then no less than these, and over the items that are there.
    """

    text: str
    rule: Rule
    pilot: int
    seeds: int
    detectable: float
    matters: float
    power: float
    needed: int | None
    clusters: int | None = None
    sentence: str = ""

    @property
    def suffices(self) -> bool:
        """Whether the smallest effect that matters is found with 80 % power."""
        return self.detectable <= self.matters


@dataclass(frozen=True)
class Power:
    """What the seeds of a study can detect.

    `comparisons` is the size of Holm's family: the claims, or the arms where there are none.
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
    comparisons = max(len(study.claims) or len(study.settings) - 1, 1)
    alpha, least = study.alpha / comparisons, least_p(seeds, study.test)
    detectable = smallest_detectable(seeds, study.ratio, alpha, least)
    limit = detectable_limit(study.ratio, alpha)
    tested = seeds >= FEWEST_SEEDS and not isinf(detectable) and not study.quick
    varying = [(text, one) for text, one in pilot if _varies(one)] if tested else []
    effects = tuple(_power_of_one(study, seeds, alpha, *one) for one in varying)
    sentences = [*_sentences(study, seeds, comparisons)]
    if effects:
        sentences += [*_about_pilot(study, effects), *(one.sentence for one in effects if one.suffices)]
    elif seeds >= FEWEST_SEEDS:
        sentences += _before_any_run(study, seeds, detectable, limit)
    if tested:
        sentences += [_flat(text, one) for text, one in pilot if one.seeds and not _varies(one)]
    warnings = [*_warnings(study, seeds, alpha, least)]
    warnings += [one.sentence for one in effects if not one.suffices]
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
    return [(claim.text, contrast(study, cells, claim.rule, items)) for claim in claims]


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


def _power_of_one(study: Study, seeds: int, alpha: float, text: str, found: Contrast) -> EffectPower:
    rule, matters, unit = found.rule, study.measures[found.rule.measure], ""
    pilot, clusters = len(found.differences), None
    if found.sample is not None:
        error, degrees = found.sample.error(seeds), found.sample.degrees(seeds)
        detectable, chance = error * t_detectable(degrees, alpha), t_power(matters / error, degrees, alpha)
        needed, clusters = found.sample.needed(matters, alpha, seeds)
        unit = found.sample.unit
    else:
        sd = float(np.std(found.differences, ddof=1))
        detectable = sd * smallest_detectable(seeds, study.ratio, alpha, least_p(seeds, study.test))
        chance, needed = (
            power(matters, sd, seeds, study.ratio, alpha),
            seeds_that_find(study, sd, matters, alpha),
        )
    one = EffectPower(text, rule, pilot, seeds, detectable, matters, chance, needed, clusters)
    return EffectPower(**vars(one) | {"sentence": _said(study, one, unit)})


def _said(study: Study, one: EffectPower, unit: str) -> str:
    """What is found of one effect, and where that does not suffice, what would; unit: as of a `Sample`."""
    measure = study.measure(one.rule.measure)
    digits = apart([one.detectable], one.matters, difference_digits(measure.digits, one.matters))
    found, matters = number(one.detectable, digits), number(one.matters, digits)
    said = (
        f"“{one.text}”: {count(one.seeds, 'seed')} find an effect of {found} or more in "
        f"{study.label(one.rule.measure)}; the smallest that matters is {matters}"
    )
    if one.suffices:
        return f"{said}."
    chance = "less than 1" if one.power < 0.01 else f"{floor(100 * one.power)}"
    ways = [f"about {count(one.needed, 'seed')}{' with these ' * bool(unit)}{unit}"] if one.needed else []
    ways += [f"about {one.clusters:,} {unit} with {count(one.seeds, 'seed')}"] if one.clusters else []
    if ways:
        advice = f"It takes {' or '.join(ways)} to find it {_times(WANTED_POWER)}."
    elif unit:
        advice = f"Neither more seeds alone nor more {unit} alone would do: it takes more of both."
    elif study.ratio:
        advice = (
            "No number of seeds would do, since all splits are drawn from one pool: this cannot succeed "
            "without more data."
        )
    else:
        advice = "10,000 seeds would not do: this cannot succeed without a smaller spread."
    return f"{said}, which they would find {chance} times in 100. {advice}"


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
    kind = "claim" if study.claims else "arm"
    yield f"Test: two-sided {TESTS[study.test]}, Holm over {count(comparisons, kind)}, alpha {study.alpha:g}."


def _before_any_run(study: Study, seeds: int, detectable: float, limit: float) -> Iterator[str]:
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
    judged = [claim.rule.measure for claim in study.claims] or [*study.measures]
    for name in dict.fromkeys(judged):
        matters = study.measures[name]
        digits = difference_digits(study.measure(name).digits, matters)
        bound = number(matters / detectable, digits + 1)
        never = f"; above {number(matters / limit, digits + 1)} no number of seeds finds it" if limit else ""
        yield (
            f"{study.label(name)}: an effect of {number(matters, digits)}, the smallest that matters, is "
            f"found if that standard deviation is at most {bound}{never}."
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
    if least >= alpha:
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
