"""Verdicts: what the effects say of each claim, in words that follow from the study file alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ablation.formatting import listing
from ablation.stats.effects import Contrast, adjusted, contrast
from ablation.stats.reasons import POWER, Word, tested, untested
from ablation.stats.reasons import WORDS as WORDS
from ablation.stats.rules import rule_words as rule_words
from ablation.stats.statistics import Estimate, equal, least_p, replication_ratio, smallest_detectable
from ablation.study import Claim, Study


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
    """What follows for the study: its `supported` sentence if every claim that counts is, else what not."""
    verdicts = [verdict for verdict in verdicts if verdict.claim.counts]
    if not verdicts:
        return "The study makes no claim that decides it; its effects stand for themselves."
    if all(v.word == "supported" for v in verdicts):
        return _sentence(study.supported or "every claim of the study is supported")
    groups = {word: [f"“{v.claim.text}”" for v in verdicts if v.word == word] for word in WORDS}
    parts = [f"{word}: {listing(texts)}" for word, texts in groups.items() if texts]
    return _sentence(f"Not shown: {study.supported or 'the claims together'} ({'; '.join(parts)})")


def _verdict(
    study: Study, cells: pd.DataFrame, claim: Claim, found: Contrast, p: float | None, p_equal: float | None
) -> Verdict:
    detectable = _detectable(study, found)
    if p is None or p_equal is None:
        word, reason = untested(study, cells, found)
    else:
        word, reason = tested(study, found, p, p_equal)
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


def _detectable(study: Study, found: Contrast) -> float | None:
    n = len(found.differences)
    if n < 2 or found.equal or equal(np.array(found.differences)):
        return None
    ratio, least = replication_ratio(study.test, study.baseline.data.parts), least_p(n, study.test)
    units = smallest_detectable(n, ratio, study.alpha / len(study.claims), POWER, least)
    return units * float(np.std(found.differences, ddof=1))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."
