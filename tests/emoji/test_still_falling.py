"""How much the error of a run still fell at the end of its training: a gate's measure."""

import math
from pathlib import Path

import numpy as np
import pytest

from ablation import Gate, UserError
from ablation.emoji.experiment import EMOJI
from ablation.emoji.measures import CROSS_ENTROPY_FALL, FALLS, MSE_FALL
from ablation.emoji.result import still_falling
from ablation.emoji.run import run
from ablation.emoji.train import Epoch
from ablation.fingerprint import fingerprint
from ablation.runner.results import results
from ablation.settings import vary
from ablation.tracking.store import Store
from doubles import FakeRun, small_spec, small_study
from test_sweep import swept


def curve(values: list[float], batches: int = 3) -> list[Epoch]:
    return [Epoch(n, n * batches, 1, {"error": value}, 0.0) for n, value in enumerate(values, 1)]


def test_it_compares_the_last_quarter_of_the_steps_with_the_quarter_before() -> None:
    values = [9.0] * 8 + [4.0, 6.0, 7.0, 3.0] + [3.0, 1.0, 2.0, 2.0]
    assert still_falling(curve(values), "error") == pytest.approx(1 - 2 / 5)
    assert still_falling(curve(values, batches=7), "error") == pytest.approx(1 - 2 / 5)


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_an_error_that_halves_over_a_quarter_falls_by_half_and_a_flat_one_by_nothing(noise: float) -> None:
    rng = np.random.default_rng(1)
    shaken = 1 + noise * rng.normal(size=160)
    halving = curve(list(2.0 ** (-np.arange(160) / 40) * shaken))
    assert still_falling(halving, "error") == pytest.approx(0.5, abs=noise + 1e-9)
    assert still_falling(curve(list(0.3 * shaken)), "error") == pytest.approx(0.0, abs=noise + 1e-9)
    assert still_falling(curve(list(0.3 / shaken + 0.01 * np.arange(160))), "error") < 0


def test_it_does_not_depend_on_the_unit_of_the_error() -> None:
    values = list(np.geomspace(1.0, 0.1, 24))
    scaled = still_falling(curve([1000 * value for value in values]), "error")
    assert scaled == pytest.approx(still_falling(curve(values), "error"))


def test_few_evaluations_are_taken_where_they_are_and_one_says_nothing() -> None:
    assert still_falling(curve([4.0, 3.0, 2.0]), "error") == pytest.approx(1 - 2 / 3)
    assert still_falling(curve([4.0, 3.0]), "error") == pytest.approx(1 - 3 / 4)
    assert math.isnan(still_falling(curve([4.0]), "error"))
    assert still_falling(curve([0.0] * 8), "error") == 0


def test_a_pass_that_the_budget_cuts_short_counts_by_its_steps() -> None:
    steps = [3, 6, 9, 12, 13]
    cut = [
        Epoch(n, step, 1, {"error": value}, 0.0)
        for n, (step, value) in enumerate(zip(steps, [9.0, 8.0, 7.0, 6.0, 5.0], strict=True), 1)
    ]
    assert still_falling(cut, "error") == pytest.approx(1 - 5.5 / 7)
    assert still_falling(curve([9.0, 8.0, 7.0, 6.0, 5.0]), "error") == pytest.approx(1 - 5.5 / 7)


@pytest.mark.parametrize("folds", [0, 3])
def test_a_run_has_it_of_its_own_curves_where_it_is_asked(faces: Path, folds: int) -> None:
    """With folds of the mean curve of all networks; and of the curves that another run left."""
    spec = vary(small_spec(faces), {"train.epochs": 8, "data.folds": folds})
    result = run(spec, 0, measures=[*FALLS])
    for name, of in FALLS.items():
        values = [epoch.metrics[of] for epoch in result.history]
        assert result.metrics[name] == pytest.approx(1 - sum(values[6:]) / sum(values[4:6]))
    assert not FALLS.keys() & run(vary(spec, {"train.epochs": 2}), 0).metrics.keys()
    assert all(EMOJI.on_demand(name) for name in FALLS)


def test_a_run_that_takes_the_training_of_another_has_it_of_its_curves(faces: Path, tmp_path: Path) -> None:
    spec = vary(small_spec(faces), {"train.epochs": 8})
    first = FakeRun(tmp_path / "one", measures=(MSE_FALL,))
    first.folder.mkdir()
    want = EMOJI.train(spec, 0, first)[MSE_FALL]
    own = fingerprint(EMOJI, spec, 0, EMOJI.version(spec))
    second = FakeRun(tmp_path / "two", (MSE_FALL,), trained=first.left(own, EMOJI.kept_file))
    second.folder.mkdir()
    assert EMOJI.train(spec, 0, second)[MSE_FALL] == want


def test_a_study_is_not_judged_while_its_baseline_learns(faces: Path, store: Store) -> None:
    """Sixteen passes of a network that has just begun; its measure is taken in the baseline alone."""
    gate = Gate("the baseline has stopped learning", MSE_FALL, below=0.05)
    baseline = vary(small_spec(faces), {"train.epochs": 16, "train.lr": 0.01})
    study = small_study(faces, baseline=baseline, gates=(gate,), seeds=5)
    assert swept(study, store).trained == 10
    frame = results(study, store)
    assert frame[MSE_FALL].notna().groupby(frame.arm).all().to_dict() == {"latent 8": True, "latent 4": False}
    found = study.results(store=store.root)
    assert found.verdicts.verdict.tolist() == ["not judged"]
    assert "Relative fall of validation MSE, last quarter of latent 8 0." in found.analysis.verdicts[0].reason


def test_a_gate_wants_what_its_arm_has(faces: Path) -> None:
    plain = {"data.classes": "none", "train.loss_weight": 0.0}
    gate = Gate("it has stopped", CROSS_ENTROPY_FALL, below=0.05, arm="plain")
    with pytest.raises(UserError, match=r"cross_entropy_still_falling wants classes, but data\.classes"):
        small_study(
            faces,
            arms={"latent 8": {}, "plain": plain},
            measures={"test_mse": 0.01},
            gates=(gate,),
            claims=(),
        )
