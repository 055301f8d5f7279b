"""Slips of the hand: an argument of another type is a sentence, in every public class and function."""

import dataclasses
import inspect
import os
import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import inf, isfinite, nan
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np
import pandas as pd
import pytest

import ablation
import ablation.emoji
from ablation import Claim, Command, Difference, Level, Measure, Study, Tracked, UserError
from ablation.emoji.protocols import joint
from ablation.fields import Dataclass, checked, fit
from ablation.report.table import Layout
from ablation.settings import Settings, vary
from ablation.tracking.store import Store
from doubles_suite import Tiny, tiny_study

POOL: tuple[Any, ...] = (
    *(None, True, 3, 2.5, nan, inf, 10**400, "a text", b"bytes", 1j, Path("a", "path")),
    *(object(), len, lambda settings, seed: {}, int, Study, Difference, joint, Measure("higher")),
    *(Difference("miss", "up", "fast"), Tiny(), pd.DataFrame({"seed": [1]}), {"a set"}),
)
"""What a hand may have slipped to; what a field accepts of it is left out."""
DOUBLES: tuple[Any, ...] = (
    *(tiny_study(), Tiny(), pd.DataFrame({"seed": [1]}), joint, Difference("miss", "up", "fast")),
    *(Store(Path("nowhere")), *vars(joint).values()),
)


def parts(made: type) -> Iterator[type]:
    """The dataclass, and of settings their groups."""
    yield made
    for kind in arguments_of(made).values() if issubclass(made, Settings) else ():
        if isinstance(kind, type) and issubclass(kind, Settings):
            yield from parts(kind)


def arguments_of(made: Any) -> dict[str, Any]:
    """The annotation of every argument."""
    function = made.__init__ if isinstance(made, type) else inspect.unwrap(made)
    hints = get_type_hints(
        made if isinstance(made, type) else function, globals_of(made), include_extras=True
    )
    named = inspect.signature(function).parameters.values()
    return {
        one.name: hints[one.name] for one in named if one.name != "self" and one.kind is not one.VAR_KEYWORD
    }


def globals_of(made: Any) -> dict[str, Any] | None:
    """Of the module, with what it imports for type checking alone."""
    from ablation.report.export import Results

    return {**inspect.unwrap(made).__globals__, "Results": Results} if inspect.isroutine(made) else None


FACE = {name: getattr(ablation, name) for name in ablation.__all__}
OF_EMOJI = [one for one in vars(ablation.emoji).values() if dataclasses.is_dataclass(one)]
CLASSES = dict.fromkeys(
    part
    for one in (*FACE.values(), Layout, *OF_EMOJI)
    if dataclasses.is_dataclass(one)
    for part in parts(one if isinstance(one, type) else type(one))
)
METHODS = [
    method
    for one in (Study, FACE["Results"])
    for name, method in vars(one).items()
    if inspect.isfunction(method)
    and not name.startswith("_")
    and name in ("run", "results", "text", "export")
]
FUNCTIONS = [one for one in FACE.values() if inspect.isfunction(one)]
ARGUMENTS = [
    pytest.param(made, name, id=f"{made.__qualname__}-{name}")
    for made in (*CLASSES, *FUNCTIONS, *METHODS)
    for name in arguments_of(made)
]


def accepts(kind: Any, value: Any) -> bool:
    """Whether the annotation has the value, as a reader of it would say."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return accepts(inner[0] if isinstance(inner[1], str) else inner[1], value)
    if kind in (Any, object):
        return True
    if origin in (Union, UnionType):
        return any(accepts(one, value) for one in inner)
    if origin is Literal:
        return any(type(one) is type(value) and one == value for one in inner)
    if origin in (Mapping, dict):
        pairs = value.items() if isinstance(value, Mapping) else [(3, 3)]
        return all(accepts(one, part) for pair in pairs for one, part in zip(inner, pair, strict=True))
    if origin in (tuple, Sequence):
        if not isinstance(value, list | tuple):
            return False
        found = list(value)
        return (len(inner) == 1 or ... in inner or len(found) == len(inner)) and all(
            accepts(one, part)
            for one, part in zip(
                inner if len(inner) == len(found) else [inner[0]] * len(found), found, strict=True
            )
        )
    if origin is Callable:
        return callable(value) and not isinstance(value, type)
    if kind is float:
        return type(value) in (int, float) and value < 10**300 and isfinite(value)
    if kind is int:
        return type(value) is int
    if kind is Dataclass:
        return dataclasses.is_dataclass(value) and not isinstance(value, type)
    if kind is Path:
        return isinstance(value, os.PathLike)
    return isinstance(value, kind) and not isinstance(value, type)


def wrong(kind: Any) -> list[Any]:
    """Values that the annotation does not have, those within a list or a dict that it has included."""

    def within(kind: Any) -> Iterator[Any]:
        origin, inner = get_origin(kind), get_args(kind)
        if origin is Annotated:
            yield from within(inner[0] if isinstance(inner[1], str) else inner[1])
        if origin in (Union, UnionType):
            for one in inner:
                yield from within(one)
        if origin is Mapping:
            yield from ({"name": one} for one in (*POOL, *within(inner[1])))
            yield {3: right(inner[1])}
        if origin in (tuple, Sequence):
            yield from ([one] * max(len([each for each in inner if each is not ...]), 1) for one in POOL)

    return [one for one in (*POOL, *within(kind)) if not accepts(kind, one)]


def right(kind: Any) -> Any:
    """A value that the annotation has."""
    for one in (*DOUBLES, "a text", 1, 0.5, True, None, [], {}, len, Path("path")):
        if accepts(kind, one):
            return one
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return right(inner[0] if isinstance(inner[1], str) else inner[1])
    if origin is Literal:
        return inner[0]
    if origin is tuple:
        return [right(one) for one in inner if one is not ...]
    if origin in (Union, UnionType):
        return right(inner[0])
    return kind(**{name: right(one) for name, one in needed(kind).items()})


def needed(made: Any) -> dict[str, Any]:
    """The annotations of the arguments that have no default."""
    named = inspect.signature(made).parameters
    return {name: kind for name, kind in arguments_of(made).items() if named[name].default is inspect._empty}


def words_of(kind: Any) -> set[str]:
    """Words of which a sentence has one that says what an argument of this annotation wants."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Literal:
        return {repr(one) for one in inner}
    if origin is Annotated and isinstance(inner[1], str):
        return {inner[1]}
    if inner and origin is not Callable:
        own = {Mapping: {"dict"}, tuple: {"list"}, Sequence: {"list"}}.get(origin, set())
        return own.union(*(words_of(one) for one in inner if one is not ...))
    plain = {int: "whole number", float: "number", str: "text", bool: "True or False", NoneType: "None"}
    plain |= {Path: "path", Any: "value", Dataclass: "dataclass"}
    return {"function"} if origin is Callable else {plain.get(kind) or kind.__name__}


def call(made: Any, **arguments: Any) -> object:
    """With what it needs, of a method with the object that it is of."""
    whole = {name: right(kind) for name, kind in needed(made).items()} | arguments
    return made(object(), **whole) if made in METHODS else made(**whole)


def parts_of(value: Any) -> Iterator[Any]:
    yield value
    if isinstance(value, list | tuple | Mapping):
        for one in [*value, *(value.values() if isinstance(value, Mapping) else ())]:
            yield from parts_of(one)


def test_the_classes_are_those_of_the_public_face_and_the_parts_of_the_emojis_settings() -> None:
    public = {one for one in FACE.values() if dataclasses.is_dataclass(one)}
    assert len(public) > 12
    assert public < CLASSES.keys()
    assert {one.__name__ for one in CLASSES} > {"RunSpec", "ModelSpec", "DataSpec", "Layout", "Results"}
    names = {"run", "results", "analyse", "load", "variance_share", "tune"}
    assert {one.__name__ for one in FUNCTIONS} == names
    assert len(METHODS) == 4


@pytest.mark.parametrize(("made", "name"), ARGUMENTS)
def test_a_value_of_another_type_is_one_sentence_with_the_argument_what_was_wanted_and_what_came(
    made: Any, name: str
) -> None:
    kind = arguments_of(made)[name]
    slips = wrong(kind)
    assert len(slips) > 3 or kind in (Any, object)
    for slip in slips:
        with pytest.raises(UserError) as refused:
            call(made, **{name: slip})
        said = str(refused.value)
        assert "\n" not in said
        assert said.endswith(".")
        place, wants, rest = said.partition(" wants ")
        assert wants, said
        assert name in place
        wanted, but, came = rest.partition(", but got ")
        assert but, said
        assert any(word in wanted for word in words_of(kind)), (said, words_of(kind))
        assert any(
            (one.__name__ if isinstance(one, type) or inspect.isroutine(one) else type(one).__name__) in came
            or repr(one)[:20] in came
            for one in parts_of(slip)
        ), said


@pytest.mark.parametrize("made", [*CLASSES, *FUNCTIONS, *METHODS], ids=lambda made: made.__qualname__)
def test_a_name_that_is_misspelt_left_out_or_given_twice_is_a_sentence(made: Any) -> None:
    names = list(arguments_of(made))
    if not any(one.kind is one.VAR_KEYWORD for one in inspect.signature(made).parameters.values()):
        with pytest.raises(
            UserError, match=rf"has no argument '{names[-1]}x' \(did you mean '{names[-1]}'\?\)"
        ):
            call(made, **{f"{names[-1]}x": 1})
    own = (object(),) if made in METHODS else ()
    for lacking in needed(made):
        others = {name: right(kind) for name, kind in needed(made).items() if name != lacking}
        with pytest.raises(UserError, match=f"wants {lacking}=, .*, but got none: add {lacking}=... to it"):
            made(*own, **others)
    with pytest.raises(UserError, match="without a name"):
        made(*own, *range(50))
    first = next(iter(inspect.signature(made).parameters.values()))
    if first.kind is first.POSITIONAL_OR_KEYWORD and not own:
        with pytest.raises(UserError, match=f"wants {first.name} once, but got it by place and by name"):
            made(right(arguments_of(made)[first.name]), **{first.name: 1})


@pytest.mark.parametrize(
    ("kind", "given", "kept"),
    [
        (int, np.int64(3), 3),
        (int, np.array(3), 3),
        (float, 3, 3.0),
        (float, np.float32(0.5), 0.5),
        (float, Decimal("0.5"), 0.5),
        (float, Fraction(1, 2), 0.5),
        (bool, np.True_, True),
        (str, np.str_("a"), "a"),
        (str | Path, Path("a"), Path("a")),
        (tuple[str, ...], ["a", "b"], ("a", "b")),
        (tuple[str, ...], (one for one in "ab"), ("a", "b")),
        (Sequence[float], np.array([1, 2]), (1.0, 2.0)),
        (tuple[float, float], [1, 2], (1.0, 2.0)),
        (Mapping[str, float], {"a": 1}, {"a": 1.0}),
        (float | str, 1, 1.0),
        (int | float, 1, 1),
    ],
)
def test_what_means_the_same_is_taken_and_kept_as_pythons_own(kind: Any, given: Any, kept: Any) -> None:
    found = fit("it", given, kind)
    assert found == kept
    assert type(found) is type(kept)
    for one, other in zip(parts_of(found), parts_of(kept), strict=True):
        assert type(one) is type(other)


def test_a_mapping_in_which_nothing_changes_stays_itself() -> None:
    class Own(dict[str, float]):
        pass

    given = Own(a=1.0)
    assert fit("it", given, Mapping[str, float]) is given


@pytest.mark.parametrize(
    ("slip", "said"),
    [
        (
            lambda: tiny_study(measures={"miss": 0.1, "gain": None}),
            r"the argument measures\['gain'\] of Study wants a Measure or the smallest effect that matters, "
            "a number, but got None: correct it",
        ),
        (
            lambda: tiny_study(claims=Claim("it", Level("miss", "fast", 0))),
            "wants a list of Claims.*: put it into",
        ),
        (
            lambda: tiny_study(arms={"a": vary(joint, {})}),
            r"arms\['a'\] of Study wants a dict by name, but got Run",
        ),
        (
            lambda: Claim("it", Difference),
            r"a rule, such as .*, but got the class Difference: write Difference\(",
        ),
        (
            lambda: Measure("higer"),
            r"wants 'lower', 'higher' or 'neither', but got 'higer': did you mean 'higher'",
        ),
        (
            lambda: Tracked({"seed": 1}),
            "where of Tracked wants a text, a path or a pandas DataFrame, but got {'se",
        ),
        (lambda: Command(["a", 3]), r"argument template\[1\] of Command wants a text, but got 3 of type int"),
        (
            lambda: vary(joint, {"model": {"latent_dim": 8}}),
            "model is a group of settings.*as in 'model.channels'",
        ),
        (
            lambda: vary(joint, {"model.channels": 8}),
            "model.channels wants a list of whole numbers, but got 8 of",
        ),
        (lambda: ablation.load(3), "the argument name of load wants a text or a path, but got 3 of type int"),
        (lambda: ablation.run("mine.py"), "the argument study of run wants a Study, but got 'mine.py'"),
        (lambda: ablation.run(tiny_study(), seeds=0), "seeds must be at least 1, but got 0"),
    ],
)
def test_a_slip_is_said_in_these_words(slip: Callable[[], object], said: str) -> None:
    with pytest.raises(UserError, match=said):
        slip()


def test_an_object_is_copied_pickled_and_shown_as_any_other() -> None:
    measure = Measure("higher", matters=1)
    assert pickle.loads(pickle.dumps(measure)) == measure == dataclasses.replace(measure)
    assert repr(measure).startswith("Measure(better='higher', label='', digits=3, matters=1.0")
    assert list(inspect.signature(Measure).parameters)[:2] == ["better", "label"]
    with pytest.raises(UserError, match="argument digits of Measure wants a whole number, but got '3'"):
        dataclasses.replace(measure, digits="3")  # type: ignore[arg-type]


def test_an_object_whose_own_repr_fails_is_named_by_its_type() -> None:
    class Odd:
        def __repr__(self) -> str:
            raise RuntimeError

    with pytest.raises(UserError, match="but got an object of the type Odd"):
        Measure(Odd())  # type: ignore[arg-type]


def test_a_dataclass_of_ones_own_is_checked_alike() -> None:
    @checked
    @dataclass(frozen=True)
    class Mine:
        width: int
        names: Sequence[str] = ()

    assert Mine(np.int64(3), names=["a"]) == Mine(3, ("a",))  # type: ignore[arg-type]
    with pytest.raises(
        UserError, match=r"names of .*Mine wants a list of texts, but got 'a': put it into a list"
    ):
        Mine(3, "a")
