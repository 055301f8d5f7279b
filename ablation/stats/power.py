"""The power of a study: what it can detect, said before any compute is spent."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import isinf

from ablation.formatting import count, percent
from ablation.stats.crossed import FEWEST_CLUSTERS
from ablation.stats.effects import FEWEST_SEEDS
from ablation.stats.statistics import (
    EXACT_UP_TO,
    TESTS,
    WANTED_POWER,
    detectable_limit,
    least_p,
    smallest_detectable,
)
from ablation.study import Study


@dataclass(frozen=True)
class Power:
    """What the seeds of a study can detect.

    `comparisons` is the size of Holm's family: the claims, or the arms where there are none.
    `detectable` is the smallest true effect found with 80 % power at Holm's first step, in standard
    deviations of the paired differences, inf where there are too few seeds for the test; `limit` is what
    it tends to with ever more seeds. Where test items are a sample, both leave their spread out, which no
    declaration tells. `least_p` is the smallest p-value that the test can give.
    """

    comparisons: int
    detectable: float
    limit: float
    least_p: float
    sentences: tuple[str, ...]
    warnings: tuple[str, ...]


def power_of(study: Study, seeds: int) -> Power:
    """What `study` can detect with `seeds` seeds, as numbers and as sentences."""
    comparisons = max(len(study.claims) or len(study.settings) - 1, 1)
    alpha, least = study.alpha / comparisons, least_p(seeds, study.test)
    detectable = smallest_detectable(seeds, study.ratio, alpha, least)
    limit = detectable_limit(study.ratio, alpha)
    sentences = tuple(_sentences(study, seeds, comparisons, detectable, limit))
    warnings = tuple(_warnings(study, seeds, alpha, least))
    return Power(comparisons, detectable, limit, least, sentences, warnings)


def _sentences(study: Study, seeds: int, comparisons: int, detectable: float, limit: float) -> Iterator[str]:
    arms = len(study.settings)
    yield f"{count(arms, 'arm')} × {count(seeds, 'seed')} = {count(arms * seeds, 'cell')}."
    kind = "claim" if study.claims else "arm"
    yield f"Test: two-sided {TESTS[study.test]}, Holm over {count(comparisons, kind)}, alpha {study.alpha:g}."
    if seeds >= FEWEST_SEEDS and isinf(detectable):
        yield f"With {count(seeds, 'seed')} no effect can be found, however large."
    elif seeds >= FEWEST_SEEDS and study.of_items:
        yield (
            f"The smallest effect found with {percent(WANTED_POWER)} power is about {detectable:.2f} "
            "standard deviations of the paired differences over seeds, where all test items show the same "
            "difference. Where they do not, it is larger: by how much follows from their number and their "
            f"spread, which only runs show. With fewer than {FEWEST_CLUSTERS} clusters of test items no test "
            "is made."
        )
    elif seeds >= FEWEST_SEEDS:
        floor = f" (no number of seeds gets below {limit:.2f})" if limit else ""
        yield (
            f"The smallest effect found with {percent(WANTED_POWER)} power is {detectable:.2f} standard "
            f"deviations of the paired differences{floor}."
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
            + (f"give at least {enough} seeds." if enough else "no number of seeds suffices.")
        )
