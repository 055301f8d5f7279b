"""What a report claims, as rules on effects that are written down before anything runs.

A kind of claim is a class here, and nothing else: its check, its effect as weights of arms, its words.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import log2
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from ablation.blocks import FEWEST_BLOCKS
from ablation.errors import UserError, check_known
from ablation.fields import checked
from ablation.settings import flat

if TYPE_CHECKING:
    from ablation.study import Study

Direction = Literal["up", "down"]
Scale = Literal["log2", "linear", "rank"]
LEAST_LEVELS = 3  # of a trend: two are a difference


@dataclass(frozen=True)
class Rule:
    """A rule on one measure. `effect` names what is estimated, `kind` the rule in exported files.

    another, one_of and refutation are words of a verdict's detail: "neither shows ANOTHER nor rules out
    ONE_OF ±0.1", "the difference shows REFUTATION".
    """

    measure: str

    kind: ClassVar[str]
    effect: ClassVar[str] = "difference"
    another: ClassVar[str] = "a change"
    one_of: ClassVar[str] = "one of"
    refutation: ClassVar[str] = ""
    direction: ClassVar[Direction | None]

    @property
    def effect_words(self) -> str:
        """What the effect is called in a sentence."""
        return self.effect

    def subject(self, study: "Study") -> str:
        """The effect as the subject of a verdict's sentence, as in "Test MSE of A minus that of B"."""
        raise NotImplementedError

    @property
    def offset(self) -> float:
        """The number that the effect is a difference to, where that is no arm's."""
        return 0.0

    def weights(self, study: "Study") -> dict[str, float]:
        """What each arm's value counts in the effect, by arm; less `offset` their sum is that effect."""
        raise NotImplementedError

    def sentence(self, study: "Study") -> str:
        """The rule as a sentence."""
        raise NotImplementedError

    def check(self, study: "Study") -> None:
        """Raise `UserError` where the study has not what the rule speaks of."""


@checked
@dataclass(frozen=True)
class Trend(Rule):
    """The measure moves in `direction` as the setting `along` grows; the arms are its levels.

    Its effect is the fitted change of the measure from the least to the largest level, one straight
    line per seed over log2 of the levels (`scale="log2"`), their order or the levels themselves. The arms
    are those that differ from `around` (the baseline, where it is "") in `along` alone.
    """

    direction: Direction  # type: ignore[misc]
    along: str
    scale: Scale = "log2"
    around: str = ""

    kind: ClassVar[str] = "trend"
    effect: ClassVar[str] = "fitted change"

    def weights(self, study: "Study") -> dict[str, float]:
        """The least-squares slope over the levels times their range, as one weight per arm."""
        levels = study.levels(self.along, self.around)
        places = self._places(list(levels.values()))
        mean = sum(places) / len(places)
        centred = [place - mean for place in places]
        squares = sum(place * place for place in centred)
        span = max(places) - min(places)
        return {arm: place / squares * span for arm, place in zip(levels, centred, strict=True)}

    def sentence(self, study: "Study") -> str:
        """As in "Test MSE falls as model.width grows from 64 to 512: ..."."""
        levels = sorted(study.levels(self.along, self.around).values())
        scale = {"log2": "log2 of the setting", "linear": "the setting", "rank": "its rank"}[self.scale]
        around = f", all else as in {self.around}" if self.around else ""
        verb = "rises" if self.direction == "up" else "falls"
        return (
            f"{study.label(self.measure)} {verb} as {self.along} grows from {levels[0]:g} to "
            f"{levels[-1]:g}{around}: the change fitted by one straight line per seed over {scale}."
        )

    def subject(self, study: "Study") -> str:
        """As in "the change in Test MSE as model.width grows from 64 to 512"."""
        levels = sorted(study.levels(self.along, self.around).values())
        around = f", all else as in {self.around}," if self.around else ""
        return (
            f"the change in {study.label(self.measure)} as {self.along} grows from {levels[0]:g} to "
            f"{levels[-1]:g}{around}"
        )

    def check(self, study: "Study") -> None:
        """At least three levels, all numbers, above 0 on a log2 scale."""
        check_known("setting that the arms vary", self.along, study.varied)
        if self.around:
            check_known("arm", self.around, study.declared)
        levels = [flat(one)[self.along] for one in study.declared.values()]
        if not all(isinstance(level, int | float) for level in levels):
            raise UserError(f"a trend wants a setting of numbers, but {self.along} has {levels[0]!r}.")
        found = study.levels(self.along, self.around)
        if len(found) < LEAST_LEVELS:
            raise UserError(
                f"a trend wants at least {LEAST_LEVELS} arms that differ in {self.along} alone, "
                f"{repr(self.around) if self.around else 'the baseline'} included, but has {len(found)}: "
                "claim a difference."
            )
        self._places(list(found.values()))

    def _places(self, levels: list[float]) -> list[float]:
        """The levels on the scale of the line."""
        if self.scale == "log2" and min(levels) <= 0:
            raise UserError(
                f"a trend over log2 wants levels above 0, but {self.along} has {min(levels):g}: "
                'say scale="rank" or scale="linear".'
            )
        if self.scale == "rank":
            order = sorted(set(levels))
            return [float(order.index(level) + 1) for level in levels]
        return [log2(level) for level in levels] if self.scale == "log2" else levels


class _Pair(Rule):
    """A rule on two arms, paired by seed.

    `to` is, where it is "", the arm that the study sets `arm` against: the baseline unless it says another.
    """

    arm: str
    to: str

    def reference(self, study: "Study") -> str:
        """The arm that the difference is taken to."""
        return self.to or study.reference_of(self.arm)

    def weights(self, study: "Study") -> dict[str, float]:
        return {self.arm: 1.0, self.reference(study): -1.0}

    def subject(self, study: "Study") -> str:
        """As in "Test MSE of A minus that of B"."""
        return f"{study.label(self.measure)} of {self.arm} minus that of {self.reference(study)}"

    def check(self, study: "Study") -> None:
        for arm in filter(None, (self.arm, self.to)):
            check_known("arm", arm, study.declared)
        if self.arm == self.reference(study):
            what = "the baseline" if self.arm == study.reference else "itself"
            raise UserError(f"a difference wants an arm beside the baseline, but got {what} {self.arm!r}.")


@checked
@dataclass(frozen=True)
class Difference(_Pair):
    """The measure of `arm` lies in `direction` of that of `to`, else of the arm that it is set against."""

    direction: Direction  # type: ignore[misc]
    arm: str
    to: str = ""

    kind: ClassVar[str] = "difference"

    def sentence(self, study: "Study") -> str:
        """As in "Test MSE of A lies below that of B, paired by seed."."""
        side = "above" if self.direction == "up" else "below"
        label, other = study.label(self.measure), self.reference(study)
        return f"{label} of {self.arm} lies {side} that of {other}, {study.pairing}."


@checked
@dataclass(frozen=True)
class Interaction(Rule):
    """Two changes together move the measure in `direction` of what they do alone, summed.

    Its effect is both - first - second + baseline, paired by seed; `both` has the changes of `first` and
    of `second`.
    """

    direction: Direction  # type: ignore[misc]
    first: str
    second: str
    both: str

    kind: ClassVar[str] = "interaction"
    effect: ClassVar[str] = "interaction"

    def weights(self, study: "Study") -> dict[str, float]:
        return {self.both: 1.0, self.first: -1.0, self.second: -1.0, study.reference: 1.0}

    def sentence(self, study: "Study") -> str:
        """As in "Test MSE: the change from A to D lies above the changes from it to B and to C, ..."."""
        side = "above" if self.direction == "up" else "below"
        return (
            f"{study.label(self.measure)}: the change from {study.reference} to {self.both} lies {side} the "
            f"changes from it to {self.first} and to {self.second}, added up, {study.pairing}."
        )

    def subject(self, study: "Study") -> str:
        """As in "the change in Test MSE by D beyond the changes by B and by C, added up,"."""
        return (
            f"the change in {study.label(self.measure)} by {self.both} beyond the changes by {self.first} "
            f"and by {self.second}, added up,"
        )

    def check(self, study: "Study") -> None:
        """Three arms beside the baseline, of which one has the changes of the two others and no more."""
        arms = (self.first, self.second, self.both)
        for arm in arms:
            check_known("arm", arm, study.declared)
        if len({*arms, study.reference}) < 4:
            raise UserError(
                f"an interaction wants three arms beside the baseline, but got {', '.join(arms)}."
            )
        # A smoke budget gives every arm that changes the budget a budget of its own.
        if study.quick:
            return
        first, second, both = (_changes(study, arm) for arm in arms)
        if shared := sorted(first.keys() & second.keys()):
            raise UserError(
                f"an interaction wants arms that change different settings, but {self.first!r} and "
                f"{self.second!r} both change {shared[0]}: take it out of one."
            )
        if both != {**first, **second}:
            raise UserError(
                f"an interaction wants the changes of {self.first!r} and {self.second!r} in {self.both!r}, "
                "and no other: mend its arms."
            )


@checked
@dataclass(frozen=True)
class Level(Rule):
    """The measure of `arm` is `value`, give or take the smallest effect that matters.

    Its effect is arm - value. Equivalence supports it, a significant difference refutes it.
    """

    arm: str
    value: float

    kind: ClassVar[str] = "level"
    another: ClassVar[str] = "another value"
    one_of: ClassVar[str] = "one off by"
    refutation: ClassVar[str] = "another value than the one claimed"
    direction: ClassVar[None] = None

    @property
    def effect_words(self) -> str:
        """As in "difference to 0.5"."""
        return f"difference to {self.value:g}"

    @property
    def offset(self) -> float:
        return self.value

    def weights(self, study: "Study") -> dict[str, float]:
        return {self.arm: 1.0}

    def subject(self, study: "Study") -> str:
        """As in "Test MSE of A minus 0.02"."""
        return f"{study.label(self.measure)} of {self.arm} minus {self.value:g}"

    def sentence(self, study: "Study") -> str:
        """As in "Test MSE of A is 0.02, give or take 0.001, the smallest that matters."."""
        sesoi = f"{study.measures[self.measure]:g}"
        return (
            f"{study.label(self.measure)} of {self.arm} is {self.value:g}, give or take {sesoi}, the "
            "smallest that matters."
        )

    def check(self, study: "Study") -> None:
        check_known("arm", self.arm, study.declared)


@checked
@dataclass(frozen=True)
class Same(_Pair):
    """The measure of `arm` is that of `to`, paired by seed, give or take the smallest effect that matters.

    `to` is as in a difference. Equivalence supports it, a significant difference refutes it.
    """

    arm: str
    to: str = ""

    kind: ClassVar[str] = "same"
    refutation: ClassVar[str] = "that the two differ"
    direction: ClassVar[None] = None

    def sentence(self, study: "Study") -> str:
        """As in "Test MSE of A is that of B, give or take 0.001, the smallest that matters, ..."."""
        sesoi = f"{study.measures[self.measure]:g}"
        return (
            f"{study.label(self.measure)} of {self.arm} is that of {self.reference(study)}, give or take "
            f"{sesoi}, the smallest that matters, {study.pairing}."
        )


@checked
@dataclass(frozen=True)
class Over(Rule):
    """The effect of `rule` in each block of the study, averaged; every block counts alike.

    `rule` has a direction, and calls the arms as they are declared. Of "these" blocks the claim is about them
    and no others: seeds are what replicates. Of "new" ones the blocks of the study are a random sample of
    those that the claim is about, and replicate as seeds do.
    """

    measure: str = field(init=False)
    rule: Rule
    blocks: Literal["these", "new"]

    def __post_init__(self) -> None:
        """Take over what the rule says of each block."""
        for name in ("measure", "direction", "another", "one_of", "refutation"):
            object.__setattr__(self, name, getattr(self.rule, name))
        object.__setattr__(self, "kind", f"{self.rule.kind} over {self.blocks} blocks")
        object.__setattr__(self, "effect", f"mean {self.rule.effect}")

    def by_block(self, study: "Study") -> dict[str, dict[str, float]]:
        """The weights of the arms in the effect of each block, by block."""
        return {
            block: {study.blocks.names[block][arm]: one for arm, one in self.rule.weights(own).items()}
            for block, own in study.by_block.items()
        }

    def weights(self, study: "Study") -> dict[str, float]:
        blocks = self.by_block(study).values()
        return {arm: weight / len(blocks) for block in blocks for arm, weight in block.items()}

    def sentence(self, study: "Study") -> str:
        """As in "Accuracy of A lies above that of B, paired by seed, on average over the blocks C, D."."""
        new = " new blocks, of which these are taken as a random sample:" if self.blocks == "new" else ""
        first, *_ = study.by_block.values()
        said = self.rule.sentence(first).rstrip(".")
        return f"{said}, on average over{new or ' the blocks'} {', '.join(study.by_block)}."

    def subject(self, study: "Study") -> str:
        """As in "Accuracy of A minus that of B, averaged over the blocks C, D,"."""
        first, *_ = study.by_block.values()
        like = "new blocks like" if self.blocks == "new" else "the blocks"
        said = self.rule.subject(first).rstrip(",")
        return f"{said}, averaged over {like} {', '.join(study.by_block)},"

    def check(self, study: "Study") -> None:
        """Blocks, enough of them to be a sample, and a rule whose mean says something."""
        if not study.by_block:
            raise UserError("a claim over blocks wants a study with blocks=..., but this one has none.")
        if isinstance(self.rule, Over) or self.rule.direction is None:
            raise UserError(
                f"a claim over blocks wants a rule with a direction, but got {type(self.rule).__name__}: "
                "effects of opposite signs cancel in a mean, so claim it of each block, with its arms, such "
                f"as {next(iter(study.declared))!r}."
            )
        if self.blocks == "new" and len(study.by_block) < FEWEST_BLOCKS:
            raise UserError(
                f"a claim over new blocks wants at least {FEWEST_BLOCKS} blocks as a sample of them, but the "
                f'study has {len(study.by_block)}: add some, or claim it of "these".'
            )
        if self.blocks == "new" and study.of_items:
            raise UserError(
                "a claim over new blocks takes seeds and blocks as samples, but this study takes test items "
                'as one, too: claim it of "these", or declare replication="training".'
            )
        for own in study.by_block.values():
            self.rule.check(own)


@checked
@dataclass(frozen=True)
class Claim:
    """What the report says will happen, in its words, and the rule on effects that decides it.

    A claim that does not count is judged like any other, and the study's conclusion does not rest on it:
    a control, or a question beside the report's.
    """

    text: str
    rule: Annotated[Rule, "a rule, such as Difference(...),"]
    counts: bool = True


def _changes(study: "Study", arm: str) -> Mapping[str, Any]:
    """The settings in which `arm` differs from the baseline, and its values of them."""
    base = flat(study.baseline)
    return {name: value for name, value in flat(study.declared[arm]).items() if value != base[name]}
