"""The README says nothing that the commands do not know."""

import re
import shlex
from pathlib import Path

import pytest

from ablation import Claim, Study, Trend
from ablation.cli import command_line
from ablation.emoji.protocols import joint

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, flags=re.DOTALL)
LINES = [line.partition("#")[0].strip() for kind, block in BLOCKS if not kind for line in block.splitlines()]


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("ablation ")])
def test_every_command_of_the_readme_is_known_with_its_options(line: str) -> None:
    command = command_line()
    words = shlex.split(line)[1:]
    while words and hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("make ")])
def test_every_make_target_of_the_readme_is_there(line: str) -> None:
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert line.split()[1] in targets


def test_the_study_of_the_readme_expands() -> None:
    (code,) = [block for kind, block in BLOCKS if kind == "python"]
    names: dict[str, object] = {"Study": Study, "Claim": Claim, "Trend": Trend, "joint": joint}
    exec(code, names)  # our own README
    study = names["study"]
    assert isinstance(study, Study)
    assert len(study.cells()) == 20


def test_the_checks_run_the_readmes_test_command() -> None:
    assert "make test" in (ROOT / ".ci" / "run").read_text()
    assert "make test" in README
