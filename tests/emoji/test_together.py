"""The engine `together`: cells of one program in one process are what workers make of each."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import psutil
import pytest

from ablation.emoji import replicas
from ablation.emoji.experiment import EMOJI
from ablation.emoji.spec import RunSpec
from ablation.fingerprint import fingerprint
from ablation.runner.engines import Engine, together
from ablation.runner.engines.together import TogetherEngine
from ablation.runner.results import learning_curves, results
from ablation.runner.scheduler import run_study
from ablation.runner.worker import Outcome, Task, packed, work, work_together
from ablation.settings import vary
from ablation.study import Study
from ablation.tracking.read import cell_runs
from ablation.tracking.recording import Label
from ablation.tracking.store import Store
from doubles import small_spec, small_study
from engines import InlineEngine


def swept(study: Study, store: Store, engine: Callable[[int], Engine]) -> pd.DataFrame:
    progress = run_study(study, store, engine, 4, seeds=2)
    assert not progress.failed
    return results(study, store)


def test_a_study_trained_together_is_the_study_trained_apart(faces: Path, tmp_path: Path) -> None:
    study = small_study(faces)
    apart = swept(study, Store(tmp_path / "apart"), InlineEngine())
    both = swept(study, Store(tmp_path / "together"), TogetherEngine)
    assert both.state.tolist() == ["complete"] * len(apart)
    assert both.fingerprint.tolist() == apart.fingerprint.tolist()
    assert both.run_id.is_unique
    for name in ("test_mse", "validation_mse", "train_mse", "test_cross_entropy"):
        assert both[name].to_numpy() == pytest.approx(apart[name].to_numpy(), rel=1e-3)
    frames = {"apart": apart, "together": both}
    curves = [learning_curves(study, one, Store(tmp_path / name)) for name, one in frames.items()]
    pd.testing.assert_frame_equal(*curves, rtol=1e-3, check_exact=False)


def test_the_seeds_of_an_arm_are_handed_out_together(
    faces: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(together, "QUIET_SECONDS", 60)  # no lone cell where handing out takes long
    study = small_study(faces)
    progress = run_study(study, store, TogetherEngine, 2)
    assert not progress.failed
    runs = [store.client.get_run(run).data.tags for run in results(study, store).run_id]
    assert [tags["together"] for tags in runs] == ["2"] * 4


def task(spec: RunSpec, store: Store, place: str, seed: int = 0) -> Task:
    version = EMOJI.version(spec)
    own, trains = (fingerprint(EMOJI, one, seed, version) for one in (spec, EMOJI.training(spec)))
    return Task(packed(EMOJI, spec), Label("small", "arm", seed, own, version, trains), place, store.root)


def test_each_of_a_group_ends_as_it_went(faces: Path, store: Store) -> None:
    place = store.experiment("small", {})
    tame = vary(small_spec(faces), {"train.optimizer": "sgd"})
    changes = ({}, {"train.lr": 1e30}, {}, {"compose.method": "mean"})
    tasks = [task(vary(tame, one), store, place, int(n == 2)) for n, one in enumerate(changes)]
    first = work(tasks[0])
    wrong = replace(tasks[2], label=replace(tasks[2].label, version="other images"))
    unmeasured = replace(tasks[0], measures=("beauty",))
    ended = work_together([unmeasured, tasks[3]])
    assert "lacks beauty" in str(ended[0])
    assert isinstance(ended[1], Outcome)
    ended = work_together([*tasks[:2], wrong, tasks[3]])
    assert isinstance(ended[0], Outcome)
    assert (ended[0].run_id, ended[0].reused) == (first.run_id, True)
    assert isinstance(ended[1], Outcome)
    assert ended[1].diverged
    assert "the data changed" in str(ended[2])
    assert isinstance(ended[3], Outcome)
    assert ended[3].reused
    status = cell_runs(store, "small").set_index("fingerprint").status
    assert status[tasks[1].label.fingerprint] == "FAILED"
    assert status[tasks[3].label.fingerprint] == "FINISHED"
    assert "RUNNING" not in status.tolist()


def test_an_error_of_the_program_fails_every_run_of_the_group(
    faces: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = store.experiment("small", {})
    tasks = [task(small_spec(faces), store, place, seed) for seed in range(2)]

    def broken(cells: object, on_epoch: object, measures: object) -> None:
        raise MemoryError("no room")

    monkeypatch.setattr(replicas, "run_together", broken)
    with pytest.raises(MemoryError):
        work_together(tasks)
    runs = cell_runs(store, "small")
    assert runs.status.tolist() == ["FAILED", "FAILED"]
    assert runs.failure.tolist() == ["MemoryError: no room"] * 2


def test_a_killed_process_is_lost_to_every_task_of_its_group(faces: Path, store: Store) -> None:
    place = store.experiment("small", {})
    spec = vary(small_spec(faces), {"train.epochs": 500})
    engine = TogetherEngine(2)
    try:
        tasks = [task(spec, store, place, seed) for seed in range(2)]
        futures = [engine.submit(one) for one in tasks]
        while len(cell_runs(store, "small")) < 2:
            assert not any(future.done() for future in futures)
            time.sleep(0.05)
        # The process that computes is a child of the one that workers are forked from, as is no other.
        for server in psutil.Process().children():
            for worker in server.children():
                worker.kill()
        assert all(engine.lost(future.exception(timeout=60)) for future in futures)  # type: ignore[arg-type]
    finally:
        engine.close()
