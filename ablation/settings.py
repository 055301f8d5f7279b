"""Settings: the complete description of a run but its seed, as a mapping or a (nested) frozen dataclass.

The suite knows them by their dotted names alone (`flat`). A dataclass whose groups derive from `Settings`
says of each field what it means and in which range it lies, and refuses everything else.
"""

import ast
import dataclasses
import warnings
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from math import isfinite, nan
from typing import Any, TypeVar, get_type_hints

from ablation.errors import UserError, check_known
from ablation.fields import fit
from ablation.texts import unfit

AnySettings = TypeVar("AnySettings")
MISSING = frozenset(["", "nan", "NaN", "NA", "N/A", "<NA>", "null", "None"])
"""How a text says that there is no value."""
MOST_TEXT = 10_000  # letters of a text that may be a list
MOST_DIGITS = 400  # letters of a text that may be a number


def setting(default: Any, meaning: str, **limits: Any) -> Any:
    """A dataclass field with its meaning and limits: at_least, at_most, above, choices, length, neutral.

    A setting that a later version adds names a `neutral` value, which means "as before": it is left out of
    the fingerprint at that value (docs/decisions/0001-fingerprint.md).
    """
    return dataclasses.field(default=default, metadata={"meaning": meaning, **limits})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """A group of settings that are checked as they are made."""

    def __post_init__(self) -> None:
        """Check every field against its type and limits; an int given for a float becomes a float."""
        kinds = get_type_hints(type(self))
        for field in dataclasses.fields(self):
            name = self.called(field.name)
            value = fit(name, getattr(self, field.name), kinds[field.name])
            object.__setattr__(self, field.name, value)
            _limited(name, value, field.metadata)

    @classmethod
    def called(cls, name: str) -> str:
        """A field as arms name it, as in "model.width"."""
        return f"{cls.__name__.removesuffix('Spec').lower()}.{name}".removeprefix("run.")


def flat(settings: Any) -> dict[str, Any]:
    """Every setting by its dotted name, in the order of the fields or keys."""
    return {name: tuple(one) if isinstance(one, list) else one for name, one, _ in _leaves(settings)}


def identity(settings: Any) -> dict[str, Any]:
    """The settings that tell these from others, by name: those at their neutral value are left out."""
    leaves = _leaves(settings)
    return {
        name: list(one) if isinstance(one, tuple) else one for name, one, neutral in leaves if not neutral
    }


def vary(settings: AnySettings, changes: Mapping[str, Any]) -> AnySettings:
    """`settings` with those in `changes` (dotted names) replaced; unknown names are refused."""
    known = flat(settings)
    new: dict[str, Any] = {}
    groups: dict[str, dict[str, Any]] = {}
    own: Any = settings
    is_mapping = isinstance(own, Mapping)
    for name, value in changes.items():
        if inside := [one for one in known if one.startswith(f"{name}.") and name not in known]:
            raise UserError(
                f"{name} is a group of settings, but an arm changes single ones: name them, as in "
                f"{inside[0]!r}."
            )
        check_known("setting", name, known)
        if is_mapping and name in own:  # as a whole first: a flat key may have dots
            new[name] = value
            continue
        group, _, leaf = name.partition(".")
        if leaf:
            groups.setdefault(group, {})[leaf] = value
        else:
            new[name] = value
    for group, leaves in groups.items():
        new[group] = vary(own[group] if is_mapping else getattr(own, group), leaves)
    whole: Any = {**own, **new} if is_mapping else dataclasses.replace(own, **new)
    varied: AnySettings = whole
    return varied


def _leaves(settings: Any) -> Iterator[tuple[str, Any, bool]]:
    """Every setting: its dotted name, its value, and whether that is the neutral one."""
    if isinstance(settings, Mapping):
        own: list[tuple[str, Any, Mapping[Any, Any]]] = [(name, one, {}) for name, one in settings.items()]
    elif dataclasses.is_dataclass(settings) and not isinstance(settings, type):
        own = [(one.name, getattr(settings, one.name), one.metadata) for one in dataclasses.fields(settings)]
    else:
        raise UserError(
            f"settings are a mapping or a frozen dataclass, but got {settings!r} of type "
            f"{type(settings).__name__}: give one of these."
        )
    for name, value, about in own:
        if isinstance(value, Mapping) or dataclasses.is_dataclass(value):
            yield from ((f"{name}.{leaf}", one, neutral) for leaf, one, neutral in _leaves(value))
        else:
            yield name, value, "neutral" in about and value == about["neutral"]


def _limited(name: str, value: Any, limits: Mapping[Any, Any]) -> None:
    values = value if isinstance(value, tuple) else (value,)
    for text in values:
        if isinstance(text, str) and (odd := unfit(text)):
            raise UserError(f"{name} wants text without control characters, but {text!r} has {odd}: drop it.")
    rules = (
        ("at_least", "at least {}", lambda v, bound: v >= bound),
        ("at_most", "at most {}", lambda v, bound: v <= bound),
        ("above", "above {}", lambda v, bound: v > bound),
        ("choices", "one of {}", lambda v, bound: v in bound),
    )
    for key, words, holds in rules:
        if key in limits and not all(holds(v, limits[key]) for v in values):
            bound = limits[key]
            wanted = words.format(", ".join(map(repr, bound)) if isinstance(bound, tuple) else f"{bound:g}")
            raise UserError(f"{name} must be {wanted}, but got {value!r}.")
    empty = not values and limits.get("neutral") != ()  # no value may mean "as before"
    if len(values) != limits.get("length", len(values)) or empty:
        raise UserError(f"{name} wants {limits.get('length', 'some')} values, but got {value!r}.")


def as_number(text: str) -> float | None:
    """The number that the text says, NaN where it says that there is none; None where it is no number."""
    if text in MISSING:
        return nan
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None


def exact(text: str) -> Decimal | None:
    """The finite number that the text says, exactly; None where it is text, too large or over-long."""
    number = as_number(text) if len(text) <= MOST_DIGITS else None
    try:
        return Decimal(text) if number is not None and isfinite(number) else None
    except InvalidOperation:  # its exponent has too many digits
        return None


def matches(text: str, value: object) -> bool:
    """Whether the text of a parameter says the value of a setting, read as a value of that setting's type."""
    if value is None:
        return text in MISSING
    if text == str(value):
        return True
    if isinstance(value, bool):
        return text.casefold() == str(value).casefold() or as_number(text) == value
    if isinstance(value, int | float):
        number = exact(text)
        return number is not None and (float(number) if isinstance(value, float) else number) == value
    if isinstance(value, tuple | list) and len(text) <= MOST_TEXT:
        try:
            with warnings.catch_warnings(action="ignore"):  # of texts that look like old Python
                parts = ast.literal_eval(text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            return False
        return (
            isinstance(parts, tuple | list)
            and len(parts) == len(value)
            and all(
                matches("" if part is None else str(part), one)
                for part, one in zip(parts, value, strict=True)
            )
        )
    return False
