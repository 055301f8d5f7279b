"""The wheel: all that the suite and the studies need is in it, and nothing else."""

import os
import re
import subprocess
import sys
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import pytest

pytest.importorskip("setuptools", "77", "the wheel is built with setuptools 77 or newer")
ROOT = Path(__file__).parents[1]
NAME = "ablation_suite"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> ZipFile:
    """Built of the files that git knows, in a folder of its own: a build leaves files beside its source."""
    source, to = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("the tests lie in no git checkout")
    for name in listed.stdout.split("\0"):
        if name.startswith(
            ("ablation/", "studies/", "tests/test_", "docs/results/", "LICENSE", "README", "py")
        ):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*build, "--wheel-dir", str(to), str(source)], check=True, capture_output=True)
    return ZipFile(next(to.glob("*.whl")))


@pytest.mark.slow
def test_the_package_its_files_and_the_studies_are_in_it_and_nothing_else(wheel: ZipFile) -> None:
    held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    package = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "ablation").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    studies = {f"ablation/emoji/studies/{path.name}" for path in (ROOT / "studies").glob("*.py")}
    assert len(studies) > 10
    assert "ablation/py.typed" in package
    assert held == package | studies


@pytest.mark.slow
def test_its_metadata_names_extras_licences_and_what_is_found_by_name(wheel: ZipFile) -> None:
    info = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")).rpartition("/")[0]
    about = Parser().parsestr(wheel.read(f"{info}/METADATA").decode())
    assert info.startswith(NAME)
    assert {"emoji", "postgresql", "ray"} <= set(about.get_all("Provides-Extra", []))
    plain = [one for one in about.get_all("Requires-Dist", []) if "extra ==" not in one]
    assert len(plain) > 10
    assert not [one for one in plain if re.match("torch|datasets|safetensors|pillow|scikit|huggingface", one)]
    for licence in ("LICENSE", "ablation/emoji/assets/LICENSES.md"):
        assert wheel.read(f"{info}/licenses/{licence}") == (ROOT / licence).read_bytes()
    points = wheel.read(f"{info}/entry_points.txt").decode()
    for line in ("ablation = ablation.cli:command", "[ablation.commands]", "[ablation.studies]"):
        assert line in points


@pytest.mark.slow
def test_every_extra_that_a_message_or_a_page_names_exists(wheel: ZipFile) -> None:
    about = next(wheel.read(name).decode() for name in wheel.namelist() if name.endswith("/METADATA"))
    texts = [*(ROOT / "ablation").rglob("*.py"), ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    named = re.findall(
        r"pip install '([\w-]+)\[([\w,]+)\]", "".join(path.read_text("utf-8") for path in texts)
    )
    assert named
    for name, extras in named:
        assert name.replace("-", "_") == NAME
        assert all(f"Provides-Extra: {extra}\n" in about for extra in extras.split(","))


@pytest.mark.slow
def test_in_a_folder_of_ones_own_it_says_how_to_begin_and_has_its_studies(
    wheel: ZipFile, tmp_path: Path
) -> None:
    wheel.extractall(tmp_path / "installed")
    (tmp_path / "mine").mkdir()
    code = (
        "import sys, ablation; assert ablation.__file__.startswith(sys.argv.pop(1)); "
        "from ablation.cli import command; command()"
    )

    def said(*words: str) -> str:
        ended = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "installed"), *words],
            cwd=tmp_path / "mine",
            env=os.environ | {"PYTHONPATH": str(tmp_path / "installed")},
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert (ended.returncode, ended.stderr) == (0, "")
        return ended.stdout

    for verb in ("list", "status"):
        assert "make one with `ablation new my_study.py`, or see those that come with" in said(verb)
    assert "latent_size" in said("list", "--builtin")
    assert "wrote my_study.py" in said("new", "my_study.py")
    assert said("list").startswith("my_study")
