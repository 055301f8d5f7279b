"""What is tuned, what was chosen and what lies on the edge is said; nothing of it where nothing is tuned."""

import pytest

from ablation.errors import UserError
from ablation.stats import analyse
from ablation.stats.roles import edge_warnings, fixed_words, tuned_caveats
from ablation.study import Study, Tuned
from frames import a_frame, a_study, noisy

RATE = Tuned("train.lr", 1e-4, 1e-2, 5)


def tuned(**chosen: float) -> Study:
    return a_study(tuned=RATE, chosen=chosen)


def test_without_tuning_nothing_is_said() -> None:
    study = a_study()
    assert list(tuned_caveats(study)) == list(edge_warnings(study)) == []
    assert fixed_words(study).startswith("Held fixed in every arm and tuned in none: ")
    assert "train.lr = 0.001" in fixed_words(study)


def test_the_tuned_setting_its_range_and_its_choices_are_said() -> None:
    study = tuned(small=1e-3, middle=1e-3, large=3.16e-4)
    how, chosen = tuned_caveats(study)
    assert how == (
        "train.lr is tuned afresh for every arm, over 5 trials each: the same values from 0.0001 to 0.01, "
        "evenly spaced on a logarithmic scale. Chosen is the one with the least validation loss, the arm's "
        "own, on the validation images of one split of its own (seed 1000000, study sizes-tuning), which "
        "draws from the same pool as the seeds' test sets."
    )
    assert chosen == "Chosen train.lr: 0.001 for small, 0.001 for middle and 0.000316 for large."
    assert list(edge_warnings(study)) == []
    assert fixed_words(study).startswith("Held fixed in every arm: ")
    assert "train.lr" not in fixed_words(study)


def test_the_best_on_an_edge_is_a_warning_of_its_own() -> None:
    study = tuned(small=1e-4, middle=1e-3, large=1e-2)
    assert list(edge_warnings(study)) == [
        "The best train.lr lies on the edge of the range tried for small and large: a better one may lie "
        "beyond it, so that such an arm may be tuned less well than others."
    ]
    frame = a_frame(study, 5, noisy(dict.fromkeys(study.specs, 0.02), 0.001))
    said = analyse(study, frame, 5).caveats
    assert set(edge_warnings(study)) < set(said)
    assert set(tuned_caveats(study)) < set(said)


def test_what_is_not_chosen_yet_is_said() -> None:
    assert list(tuned_caveats(tuned(small=1e-3)))[1:] == [
        "Chosen train.lr: 0.001 for small.",
        "Not chosen yet for middle and large: there train.lr is 0.001.",
    ]


@pytest.mark.parametrize("name", ["test_accuracy", "test_balanced_accuracy", "test_cross_entropy"])
def test_a_measure_over_classes_is_refused_where_label_sets_differ(name: str) -> None:
    arms = {"two": {}, "five": {"data.classes": "five_emotions"}}
    with pytest.raises(UserError, match=f"^{name} wants the same classes in every arm") as refused:
        a_study(arms=arms, measures={"test_mse": 0.002, name: 0.05}, claims=())
    assert "'happy_sad' in 'two' and 'five_emotions' in 'five': measure mood_balanced" in str(refused.value)
    study = a_study(arms=arms, measures={"test_mse": 0.002, "mood_balanced_accuracy": 0.05}, claims=())
    assert list(study.specs) == ["two", "five"]
