"""Storms: kills over a study, cold starts, several studies at once; how many, `rounds` says."""

import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
import pytest
from optuna.trial import TrialState

from ablation import catalogue
from ablation.report.export import publish
from ablation.runner.engines.local import LocalEngine
from ablation.runner.ledger import Ledger
from ablation.runner.results import results
from ablation.runner.scheduler import run_study
from ablation.tracking.read import cell_runs, running
from ablation.tracking.store import Store
from doubles_suite import tiny_study
from servers import PostgreSQL
from test_kills import STUDY, start

pytestmark = pytest.mark.slow

Rounds = Callable[[int, int], int]

WORKERS = 4
COORDINATOR = 0.1  # of the kills, about; the other victims are what it started
BETWEEN_SECONDS = (0.2, 1.2)


def kill_one(coordinator: psutil.Process, chance: random.Random) -> bool:
    """Kill the coordinator or something that it started; whether there was anything to kill."""
    try:
        below = [child for child in coordinator.children(recursive=True) if child.status() != "zombie"]
        if not below:  # it still imports
            return False
        victim = coordinator if chance.random() < COORDINATOR else chance.choice(below)
        victim.send_signal(signal.SIGKILL)
    except psutil.NoSuchProcess:
        return False
    return True


@pytest.mark.timeout(1800)
def test_a_storm_of_kills_loses_and_doubles_nothing(tmp_path: Path, rounds: Rounds) -> None:
    # So many cells that the kills end before them, however fast the machine is.
    killed, seeds = rounds(100, 15), rounds(120, 30)
    file = tmp_path / "storm.py"
    file.write_text(STUDY.replace("seeds=3", f"seeds={seeds}"))
    study, store, calm = catalogue.load(str(file)), Store(tmp_path / "store"), Store(tmp_path / "calm")
    run_study(study, calm, LocalEngine, workers=2)
    publish(study, calm, tmp_path / "undisturbed")

    chance, kills, starts, code, said = random.Random(7), 0, 0, -1, ""
    while code != 0:
        assert starts <= kills, said  # no run fails that nobody disturbed
        process = start(file, store.root, "--workers", str(WORKERS))
        starts += 1
        while process.poll() is None:
            time.sleep(chance.uniform(*BETWEEN_SECONDS))
            # From the first run on.
            if kills < killed and has_runs(store) and process.poll() is None:
                kills += kill_one(psutil.Process(process.pid), chance)
        said, _ = process.communicate(timeout=120)
        code = process.returncode
        assert code in (0, 1, -signal.SIGKILL), said
    assert kills == killed
    print(f"{kills} kills, {starts} starts")

    frame = results(study, store)
    assert frame.state.tolist() == ["complete"] * 2 * seeds
    runs = cell_runs(store, study.name)
    assert runs[runs.status == "FINISHED"].fingerprint.is_unique
    assert (runs.status == "FINISHED").sum() == 2 * seeds
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


def cold(root: Path, addresses: dict[str, str]) -> None:
    """What a `run` does first in a store where nothing is."""
    os.environ |= addresses
    store, study = Store(root), tiny_study()
    store.create()
    Ledger.create(store, study)
    experiment = store.experiment(study.name, {})
    store.client.create_run(experiment, tags={"pid": str(os.getpid())})


def eight(roots: Sequence[Path], addresses: dict[str, str]) -> list[int | None]:
    """The exit codes of eight processes that find nothing there."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["test_storms", "alembic.command", "mlflow.store.tracking.sqlalchemy_store"]
    )
    processes = [context.Process(target=cold, args=(root, addresses)) for root in roots]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    return [process.exitcode for process in processes]


@pytest.mark.timeout(1800)
def test_eight_at_once_make_a_store(tmp_path: Path, rounds: Rounds) -> None:
    for number in range(rounds(50, 5)):
        root = tmp_path / str(number)
        assert eight([root] * 8, {}) == [0] * 8
        assert len(Store(root).client.search_runs(["1"])) == 8


@pytest.mark.timeout(1800)
def test_eight_machines_at_once_make_the_tables(
    database_server: PostgreSQL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rounds: Rounds
) -> None:
    for number in range(rounds(50, 5)):
        names = {"MLFLOW_TRACKING_URI": "cold_runs", "ABLATION_OPTUNA_STORAGE": "cold_trials"}
        addresses = {one: database_server.database(f"{name}{number}") for one, name in names.items()}
        roots = [tmp_path / f"{number}-{machine}" for machine in range(8)]
        assert eight(roots, addresses) == [0] * 8
        for one, address in addresses.items():
            monkeypatch.setenv(one, address)
        assert len(Store(roots[0]).client.search_runs(["1"])) == 8


@pytest.mark.timeout(600)
def test_four_studies_at_once_from_nothing_compute_what_they_share_once(tmp_path: Path) -> None:
    files = [tmp_path / f"study_{letter}.py" for letter in "abcd"]
    for number, file in enumerate(files):
        # a and b ask for the same cells, c and d for others of their own.
        own = "" if number < 2 else f', "rate": {number}'
        file.write_text(STUDY.replace('{"size": 8}', f'{{"size": 8{own}}}'))
    store = Store(tmp_path / "store")
    processes = [start(file, store.root) for file in files]
    said = [process.communicate(timeout=500)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, said
    found = [cell_runs(store, file.stem) for file in files]
    assert [len(runs) for runs in found] == [6] * 4
    assert {status for runs in found for status in runs.status} == {"FINISHED"}
    computed = [key for runs in found for key in runs.fingerprint[runs.reused_from == ""]]
    assert len(computed) == len(set(computed)) == 18
