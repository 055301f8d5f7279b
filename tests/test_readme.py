"""The pages say nothing that the commands do not know, and their studies are real."""

import re
import shlex
from pathlib import Path

import pytest

from ablation import Study
from ablation.cli import command_line

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
GUIDE = (ROOT / "docs" / "guide.md").read_text()
EMOJI = (ROOT / "docs" / "emoji.md").read_text()


def blocks(text: str, kind: str) -> list[str]:
    """The blocks of code of this kind; "" for commands."""
    return [
        block for found, block in re.findall(r"```(\w*)\n(.*?)```", text, flags=re.DOTALL) if found == kind
    ]


def lines(text: str) -> list[str]:
    """The commands, without their comments."""
    return [line.partition("#")[0].strip() for block in blocks(text, "") for line in block.splitlines()]


PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
LINES = list(dict.fromkeys(line for page in PAGES for line in lines(page.read_text())))


def executed(code: str) -> Study:
    """The study of a block of code from our own pages."""
    names: dict[str, object] = {}
    exec(code, names)
    study = names["study"]
    assert isinstance(study, Study)
    return study


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("ablation ")])
def test_every_command_of_the_pages_is_known_with_its_options(line: str) -> None:
    command = command_line()
    words = shlex.split(line)[1:]
    while words and hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("make ")])
def test_every_make_target_of_the_pages_is_there(line: str) -> None:
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert line.split()[1] in targets


@pytest.mark.parametrize(
    ("code", "cells"), [(blocks(EMOJI, "python")[0], 20), (blocks(GUIDE, "python")[0], 15)]
)
def test_the_studies_of_the_pages_expand(code: str, cells: int) -> None:
    assert len(executed(code).cells()) == cells


def test_the_study_of_the_readme_expands_and_trains() -> None:
    pytest.importorskip("sklearn", reason="the study of the README trains a network of scikit-learn")
    (code,) = blocks(README, "python")
    study = executed(code)
    assert len(study.cells()) == len(study.settings) * study.seeds
    metrics = study.experiment.train(study.baseline, 0, None)  # type: ignore[arg-type]  # it asks for no run
    assert 0.9 < metrics["accuracy"] < 1
    terminal = (ROOT / "docs" / "pictures" / "run.svg").read_text().replace("&#160;", " ")
    assert f"{len(study.cells())} cells: {len(study.cells())} trained" in terminal
    assert all(arm in terminal for arm in study.settings)


def test_the_checks_run_the_readmes_test_command() -> None:
    assert "make test" in (ROOT / ".ci" / "run").read_text()
    assert "make test" in README
