"""Tuning: the same values for every arm, the best by its own validation loss, and cells that follow it."""

from dataclasses import replace
from pathlib import Path

import pytest

from ablation import Study, Tuned
from ablation.emoji.experiment import EmojiExperiment
from ablation.errors import UserError
from ablation.experiment import Diverged
from ablation.runner.results import results
from ablation.runner.scheduler import run_study
from ablation.runner.tuned import progress_of, tuning_of, with_tuned_values
from ablation.runner.worker import Task
from ablation.settings import vary
from ablation.tracking.store import Store
from ablation.tuning import TUNING_SEED
from doubles import small_study
from engines import InlineEngine

RATES = Tuned("train.lr", least=1e-3, largest=1e-1, trials=3)


@pytest.fixture
def study(faces: Path) -> Study:
    return small_study(faces, tuned=RATES, seeds=1)


def test_values_are_even_on_a_logarithmic_scale_from_end_to_end() -> None:
    assert RATES.values == (0.001, 0.01, 0.1)
    assert Tuned("train.lr", 2.5e-4, 4e-3, 3).values == (2.5e-4, 1e-3, 4e-3)


def test_every_arm_has_the_same_trials_under_a_seed_of_no_cell(study: Study) -> None:
    trials = tuning_of(study).cells()
    assert len(trials) == len(study.declared) * RATES.trials
    assert {cell.seed for cell in trials} == {TUNING_SEED}
    assert sorted({cell.settings.train.lr for cell in trials}) == list(RATES.values)
    assert TUNING_SEED not in {cell.seed for cell in study.cells()}


def test_a_study_is_not_run_before_it_is_tuned(study: Study, store: Store) -> None:
    assert with_tuned_values(study, store) == study
    with pytest.raises(UserError, match=r"small wants train.lr tuned for every arm, but trials are lacking"):
        run_study(study, store, InlineEngine(), 1)


def test_each_arm_gets_the_value_of_its_own_least_validation_loss(study: Study, store: Store) -> None:
    run_study(tuning_of(study), store, InlineEngine(), 1)
    settled = with_tuned_values(study, store)
    losses = results(tuning_of(study), store).set_index("arm").validation_loss
    for arm, value in settled.chosen.items():
        assert losses[f"{arm}, train.lr {value:g}"] == min(
            losses[f"{arm}, train.lr {other:g}"] for other in RATES.values
        )
        assert settled.settings[arm].train.lr == value
    run_study(settled, store, InlineEngine(), 1)
    frame = progress_of(study, store)
    assert frame is not None
    assert frame.state.tolist() == ["complete"] * 2
    assert settled.varied == study.varied == ("model.latent_dim",)
    assert "train.lr" not in settled.fixed


def test_while_tuning_lasts_its_own_progress_is_shown(study: Study, store: Store) -> None:
    assert progress_of(study, store) is None

    def stop(task: Task) -> None:
        if len(engine.tasks) == 4:
            raise KeyboardInterrupt

    engine = InlineEngine(stop)
    with pytest.raises(KeyboardInterrupt):
        run_study(tuning_of(study), store, engine, 1)
    frame = progress_of(study, store)
    assert frame is not None
    assert frame.state.tolist() == ["complete"] * 3 + ["missing"] * 3
    assert with_tuned_values(study, store).chosen == {}


def test_a_value_that_diverges_is_not_chosen_and_none_left_is_a_mistake(
    study: Study, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = EmojiExperiment.train

    def diverge(least: float) -> None:
        def train(self, settings, seed, run):  # type: ignore[no-untyped-def]
            if settings.train.lr >= least:
                raise Diverged("too fast")
            return kept(self, settings, seed, run)

        monkeypatch.setattr(EmojiExperiment, "train", train)

    diverge(0.01)
    run_study(tuning_of(study), store, InlineEngine(), 1)
    assert set(with_tuned_values(study, store).chosen.values()) == {0.001}
    diverge(0.0)
    other = replace(study, name="other", baseline=vary(study.baseline, {"train.batch_size": 32}))
    run_study(tuning_of(other), store, InlineEngine(), 1)
    with pytest.raises(UserError, match=r"train.lr of latent 8 wants a value at which training holds"):
        with_tuned_values(other, store)
