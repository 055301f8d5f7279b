"""Whether a study is sound as it is declared: names, words, levels and measures, before anything runs."""

import re
from typing import TYPE_CHECKING, Any, Literal, get_args

from ablation.claims import Direction, Interaction, Level, Rule, Same, Scale, Trend
from ablation.emoji.spec import RunSpec, flat
from ablation.errors import UserError, unknown
from ablation.measures import measure
from ablation.texts import unfit

if TYPE_CHECKING:
    from ablation.study import Study

Test = Literal["corrected_t", "t", "sign_flip"]
LEAST_LEVELS = 3  # of a trend: two are a difference
MOST_LETTERS = 200  # of an arm's name: MLflow keeps 250 of a run's, which has the seed behind it
TRIAL_LETTERS = 50  # of them for the value that an arm of a tuned study is tried at


def check_study(study: "Study") -> None:
    """Refuse, in a sentence, a study that could not be run or judged as it is declared."""
    if study.name and not re.fullmatch(r"[A-Za-z0-9][\w\-]{0,63}", study.name):
        raise UserError(
            f"a study's name wants letters, digits, _ and -, at most 64, but is {study.name!r}: "
            "rename its file."
        )
    if type(study.seeds) is not int or study.seeds < 1:
        raise UserError(f"seeds must be a whole number of at least 1, but got {study.seeds!r}.")
    if not 0 < study.alpha < 1:
        raise UserError(f"alpha must lie between 0 and 1, but got {study.alpha}.")
    _check_word("test", study.test, Test)
    _check_texts(study)
    _check_measures(study)
    _check_arms(study)
    _check_against(study)
    _check_tuned(study)
    if len({claim.text for claim in study.claims}) < len(study.claims):
        raise UserError("two claims of the study have the same text: say what tells them apart.")
    for claim in study.claims:
        _check_rule(study, claim.rule)


def _check_word(what: str, word: str, known: Any) -> None:
    if word not in get_args(known):
        raise unknown(what, word, get_args(known))


def _check_texts(study: "Study") -> None:
    words = {name: getattr(study, name) for name in ("question", "source", "supported", "part")}
    for name, text in [*words.items(), *(("a claim", claim.text) for claim in study.claims)]:
        if not isinstance(text, str) or unfit(text):
            raise UserError(f"{name} of a study wants text without control characters, but is {text!r}.")


def _check_measures(study: "Study") -> None:
    if not study.measures:
        raise UserError(
            "a study wants at least one measure with its smallest effect of interest, but got none."
        )
    for name, sesoi in study.measures.items():
        if not sesoi > 0:
            raise UserError(f"the smallest effect of interest of {name} must be above 0, but got {sesoi!r}.")
        if measure(name).needs == "classes":
            _check_classes(study, name)


def _check_classes(study: "Study", name: str) -> None:
    """Every arm has classes, and the same: to be right among five is not to be right between two."""
    sets = {arm: spec.data.classes for arm, spec in study.declared.items()}
    first, own = next(iter(sets.items()))
    for arm, classes in sets.items():
        if classes == "none":
            raise UserError(f"{name} wants classes, but data.classes of the arm {arm!r} is 'none'.")
    for arm, classes in sets.items():
        if classes != own:
            raise UserError(
                f"{name} wants the same classes in every arm, but data.classes is {own!r} in {first!r} and "
                f"{classes!r} in {arm!r}: measure mood_balanced_accuracy, which maps predictions back to "
                "happy and sad."
            )


def _check_arms(study: "Study") -> None:
    for name in study.arms:
        _check_name(name, MOST_LETTERS - (TRIAL_LETTERS if study.tuned else 0))
    if study.baseline not in study.declared.values():
        raise UserError(
            "an arm is called 'baseline' but differs from the baseline, which has that name where no arm "
            "equals it: rename the arm."
        )
    if len(study.declared) < 2:
        raise UserError("a study wants at least one arm beside its baseline, but got none.")
    names: dict[RunSpec, str] = {}
    for name, spec in study.declared.items():
        if spec in names:
            raise UserError(f"the arms {names[spec]!r} and {name!r} have equal settings: drop one of them.")
        names[spec] = name


def _check_name(name: object, most: int) -> None:
    """A name is shown in tables, figures and MLflow as it is, and looks like no other."""
    if not isinstance(name, str) or not name.strip():
        raise UserError(f"an arm's name wants to be a text, but is {name!r}.")
    if not name.isprintable() or name != " ".join(name.split()) or len(name) > most:
        raise UserError(
            f"an arm's name wants at most {most} characters that can be seen, with single spaces between "
            f"words, but is {name!r}: rename the arm."
        )


def _check_against(study: "Study") -> None:
    for arm, other in study.against.items():
        for name in (arm, other):
            if name not in study.declared:
                raise unknown("arm", name, study.declared)
        if arm == study.reference:
            raise UserError(
                f"the baseline {arm!r} is set against no arm, but against has {other!r}: drop it."
            )


def _check_tuned(study: "Study") -> None:
    if study.tuned is None:
        return
    tuned, known = study.tuned, flat(study.baseline)
    if tuned.setting not in known:
        raise unknown("setting", tuned.setting, known)
    if tuned.setting in study.varied:
        raise UserError(f"a setting is tuned or varied by the arms, but {tuned.setting} is both: drop one.")
    if not (0 < tuned.least < tuned.largest and tuned.trials >= 2):
        raise UserError(
            f"tuning wants 0 < least < largest and at least 2 trials an arm, but got {tuned.least}, "
            f"{tuned.largest} and {tuned.trials}."
        )


def _check_rule(study: "Study", rule: Rule) -> None:
    if rule.measure not in study.measures:
        raise unknown("measure in this study", rule.measure, study.measures)
    if isinstance(rule, Level):
        if rule.arm not in study.declared:
            raise unknown("arm", rule.arm, study.declared)
        return
    if not isinstance(rule, Same):
        _check_word("direction", rule.direction, Direction)
    if isinstance(rule, Trend):
        _check_trend(study, rule)
        return
    if isinstance(rule, Interaction):
        _check_interaction(study, rule)
        return
    for arm in filter(None, (rule.arm, rule.to)):
        if arm not in study.declared:
            raise unknown("arm", arm, study.declared)
    if rule.arm == (rule.to or study.reference_of(rule.arm)):
        what = "the baseline" if rule.arm == study.reference else "itself"
        raise UserError(f"a difference wants an arm beside the baseline, but got {what} {rule.arm!r}.")


def _check_interaction(study: "Study", rule: Interaction) -> None:
    arms = (rule.first, rule.second, rule.both)
    for arm in arms:
        if arm not in study.declared:
            raise unknown("arm", arm, study.declared)
    if len({*arms, study.reference}) < 4:
        raise UserError(f"an interaction wants three arms beside the baseline, but got {', '.join(arms)}.")
    first, second, both = (_changes(study, arm) for arm in arms)
    # A smoke budget gives every arm that changes the budget a step of its own.
    if study.quick:
        return
    if shared := sorted(first.keys() & second.keys()):
        raise UserError(
            f"an interaction wants arms that change different settings, but {rule.first!r} and "
            f"{rule.second!r} both change {shared[0]}: take it out of one."
        )
    if both != first | second:
        raise UserError(
            f"an interaction wants the changes of {rule.first!r} and {rule.second!r} in {rule.both!r}, and "
            "no other: mend its arms."
        )


def _changes(study: "Study", arm: str) -> dict[str, Any]:
    """The settings in which `arm` differs from the baseline, and its values of them."""
    base = flat(study.baseline)
    return {name: value for name, value in flat(study.declared[arm]).items() if value != base[name]}


def _check_trend(study: "Study", rule: Trend) -> None:
    _check_word("scale", rule.scale, Scale)
    if rule.along not in study.varied:
        raise unknown("setting that the arms vary", rule.along, study.varied)
    if rule.around and rule.around not in study.declared:
        raise unknown("arm", rule.around, study.declared)
    levels = [flat(spec)[rule.along] for spec in study.declared.values()]
    if not all(isinstance(level, int | float) for level in levels):
        raise UserError(f"a trend wants a setting of numbers, but {rule.along} has {levels[0]!r}.")
    found = study.levels(rule.along, rule.around)
    if len(found) < LEAST_LEVELS:
        raise UserError(
            f"a trend wants at least {LEAST_LEVELS} arms that differ in {rule.along} alone, "
            f"{repr(rule.around) if rule.around else 'the baseline'} included, but has {len(found)}: "
            "claim a difference."
        )
    if rule.scale == "log2" and min(found.values()) <= 0:
        raise UserError(
            f"a trend over log2 wants levels above 0, but {rule.along} has {min(found.values()):g}: "
            'say scale="rank" or scale="linear".'
        )
