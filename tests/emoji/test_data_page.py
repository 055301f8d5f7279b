"""Every command of docs/data.md, one after another, as a reader types them."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub import constants

from ablation import cli
from test_readme import ROOT, blocks, lines

PAGE = (ROOT / "docs" / "data.md").read_text()
HUB = "valhalla/emoji-dataset"


def kept_on_the_hub(cache: Path, table: Path) -> None:
    """The table as the copy that an earlier download left; the hub's library finds it there."""
    repository = cache / f"datasets--{HUB.replace('/', '--')}"
    (repository / "snapshots" / "a").mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("a")
    shutil.copyfile(table, repository / "snapshots" / "a" / "train.parquet")


def test_every_command_of_the_page_does_what_the_page_says(
    blank: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(blank, tmp_path / "mlruns")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli.signal, "signal", lambda *_: None)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    script, study = blocks(PAGE, "python")
    (tmp_path / "make_pictures.py").write_text(script)
    (tmp_path / "my_shapes.py").write_text(study)
    printed: dict[str, str] = {}
    for line in lines(PAGE):
        program, *words = line.split()
        if program == "python":
            subprocess.run([sys.executable, *words], check=True)
            kept_on_the_hub(tmp_path / "hub", tmp_path / "shapes.parquet")
            continue
        assert program == "ablation"
        monkeypatch.setattr(sys, "argv", ["ablation", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        assert not ended.value.code, (line, said)
        printed[words[-1]] = printed.get(words[-1], "") + " ".join(said.out.split())
    promised = blocks(PAGE, "text")[0].splitlines()
    shown = {name.removeprefix("valhalla/"): text for name, text in printed.items()}
    assert all(f"40 images of {n} subjects" in shown[name] for name, n in (("shapes", 2), ("scans", 10)))
    assert "40 images of 10 subjects" in shown["shapes.parquet"]
    assert shown["shapes.parquet"].split()[:8] == shown["emoji-dataset"].split()[:8]
    for text in (shown["scans"], shown["1"], shown["--quick"]):
        assert all(" ".join(sentence.split()) in text.replace("\\", "") for sentence in promised)
    assert "left out" not in shown["shapes"] + shown["shapes.parquet"]
