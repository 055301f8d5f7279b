"""The arguments of what a user writes, checked against their annotations: a slip is one sentence.

`checked` does it for a frozen dataclass or a function; `fit` for a single value. The words are ours, and the
same for every field; docs/decisions/0035-slips.md says why no library does it.
"""

import inspect
import os
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from decimal import Decimal
from functools import cache, wraps
from math import isfinite
from numbers import Integral, Real
from reprlib import Repr
from types import NoneType, SimpleNamespace, UnionType
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    Protocol,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    runtime_checkable,
)

from ablation.errors import UserError, nearest

Made = TypeVar("Made")
WORDS: Mapping[Any, tuple[str, str]] = {
    int: ("a whole number", "whole numbers"),
    float: ("a finite number", "finite numbers"),
    bool: ("True or False", "True or False"),
    str: ("a text", "texts"),
    NoneType: ("None", "None"),
    Any: ("a value", "values"),
    Callable: ("a function", "functions"),
}
"""What a kind is called in sentences: one, and several."""
_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = 80
_SHORT.maxlist = _SHORT.maxtuple = _SHORT.maxdict = 3


@runtime_checkable
class Dataclass(Protocol):
    """An object of a dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


class _UnfitError(Exception):
    """A value that is not of its kind, and where in the field it stands."""

    def __init__(self, place: str, kinds: Sequence[Any], value: Any, hint: str = "") -> None:
        self.place, self.kinds, self.value, self.hint = place, kinds, value, hint


def checked(made: Made) -> Made:
    """A frozen dataclass or a function whose arguments are refused in a sentence where they do not fit.

    They are checked against the annotations before anything of it runs. A list or another iterable with an
    order becomes the tuple that is wanted, a whole number the fraction, a scalar of numpy Python's own.
    `Annotated[wide, kind]` is checked as `kind`, for a field that becomes something else, and
    `Annotated[kind, "a word"]` is called so.
    """
    function: Any = made.__init__ if isinstance(made, type) else made  # type: ignore[misc]
    own: Any = made
    parameters = dict(inspect.signature(function).parameters)
    is_method = parameters.pop("self", None) is not None
    what = own.__qualname__
    named = getattr(own, "called", lambda name: f"the argument {name} of {what}")

    @cache
    def kinds() -> dict[str, Any]:
        if isinstance(made, type):
            return get_type_hints(made, include_extras=True)
        wanted = {name: one.annotation for name, one in parameters.items()}
        asked = SimpleNamespace(__annotations__=wanted)  # without what it returns, which may be known late
        return get_type_hints(asked, globalns=function.__globals__, include_extras=True)

    @wraps(function)
    def call(*given: Any, **by_name: Any) -> Any:
        first, rest = (given[:1], given[1:]) if is_method else ((), given)
        arguments = _by_name(what, parameters, rest, by_name, kinds)
        return function(
            *first,
            **{  # an argument of **others is for whom the function hands it to
                name: fit(named(name), one, kinds()[name]) if name in parameters else one
                for name, one in arguments.items()
            },
        )

    if not isinstance(made, type):
        return call  # type: ignore[return-value]
    own.__init__ = call
    return made


def fit(place: str, value: Any, kind: Any) -> Any:
    """`value` as one of `kind`; a `UserError` that calls it `place` where it is none."""
    try:
        return _fitted(place, value, kind)
    except _UnfitError as error:
        wanted = _either(word for one in error.kinds for word in _each(one, 0))
        raise UserError(
            f"{error.place} wants {wanted}, but got {_shown(error.value)}: {error.hint or 'correct it'}."
        ) from None


def _by_name(
    what: str,
    parameters: Mapping[str, inspect.Parameter],
    given: Sequence[Any],
    by_name: Mapping[str, Any],
    kinds: Callable[[], Mapping[str, Any]],
) -> dict[str, Any]:
    """The arguments by name, as Python would bind them."""
    takes_any = any(one.kind is one.VAR_KEYWORD for one in parameters.values())
    parameters = {name: one for name, one in parameters.items() if one.kind is not one.VAR_KEYWORD}
    for name in by_name:
        if name not in parameters and not takes_any:
            raise UserError(
                f"{what} has no argument {name!r}{nearest(name, parameters)}; known are "
                f"{', '.join(sorted(parameters))}."
            )
    places = [name for name, one in parameters.items() if one.kind is one.POSITIONAL_OR_KEYWORD]
    if len(given) > len(places):
        most = f"at most {len(places)} of its arguments" if places else "none of its arguments"
        raise UserError(
            f"{what} wants {most} without a name, but got {len(given)}, of which the last is "
            f"{_shown(given[-1])}: name each, as in {next(iter(parameters))}=..."
        )
    found = dict(zip(places, given, strict=False))
    if twice := sorted(found.keys() & by_name.keys()):
        raise UserError(f"{what} wants {twice[0]} once, but got it by place and by name: drop one.")
    found |= by_name
    for name, one in parameters.items():
        if name not in found and one.default is one.empty:
            raise UserError(
                f"{what} wants {name}=, {_words(kinds()[name])[0]}, but got none: add {name}=... to it."
            )
    return found


def _fitted(place: str, value: Any, kind: Any) -> Any:
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        other = inner[1]
        if not isinstance(other, str):
            return _fitted(place, value, other)
        try:
            return _fitted(place, value, inner[0])
        except _UnfitError as error:
            raise _UnfitError(place, [kind], value, error.hint) from None
    if kind in (Any, object):
        return value
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):  # of numpy or a tensor
        value = value.item()
    if origin in (Union, UnionType):
        return _any_of(place, value, inner)
    if origin is Literal:
        if any(type(value) is type(one) and value == one for one in inner):
            return value
        near = nearest(value, inner) if isinstance(value, str) else ""
        raise _UnfitError(place, [kind], value, near.strip(" ()").removesuffix("?"))
    if isinstance(value, type):
        raise _UnfitError(place, [kind], value, f"write {value.__name__}(...), an object of the class")
    if origin is tuple or (origin or kind) in (Sequence, tuple):
        return _several(place, value, kind, inner)
    if (origin or kind) is Mapping:
        return _mapping(place, value, kind, inner)
    return _single(place, value, Callable if origin is Callable else kind)


def _single(place: str, value: Any, kind: Any) -> Any:
    """A number, a text, a path, a function or an object of a class."""
    try:
        if kind is bool and isinstance(value, bool):
            return value
        is_bool = type(value) is bool
        if kind is int and isinstance(value, Integral) and not is_bool:
            return int(value)
        if kind is float and isinstance(value, Real | Decimal) and not is_bool:
            number = float(value)
            if isfinite(number):
                return number
        if kind is str and isinstance(value, str):
            return value.item() if hasattr(value, "item") else value  # of numpy: Python's own
    except OverflowError:
        pass
    else:
        if kind is Callable and callable(value):
            return value
        if kind not in (bool, int, float, str, Callable):
            wide = os.PathLike if isinstance(kind, type) and issubclass(kind, os.PathLike) else kind
            if isinstance(value, wide):
                return value
    raise _UnfitError(place, [kind], value)


def _any_of(place: str, value: Any, kinds: Sequence[Any]) -> Any:
    """The value as the first of the kinds that it is; else what is wrong where it came nearest to one."""
    wrong = []
    # A whole number that may be one stays one, and so does a text.
    for kind in sorted(kinds, key=lambda one: one is float):
        try:
            return _fitted(place, value, kind)
        except _UnfitError as error:
            wrong.append(error)
    deepest = max(wrong, key=lambda error: len(error.place))
    if deepest.place != place:
        raise deepest
    hint = next((error.hint for error in wrong if error.hint), "")
    raise _UnfitError(place, kinds, value, hint)


def _several(place: str, value: Any, kind: Any, inner: tuple[Any, ...]) -> tuple[Any, ...]:
    """A tuple of what has an order: a text or a table is one thing, and a set has none."""
    is_one = isinstance(value, str | bytes | Mapping | Set) or getattr(value, "ndim", 1) != 1
    if is_one or not isinstance(value, Iterable):
        one = inner[0] if inner else Any
        try:
            _fitted(place, value, one)
        except _UnfitError:
            raise _UnfitError(place, [kind], value) from None
        raise _UnfitError(place, [kind], value, "put it into a list")
    found = tuple(value)
    if not inner:
        return found
    each = [inner[0]] * len(found) if len(inner) == 1 or inner[1] is Ellipsis else list(inner)
    if len(each) != len(found):
        raise _UnfitError(place, [kind], found)
    return tuple(_fitted(_at(place, n), *pair) for n, pair in enumerate(zip(found, each, strict=True)))


def _mapping(place: str, value: Any, kind: Any, inner: tuple[Any, ...]) -> Mapping[Any, Any]:
    """The mapping itself where nothing in it changes."""
    if not isinstance(value, Mapping):
        raise _UnfitError(place, [kind], value)
    if not inner:
        return value
    found = {
        _fitted(f"a name in {place}", key, inner[0]): _fitted(_at(place, key), one, inner[1])
        for key, one in value.items()
    }
    same = all(key in value and found[key] is value[key] for key in found)
    return value if same and len(found) == len(value) else found


def _at(place: str, key: Any) -> str:
    """An entry of an argument, as in "the argument arms['small'] of Study"."""
    field, of, what = place.partition(" of ")
    return f"{field}[{key if isinstance(key, int) else _SHORT.repr(key)}]{of}{what}"


def _words(kind: Any) -> tuple[str, str]:
    """What a kind is called: one, and several."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return (inner[1], inner[1]) if isinstance(inner[1], str) else _words(inner[1])
    if origin in (Union, UnionType, Literal):
        return _either(_each(kind, 0)), _either(_each(kind, 1))
    if origin is tuple or (origin or kind) in (Sequence, tuple):
        several = _words(inner[0])[1] if inner else "values"
        number = f"{len(inner)} " if len(inner) > 1 and inner[1] is not Ellipsis else ""
        return f"a list of {number}{several}", f"lists of {number}{several}"
    if (origin or kind) is Mapping:
        several = f" of {_words(inner[1])[1]}" if inner and inner[1] is not Any else ""
        return f"a dict{several} by name", f"dicts{several}"
    if (origin or kind) in WORDS:
        return WORDS[origin or kind]
    if kind is Dataclass:
        return "an object of a dataclass", "objects of a dataclass"
    if issubclass(kind, os.PathLike):
        return "a path", "paths"
    return f"{'an' if kind.__name__[0] in 'AEIO' else 'a'} {kind.__name__}", f"{kind.__name__}s"


def _each(kind: Any, number: int) -> list[str]:
    """The words of what a kind is one of; number: 0 for one, 1 for several."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Literal:
        return [repr(one) for one in inner]
    if origin in (Union, UnionType):
        return [word for one in inner for word in _each(one, number)]
    return [_words(kind)[number]]


def _either(words: Iterable[str]) -> str:
    """ "a, b or c"; None and the empty text stand for what is left out, and are not named beside others."""
    several = list(dict.fromkeys(words))
    several = [one for one in several if one not in ("''", "None")] or several
    return f"{', '.join(several[:-1])} or {several[-1]}" if len(several) > 1 else several[0]


def _shown(value: Any) -> str:
    """What came: the value, shortened, and its type where the value does not say it."""
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if inspect.isroutine(value):
        return f"the function {value.__name__}"
    kind = type(value).__name__
    try:
        said = _SHORT.repr(value) if isinstance(value, dict | list | tuple | str) else repr(value)
    except Exception:  # of an object whose own repr fails
        return f"an object of the type {kind}"
    own = value is None or isinstance(value, bool | str) or said.startswith((kind, f"<{kind}", "<"))
    return said if own else f"{said} of type {kind}"
