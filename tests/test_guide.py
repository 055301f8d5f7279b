"""The commands of the guide, one after another, as a reader types them."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ablation import cli
from test_readme import GUIDE, lines


def test_every_command_of_the_guide_does_what_the_guide_says(
    blank: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(blank, tmp_path / "mlruns")
    shutil.copyfile(blank / "mlflow.db", tmp_path / "mlflow.db")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    monkeypatch.setattr(cli.signal, "signal", lambda *_: None)
    printed: dict[str, str] = {}
    for line in lines(GUIDE):
        program, *words = shlex.split(line)
        if program == "export":
            monkeypatch.setenv(*words[0].split("=", 1))
        elif program == "python":
            subprocess.run([sys.executable, *words], check=True)
        else:
            assert program == "ablation", line
            monkeypatch.setattr(sys, "argv", ["ablation", *words])
            with pytest.raises(SystemExit) as ended:
                cli.main()
            assert not ended.value.code, line
            printed[line] = capsys.readouterr().out
    tables = [text for line, text in printed.items() if " table " in line]
    assert len(tables) == 4
    # All four are tables of the same runs, which were made in three ways.
    numbers = [[row for row in text.splitlines() if row.startswith(("averaged", "True"))] for text in tables]
    assert {row.partition("&")[2] for (row,) in numbers[:3]} == {numbers[0][0].partition("&")[2]}
    assert all(r"\begin{tabular}" in text for text in tables)
