"""The examples run as they stand, on a seed or all, and say what a study of their kind says."""

import os
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from ablation import Study, load, results
from ablation.runner.scheduler import Progress, run_study
from ablation.tracking.store import Store
from engines import InlineEngine

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture(autouse=True)
def this_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command's "python" is the one that runs the tests."""
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)


def small(path: str, *arms: str) -> Study:
    """The example with these arms alone, and no claims."""
    study = load(str(EXAMPLES / path))
    return replace(study, arms={arm: study.arms[arm] for arm in arms}, claims=())


def ran(study: Study, store: Store) -> Progress:
    """The study under one seed."""
    progress = run_study(study, store, InlineEngine(), workers=1, seeds=1)
    assert not progress.failed
    return progress


def test_every_example_declares_its_claims_its_sesoi_and_what_replicates() -> None:
    found = sorted(path for path in EXAMPLES.rglob("*.py") if path.stem not in ("train", "fill"))
    assert {path.parent.name for path in found} == {
        place.name for place in EXAMPLES.iterdir() if place.is_dir()
    }
    for path in found:
        study = load(str(path))
        assert study.claims
        assert study.replication.kind == "training"
        assert path.relative_to(EXAMPLES.parent).as_posix() in (EXAMPLES / "README.md").read_text()


def test_a_function(store: Store) -> None:
    study = small("digits/dropout.py", "dropout 0.2")
    assert ran(study, store).trained == 2
    found = results(study, store=store.root)
    assert found.frame.accuracy.between(0.9, 1).all()
    assert set(found.curves.metric) == {"train_loss"}


@pytest.mark.parametrize(
    ("path", "arm", "package"),
    [
        ("pytorch_script/shifts.py", "both", "torch"),
        ("lightning_script/batch_norm.py", "batch norm", "lightning"),
    ],
)
def test_a_script_that_logs_to_mlflow(path: str, arm: str, package: str, store: Store) -> None:
    if find_spec(package) is None:  # not imported here: it takes long
        pytest.skip(f"{package} is not installed")
    study = small(path, arm)
    assert ran(study, store).trained == 2
    found = results(study, store=store.root)
    assert found.frame.test_accuracy.between(0.9, 1).all()
    assert "train_loss" in set(found.curves.metric)  # logged by the script itself


def test_runs_of_mlflow(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{store.root / 'mlflow.db'}")
    script = [sys.executable, EXAMPLES / "mlflow_runs" / "fill.py"]
    subprocess.run(script, cwd=tmp_path, check=True, env={**os.environ, "GIT_PYTHON_REFRESH": "quiet"})
    found = results(load(str(EXAMPLES / "mlflow_runs" / "forest.py")), store=store.root)
    assert found.frame.groupby("arm").size().to_dict() == {"200 trees": 5, "baseline": 5, "depth 4": 5}
    assert found.verdicts.verdict.tolist()[1] == "supported"


def test_a_table_of_wandb(tmp_path: Path) -> None:
    found = results(load(str(EXAMPLES / "csv_runs" / "optimizer.py")), store=tmp_path)
    assert found.frame.groupby("arm").size().to_dict() == {
        "adam": 5,
        "baseline": 5,
    }  # the crashed run is none
    assert found.verdicts.verdict.tolist() == ["equivalent"]
    assert any("1 run did not finish" in caveat for caveat in found.analysis.caveats)
