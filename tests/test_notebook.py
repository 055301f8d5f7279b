"""A study in a notebook and in a script: what it shows, and that its functions reach the workers."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ablation import Results, UserError
from ablation.report.export import write_files
from ablation.runner.scheduler import run_study
from ablation.tracking.store import Store
from doubles_suite import tiny_study
from engines import InlineEngine
from frames import a_frame, a_study, noisy, some_curves

DOCS = Path(__file__).parents[1] / "docs"
STUDY = a_study(seeds=5)
FOUND = Results(STUDY, a_frame(STUDY, 5, noisy({"small": 0.020, "middle": 0.018, "large": 0.012}, 0.001)))
SCRIPT = """
from ablation import Measure, Study

TWICE = 2

def fit(settings, seed):
    return {"error": settings["rate"] * TWICE}

study = Study(
    name="script", question="?", source="?", train=fit, baseline={"rate": 0.5}, seeds=1,
    arms={"slow": {"rate": 0.125}}, measures={"error": Measure("lower", matters=0.05)},
)
print(study.run(workers=2).frame.error.tolist(), __file__)
"""


def shown(cell: Any) -> list[str]:
    """What a cell printed and shows, the pictures left out: their bytes hang on the machine's fonts."""
    outputs = [one.get("data", {"text": one.get("text", "")}) for one in cell.get("outputs", [])]
    texts = [text for output in outputs for _, text in sorted(output.items())]
    return [re.sub(r"base64,[^\"]+", "", text) for text in texts]


def test_the_notebook_of_the_docs_gives_what_it_shows(blank: Path, tmp_path: Path) -> None:
    shutil.copytree(blank, tmp_path / "mlruns")
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    kept = nbformat.read(DOCS / "notebook.ipynb", 4)
    executed = nbformat.from_dict(kept)
    nbclient.NotebookClient(executed, timeout=250, resources={"metadata": {"path": str(tmp_path)}}).execute()
    for then, now in zip(kept.cells, executed.cells, strict=True):
        assert shown(then) == shown(now), then.source


def test_a_script_runs_its_study_once_and_its_workers_do_not_run_the_script(
    blank: Path, tmp_path: Path
) -> None:
    shutil.copytree(blank, tmp_path / "mlruns")
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    ended = subprocess.run(
        [sys.executable, script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ended.stdout == f"[1.0, 0.25] {script}\n", ended.stderr


def test_a_study_reads_from_the_store_that_it_ran_in_and_nothing_is_run(blank: Path, tmp_path: Path) -> None:
    store = Store(Path(shutil.copytree(blank, tmp_path / "elsewhere")))
    study = tiny_study()
    with pytest.raises(UserError, match="tiny has no runs in"):
        study.results(store=store.root)
    run_study(study, store, InlineEngine(), workers=1)
    found = study.results(store=store.root)
    again = study.run(store=store.root)
    assert (found.frame.run_id == again.frame.run_id).all()
    assert study.frame.run_id.tolist() == again.frame.run_id.tolist()
    pd.testing.assert_frame_equal(study.effects, found.effects)
    assert [len(study.verdicts), list(study.figures)] == [1, ["effects", "measures", "curves"]]
    assert study.table == found.table
    assert tiny_study() == study  # where it ran is no part of the declaration
    names = {path.name for path in study.results().export(tmp_path / "out")}
    assert {"table.tex", "curves.pdf", "items.csv"} <= names


def test_a_study_without_a_name_is_asked_for_one() -> None:
    with pytest.raises(UserError, match=r"wants a name, under which its runs are kept.*name="):
        tiny_study(name="").run()


def test_effects_and_verdicts_have_the_numbers_of_the_analysis() -> None:
    effects, verdicts = FOUND.effects, FOUND.verdicts
    assert effects.difference.tolist() == [e.estimate.mean for e in FOUND.analysis.effects]
    assert effects.arm.tolist() == ["small", "large"] * 2
    assert effects.verdict.tolist()[:2] == [e.verdict for e in FOUND.analysis.effects][:2]
    assert effects[effects.measure == "test_accuracy"].p.isna().all()  # equal under every seed
    assert effects.verdict.tolist()[2:] == ["", ""]
    assert verdicts.p_holm.dtype == effects.p_holm.dtype == float
    assert verdicts.verdict.tolist() == [v.word for v in FOUND.analysis.verdicts]
    assert not verdicts.quick.any()
    assert FOUND.conclusion == FOUND.analysis.conclusion


def test_the_frame_begins_with_what_a_reader_looks_for() -> None:
    assert list(FOUND.frame)[:6] == ["arm", "seed", "state", "model.latent_dim", "test_mse", "test_accuracy"]
    assert FOUND.frame["model.latent_dim"].tolist()[:3] == [64, 128, 256]
    assert set(FOUND.frame) == {*FOUND.cells, "model.latent_dim"}


def test_what_a_notebook_shows_is_scoped_and_escaped() -> None:
    shown = FOUND._repr_html_()
    assert shown == FOUND.table._repr_html_()
    style = shown[shown.index("<style>") + 7 : shown.index("</style>")]
    outside = style
    while "{" in outside:  # drop what stands in braces, from the innermost
        inner = outside[: outside.index("}")].rindex("{")
        outside = outside[:inner] + outside[outside.index("}") + 1 :]
    assert outside.split("*/")[-1].split() == [".ablation.ablation"]  # no rule reaches beyond it
    assert "<html" not in shown
    odd = a_study(arms={"<b>": {"model.latent_dim": 64}}, claims=())
    frame = a_frame(odd, 5, lambda arm, seed: 0.01 * seed)
    assert "&lt;b&gt;" in Results(odd, frame)._repr_html_()
    assert repr(FOUND) == "<Results of sizes: 15 cells>"


def test_figures_are_shown_together_and_each_alone() -> None:
    drawn = FOUND.figures
    assert drawn._repr_html_().count("data:image/png;base64,") == 3
    assert drawn["effects"]._repr_png_().startswith(b"\x89PNG")  # type: ignore[attr-defined]


def test_curves_are_read_where_there_is_a_store_alone(tmp_path: Path) -> None:
    assert FOUND.curves.empty
    assert write_files(FOUND, some_curves(STUDY, 5), tmp_path)
