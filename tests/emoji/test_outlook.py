"""What a run would take: every cell counted once, time by arithmetic."""

from dataclasses import replace
from pathlib import Path

import pytest

from ablation import Study, Tuned
from ablation.emoji.cost import images_seen, passes, run_flops
from ablation.emoji.protocols import joint
from ablation.emoji.spec import TrainSpec
from ablation.runner.scheduler import run_study
from ablation.runner.time_estimate import makespan, workload
from ablation.runner.tuned import tuning_of
from ablation.settings import vary
from ablation.tracking.store import Store
from doubles import small_study
from engines import InlineEngine


@pytest.fixture
def study(faces: Path) -> Study:
    return small_study(faces)


def test_pictures_seen_are_passes_or_steps_times_the_mean_batch() -> None:
    in_steps = TrainSpec(steps=12)
    assert (images_seen(joint.train, 714), passes(joint.train, 714)) == (7140, 10)
    assert (images_seen(in_steps, 714), passes(in_steps, 714)) == (714, 1)
    assert (images_seen(in_steps, 64), passes(in_steps, 64)) == (768, 12)


def test_arithmetic_grows_with_pictures_passes_and_the_network() -> None:
    once, twice, never = (run_flops(joint, trained, 5) for trained in (100, 200, 0))
    assert twice - once == pytest.approx(once - never)
    assert run_flops(joint, 100, 500) > once
    assert run_flops(vary(joint, {"model.latent_dim": 512}), 100, 5) > once
    # Convolving before halving costs more than striding.
    assert run_flops(vary(joint, {"model.downsample": "max_pool"}), 100, 5) > once


def test_before_the_first_run_the_study_file_says_the_time(study: Study, tmp_path: Path) -> None:
    work = workload(study, Store(tmp_path / "none"), seeds=3, workers=2)
    assert (work.cells, work.complete, work.shared, work.seconds) == (6, 0, 0, None)
    timed = workload(replace(study, cell_seconds=10.0), Store(tmp_path / "none"), seeds=3, workers=2)
    assert timed.seconds == 30
    assert list(tmp_path.iterdir()) == []


def test_workers_finish_no_sooner_than_their_share_or_the_longest_cell() -> None:
    assert makespan([10.0] * 3, workers=2) == 20
    assert makespan([1.0, 1.0, 8.0], workers=2) == 9
    assert makespan([3.0, 4.0], workers=1) == 7
    assert makespan([], workers=2) == 0


def test_what_is_there_and_what_other_studies_have_is_not_counted_again(study: Study, store: Store) -> None:
    run_study(study, store, InlineEngine(), 1, seeds=1)
    work = workload(study, store, seeds=2, workers=1)
    assert (work.cells, work.complete, work.shared) == (4, 2, 0)
    twice = workload(study, store, seeds=3, workers=1)
    assert twice.seconds is not None
    assert work.seconds is not None
    assert twice.seconds == pytest.approx(2 * work.seconds, rel=0.2)
    other = replace(
        study, name="other", arms={"latent 8": {}, "latent 2": {"model.latent_dim": 2}}, claims=()
    )
    assert (found := workload(other, store, seeds=1, workers=1)).shared == 1
    engine = InlineEngine()
    progress = run_study(other, store, engine, 1, seeds=1)
    assert (progress.trained, progress.reused) == (found.cells - found.shared, found.shared)


def test_trials_of_tuning_are_announced_until_they_have_run(study: Study, store: Store) -> None:
    tuned = replace(study, tuned=Tuned("train.lr", 1e-3, 1e-1, 3))
    assert workload(tuned, store, seeds=1, workers=1).trials == 6
    run_study(tuning_of(tuned), store, InlineEngine(), 1)
    assert workload(tuned, store, seeds=1, workers=1).trials == 0
