"""Caveats: what limits the numbers is said, and nothing where there is nothing to say."""

import pandas as pd

from ablation import Measure, Study, Tuned
from ablation.stats.analysis import Analysis, analyse
from ablation.stats.caveats import edge_warnings, fixed_words, tuned_caveats
from frames import Coarse, Value, a_frame, a_study, noisy

RATE = Tuned("train.lr", 1e-4, 1e-2, 5)
LEVEL = {"small": 0.020, "middle": 0.020, "large": 0.020}
MORE = {"small": 0.3, "middle": 0.4, "large": 0.9}


def analysed(mse: Value, study: Study, seeds: int = 8) -> Analysis:
    return analyse(study, a_frame(study, seeds, mse, noisy(MORE, 0.01)), seeds)


def caveats_of(study: Study, **columns: object) -> str:
    frame = a_frame(study, 5, noisy(dict.fromkeys(study.settings, 0.02), 0.01)).assign(**columns)
    return " ".join(analyse(study, frame, 5).caveats)


def a_function(settings: dict[str, float], seed: int) -> dict[str, float]:
    return {"error": settings["rate"] * seed}


def of_a_function(**changes: object) -> Study:
    """Two rates of a function that a stranger wrote."""
    fields: dict[str, object] = {
        "name": "rates", "question": "?", "source": "a double", "train": a_function,
        "baseline": {"rate": 0.1, "layers": [3, 4]}, "arms": {"fast": {"rate": 0.2}},
        "measures": {"error": Measure("lower", matters=0.1)},
    }  # fmt: skip
    return Study(**(fields | changes))  # type: ignore[arg-type]


def test_caveats_name_what_limits_the_numbers() -> None:
    analysis = analysed(noisy(LEVEL, 0.01), a_study(seeds=10))
    text = " ".join(analysis.caveats)
    for words in (
        "declares 10 seeds, but this is an analysis of 8",
        "What replicates is the split, and the training on it (all splits are drawn from one pool of images",
        "95 % Student t intervals with the variance of Nadeau and Bengio",
        "n_test / n_train is taken as 0.333",
        "corrected resampled t-test",
        "Holm",
        "Test MSE 0.0020 and Test accuracy 0.050",
    ):
        assert words in text
    assert "train.lr = 0.001" in analysis.fixed
    assert "latent_dim" not in analysis.fixed


def test_what_replicates_is_said_of_an_experiment_that_anybody_wrote() -> None:
    study = of_a_function()
    frame = pd.DataFrame(
        {"arm": c.arm, "seed": c.seed, "state": "complete", "fingerprint": "f", "run_id": "r"}
        | {"error": noisy({"baseline": 0.5, "fast": 0.9}, 0.1)(c.arm, c.seed)}
        for c in study.cells()
    )
    analysis = analyse(study, frame, 5)
    assert analysis.caveats[:2] == (
        "What replicates is the training alone, on one fixed split (assumed, since the study does not "
        "declare what a seed varies): conclusions are about its test set.",
        "Intervals are 95 % Student t intervals over seeds, taken as independent replications.",
    )
    assert "paired t-test" in analysis.caveats[2]
    assert analysis.caveats[3] == "Smallest effects that matter, declared before the runs: error 0.100."
    assert analysis.fixed == "Held fixed in every arm: layers = 3:4."
    assert "all of them" in fixed_words(of_a_function(baseline={"rate": 0.1}))


def test_seeds_added_on_the_way_are_said() -> None:
    study = a_study()
    frame = a_frame(study, 5, noisy(LEVEL, 0.01), noisy(MORE, 0.01))
    grown = " ".join(analyse(study, frame, 5, (5, 10)).caveats)
    assert "results could be seen (5, then 10), so the p-values are optimistic unless" in grown
    for counts in ((), (5,), (5, 5)):
        assert "Seeds were added" not in " ".join(analyse(study, frame, 5, counts).caveats)


def test_runs_of_several_versions_are_said() -> None:
    study = a_study()
    first, second = "0123456789abcdef", "fedcba9876543210+dirty"
    text = caveats_of(study, code=[first] * 7 + [second] * 7 + [""], packages=["torch 2"] * 14 + ["torch 3"])
    assert "from 2 versions of the code: 0123456789 and fedcba9876+dirty." in text
    assert "from 2 sets of packages: (torch 2) and (torch 3)." in text
    assert "versions of the code" not in caveats_of(study, code=first, packages=None)


def test_the_floor_of_the_spread_is_said() -> None:
    coarse = analysed(noisy(LEVEL, 0.01), a_study(train=Coarse(test_accuracy=0.025)))
    assert "that one test item can move the measure: Test accuracy 0.025." in " ".join(coarse.caveats)
    assert "can move the measure" not in caveats_of(a_study(train=Coarse()))


def test_pairing_that_did_not_help_is_said() -> None:
    analysis = analysed(lambda arm, s: 0.02 + 0.001 * s * (-1 if arm == "large" else 1), a_study())
    caveat = next(c for c in analysis.caveats if c.startswith("Pairing"))
    assert "large on Test MSE" in caveat
    assert "small on Test MSE" not in caveat


def tuned(**chosen: float) -> Study:
    return a_study(tuned=RATE, chosen=chosen)


def test_without_tuning_nothing_is_said() -> None:
    study = a_study()
    assert list(tuned_caveats(study)) == list(edge_warnings(study)) == []
    assert fixed_words(study).startswith("Held fixed in every arm: ")
    assert "train.lr = 0.001" in fixed_words(study)


def test_the_tuned_setting_its_range_and_its_choices_are_said() -> None:
    study = tuned(small=1e-3, middle=1e-3, large=3.16e-4)
    how, chosen = tuned_caveats(study)
    assert how == (
        "train.lr is tuned afresh for every arm, over 5 trials each: the same values from 0.0001 to 0.01, "
        "evenly spaced on a logarithmic scale. Each arm gets the value with the least Validation loss in its "
        "own trials, under seed 1000000 (study sizes-tuning), on a split of its own that is drawn from the "
        "same pool as the test sets of the table."
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
    frame = a_frame(study, 5, noisy(dict.fromkeys(study.settings, 0.02), 0.001))
    said = analyse(study, frame, 5).caveats
    assert set(edge_warnings(study)) < set(said)
    assert set(tuned_caveats(study)) < set(said)


def test_what_is_not_chosen_yet_is_said() -> None:
    assert list(tuned_caveats(tuned(small=1e-3)))[1:] == [
        "Chosen train.lr: 0.001 for small.",
        "Not chosen yet for middle and large: there train.lr is 0.001.",
    ]
