"""The command line with the emoji: what is wrong with images or a font gets one sentence."""

from collections.abc import Callable
from pathlib import Path

import datasets
import pytest

from doubles import small_study
from engines import folder_of
from test_cli import Run, refused
from test_cli import ablation as ablation
from test_cli import test_the_command_ends_with_all_it_said_in_the_pipe_and_its_code as command_ends

STUDY = """
from ablation import Study
from ablation.emoji import joint, vary

settings = {{"data.sources": ({source!r},), "augment.copies": 0, "model.channels": (4,), "train.epochs": 1}}
arms = {arms}
measures = {{"test_mse": 0.01}}
base = vary(joint, settings)
study = Study(question="?", source="a double", baseline=base, arms=arms, measures=measures, seeds=1)
"""


def write_study(folder: Path, source: Path | str) -> Path:
    path = folder / "mine.py"
    path.write_text(STUDY.format(source=str(source), arms='{"small": {"model.latent_dim": 4}}'))
    return path


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["emoji", "show", "--classes", "hapy_sad"], "no class scheme 'hapy_sad' (did you mean 'happy_sad'"),
        (["emoji", "show", "--source", "none.parquet"], "none.parquet"),
        (["emoji", "build", "--font", "none.ttf"], "none.ttf"),
        (["emoji", "build", "--package", "none.tgz"], "none.tgz"),
        (["emoji", "build"], "--font or --package"),
        (["emoji", "build", "--font", "a.ttf", "--package", "b.tgz"], "--font or --package"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_gets_one_sentence_and_writes_nothing(
    ablation: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert message in refused(ablation(*words))
    assert folder_of(tmp_path) == []


def truncated(folder: Path, faces: Path) -> Path:
    path = folder / "bad.parquet"
    path.write_bytes(faces.read_bytes()[:-500])
    return path


def textless(folder: Path, faces: Path) -> Path:
    rows = datasets.Dataset.from_parquet(str(faces), cache_dir=str(folder / "cache"))
    rows.select_columns(["image"]).to_parquet(folder / "bad.parquet")
    return folder / "bad.parquet"


def undecodable(folder: Path, faces: Path) -> Path:
    rows = datasets.Dataset.from_parquet(str(faces), cache_dir=str(folder / "cache"))
    images = [image["bytes"] for image in rows.cast_column("image", datasets.Image(decode=False))["image"]]
    images[7] = images[7][:60]
    features = datasets.Features({"image": datasets.Image(), "text": datasets.Value("string")})
    broken = {"image": [{"bytes": image, "path": None} for image in images], "text": rows["text"][:]}
    datasets.Dataset.from_dict(broken, features=features).to_parquet(folder / "bad.parquet")
    return folder / "bad.parquet"


def two_sad(folder: Path, faces: Path) -> Path:
    rows = datasets.Dataset.from_parquet(str(faces), cache_dir=str(folder / "cache"))
    kept = [
        i
        for i, text in enumerate(rows["text"])
        if not text.startswith("crying") or text.endswith((" 1", " 2"))
    ]
    rows.select(kept).to_parquet(folder / "bad.parquet")
    return folder / "bad.parquet"


def unreachable(folder: Path, faces: Path) -> str:
    return "nobody/no-emoji"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (truncated, "bad.parquet"),
        (textless, "text"),
        (undecodable, "row 7"),
        (two_sad, "sad"),
        (unreachable, "nobody/no-emoji"),
    ],
)
def test_bad_data_gets_one_sentence_before_anything_is_written(
    ablation: Run,
    tmp_path: Path,
    faces: Path,
    make: Callable[[Path, Path], Path | str],
    message: str,
) -> None:
    study = write_study(tmp_path, make(tmp_path, faces))
    assert message in refused(ablation("run", study, "--store", tmp_path / "store"))
    assert not (tmp_path / "store").exists()


def test_a_smoke_study_and_its_study_have_no_cell_in_common(faces: Path) -> None:
    study = small_study(faces)
    own, smoke = ({cell.settings for cell in one.cells()} for one in (study, study.smoke()))
    assert not own & smoke


def test_the_command_ends_as_well_where_torch_was_loaded(tmp_path: Path) -> None:
    command_ends(tmp_path, ["plan", "latent_size", "--store", "none"], 0, "cells to train on")
