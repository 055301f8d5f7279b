"""Fields of a spec that say what they mean, in which range, and refuse everything else."""

import dataclasses
import types
from typing import Any, get_args, get_origin

from ablation.errors import UserError
from ablation.texts import unfit

Setting = bool | int | float | str | tuple[int, ...] | tuple[str, ...]


def setting(default: Any, meaning: str, **limits: Any) -> Any:
    """A dataclass field with its meaning and limits: at_least, at_most, above, choices, length, neutral."""
    return dataclasses.field(default=default, metadata={"meaning": meaning, **limits})


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
