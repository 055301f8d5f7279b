"""Studies: expansion into cells, the baseline among the arms, and what is refused."""

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pytest

from ablation import Claim, Difference, Measure, Study, Trend, catalogue
from ablation.emoji.protocols import joint
from ablation.errors import UserError
from ablation.settings import flat
from doubles import small_study


@pytest.fixture
def study() -> Study:
    return small_study(Path("faces.parquet"))


def test_cells_are_every_arm_under_every_seed_in_blocks_of_a_seed(study: Study) -> None:
    cells = study.cells(3)
    assert [(cell.seed, cell.arm) for cell in cells] == list(
        itertools.product(range(3), ["latent 8", "latent 4"])
    )
    assert all(cell.settings == study.settings[cell.arm] for cell in cells)


def test_arms_differ_pairwise_and_in_what_they_vary_alone(study: Study) -> None:
    assert study.varied == ("model.latent_dim",)
    assert len(set(study.settings.values())) == len(study.settings)
    assert "model.latent_dim" not in study.fixed
    assert study.fixed.keys() | {"model.latent_dim"} == flat(joint).keys()


def test_the_baseline_is_an_arm_even_where_none_is_equal_to_it(study: Study) -> None:
    assert study.reference == "latent 8"
    alone = dataclasses.replace(study, arms={"latent 4": {"model.latent_dim": 4}})
    assert list(alone.settings) == ["baseline", "latent 4"]
    assert alone.reference == "baseline"


def test_the_smoke_study_has_another_name_and_a_budget_in_steps(study: Study) -> None:
    smoke = study.smoke()
    assert (smoke.name, smoke.quick, smoke.seeds) == ("small-quick", True, 2)
    assert {spec.train.steps for spec in smoke.settings.values()} == {20}
    assert smoke.settings.keys() == study.settings.keys()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"arms": {"a": {"model.latent_dim": 4}, "b": {"model.latent_dim": 4}}},
            "arms 'a' and 'b' have equal",
        ),
        ({"arms": {"a": {"model.width": 4}}}, "no setting 'model.width'.*known are .*model.latent_dim"),
        ({"measures": {"test_msee": 0.1}}, "did you mean 'test_mse'"),
        ({"measures": {"test_mse": 0.0}}, "smallest effect of interest of test_mse must be above 0"),
        ({"seeds": 0}, "seeds of Study must be at least 1, but got 0"),
        ({"seeds": 2.5}, "the argument seeds of Study wants a whole number, but got 2.5 of type float"),
        ({"arms": {}, "claims": ()}, "at least one arm beside its baseline"),
        ({"measures": {}}, "at least one measure"),
        ({"alpha": 5.0}, "alpha must lie between 0 and 1"),
        (
            {"test": "welch"},
            "argument test of Study wants 'corrected_t', 't', 'sign_flip' or 'crossed', but got 'welch'",
        ),
        (
            {"arms": {64: {"model.latent_dim": 64}}},
            "a name in the argument arms of Study wants a text, but got 64 of type int",
        ),
        ({"claims": (Claim("x", Difference("test_mse", "up", "latent 4")),) * 2}, "the same text"),
        (
            {"claims": (Claim("x", Trend("test_mse", "up", "model.latent_dim")),)},
            "at least 3 arms that differ in model.latent_dim alone, the baseline included, but has 2",
        ),
        (
            {"arms": {"bare": {"data.classes": "none", "train.loss_weight": 0.0}}, "claims": ()},
            "test_balanced_accuracy wants classes, but data.classes of the arm 'bare' is 'none'",
        ),
        ({"name": "../x"}, "a study's name wants at most 64 letters"),
        ({"claims": (Claim("x", Difference("test_mse", "up", "latent 5")),)}, "no arm 'latent 5'"),
        ({"claims": (Claim("x", Trend("test_mse", "up", "train.lr")),)}, "arms vary 'train.lr'"),
        ({"claims": (Claim("x", Difference("test_mse", "up", "latent 8")),)}, "got the baseline 'latent 8'"),
        (
            {
                "arms": {"tanh": {"model.activation": "tanh"}, "gelu": {"model.activation": "gelu"}},
                "claims": (Claim("x", Trend("test_mse", "up", "model.activation")),),
            },
            "a trend wants a setting of numbers, but model.activation has 'relu'",
        ),
        (
            {
                "arms": {"none": {"augment.copies": 0}, "two": {"augment.copies": 2}},
                "claims": (Claim("x", Trend("test_mse", "up", "augment.copies")),),
            },
            "wants levels above 0, but augment.copies has 0: say scale=",
        ),
    ],
)
def test_a_wrong_study_is_refused_in_a_sentence(
    study: Study, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        dataclasses.replace(study, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.int64(3), r"setting a.b wants .* of type numpy.int64: write what its .tolist\(\) gives"),
        (np.ones(2), r"of type numpy.ndarray: write what its .tolist\(\) gives"),
        (Path("x"), r"of type pathlib.\w+: write a text that names it"),
        (max, "of type builtin_function_or_method: write a text"),
        (float("nan"), "but got NaN: write None"),
        ([1, (2, 3)], "of type tuple: write a list"),
    ],
)
def test_a_setting_is_what_remains_itself_in_the_plan(value: object, message: str) -> None:
    kept = {"baseline": {"a": {"b": 1}, "c": float("inf"), "d": [[1, 2], ["x"]]}, "claims": ()}
    shared = {
        "question": "",
        "source": "",
        "train": lambda **_: {},
        "measures": {"x": Measure("lower", matters=1)},
    }
    assert Study(**shared, **kept, arms={"text": {"a.b": "1"}}).varied == ("a.b",)
    with pytest.raises(UserError, match=message):
        Study(**shared, **kept, arms={"odd": {"a.b": value}})


def test_a_broken_study_file_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "broken.py"
    path.write_text("x = 1\nstudy = Study(\n")
    with pytest.raises(UserError, match=r"broken.py, line 2: '\(' was never closed"):
        catalogue.load(str(path))
    path.write_text("\n\nraise ValueError('no')\n")
    with pytest.raises(UserError, match=r"broken.py, line 3: no: mend the study file"):
        catalogue.load(str(path))
    path.write_text("study = 3\n")
    with pytest.raises(UserError, match="at its top level, but sets int"):
        catalogue.load(str(path))


def test_a_study_that_is_made_from_another_is_asked_for_by_its_command() -> None:
    with pytest.raises(UserError, match=r"the study tune_joint and .*: ask .* `ablation tune tune_joint`\.$"):
        catalogue.load("tune_joint-tuned")
    with pytest.raises(UserError, match="no study 'nothing-tuned'"):
        catalogue.load("nothing-tuned")


def test_an_unknown_study_gets_the_nearest_name() -> None:
    with pytest.raises(UserError, match=r"no study 'latentsize' \(did you mean 'latent_size'"):
        catalogue.load("latentsize")
