"""The emoji of Unicode 15.0 by count, their texts and their subjects."""

from collections import defaultdict

import pytest

from ablation.emoji.data.classes import SCHEMES
from ablation.emoji.data.unicode import SIGNS, TONES, Emoji, emojis

FACES = [emoji for emoji in emojis() if "face" in emoji.text]


def named(text: str) -> Emoji:
    return next(emoji for emoji in emojis() if emoji.text == text)


def test_there_are_3655_emoji_and_no_two_share_a_text_or_a_string() -> None:
    assert len(emojis()) == 3655
    assert len({emoji.text for emoji in emojis()}) == 3655
    assert len({emoji.emoji for emoji in emojis()}) == 3655


def test_254_texts_have_face_of_which_24_are_clocks_and_90_are_five_people() -> None:
    people = [emoji for emoji in FACES if emoji.group == "People & Body"]
    assert len(FACES) == 254
    assert sum(emoji.text.startswith("clock face") for emoji in FACES) == 24
    assert len(people) == 5 * 18
    assert {emoji.subject for emoji in people} == {
        "face palm",
        "face massage",
        "face with no good gesture",
        "face with ok gesture",
        "person with pouting face",
    }


@pytest.mark.parametrize(("name", "count"), [("happy", 18), ("sad", 5)])
def test_the_reports_keywords_find_the_originals(name: str, count: int) -> None:
    phrases = SCHEMES["happy_sad"][name].phrases
    assert sum(any(phrase in emoji.text for phrase in phrases) for emoji in emojis()) == count


@pytest.mark.parametrize(
    ("emoji", "text", "group", "subgroup", "subject"),
    [
        ("😍", "smiling face with heart-shaped eyes", "Smileys & Emotion", "face-affection", None),
        ("😺", "smiling cat face with open mouth", "Smileys & Emotion", "cat-face", None),
        ("☺️", "white smiling face", "Smileys & Emotion", "face-affection", None),
        ("😮‍💨", "face exhaling", "Smileys & Emotion", "face-neutral-skeptical", None),
        (
            "🙎🏿‍♀️",
            "person with pouting face: woman, dark skin tone",
            "People & Body",
            "person-gesture",
            "person with pouting face",
        ),
        ("🕐", "clock face one oclock", "Travel & Places", "time", None),
        ("🇳🇴", "flag: norway", "Flags", "country-flag", None),
        ("🐻‍❄️", "polar bear", "Animals & Nature", "animal-mammal", None),
        ("#️⃣", "keycap: #", "Symbols", "keycap", None),
        ("♀️", "female sign", "Symbols", "gender", None),
    ],
)
def test_an_emoji_is_called_and_grouped_as_unicode_does(
    emoji: str, text: str, group: str, subgroup: str, subject: str | None
) -> None:
    found = next(each for each in emojis() if each.emoji == emoji)
    assert (found.text, found.group, found.subgroup) == (text, group, subgroup)
    assert found.subject == (subject or text)


def test_there_are_1668_subjects_each_called_by_the_text_of_a_member() -> None:
    members = defaultdict(set)
    for emoji in emojis():
        members[emoji.subject].add(emoji.text)
    assert len(members) == 1668
    assert all(subject in texts for subject, texts in members.items())


def test_skin_tone_never_changes_the_subject() -> None:
    def toneless(emoji: Emoji) -> tuple[int, ...]:
        return tuple(code for code in emoji.codes if code not in TONES and code != 0xFE0F)

    subjects = {toneless(emoji): emoji.subject for emoji in emojis()}
    toned = [emoji for emoji in emojis() if not TONES.keys().isdisjoint(emoji.codes)]
    alike = [emoji for emoji in toned if toneless(emoji) in subjects]
    assert len(toned) == 1785
    assert len(alike) > 1700
    assert all(emoji.subject == subjects[toneless(emoji)] for emoji in alike)


def test_a_gender_sign_never_changes_the_subject() -> None:
    subjects = {tuple(c for c in emoji.codes if c != 0xFE0F): emoji.subject for emoji in emojis()}
    signed = [emoji for emoji in emojis() if not SIGNS.keys().isdisjoint(emoji.codes[1:])]
    assert len(signed) == 102 + 470
    for emoji in signed:
        bare = tuple(c for c in emoji.codes if c not in {*SIGNS, 0x200D, 0xFE0F})
        assert emoji.subject == subjects[bare]


@pytest.mark.parametrize(
    ("subject", "texts"),
    [
        ("health worker", ["man health worker", "woman health worker: dark skin tone"]),
        ("child", ["boy", "girl: light skin tone"]),
        ("older adult", ["older man", "older woman: medium skin tone"]),
        ("person with crown", ["prince", "princess: dark skin tone"]),
        ("mx claus", ["father christmas", "mother christmas: dark skin tone"]),
        ("kiss", ["kiss: woman, man", "kiss: man, man, dark skin tone, light skin tone"]),
        ("people holding hands", ["two men holding hands", "man and woman holding hands: dark skin tone"]),
        ("family", ["family: man, man, boy", "family: man, woman, girl"]),
        ("handshake", ["handshake: light skin tone, dark skin tone"]),
        ("flag: norway", ["flag: bouvet island", "flag: svalbard & jan mayen"]),
    ],
)
def test_pairs_of_genders_and_other_spellings_are_one_subject(subject: str, texts: list[str]) -> None:
    assert {named(text).subject for text in texts} == {subject}


@pytest.mark.parametrize("text", ["baby", "superhero", "female sign", "male sign", "flag: sweden"])
def test_a_thing_of_its_own_keeps_its_own_subject(text: str) -> None:
    texts = {emoji.text for emoji in emojis() if emoji.subject == text}
    assert text in texts
    assert all(other == text or other.startswith(f"{text}:") for other in texts)
