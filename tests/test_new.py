"""`ablation new`: what it writes runs as it stands, and every kind comes to the same numbers."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from ablation import UserError, load, results
from ablation.cli.new import NAME, TEMPLATES, THEN, new
from ablation.runner.scheduler import run_study
from ablation.tracking.store import Store
from engines import InlineEngine

KINDS = sorted(THEN)


@pytest.fixture(autouse=True)
def this_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command's "python" is the one that runs the tests."""
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)


def written(kind: str, to: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What `new` said when it wrote a study of this kind to the path."""
    new(to, kind)
    return capsys.readouterr().out


def errors(study_file: Path, store: Path) -> pd.Series:
    """The errors of the study's first seed, by arm."""
    frame = results(load(str(study_file)), store=store).frame
    return frame[frame.seed.astype(str) == "0"].set_index("arm").error.astype(float)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, blank: Path) -> pd.Series:
    """The errors of the callable, which the other kinds repeat."""
    folder = tmp_path_factory.mktemp("callable")
    new(folder / "mine.py", "callable")
    store = Store(folder / "mlruns")
    progress = run_study(load(str(folder / "mine.py")), store, InlineEngine(), workers=1)
    assert (progress.trained, progress.failed) == (15, {})
    found = results(load(str(folder / "mine.py")), store=store.root)
    assert found.verdicts.verdict.tolist() == ["supported"]
    assert set(found.curves.metric) == {"error"}
    return errors(folder / "mine.py", store.root)


def test_every_folder_is_a_kind_and_every_file_of_it_has_the_name() -> None:
    assert sorted(place.name for place in TEMPLATES.iterdir()) == KINDS
    for kind in KINDS:
        files = [path for path in (TEMPLATES / kind).iterdir() if path.is_file()]
        assert all(path.name.startswith(NAME) for path in files)
        assert TEMPLATES / kind / f"{NAME}.py" in files


@pytest.mark.parametrize("kind", KINDS)
def test_the_files_are_python_of_the_new_name_with_the_commands_to_go_on(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = written(kind, tmp_path / "some where" / "lr-2.py", capsys)
    files = sorted((tmp_path / "some where").iterdir())
    assert [f"wrote {path}" in said for path in files] == [True] * len(files)
    for path in files:
        text = path.read_text()
        assert NAME not in text
        if path.suffix == ".py":
            ast.parse(text)
    assert f"  cd '{tmp_path / 'some where'}'\n" in said
    assert "  ablation table lr-2.py --format tex\n" in said


def test_it_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "mine_train.py").write_text("mine")
    with pytest.raises(UserError, match=r"mine_train\.py is there already.*overwrites nothing"):
        new(tmp_path / "mine.py", "command")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine_train.py"]
    assert (tmp_path / "mine_train.py").read_text() == "mine"


@pytest.mark.parametrize("name", ["mine", "mine.txt", "_mine.py", "mi ne.py", "mine-quick.py", ".py"])
def test_a_name_that_no_study_may_have_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="a study's file wants a name of"):
        new(tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["random.py", "mlflow.py"])
def test_a_name_that_hides_a_module_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="would hide the module"):
        new(tmp_path / name)


def test_another_kind_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no kind of study.*'comand' \(did you mean 'command'\?\)"):
        new(tmp_path / "mine.py", "comand")


def test_the_command_comes_to_the_numbers_of_the_callable(
    trained: pd.Series, tmp_path: Path, store: Store
) -> None:
    new(tmp_path / "mine.py", "command")
    progress = run_study(load(str(tmp_path / "mine.py")), store, InlineEngine(), workers=1, seeds=1)
    assert (progress.trained, progress.failed) == (3, {})
    pd.testing.assert_series_equal(errors(tmp_path / "mine.py", store.root), trained)


def test_the_runs_of_mlflow_have_the_numbers_of_the_callable(
    trained: pd.Series, tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    new(tmp_path / "mine.py", "mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{store.root / 'mlflow.db'}")
    script = [sys.executable, "mine_runs.py"]
    subprocess.run(script, cwd=tmp_path, check=True, env={**os.environ, "GIT_PYTHON_REFRESH": "quiet"})
    pd.testing.assert_series_equal(errors(tmp_path / "mine.py", store.root), trained)


def test_the_table_has_the_numbers_of_the_callable(trained: pd.Series, tmp_path: Path) -> None:
    new(tmp_path / "mine.py", "csv")
    assert errors(tmp_path / "mine.py", tmp_path).to_dict() == pytest.approx(trained.to_dict(), abs=1e-5)
