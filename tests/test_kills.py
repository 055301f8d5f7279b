"""Real processes that are really killed: the same bytes in the end, no orphans, nothing left RUNNING."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from optuna.trial import TrialState

from ablation import catalogue, cli
from ablation.report.export import publish
from ablation.runner.engines import local
from ablation.runner.ledger import Ledger
from ablation.runner.results import results
from ablation.runner.scheduler import run_study
from ablation.tracking.read import cell_runs
from ablation.tracking.store import Store
from engines import InlineEngine

STUDY = """
import math, random, time
from ablation import Measure, Study

def fit(settings, seed, run):
    noise = random.Random(f"{seed} {settings}")
    for step in range(1, 13):
        loss = math.exp(-step / settings["size"]) + noise.random() / 100
        run.log({"train_loss": loss, "validation_loss": 2 * loss}, step)
        time.sleep(PAUSE)
    for name in ("weights", "codes", "items"):
        (run.folder / name).write_text(f"{name}: {loss}. " * 500)
        run.artifact(run.folder / name)
    return {"error": loss}

study = Study(
    question="Does it survive?", source="a double", train=fit, baseline={"size": 8},
    arms={"size 8": {}, "size 4": {"size": 4}},
    measures={"error": Measure("lower", "Error", matters=0.01)}, seeds=3,
)
""".replace("PAUSE", "0.05")


@pytest.fixture(scope="module")
def study_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("studies") / "survivor.py"
    path.write_text(STUDY)
    return path


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, study_file: Path) -> Path:
    """What an undisturbed run of the study exports."""
    folder = tmp_path_factory.mktemp("undisturbed")
    store, study = Store(folder / "store"), catalogue.load(str(study_file))
    run_study(study, store, InlineEngine(), workers=1)
    publish(study, store, folder / "out")
    return folder / "out"


def start(study_file: Path, store: Path, *options: str) -> "subprocess.Popen[str]":
    # A shell starts what it runs in the background deaf to Ctrl-C, and so would be what the tests start.
    hear = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"{hear}; from ablation.cli import main; main()"
    command = [sys.executable, "-c", code, "run", str(study_file)]
    return subprocess.Popen(
        [*command, "--store", str(store), "--workers", "2", *options],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip


def wait_for(condition: Callable[[], bool], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "what was waited for did not come"
        time.sleep(0.3)  # looking into the store costs the workers' processor


def statuses(store: Path) -> list[str]:
    try:
        return cell_runs(Store(store), "survivor").status.tolist()
    except Exception:  # the store is being made
        return []


def check_whole(study_file: Path, store: Path, undisturbed: Path, out: Path) -> None:
    """Every cell complete once, nothing RUNNING in either store, and the bytes of an undisturbed export."""
    study, place = catalogue.load(str(study_file)), Store(store)
    frame = results(study, place)
    assert frame.state.tolist() == ["complete"] * 6
    runs = cell_runs(place, study.name)
    assert "RUNNING" not in set(runs.status)
    assert runs[runs.status == "FINISHED"].fingerprint.is_unique
    ledger = Ledger.open(place, study)
    assert ledger is not None
    trials = [trial for trial in ledger._trials() if trial.state == TrialState.COMPLETE]
    assert sorted(trial.user_attrs["fingerprint"] for trial in trials) == sorted(frame.fingerprint)
    assert TrialState.RUNNING not in {trial.state for trial in ledger._trials()}
    publish(study, place, out)
    differing = [
        path.name for path in out.iterdir() if path.read_bytes() != (undisturbed / path.name).read_bytes()
    ]
    assert differing == ["provenance.json"]  # it names MLflow's run ids, which are drawn at random


def test_a_killed_process_group_goes_on_to_the_same_bytes(
    study_file: Path, undisturbed: Path, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    first = start(study_file, store)

    def stopped_midway() -> bool:
        """Whether a cell runs, and does not end between this look and the kill."""
        os.killpg(first.pid, signal.SIGSTOP)
        if "RUNNING" in statuses(store):
            return True
        os.killpg(first.pid, signal.SIGCONT)
        return False

    wait_for(lambda: statuses(store).count("FINISHED") >= 2 and stopped_midway())
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    assert "RUNNING" in statuses(store)
    second = start(study_file, store)
    output, _ = second.communicate(timeout=120)
    assert second.returncode == 0, output
    assert "KILLED" in statuses(store)
    check_whole(study_file, store, undisturbed, tmp_path / "out")


def test_killed_workers_are_replaced_and_their_cells_run_again(
    study_file: Path, undisturbed: Path, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    process = start(study_file, store)
    for finished in (0, 2):
        wait_for(
            lambda done=finished: statuses(store).count("FINISHED") >= done and "RUNNING" in statuses(store)
        )  # type: ignore[misc]
        busiest_worker(process.pid).kill()
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    check_whole(study_file, store, undisturbed, tmp_path / "out")


def test_a_killed_coordinator_leaves_no_orphans(study_file: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    process = start(study_file, store)
    wait_for(lambda: "RUNNING" in statuses(store))
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) >= 3
    process.kill()
    process.communicate()
    _, alive = psutil.wait_procs(children, timeout=20)
    assert alive == []


def test_ctrl_c_ends_cleanly_and_says_how_to_go_on(study_file: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    process = start(study_file, store)
    wait_for(lambda: "RUNNING" in statuses(store))
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command goes on from here" in output
    assert "Traceback" not in output
    assert "RUNNING" not in statuses(store)


def test_ctrl_c_while_workers_are_born_is_as_quiet(study_file: Path, tmp_path: Path) -> None:
    process = start(study_file, tmp_path / "store")
    wait_for(lambda: len(psutil.Process(process.pid).children()) >= 2)  # the server, in its imports
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in output


@pytest.mark.parametrize("others", [0, 1])  # a blocked signal goes to a thread that does not block it
def test_ctrl_c_while_the_server_starts_is_not_lost(monkeypatch: pytest.MonkeyPatch, others: int) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    over = threading.Event()
    threads = [threading.Thread(target=over.wait) for _ in range(others)]
    for thread in threads:
        thread.start()

    def interrupted() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        wait_for(lambda: signal.SIGINT in signal.sigpending())  # or a thread has it, and this one is told

    monkeypatch.setattr(local.forkserver, "ensure_running", interrupted)
    try:
        with pytest.raises(KeyboardInterrupt):
            local.warm([])
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
    finally:
        over.set()
        signal.signal(signal.SIGINT, before)


def test_ctrl_c_before_a_verb_begins_is_as_quiet(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "command_line", interrupted)
    monkeypatch.setattr("ablation.cli.signal.signal", lambda *_: None)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 130
    assert capsys.readouterr().err.startswith("\nStopped: what is finished is kept")


def busiest_worker(coordinator: int) -> psutil.Process:
    """The worker process, a child of the process that workers are forked from, that computed longest."""
    servers = {server.pid for server in psutil.Process(coordinator).children()}
    # Workers start short commands: process_iter leaves out what ends while it is looked at.
    processes = psutil.process_iter(["ppid", "cpu_times"])
    workers = [process for process in processes if process.info["ppid"] in servers]
    return max(workers, key=lambda worker: worker.info["cpu_times"].user)
