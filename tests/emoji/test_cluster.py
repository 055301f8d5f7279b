"""The Ray engine: three nodes of which one dies, and what is refused before anything runs."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ablation.cli import app
from ablation.emoji.experiment import EmojiExperiment
from ablation.report.export import publish
from ablation.runner.scheduler import run_study
from ablation.runner.worker import Task, packed
from ablation.tracking.origin import origin
from ablation.tracking.recording import Label
from ablation.tracking.store import Store
from doubles import small_study
from engines import InlineEngine
from servers import PROGRAMS


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_three_nodes_of_which_one_is_killed_compute_every_cell_once(
    own_network: list[str], faces: Path, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    rounds: Callable[[int, int], int],
) -> None:  # fmt: skip
    if not PROGRAMS:
        pytest.skip("PostgreSQL is not installed (Debian's package postgresql)")
    folder, seeds, kills = tmp_path / "cluster", rounds(60, 12), rounds(10, 3)
    folder.mkdir()
    command = [*own_network, sys.executable, str(Path(__file__).with_name("three_nodes.py"))]
    command += map(str, (faces, folder, seeds, kills))
    helpers = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run(command, env=helpers, capture_output=True, text=True, timeout=1200)
    assert ended.returncode == 0, ended.stderr[-3000:]
    found = json.loads((folder / "found.json").read_text())
    assert (found["killed"], found["kills"], found["failed"]) == (True, kills, {})
    assert found["leaks"] == []
    assert all(found["homes"])  # each node has one of its own, and lived in it
    assert "RUNNING" not in found["states"]
    assert len(set(found["complete"])) == len(found["complete"]) == 2 * seeds
    assert found["finished"] == found["complete"]
    assert found["runs"].count("FINISHED") == 2 * seeds
    assert set(found["runs"]) == {"FINISHED", "KILLED"}, found["errors"]
    monkeypatch.chdir(faces.parent)
    study = small_study(Path("faces.parquet"), seeds=seeds)
    run_study(study, store, InlineEngine(), workers=1)
    publish(study, store, tmp_path / "out")
    for name in ("table.csv", "table.html", "table.tex", "verdicts.csv", "runs.csv"):
        assert (folder / "out" / name).read_bytes() == (tmp_path / "out" / name).read_bytes(), name


def test_a_node_has_the_settings_of_its_coordinator_and_no_others(
    faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray")
    from ablation.runner.engines import ray as cluster

    for name in cluster.SETTINGS:
        monkeypatch.setenv(name, "http://left.behind:1")
    own_file, other_file = cluster.FILES
    monkeypatch.setenv(own_file, "node.pem")
    monkeypatch.setenv(other_file, "")  # so that it is as before afterwards
    monkeypatch.delenv(other_file)
    monkeypatch.setattr(EmojiExperiment, "unpack", lambda *_: None)
    here, told = [], {"MLFLOW_TRACKING_TOKEN": "t0ken", "ABLATION_PATIENCE": "7"}

    def work(task: Task) -> None:
        here.append((task.store, {name: os.environ[name] for name in cluster.SETTINGS if name in os.environ}))

    monkeypatch.setattr(cluster, "work", work)
    study = small_study(faces)
    label = Label("small", "latent 8", 0, "0" * 16, "f" * 16, "0" * 16)
    task = Task(packed(study.experiment, study.baseline), label, "1", tmp_path / "store")
    packages = origin(study.experiment.packages).packages
    servers = {
        "MLFLOW_TRACKING_URI": "http://tracking:5000",
        "ABLATION_OPTUNA_STORAGE": "postgresql+psycopg://ann@database/trials",
    }
    files = dict.fromkeys(cluster.FILES, "mine.pem")
    assert cluster.compute(task, None, files, packages) is None
    assert [os.environ[name] for name in cluster.FILES] == ["node.pem", "mine.pem"]
    here.clear()
    for settings in (told, told | servers):
        assert cluster.compute(task, None, settings, packages) is None
    own = Path.home() / cluster.HOME
    assert here == [(task.store, told), (own, told | servers)]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--gpus", "0.5"], "--address and --gpus belong to --engine ray"),
        (["--engine", "ray", "--search"], "--engine ray knows no --search"),
        (["--engine", "rai"], "there is no engine 'rai' (did you mean 'ray'?); known are local, ray"),
    ],
)
def test_options_that_contradict_are_refused(words: list[str], said: str) -> None:
    result = CliRunner().invoke(app, ["run", "latent_size", *words])
    assert result.exit_code
    assert said in str(result.exception) + result.output
