"""Claims as text: the word of each, with its effect or without a result, and how many have each word."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from ablation.formatting import bracket, difference_digits, number
from ablation.measures import measure as find_measure
from ablation.stats.reasons import WORDS
from ablation.stats.rules import effect_words, rule_words
from ablation.stats.verdicts import Verdict
from ablation.study import Claim, Study

OPEN, BROKEN = "not run yet", "no result"


@dataclass(frozen=True)
class Judged:
    """A claim with its verdict's word, or `OPEN` or `BROKEN`; texts are "" where there is nothing to say."""

    text: str
    word: str
    rule: str
    measure: str
    kind: str
    effect: str = ""
    interval: str = ""
    reason: str = ""

    @property
    def look(self) -> str:
        """The class of the word in the style sheet."""
        return look(self.word)


def tally(claims: Iterable[Judged]) -> dict[str, int]:
    """How many claims have each word: every word of a verdict, and the others where there are any."""
    counts = Counter(claim.word for claim in claims)
    shown = [*WORDS, *(word for word in (OPEN, BROKEN) if counts[word])]
    return {word: counts[word] for word in shown}


def look(word: str) -> str:
    """The class of the word in the style sheet."""
    return word.replace(" ", "-")


def unjudged(study: Study, claim: Claim, word: str) -> Judged:
    """A claim without a verdict, for the reason that `word` gives."""
    rule, label = claim.rule, find_measure(claim.rule.measure).label
    return Judged(claim.text, word, rule_words(study, claim), label, effect_words(rule))


def judged(study: Study, verdict: Verdict) -> Judged:
    """A claim with its verdict, all numbers formatted."""
    name, estimate = verdict.claim.rule.measure, verdict.estimate
    digits = difference_digits(find_measure(name).digits, study.measures[name])
    effect = number(estimate.mean, digits, signed=True) if estimate.n else ""
    spread = bracket(estimate.low, estimate.high, digits, signed=True) if estimate.n > 1 else ""
    label = find_measure(name).label
    kind = effect_words(verdict.claim.rule)
    return Judged(verdict.claim.text, verdict.word, verdict.rule, label, kind, effect, spread, verdict.reason)
