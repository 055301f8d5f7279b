"""What a report claims, as rules on effects that are written down before anything runs."""

from dataclasses import dataclass
from typing import Literal

Direction = Literal["up", "down"]
Scale = Literal["log2", "linear", "rank"]


@dataclass(frozen=True)
class Trend:
    """The measure moves in `direction` as the setting `along` grows; the arms are its levels.

    Its effect is the fitted change of the measure from the least to the largest level, one straight
    line per seed over log2 of the levels (`scale="log2"`), their order or the levels themselves.
    """

    measure: str
    direction: Direction
    along: str
    scale: Scale = "log2"


@dataclass(frozen=True)
class Difference:
    """The measure of `arm` lies in `direction` of the baseline's, paired by seed."""

    measure: str
    direction: Direction
    arm: str


@dataclass(frozen=True)
class Claim:
    """What the report says will happen, in its words, and the rule on effects that decides it."""

    text: str
    rule: Trend | Difference
