"""Disks that are full or read-only, clocks that jump: a sentence, nothing half, the next run is whole."""

import errno
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ablation.errors import UserError
from ablation.files import replace, write
from ablation.runner.results import results
from ablation.runner.scheduler import run_study
from ablation.tracking import journal_on_disk, read
from ablation.tracking.artifacts import artifact
from ablation.tracking.journal_on_disk import Record, waiting
from ablation.tracking.read import cell_runs, mark_killed
from ablation.tracking.recording import Journal
from ablation.tracking.store import Store
from doubles_suite import KEPT, STEPS, tiny_study
from engines import InlineEngine, folder_of
from test_outages import on_finish, on_step

DAY = 24 * 3600
NO_ROOM = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def may_mount() -> list[str]:
    """What starts a command with mounts of its own."""
    command = ["unshare", "--mount"]
    tried = [*command, "mount", "-t", "tmpfs", "none", "/mnt"]
    if shutil.which("unshare") is None or subprocess.run(tried, capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a small disk")
    return command


def test_a_study_on_a_full_and_then_a_read_only_disk(may_mount: list[str], tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    command = [*may_mount, sys.executable, str(Path(__file__).with_name("small_disk.py"))]
    ended = subprocess.run([*command, str(disk)], capture_output=True, text=True, timeout=240)
    assert ended.returncode == 0, ended.stderr[-3000:]
    found = json.loads(ended.stdout.splitlines()[-1])
    for fault in ("files", "databases", "export full"):
        assert "cannot be written" in found[fault]
        assert "full" in found[fault] or "No space left" in found[fault]
    for fault in ("read-only", "export read-only"):
        assert "Read-only file system" in found[fault]
    assert "FINISHED" not in found["statuses"]
    assert found["reading"] == ["failed", "failed"]
    assert (found["after"], found["finished"], found["running"]) == ({}, 2, [])
    assert found["drafts"] == []
    assert "table.csv" in found["exported"]


def test_files_that_do_not_fit_fail_the_cell_and_the_next_run_delivers_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, copies = tiny_study(seeds=1), []

    def copy(source: str, target: str, *rest: object, **more: object) -> None:
        copies.append(target)
        if len(copies) == 2:
            Path(target).write_bytes(b"half")
            raise NO_ROOM
        shutil.copyfile(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "copy2", copy)  # with which MLflow keeps a file
        progress = run_study(study, store, InlineEngine(), workers=1)
    assert len(progress.failed) == 1
    assert "the disk cannot be written (" in next(iter(progress.failed.values()))
    assert sorted(cell_runs(store, study.name).status) == ["FINISHED", "RUNNING"]
    again = run_study(study, store, InlineEngine(), workers=1)
    assert (again.failed, again.there, again.reused, again.trained) == ({}, 1, 1, 0)
    runs = cell_runs(store, study.name)
    assert list(runs.status) == ["FINISHED"] * 2
    assert all(len(artifact(store, run_id, KEPT) or b"") > len(b"half") for run_id in runs.run_id)


@pytest.mark.parametrize("what", ["points", "a file", "the end"])
def test_a_run_that_the_journal_cannot_take_fails_and_leaves_nothing_half(
    what: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = tiny_study(seeds=1)
    real_write = Record.write

    def full(*words: object) -> None:
        raise NO_ROOM

    def half(self: Record, entry: Path) -> None:
        if self.status == "FINISHED":
            (entry / "half").write_bytes(b"half")
            raise NO_ROOM
        real_write(self, entry)

    with monkeypatch.context() as patched:
        if what == "points":
            patched.setattr(journal_on_disk, "append", full)
        elif what == "a file":
            patched.setattr(Journal, "artifact", full)
        else:
            patched.setattr(Record, "write", half)
        progress = run_study(study, store, InlineEngine(), workers=1)
    assert len(progress.failed) == 2
    for said in progress.failed.values():
        assert "the disk cannot be written (No space left on device): make room there" in said
    assert waiting(store) == []
    assert folder_of(store.root / "journal") == []
    assert set(cell_runs(store, study.name).status) == {"FAILED"}
    again = run_study(study, store, InlineEngine(), workers=1)
    assert (again.failed, again.trained) == ({}, 2)


def test_a_folder_that_is_not_ours_is_a_sentence(tmp_path: Path) -> None:
    def refused(path: Path) -> None:
        write("half", path)
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    with pytest.raises(UserError, match="export may not write to"):
        replace(tmp_path / "table.csv", refused)
    assert folder_of(tmp_path) == []


def test_a_clock_that_jumps_changes_no_curve_no_duration_and_no_number(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, real, shift = tiny_study(seeds=1), time.time, [0]
    plain = Store(Path(shutil.copytree(store.root, tmp_path / "plain")))
    run_study(study, plain, InlineEngine(), workers=1)
    monkeypatch.setattr(time, "time", lambda: real() + shift[-1])
    on_step(monkeypatch, lambda number: shift.append(-DAY if number == 2 else shift[-1]))
    on_finish(monkeypatch, lambda: shift.append(DAY))
    run_study(study, store, InlineEngine(), workers=1)
    assert {-DAY, DAY} < set(shift)
    for run_id in cell_runs(store, study.name).run_id:
        run = store.client.get_run(run_id)
        assert 0 <= run.info.end_time - run.info.start_time < 60_000
        assert 0 <= run.data.metrics["speed/seconds"] < 60
        points = store.client.get_metric_history(run_id, "train_loss")
        assert [point.step for point in points] == list(range(1, STEPS + 1))
        moments = [run.info.start_time, *(point.timestamp for point in points), run.info.end_time]
        assert moments == sorted(moments)
    columns = ["arm", "seed", "state", "fingerprint", *study.measures]
    assert results(study, store)[columns].equals(results(study, plain)[columns])


def test_a_run_that_is_ended_after_the_clock_went_back_takes_no_negative_time(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment, real = store.experiment("clock", {}), time.time
    run = store.client.create_run(experiment, tags={"fingerprint": "0123456789abcdef"})
    monkeypatch.setattr(read.time, "time", lambda: real() - DAY)
    assert mark_killed(store, "0123456789abcdef") == [run.info.run_id]
    info = store.client.get_run(run.info.run_id).info
    assert info.end_time >= info.start_time
