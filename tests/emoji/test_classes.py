"""Class schemes: what the report's keywords make of a text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablation.emoji.data.classes import SCHEMES, class_names, classify
from ablation.errors import UserError
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
