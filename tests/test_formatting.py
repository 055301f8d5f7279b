"""Numbers as words: one form of a p-value in sentences, one in tables."""

import pytest

from ablation.formatting import ABSENT, p_words


@pytest.mark.parametrize(
    ("p", "sentence", "cell"),
    [
        (0.0324, "p = 0.032", "0.032"),
        (0.001, "p = 0.001", "0.001"),
        (0.00099, "p < 0.001", "<0.001"),
        (1.0, "p = 1.000", "1.000"),
        (None, ABSENT, ABSENT),
    ],
)
def test_a_p_value_in_a_sentence_and_in_a_table(p: float | None, sentence: str, cell: str) -> None:
    assert (p_words(p), p_words(p, in_table=True)) == (sentence, cell)
