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
from ablation.tracking import read, record
from ablation.tracking.read import cell_runs, mark_killed
from ablation.tracking.record import waiting
from ablation.tracking.store import Store
from doubles_suite import STEPS, Tiny, tiny_study
from engines import InlineEngine, folder_of
from test_outages import on_epoch, on_result

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


def test_a_study_on_a_full_and_then_a_read_only_disk(
    may_mount: list[str], faces: Path, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    command = [*may_mount, sys.executable, str(Path(__file__).with_name("small_disk.py"))]
    ended = subprocess.run([*command, str(faces), str(disk)], capture_output=True, text=True, timeout=240)
    assert ended.returncode == 0, ended.stderr[-3000:]
    found = json.loads(ended.stdout.splitlines()[-1])
    for fault in ("files", "databases", "export full"):
        assert "cannot be written" in found[fault]
        assert "full" in found[fault] or "No space left" in found[fault]
    for fault in ("read-only", "export read-only"):
        assert "Read-only file system" in found[fault]
    assert "FINISHED" not in found["statuses"]
    assert found["reading"] == ["missing", "running"]
    assert (found["after"], found["finished"], found["running"]) == ({}, 2, [])
    assert found["drafts"] == []
    assert "table.csv" in found["exported"]


def test_files_that_do_not_fit_fail_the_cell_and_the_next_run_trains_it(
    faces: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, copies = small_study(faces, seeds=1), []

    def copy(source: str, target: str, *rest: object, **more: object) -> None:
        copies.append(target)
        if len(copies) == 2:
            Path(target).write_bytes(b"half")
            raise NO_ROOM
        shutil.copyfile(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "copy2", copy)
        progress = run_study(study, store, InlineEngine(), workers=1)
    assert len(progress.failed) == 1
    assert "the disk cannot be written (" in next(iter(progress.failed.values()))
    assert sorted(cell_runs(store, study.name).status) == ["FAILED", "FINISHED"]
    again = run_study(study, store, InlineEngine(), workers=1)
    assert (again.failed, again.there, again.trained) == ({}, 1, 1)


def test_a_result_that_neither_the_server_nor_the_disk_takes_leaves_nothing_half(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "spec.json").write_text("{}")
    account = Account("0123456789abcdef", "1", {}, {}, {}, 0)
    keep(store, account, tmp_path / "files")
    before = folder_of(store.root)

    def full(self: Path, text: str) -> None:
        self.write_bytes(b"half")
        raise NO_ROOM

    monkeypatch.setattr(kept.Path, "write_text", full)
    with pytest.raises(UserError, match=r"cannot take the result .*No space left on device.*: make room"):
        keep(store, Account("fedcba9876543210", "1", {}, {}, {}, 0), tmp_path / "files")
    assert folder_of(store.root) == before
    assert waiting(store) == ["0123456789abcdef"]


def test_a_folder_that_is_not_ours_is_a_sentence(tmp_path: Path) -> None:
    def refused(path: Path) -> None:
        write("half", path)
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    with pytest.raises(UserError, match="export may not write to"):
        replace(tmp_path / "table.csv", refused)
    assert folder_of(tmp_path) == []


def test_a_clock_that_jumps_changes_no_curve_no_duration_and_no_number(
    faces: Path, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, real, shift = small_study(faces, seeds=1), time.time, [0]
    plain = Store(Path(shutil.copytree(store.root, tmp_path / "plain")))
    run_study(study, plain, InlineEngine(), workers=1)
    monkeypatch.setattr(time, "time", lambda: real() + shift[-1])
    on_epoch(monkeypatch, lambda number: shift.append(-DAY if number == 2 else shift[-1]))
    on_result(monkeypatch, lambda: shift.append(DAY))
    run_study(study, store, InlineEngine(), workers=1)
    assert {-DAY, DAY} < set(shift)
    for run_id in cell_runs(store, study.name).run_id:
        run = store.client.get_run(run_id)
        assert 0 <= run.info.end_time - run.info.start_time < 60_000
        assert 0 <= run.data.metrics["speed/seconds"] < 60
        points = store.client.get_metric_history(run_id, "train_mse")
        assert [point.step for point in points] == [1, 2]
        moments = [run.info.start_time, *(point.timestamp for point in points), run.info.end_time]
        assert moments == sorted(moments)
    columns = ["arm", "seed", "state", "fingerprint", *study.measures]
    assert results(study, store)[columns].equals(results(study, plain)[columns])


def test_a_run_that_is_ended_after_the_clock_went_back_takes_no_negative_time(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment, real = store.experiment("clock", {}), time.time
    run = store.client.create_run(experiment, tags={"fingerprint": "0123456789abcdef"})
    monkeypatch.setattr(record.time, "time", lambda: real() - DAY)
    assert bury(store, "0123456789abcdef") == [run.info.run_id]
    info = store.client.get_run(run.info.run_id).info
    assert info.end_time >= info.start_time
