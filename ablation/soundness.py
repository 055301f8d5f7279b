"""Whether a study is sound as it is declared: names, words, levels and measures, before anything runs."""

import re
from typing import TYPE_CHECKING, Any, Literal, get_args

from ablation.claims import Difference, Direction, Scale, Trend
from ablation.errors import Mistake, unknown
from ablation.measures import measure
from ablation.spec import RunSpec, flat

if TYPE_CHECKING:
    from ablation.study import Study

Test = Literal["corrected_t", "t", "sign_flip"]
LEAST_LEVELS = 3  # of a trend: two are a difference


def check_study(study: "Study") -> None:
    """Refuse, in a sentence, a study that could not be run or judged as it is declared."""
    if study.name and not re.fullmatch(r"[A-Za-z0-9][\w\-]{0,63}", study.name):
        raise Mistake(
            f"a study's name wants letters, digits, _ and -, but is {study.name!r}: rename its file."
        )
    if type(study.seeds) is not int or study.seeds < 1:
        raise Mistake(f"seeds must be a whole number of at least 1, but got {study.seeds!r}.")
    if not 0 < study.alpha < 1:
        raise Mistake(f"alpha must lie between 0 and 1, but got {study.alpha}.")
    _check_word("test", study.test, Test)
    _check_measures(study)
    _check_arms(study)
    if len({claim.text for claim in study.claims}) < len(study.claims):
        raise Mistake("two claims of the study have the same text: say what tells them apart.")
    for claim in study.claims:
        _check_rule(study, claim.rule)


def _check_word(what: str, word: str, known: Any) -> None:
    if word not in get_args(known):
        raise unknown(what, word, get_args(known))


def _check_measures(study: "Study") -> None:
    if not study.measures:
        raise Mistake(
            "a study wants at least one measure with its smallest effect of interest, but got none."
        )
    for name, sesoi in study.measures.items():
        if not sesoi > 0:
            raise Mistake(f"the smallest effect of interest of {name} must be above 0, but got {sesoi!r}.")
        bare = [arm for arm, spec in study.specs.items() if spec.data.classes == "none"]
        if measure(name).needs == "classes" and bare:
            raise Mistake(f"{name} wants classes, but data.classes of the arm {bare[0]!r} is 'none'.")


def _check_arms(study: "Study") -> None:
    for name in study.arms:
        if not isinstance(name, str) or not name.strip():
            raise Mistake(f"an arm's name wants to be a text, but is {name!r}.")
    if len(study.specs) < 2:
        raise Mistake("a study wants at least one arm beside its baseline, but got none.")
    names: dict[RunSpec, str] = {}
    for name, spec in study.specs.items():
        if spec in names:
            raise Mistake(f"the arms {names[spec]!r} and {name!r} have equal settings: drop one of them.")
        names[spec] = name


def _check_rule(study: "Study", rule: Trend | Difference) -> None:
    if rule.measure not in study.measures:
        raise unknown("measure in this study", rule.measure, study.measures)
    _check_word("direction", rule.direction, Direction)
    if isinstance(rule, Trend):
        _check_trend(study, rule)
    elif rule.arm not in study.specs:
        raise unknown("arm", rule.arm, study.specs)
    elif rule.arm == study.reference:
        raise Mistake(f"a difference wants an arm beside the baseline, but got the baseline {rule.arm!r}.")


def _check_trend(study: "Study", rule: Trend) -> None:
    _check_word("scale", rule.scale, Scale)
    if rule.along not in study.varied:
        raise unknown("setting that the arms vary", rule.along, study.varied)
    levels = [flat(spec)[rule.along] for spec in study.specs.values()]
    if not all(isinstance(level, int | float) for level in levels):
        raise Mistake(f"a trend wants a setting of numbers, but {rule.along} has {levels[0]!r}.")
    found = study.levels(rule.along)
    if len(found) < LEAST_LEVELS:
        raise Mistake(
            f"a trend wants at least {LEAST_LEVELS} arms that differ in {rule.along} alone, the baseline "
            f"included, but has {len(found)}: claim a difference."
        )
    if rule.scale == "log2" and min(found.values()) <= 0:
        raise Mistake(
            f"a trend over log2 wants levels above 0, but {rule.along} has {min(levels)!r}: "
            'say scale="rank" or scale="linear".'
        )
