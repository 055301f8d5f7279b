"""Storms: a hundred kills over a study of 120 cells, and four hundred processes that find no store."""

import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import psutil
import pytest
from optuna.trial import TrialState

from ablation import catalogue
from ablation.publish import publish
from ablation.sweep.coordinate import run_study
from ablation.sweep.engine import LocalEngine
from ablation.sweep.ledger import Ledger
from ablation.sweep.results import results
from ablation.track.read import cell_runs, running
from ablation.track.store import Store
from test_kills import start

pytestmark = pytest.mark.slow

KILLS, CELLS, WORKERS = 100, 120, 4
COORDINATOR = 0.1  # of the kills, about; the other victims are what it started
BETWEEN_SECONDS = (0.2, 1.2)
STUDY = """
from ablation.report import joint
from ablation.spec import vary
from ablation.study import Study

small = {{"data.sources": ({parquet!r},), "augment.copies": 3, "model.channels": (8, 16), "train.epochs": 12}}
study = Study(
    question="Does it survive?", source="a double", baseline=vary(joint, small),
    arms={{"latent 128": {{}}, "latent 16": {{"model.latent_dim": 16}}}},
    measures={{"test_mse": 0.01}}, seeds=60,
)
"""


def kill_one(coordinator: psutil.Process, chance: random.Random) -> bool:
    """Kill the coordinator or something that it started; whether there was anything to kill."""
    try:
        below = [child for child in coordinator.children(recursive=True) if child.status() != "zombie"]
        victim = coordinator if not below or chance.random() < COORDINATOR else chance.choice(below)
        victim.send_signal(signal.SIGKILL)
    except psutil.NoSuchProcess:
        return False
    return True


@pytest.mark.timeout(1800)
def test_a_hundred_kills_lose_and_double_nothing(faces: Path, tmp_path: Path) -> None:
    file = tmp_path / "storm.py"
    file.write_text(STUDY.format(parquet=str(faces)))
    study, store, calm = catalogue.load(str(file)), Store(tmp_path / "store"), Store(tmp_path / "calm")
    run_study(study, calm, LocalEngine, workers=2)
    publish(study, calm, tmp_path / "undisturbed")

    chance, kills, starts, code = random.Random(7), 0, 0, -1
    while code != 0:
        assert starts < KILLS
        process = start(file, store.root, "--workers", str(WORKERS))
        starts += 1
        while process.poll() is None:
            time.sleep(chance.uniform(*BETWEEN_SECONDS))
            # From the first run on: before it there is nothing but imports to kill.
            if kills < KILLS and has_runs(store) and process.poll() is None:
                kills += kill_one(psutil.Process(process.pid), chance)
        said, _ = process.communicate(timeout=120)
        code = process.returncode
        assert code in (0, 1, -signal.SIGKILL), said
    assert kills == KILLS
    print(f"{kills} kills, {starts} starts")

    frame = results(study, store)
    assert frame.state.tolist() == ["complete"] * CELLS
    runs = cell_runs(store, study.name)
    assert runs[runs.status == "FINISHED"].fingerprint.is_unique
    assert (runs.status == "FINISHED").sum() == CELLS
    assert running(store) == []
    ledger = Ledger.open(store, study)
    assert ledger is not None
    trials = [trial for trial in ledger._trials() if trial.state == TrialState.COMPLETE]
    assert sorted(trial.user_attrs["fingerprint"] for trial in trials) == sorted(frame.fingerprint)
    assert TrialState.RUNNING not in {trial.state for trial in ledger._trials()}
    publish(study, store, tmp_path / "out")
    for path in sorted((tmp_path / "undisturbed").iterdir()):
        if path.name != "provenance.json":  # it names runs, whose ids are drawn
            assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes(), path.name


def has_runs(store: Store) -> bool:
    return store.exists() and bool(running(store))


def cold(root: Path) -> None:
    """What a `run` does first in a folder where nothing is."""
    store = Store(root)
    store.create()
    experiment = store.experiment("cold", {})
    store.client.create_run(experiment, tags={"pid": str(os.getpid())})


@pytest.mark.timeout(1800)
def test_eight_at_once_make_a_store_fifty_times(tmp_path: Path) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["test_storms"])
    for number in range(50):
        root = tmp_path / str(number)
        processes = [context.Process(target=cold, args=(root,)) for _ in range(8)]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        assert [process.exitcode for process in processes] == [0] * 8
        assert len(Store(root).client.search_runs(["1"])) == 8
