"""The report page of a study of the network, with its pictures."""

import re
import shutil
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from ablation import Study, UserError
from ablation.emoji.experiment import EMOJI
from ablation.report import page
from ablation.runner.scheduler import run_study
from ablation.settings import vary
from ablation.tracking.artifacts import artifact
from ablation.tracking.read import cell_runs
from ablation.tracking.store import Store
from doubles import small_study
from engines import InlineEngine
from test_report import sheet


@pytest.fixture(scope="module")
def study(faces: Path) -> Study:
    return small_study(faces, part="1 f", cell_seconds=6.0)


@pytest.fixture(scope="module")
def store(study: Study, blank: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store in which the study has run."""
    store = Store(Path(shutil.copytree(blank, tmp_path_factory.mktemp("ran") / "store")))
    run_study(study, store, InlineEngine(), workers=1)
    return store


def test_a_store_becomes_a_page_with_what_it_holds_and_what_it_lacks(
    study: Study, store: Store, tmp_path: Path
) -> None:
    changed = replace(study, baseline=vary(study.baseline, {"train.lr": 0.1}))
    idle = replace(study, name="idle", part="2 e")
    studies = {"small": study, "idle": idle, "bad": UserError("bad.py, line 1: mend the study file.")}
    for folder in ("first", "second"):
        page.report(studies, store, tmp_path / folder)
    first, second = ((tmp_path / name / "index.html").read_bytes() for name in ("first", "second"))
    assert first == second
    text = first.decode()
    assert len(re.findall(r'<dd><img alt="(?:Inputs|Reconstructions by latent \d)"', text)) == 3
    assert "2 arms × 2 seeds = 4 cells, about 12 s on two cores: <code>ablation run idle --seeds 2" in text
    assert cell_runs(store, "small").run_id[0] in text
    assert "bad.py, line 1" in text
    page.report({"small": changed}, store, tmp_path / "third")
    assert "<b>No result.</b>" in (tmp_path / "third" / "index.html").read_text(encoding="utf-8")


def test_a_mirrored_run_shows_the_pictures_of_its_original(
    study: Study, store: Store, tmp_path: Path
) -> None:
    twin = replace(study, name="twin")
    run_study(twin, store, InlineEngine(), workers=1)
    assert (cell_runs(store, "twin").reused_from != "").all()
    page.report({"twin": twin}, store, tmp_path)
    assert "Nothing is kept for" not in (tmp_path / "index.html").read_text(encoding="utf-8")
    mirrored = cell_runs(store, "twin").run_id[0]
    assert artifact(store, mirrored, twin.experiment.sheet) is None
    assert artifact(store, "f" * 32, twin.experiment.sheet) is None


def test_inputs_are_shown_once_where_arms_share_them() -> None:
    gallery = EMOJI.gallery
    same = gallery({"a": sheet(10, 20), "b": sheet(10, 30)})
    assert [list(one.arms) for one in same] == [["a", "b"]]
    other = gallery({"a": sheet(10, 20), "b": sheet(11, 30)})
    assert [list(one.arms) for one in other] == [["a"], ["b"]]
    inputs, first = (Image.open(BytesIO(p.content)).convert("L") for p in (same[0].inputs, same[0].arms["a"]))
    assert (inputs.size, inputs.getpixel((0, 0)), first.getpixel((0, 4))) == ((28, 5), 10, 20)
    names = [png.file for one in other for png in (one.inputs, *one.arms.values())]
    assert len(set(names)) == 4
