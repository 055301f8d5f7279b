"""Settings: the complete description of a run but its seed, as a mapping or a (nested) frozen dataclass.

The suite knows them by their dotted names alone (`flat`). A dataclass whose groups derive from `Settings`
says of each field what it means and in which range it lies, and refuses everything else.
"""

import dataclasses
import types
from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar, get_args, get_origin

from ablation.errors import UserError, unknown
from ablation.texts import unfit

Setting = bool | int | float | str | tuple[int, ...] | tuple[float, ...] | tuple[str, ...]
AnySettings = TypeVar("AnySettings")


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
        check(self)


def flat(settings: Any) -> dict[str, Any]:
    """Every setting by its dotted name, in the order of the fields or keys."""
    found: dict[str, Any] = {}
    for name, value in _items(settings):
        if isinstance(value, Mapping) or dataclasses.is_dataclass(value):
            found |= {f"{name}.{leaf}": one for leaf, one in flat(value).items()}
        else:
            found[name] = tuple(value) if isinstance(value, list) else value
    return found


def vary(settings: AnySettings, changes: Mapping[str, Any]) -> AnySettings:
    """`settings` with those in `changes` (dotted names) replaced; unknown names are refused."""
    known = flat(settings)
    for name in changes:
        if name not in known:
            raise unknown("setting", name, known)
    found: AnySettings = _replaced(settings, changes)
    return found


def identity(settings: Any) -> dict[str, Any]:
    """The settings that tell these from others, by name: those at their neutral value are left out."""
    found: dict[str, Any] = {}
    neutral = _neutral(settings.__class__) if dataclasses.is_dataclass(settings) else {}
    for name, value in _items(settings):
        if isinstance(value, Mapping) or dataclasses.is_dataclass(value):
            found |= {f"{name}.{leaf}": one for leaf, one in identity(value).items()}
        elif name not in neutral or value != neutral[name]:
            found[name] = list(value) if isinstance(value, tuple) else value
    return found


def _items(settings: Any) -> list[tuple[str, Any]]:
    if isinstance(settings, Mapping):
        return list(settings.items())
    if dataclasses.is_dataclass(settings) and not isinstance(settings, type):
        return [(field.name, getattr(settings, field.name)) for field in dataclasses.fields(settings)]
    raise UserError(
        f"settings are a mapping or a frozen dataclass, but got {settings!r} of type "
        f"{type(settings).__name__}: give one of these."
    )


def _replaced(settings: Any, changes: Mapping[str, Any]) -> Any:
    groups: dict[str, dict[str, Any]] = {}
    new: dict[str, Any] = {}
    for name, value in changes.items():
        group, _, leaf = name.partition(".")
        if leaf:
            groups.setdefault(group, {})[leaf] = value
        else:
            new[name] = value
    own = dict(_items(settings))
    new |= {group: _replaced(own[group], leaves) for group, leaves in groups.items()}
    if isinstance(settings, Mapping):
        return {**own, **new}
    return dataclasses.replace(settings, **new)


@cache
def _neutral(kind: type) -> dict[str, object]:
    """The neutral value of every setting of a group of them that has one."""
    fields = dataclasses.fields(kind)
    return {field.name: field.metadata["neutral"] for field in fields if "neutral" in field.metadata}


def check(settings: Any) -> None:
    """Check every field against its type and limits; an int given for a float becomes a float."""
    for field in dataclasses.fields(settings):
        name = f"{type(settings).__name__.removesuffix('Spec').lower()}.{field.name}".removeprefix("run.")
        value = _typed(name, getattr(settings, field.name), field.type)
        object.__setattr__(settings, field.name, value)
        _limited(name, value, field.metadata)


def _typed(name: str, value: Any, kind: Any) -> Any:
    if kind is float and type(value) is int:
        return float(value)
    if get_origin(kind) is tuple:
        if not isinstance(value, list | tuple):
            raise UserError(f"{name} wants a list of {get_args(kind)[0].__name__}, but got {value!r}.")
        return tuple(_typed(name, item, get_args(kind)[0]) for item in value)
    if isinstance(kind, type) and (not isinstance(value, kind) or (type(value) is bool and kind is not bool)):
        raise UserError(f"{name} wants a value of type {kind.__name__}, but got {value!r}.")
    if isinstance(value, str) and (odd := unfit(value)):
        raise UserError(f"{name} wants text without control characters, but {value!r} has {odd}: drop it.")
    return value


def _limited(name: str, value: Any, limits: types.MappingProxyType[Any, Any]) -> None:
    values = value if isinstance(value, tuple) else (value,)
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
    if len(values) != limits.get("length", len(values)) or not values:
        raise UserError(f"{name} wants {limits.get('length', 'some')} values, but got {value!r}.")
