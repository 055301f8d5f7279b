"""What a report claims, as rules on effects that are written down before anything runs."""

from dataclasses import dataclass
from typing import Literal

Direction = Literal["up", "down"]
Scale = Literal["log2", "linear", "rank"]


@dataclass(frozen=True)
class Trend:
    """The measure moves in `direction` as the setting `along` grows; the arms are its levels.

    Its effect is the fitted change of the measure from the least to the largest level, one straight
    line per seed over log2 of the levels (`scale="log2"`), their order or the levels themselves. The arms
    are those that differ from `around` (the baseline, where it is "") in `along` alone.
    """

    measure: str
    direction: Direction
    along: str
    scale: Scale = "log2"
    around: str = ""


@dataclass(frozen=True)
class Difference:
    """The measure of `arm` lies in `direction` of that of `to`, paired by seed.

    `to` is, where it is "", the arm that the study sets `arm` against: the baseline unless it says another.
    """

    measure: str
    direction: Direction
    arm: str
    to: str = ""


@dataclass(frozen=True)
class Interaction:
    """Two changes together move the measure in `direction` of what they do alone, summed.

    Its effect is both - first - second + baseline, paired by seed; `both` has the changes of `first` and
    of `second`.
    """

    measure: str
    direction: Direction
    first: str
    second: str
    both: str


@dataclass(frozen=True)
class Level:
    """The measure of `arm` is `value`, give or take the smallest effect that matters.

    Its effect is arm - value. Equivalence supports it, a significant difference refutes it.
    """

    measure: str
    arm: str
    value: float


@dataclass(frozen=True)
class Same:
    """The measure of `arm` is that of `to`, paired by seed, give or take the smallest effect that matters.

    `to` is as in a difference. Equivalence supports it, a significant difference refutes it.
    """

    measure: str
    arm: str
    to: str = ""


Rule = Trend | Difference | Interaction | Level | Same
Undirected = Level | Same
"""The rules that claim a value, not a direction."""


@dataclass(frozen=True)
class Claim:
    """What the report says will happen, in its words, and the rule on effects that decides it.

    A claim that does not count is judged like any other, and the study's conclusion does not rest on it:
    a control, or a question beside the report's.
    """

    text: str
    rule: Rule
    counts: bool = True
