"""An emoji by its text, its character or its code points; a sentence where none or several fit."""

import pytest

from ablation.emoji.data.images import Images
from ablation.emoji.data.names import resolve
from ablation.emoji.data.sources import load
from ablation.errors import UserError

HEARTS = "smiling cat face with heart-shaped eyes"


@pytest.fixture(scope="module")
def emoji() -> Images:
    return load(("emoji",))


@pytest.mark.parametrize("name", [HEARTS, HEARTS.upper(), f" {HEARTS} ", "\U0001f63b", "U+1F63B", "u+1f63b"])
def test_a_text_a_character_and_a_code_point_are_one(emoji: Images, name: str) -> None:
    assert emoji.text[resolve(emoji, name)] == HEARTS


def test_the_sign_that_keyboards_leave_out_does_not_matter(emoji: Images) -> None:
    assert resolve(emoji, "\u263a") == resolve(emoji, "\u263a\ufe0f") == resolve(emoji, "U+263A U+FE0F")


def test_a_part_of_one_text_alone_will_do(emoji: Images) -> None:
    assert emoji.text[resolve(emoji, "cat face with heart")] == HEARTS


def test_every_emoji_is_found_by_its_character(emoji: Images) -> None:
    assert [resolve(emoji, one) for one in emoji.emoji[::50]] == list(range(len(emoji)))[::50]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("grining face", "'grinning face'"),
        ("cat face with", "fits 6"),
        ("", "fits none"),
        ("U+110000", "fits none"),
        ("\u4e2d", "`ablation emoji show`"),
    ],
)
def test_what_fits_none_or_several_lists_the_nearest(emoji: Images, name: str, said: str) -> None:
    with pytest.raises(UserError, match="an emoji wants one text") as mistake:
        resolve(emoji, name)
    assert said in str(mistake.value)
