"""A study file is read and finds its neighbours as by `python FILE`, whatever its bytes and its path."""

import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

from ablation import Study, UserError, catalogue, results
from ablation.runner.scheduler import run_study
from ablation.tracking.store import Store
from engines import InlineEngine

TEXT = """from ablation import Measure, Study
def train(settings, seed):
    return {"error": settings["rate"] + seed}
study = Study(
    question="Does it matter, à Besançon?", source="a double", train=train, seeds=2,
    baseline={"rate": 1}, arms={"grande": {"rate": 2}}, measures={"error": Measure("lower", matters=0.1)},
)
"""
QUESTION = "Does it matter, à Besançon?"


def written(path: Path, text: str = TEXT, encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (TEXT, "utf-8"),
        (TEXT, "utf-8-sig"),
        (TEXT.replace("\n", "\r\n"), "utf-8-sig"),
        (TEXT.replace("\n", "\r"), "utf-8"),
        ("# -*- coding: latin-1 -*-\n" + TEXT, "latin-1"),
    ],
)
def test_what_python_reads_is_read(tmp_path: Path, text: str, encoding: str) -> None:
    path = written(tmp_path / "mine.py", text, encoding)
    subprocess.run([sys.executable, path], check=True)
    assert catalogue.load(str(path)).question == QUESTION


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "latin-1"])
def test_another_encoding_is_a_sentence_and_the_file_is_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path / "mine.py", TEXT, encoding)
    assert list(catalogue.paths()) == ["mine"]
    with pytest.raises(UserError, match=r"mine\.py wants to be UTF-8, or .*: save it as UTF-8"):
        catalogue.load("mine")


@pytest.mark.parametrize(
    "place",
    [
        "a b",
        "x[1]",
        "set*",
        "c::d",
        "h#i",
        "p%20q",
        "q'u\"o",
        "été",
        "~nobody-here",
        "-dash",
        "d/" * 60 + "e",
    ],
)
def test_a_study_runs_and_is_read_in_a_folder_of_any_name(tmp_path: Path, place: str) -> None:
    study = catalogue.load(str(written(tmp_path / place / "mine.py")))
    odd = set(place) & set('%"')  # which the addresses of databases cannot hold
    store = Store(tmp_path / ("store" if odd else place) / "mlruns")
    store.create()
    assert run_study(study, store, InlineEngine(), workers=1).failed == {}
    assert results(study, store=store.root).frame.error.tolist() == [1.0, 2.0, 2.0, 3.0]


def test_a_link_is_what_it_leads_to(tmp_path: Path) -> None:
    real = written(tmp_path / "real" / "mine.py", "from linked_neighbour import Y\n" + TEXT)
    written(tmp_path / "real" / "linked_neighbour.py", "Y = 1\n")
    (tmp_path / "folder").symlink_to("real")
    (tmp_path / "linked.py").symlink_to("real/mine.py")
    for path in (real, tmp_path / "folder" / "mine.py", tmp_path / "linked.py"):
        subprocess.run([sys.executable, path], check=True)
        assert catalogue.load(str(path)).question == QUESTION


def test_a_linked_store_is_the_store(store: Store, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(store.root)
    study = catalogue.load(str(written(tmp_path / "mine.py")))
    run_study(study, Store(tmp_path / "link"), InlineEngine(), workers=1)
    assert len(results(study, store=store.root).frame) == 4


def test_home_is_known_by_its_sign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    written(tmp_path / "mine.py")
    assert isinstance(catalogue.load("~/mine.py"), Study)
    assert catalogue.load(Path("~/mine.py")).name == "mine"
    assert Store(Path("~/runs")).root == tmp_path / "runs"


def test_a_path_that_no_system_holds_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no study"):
        catalogue.load("x" * 300 + ".py")
    with pytest.raises(UserError, match="wants at most 255 bytes"):
        Store(tmp_path / ("é" * 128))


def test_neighbours_and_packages_beside_the_file_are_found(tmp_path: Path) -> None:
    written(tmp_path / "found_beside.py", "from packed_beside.inner import Z as Y\n")
    written(tmp_path / "packed_beside" / "__init__.py", "")
    written(tmp_path / "packed_beside" / "inner.py", "Z = 1\n")
    path = written(tmp_path / "mine.py", "from found_beside import Y\nimport packed_beside.inner\n" + TEXT)
    subprocess.run([sys.executable, path], check=True)
    assert isinstance(catalogue.load(str(path)), Study)


@pytest.mark.parametrize("through", ["", "first_hop"])
def test_a_package_of_another_study_is_never_taken_for_the_one_beside(tmp_path: Path, through: str) -> None:
    name = f"of_both{through}"
    for folder in ("first", "second"):
        written(tmp_path / folder / name / "__init__.py", f"F = {folder!r}\n")
        text = f"import {through}_{folder}\n" if through else f"import {name}\n"
        written(tmp_path / folder / f"{through}_{folder}.py", f"import {name}\n")
        written(tmp_path / folder / "mine.py", text + TEXT)
    catalogue.load(str(tmp_path / "first" / "mine.py"))
    with pytest.raises(
        UserError, match=rf"wants the module {name} beside it, but .*in commands of their own"
    ):
        catalogue.load(str(tmp_path / "second" / "mine.py"))


def test_a_neighbour_that_a_library_hides_is_named(tmp_path: Path) -> None:
    written(tmp_path / "json.py", "X = 1\n")
    path = written(tmp_path / "mine.py", "from json import X\n" + TEXT)
    with pytest.raises(
        UserError, match=r"the module json beside it, but that in .* is loaded already: rename"
    ):
        catalogue.load(str(path))


def test_an_import_with_a_dot_is_refused_wherever_the_command_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "studies" / "mine.py", "from .sizes_beside import X\n" + TEXT)
    written(tmp_path / "studies" / "sizes_beside.py", "X = 1\n")
    for folder in (tmp_path, path.parent):
        monkeypatch.chdir(folder)
        with pytest.raises(UserError, match=r"lies in no package, .* write `from name import ...`"):
            catalogue.load(str(path))


@pytest.mark.parametrize("name", ["été", "über", "日本語", "Ärger-2", "1x", "x" * 64])
def test_a_name_of_letters_of_any_script_is_one_in_every_place(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path / f"{unicodedata.normalize('NFD', name)}.py")  # as macOS may keep it
    study = catalogue.load(name)
    assert study.name == name
    run_study(study, store, InlineEngine(), workers=1)
    found = results(catalogue.load(name), store=store.root)
    assert found.frame.experiment.iloc[0]
    assert store.client.get_experiment_by_name(name) is not None
    paths = found.export(tmp_path / name)
    assert (tmp_path / name / "table.tex") in paths
    assert name in (tmp_path / name / "runs.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["_x", "-x", "a b", "a.b", "x" * 65, "a/b"])
def test_another_name_is_refused_with_what_it_may_have(name: str) -> None:
    with pytest.raises(
        UserError, match="a study's name wants at most 64 letters, digits, _ and -, and first a"
    ):
        Study(
            name=name, question="?", source="?", train=lambda s, n: {}, baseline={"x": 1},
            arms={"a": {"x": 2}}, measures={"m": 1},
        )  # fmt: skip
