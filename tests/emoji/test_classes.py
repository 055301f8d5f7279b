"""Class schemes: what the report's keywords, a study's own classes and a column make of an image."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablation.emoji import Class, class_scheme, joint
from ablation.emoji.data.classes import SCHEMES, check_classes, class_names, classify, scheme_of
from ablation.emoji.data.split import split
from ablation.emoji.experiment import EMOJI
from ablation.emoji.spec import DataSpec, parse
from ablation.errors import UserError
from ablation.fingerprint import fingerprint
from ablation.settings import flat, vary
from doubles import made

PHRASES = [
    (phrase, number) for number, one in enumerate(SCHEMES["happy_sad"].values()) for phrase in one.phrases
]


def by_text(texts: list[str], scheme: str) -> tuple[int, ...]:
    return classify(made(texts), scheme)


def test_the_classes_come_in_the_reports_order() -> None:
    assert class_names("happy_sad") == ("happy", "sad")


@given(st.sampled_from(PHRASES), st.text("xyz "), st.text("xyz "), st.booleans())
def test_a_phrase_decides_wherever_it_stands_in_either_case(
    phrase: tuple[str, int], before: str, after: str, upper: bool
) -> None:
    words, number = phrase
    text = before + words + after
    assert by_text([text.upper() if upper else text], "happy_sad") == (number,)


@given(st.lists(st.text("facehpysdgrin ")))
def test_every_text_gets_one_number_in_order(texts: list[str]) -> None:
    assert by_text(texts, "happy_sad") == tuple(by_text([text], "happy_sad")[0] for text in texts)


def test_the_first_class_that_fits_wins() -> None:
    assert by_text(["crying face and smiling face", "sad face"], "happy_sad") == (0, 1)


def test_a_text_without_a_phrase_has_no_class() -> None:
    assert by_text(["smiling cat face with open mouth", "", "clock face"], "happy_sad") == (-1, -1, -1)


def test_none_classifies_nothing() -> None:
    assert class_names("none") == ()
    assert by_text(["happy face"], "none") == (-1,)


def test_an_unknown_scheme_is_named_with_the_nearest() -> None:
    with pytest.raises(UserError, match=r"no class scheme 'happysad' \(did you mean 'happy_sad'\?"):
        by_text([], "happysad")


# Classes of a study's own.

ROUND = Class(texts=("zero", "Six"), phrases=("ball",))
STRAIGHT = Class(groups=("lines",), subgroups=("bars",))
OWN = class_scheme({"round": ROUND, "straight": STRAIGHT})


def test_own_classes_go_by_whole_texts_phrases_groups_and_subgroups() -> None:
    images = made(
        ["ZERO", "sixty", "six", "a football", "one", "two", "three"],
        groups=["", "", "", "", "lines", "", ""],
        subgroups=["", "", "", "", "", "bars", "bar"],
    )
    assert class_names(OWN) == ("round", "straight")
    assert classify(images, OWN) == (0, -1, 0, 0, 1, 1, -1)


def test_own_classes_are_a_setting_that_survives_json_and_decides_the_fingerprint() -> None:
    spec = vary(joint, {"data.classes": OWN, "data.stratify": OWN, "data.among": OWN})
    assert parse(json.loads(json.dumps(flat(spec)))) == spec
    assert dict(scheme_of(OWN)) == {"round": ROUND, "straight": STRAIGHT}
    other = class_scheme({"round": Class(texts=("zero",)), "straight": STRAIGHT})
    swapped = class_scheme({"straight": STRAIGHT, "round": ROUND})
    found = {
        fingerprint(EMOJI, vary(spec, {"data.classes": one}), 0, "data") for one in (OWN, other, swapped)
    }
    assert len(found) == 3  # another order gives other numbers to the classes


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ({"one": ROUND}, "at least two classes, but got one"),
        ({}, "at least two classes, but got none"),
        ([ROUND, STRAIGHT], "wants classes by their names"),
        ({"one": ("zero",), "two": STRAIGHT}, "wants classes by their names"),
        ({"one": Class(), "two": STRAIGHT}, "class 'one' wants some of phrases, texts"),
        ({" ": ROUND, "two": STRAIGHT}, "a class wants a name, but got ' '"),
        (
            {"face": Class(("face",)), "sad": Class(("SAD FACE",))},
            "phrases 'SAD FACE' of 'sad' can never be reached after 'face' of 'face'",
        ),
        ({"one": ROUND, "two": Class(texts=("six",))}, "texts 'six' of 'two' can never be reached"),
    ],
)
def test_classes_that_cannot_be_meant_are_refused(classes: object, message: str) -> None:
    with pytest.raises(UserError, match=message):
        class_scheme(classes)  # type: ignore[arg-type]


@pytest.mark.parametrize("given", ["zero", ("",), (0, 6), {"zero"}, None])
def test_a_class_wants_lists_of_texts(given: object) -> None:
    with pytest.raises(UserError, match=r"phrases(\[0\])? of Class wants .*text.*, but got"):
        Class(phrases=given)  # type: ignore[arg-type]


def test_a_later_phrase_that_is_part_of_an_earlier_one_is_a_rest() -> None:
    rest = class_scheme({"sad": Class(("sad face",)), "face": Class(("face",))})
    assert by_text(["sad face", "happy face"], rest) == (0, 1)


@pytest.mark.parametrize("setting", ["data.classes", "data.stratify", "data.among"])
@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("happysad", r"did you mean 'happy_sad'\?"),
        ("column:clas", r"no column of classes 'clas' \(did you mean 'class'\?"),
        ('{"round": ["zero"]}', "want the text that class_scheme makes"),
        ('{"round": {"phrase": ["zero"]}}', r"Class has no argument 'phrase' \(did you mean 'phrases'\?\)"),
        ('{"round": ', "want the text that class_scheme makes"),
        ({"round": ROUND}, r"wants a class scheme: a name, class_scheme\(\{...\}\) or .*, but got \{'round'"),
        (3, r"wants a class scheme: .*, but got 3 of type int"),
    ],
)
def test_a_scheme_that_is_none_is_refused_as_the_settings_are_made(
    setting: str, value: object, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        vary(joint, {setting: value})


def test_the_shipped_schemes_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        SCHEMES["mine"] = {}  # type: ignore[index]


@pytest.mark.parametrize("setting", ["classes", "stratify", "among"])
def test_a_class_of_ones_own_that_no_image_has_is_refused_before_anything_runs(setting: str) -> None:
    images = made([f"{word} {n}" for n in range(10) for word in ("zero", "one")])
    typo = class_scheme({"round": Class(("zero",)), "straight": Class(("won",))})
    spec = DataSpec(**{"keyword": "", setting: typo})
    with pytest.raises(UserError, match=f"every class of data.{setting} wants an image, but 'straight' fits"):
        split(images, spec, 0, 0)
    # Of the shipped schemes a source need not have all.
    check_classes(images, "data.stratify", "happy_sad")


# Classes by column.


def test_the_values_of_a_column_are_classes_in_alphabetical_order() -> None:
    images = made(["b", "a", "b", "c"], groups=["y", "", "x", "y"])
    assert class_names("column:text", images) == ("a", "b", "c")
    assert classify(images, "column:text") == (1, 0, 1, 2)
    assert class_names("column:group", images) == ("x", "y")
    assert classify(images, "column:group") == (1, -1, 0, 1)


@pytest.mark.parametrize(
    ("groups", "has"), [(["", "", ""], "there is no value"), (["x", "x", ""], "there is 'x' alone")]
)
def test_a_column_without_two_values_is_no_class_scheme(groups: list[str], has: str) -> None:
    with pytest.raises(UserError, match=f"data.classes 'column:group' wants at least two values.*{has}"):
        check_classes(made(["a", "b", "c"], groups=groups), "data.classes", "column:group")


def test_a_column_balances_the_split_and_chooses_images() -> None:
    images = made([f"{n}" for n in range(60)], groups=[["x", "y", ""][n % 3] for n in range(60)])
    spec = DataSpec(keyword="", classes="column:group", stratify="column:group", among="column:group")
    sets = split(images, spec, 0, 3)
    for part, count in ((sets.train, 12), (sets.validation, 4), (sets.test, 4)):
        found = [images.group[n] for n in part.index.tolist()]
        assert {name: found.count(name) for name in found} == {"x": count, "y": count}
