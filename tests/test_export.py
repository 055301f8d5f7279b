"""An export is a folder of whole files, equal byte for byte wherever and however often it is made."""

import csv
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ablation import Study, Tuned
from ablation.errors import UserError
from ablation.report import drawing
from ablation.report.data_files import items_csv, provenance_json, runs_csv, verdicts_csv
from ablation.report.export import Results, write_files
from ablation.stats.analysis import analyse
from frames import ODD, a_frame, a_study, noisy, some_curves

CENTRE = {"small": 0.020, "middle": 0.018, "large": 0.012}
STUDY = a_study(seeds=5)
FRAME = a_frame(STUDY, 5, noisy(CENTRE, 0.001), lambda arm, s: 0.1 + 0.2 * s)
WHOLE = Results(STUDY, FRAME)
CURVES = some_curves(STUDY, 5)
NAMES = [
    *("table.md", "table.tex", "table.csv", "table.html", "appendix.tex", "notes.tex", "notes.md"),
    *("runs.csv", "verdicts.csv", "provenance.json"),
    *("effects.png", "effects.pdf", "measures.png", "measures.pdf", "curves.png", "curves.pdf"),
    *("effects_page.png", "effects_page.pdf", "measures_page.png", "measures_page.pdf"),
    *("curves_page.png", "curves_page.pdf", "effects.md", "measures.md", "curves.md"),
]


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


def test_export_writes_everything_and_nothing_else(tmp_path: Path) -> None:
    paths = write_files(WHOLE, CURVES, tmp_path / "new" / "folder")
    assert [path.name for path in paths] == NAMES
    assert sorted(p.name for p in (tmp_path / "new" / "folder").iterdir()) == sorted(NAMES)
    assert all(path.stat().st_size for path in paths)


def test_two_stores_give_the_same_bytes_but_for_the_runs_names(tmp_path: Path) -> None:
    other = FRAME.sample(frac=1, random_state=1).assign(
        run_id="elsewhere", seconds=99.0, images_per_second=1.0
    )
    write_files(WHOLE, CURVES, tmp_path / "a")
    write_files(Results(STUDY, other), CURVES.sample(frac=1, random_state=2), tmp_path / "b")
    differ = [n for n in NAMES if (tmp_path / "a" / n).read_bytes() != (tmp_path / "b" / n).read_bytes()]
    assert differ == ["provenance.json"]


def test_a_layout_shapes_the_tables_and_leaves_the_appendix_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawing, "save", lambda figure, path: path.write_text("x"))
    WHOLE.export(tmp_path, arms=["small"], digits=1)
    assert (tmp_path / "table.tex").read_text() == WHOLE.text("tex", arms=["small"], digits=1)
    assert [row["arm"] for row in rows((tmp_path / "table.csv").read_text())] == ["small"] * 2
    assert "large &" in (tmp_path / "appendix.tex").read_text()


def test_what_was_there_is_overwritten_and_what_is_not_ours_is_left(tmp_path: Path) -> None:
    (tmp_path / "table.md").write_text("stale")
    (tmp_path / "notes.txt").write_text("mine")
    write_files(WHOLE, CURVES, tmp_path)
    assert "stale" not in (tmp_path / "table.md").read_text(encoding="utf-8")
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "measures.png").write_text("old")

    def half(figure: Any, path: Path) -> None:
        path.write_text("half a")
        raise OSError("no space left")

    monkeypatch.setattr(drawing, "save", half)
    with pytest.raises(OSError, match="no space left"):
        write_files(WHOLE, CURVES, tmp_path)
    assert (tmp_path / "measures.png").read_text() == "old"
    assert not list(tmp_path.glob(".*"))


def test_a_file_in_the_way_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for to in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(UserError, match="name another folder"):
            write_files(WHOLE, CURVES, to)
    with pytest.raises(UserError, match="has no cells to export"):
        write_files(Results(STUDY, FRAME.head(0)), CURVES, tmp_path)


def test_runs_are_in_the_plans_order_at_full_precision() -> None:
    got = rows(runs_csv(STUDY, FRAME.sample(frac=1, random_state=3), 5))
    assert [(row["arm"], int(row["seed"])) for row in got] == [(c.arm, c.seed) for c in STUDY.cells(5)]
    assert [float(row["test_mse"]) for row in got] == list(FRAME["test_mse"])
    assert got[1]["test_accuracy"] == repr(0.1)
    assert got[-1]["test_accuracy"] == repr(0.1 + 0.2 * 4)
    assert got[0]["model.latent_dim"] == "64"
    assert not {"run_id", "seconds"} & set(got[0])


def test_runs_that_are_not_complete_are_listed_with_their_state_and_no_numbers() -> None:
    frame = FRAME.copy()
    frame.loc[0, ["state", "test_mse", "test_accuracy"]] = ["diverged", float("nan"), float("nan")]
    got = rows(runs_csv(STUDY, frame[frame["seed"] < 4], 5))
    assert (got[0]["state"], got[0]["test_mse"]) == ("diverged", "")
    assert [row["state"] for row in got[-3:]] == ["missing"] * 3
    assert len(got) == 15


def test_runs_hold_what_verdicts_rest_on() -> None:
    study = a_study(tuned=Tuned("train.lr", 1e-4, 1e-2, 3), chosen={"small": 1e-4, "large": 1e-2})
    counts = {"images_test_rarest": 4.0, "images_mood_rarest": 7.0, "images_probe": 160.0}
    first = rows(runs_csv(study, a_frame(study, 5, noisy(CENTRE, 0.001)).assign(**counts), 5))
    assert [row["train.lr"] for row in first[:3]] == ["0.0001", "0.001", "0.01"]
    assert {name: float(first[0][name]) for name in counts} == counts
    assert first[0]["images_test"] == "40.0"
    assert "train.lr" not in rows(runs_csv(STUDY, FRAME, 5))[0]


def test_metrics_on_demand_are_listed_where_the_study_asks_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(STUDY.experiment), "on_demand", lambda self, metric: "probe" in metric)
    frame = FRAME.assign(probe_accuracy=0.5, probe_rank=3.0)
    assert not {"probe_accuracy", "probe_rank"} & set(rows(runs_csv(STUDY, frame, 5))[0])
    asked = a_study(measures={"test_mse": 0.002, "test_accuracy": 0.05, "probe_accuracy": 0.05})
    assert {"probe_accuracy", "probe_rank"} <= set(rows(runs_csv(asked, frame, 5))[0])


def some_items() -> pd.DataFrame:
    """Four items in two groups behind the MSE of every cell."""
    return pd.DataFrame(
        {
            **{"arm": cell.arm, "seed": cell.seed, "measure": "test_mse", "group": f"=g{n % 2}"},
            **{"item": f"item {n}", "value": CENTRE[cell.arm] * (1 + n) + 0.001 * cell.seed},
        }
        for cell in STUDY.cells(5)
        for n in range(4)
    )


def test_items_are_a_row_each_and_a_formula_is_marked_as_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(STUDY.experiment), "strata", ("test_mse",))
    items = some_items()
    paths = write_files(Results(STUDY, FRAME, items=items), CURVES, tmp_path)
    assert [path.name for path in paths if path.name not in NAMES] == ["items.csv"]
    got = rows(items_csv(items))
    assert [*got[0]] == ["arm", "seed", "measure", "group", "item", "value"]
    assert (len(got), got[1]["group"], got[1]["item"]) == (60, "'=g1", "item 1")
    assert [float(row["value"]) for row in got] == pytest.approx(list(items["value"]), rel=1e-5)
    first, second = rows((tmp_path / "verdicts.csv").read_text(encoding="utf-8"))
    assert float(first["clustered_low"]) < float(first["clustered_high"])
    assert first["items"] == "4"
    assert (second["clustered_low"], second["items"], second["effective_n"]) == ("", "", "")


def test_verdicts_are_a_row_a_claim_at_full_precision() -> None:
    analysis = analyse(STUDY, FRAME, 5)
    first, second = rows(verdicts_csv(analysis))
    own = analysis.verdicts[0]
    assert (first["number"], second["number"]) == ("1", "2")
    assert (first["rule"], first["direction"], first["n"]) == ("trend", "down", "5")
    assert (second["rule"], second["claim"]) == ("difference", "large is more accurate")
    assert float(first["estimate"]) == own.estimate.mean
    assert (float(first["p"]), float(first["p_holm"])) == (own.p, own.p_holm)
    assert first["verdict"] == own.word
    # Accuracy is equal in every arm: nothing is tested, and there is no spread to detect anything at.
    assert (second["p"], second["p_holm"], second["detectable"], second["low"]) == ("", "", "", "0.0")
    shuffled = analyse(STUDY, FRAME.sample(frac=1, random_state=4), 5)
    assert verdicts_csv(analysis) == verdicts_csv(shuffled)
    none = a_study(claims=())
    assert rows(verdicts_csv(analyse(none, FRAME, 5))) == []


def test_each_number_leads_to_its_runs_and_each_run_to_its_place() -> None:
    analysis = analyse(STUDY, FRAME, 5)
    first = FRAME.iloc[0]
    got = json.loads(provenance_json(analysis, {first["fingerprint"]: {"commit": "abc"}}))
    assert set(got["numbers"]) == set(analysis.sources)
    assert len(got["runs"]) == 15
    assert got["runs"][first["fingerprint"]] == {
        "arm": "small",
        "seed": 0,
        "run_id": "run-small-0",
        "commit": "abc",
    }
    mean = [FRAME.set_index("fingerprint").loc[f, "test_mse"] for f in got["numbers"]["small/test_mse/mean"]]
    assert sum(mean) / 5 == pytest.approx(analysis.means["small", "test_mse"].mean)


def test_every_number_of_the_table_has_a_key() -> None:
    keys = set(json.loads(provenance_json(analyse(STUDY, FRAME, 5)))["numbers"])
    table = [(arm, name) for name in STUDY.measures for arm in STUDY.settings]
    assert {f"{arm}/{name}/mean" for arm, name in table} <= keys
    assert {f"{arm}/{name}/difference" for arm, name in table if arm != STUDY.reference} <= keys
    assert {"claim 1/effect", "claim 2/effect"} <= keys


@pytest.mark.parametrize("seeds", [1, 2])
def test_odd_names_few_seeds_and_no_curves_are_no_obstacle(tmp_path: Path, seeds: int) -> None:
    study: Study = a_study(arms={ODD: {"model.latent_dim": 64}, "b": {"model.latent_dim": 128}}, claims=())
    frame = a_frame(study, seeds, lambda arm, s: 0.01 * s)
    write_files(Results(study, frame), CURVES.head(0), tmp_path)
    assert rows((tmp_path / "runs.csv").read_text(encoding="utf-8"))[0]["arm"] == ODD
    assert f"{ODD}/test_mse/mean" in json.loads((tmp_path / "provenance.json").read_text())["numbers"]


@pytest.mark.parametrize("state", ["missing", "running", "failed", "diverged"])
def test_a_study_without_one_complete_run_can_be_exported(tmp_path: Path, state: str) -> None:
    frame = pd.DataFrame(
        {"arm": c.arm, "seed": c.seed, "state": state, "fingerprint": f"{c.arm}{c.seed}", "run_id": ""}
        for c in STUDY.cells(5)
    )
    paths = write_files(Results(STUDY, frame, (5, 10)), pd.DataFrame(columns=list(CURVES)), tmp_path)
    assert [path.name for path in paths] == NAMES
    assert f"15 {state}" in (tmp_path / "table.md").read_text(encoding="utf-8")
    assert "5, then 10" in (tmp_path / "table.md").read_text(encoding="utf-8")
    assert json.loads((tmp_path / "provenance.json").read_text())["runs"] == {}


def test_a_smoke_budget_is_marked_in_every_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    monkeypatch.setattr(drawing, "save", lambda figure, path: (drawn.append(figure), path.write_text("x")))
    quick = STUDY.smoke()
    write_files(Results(quick, a_frame(quick, 2, noisy(CENTRE, 0.001))), CURVES, tmp_path / "quick")
    assert [figure.get_suptitle() for figure in drawn] == ["Smoke budget: these numbers mean nothing."] * 12
    for name, times in (("table.md", 2), ("table.html", 2), ("table.tex", 1), ("appendix.tex", 1)):
        text = (tmp_path / "quick" / name).read_text(encoding="utf-8")
        assert text.count("Smoke budget: these numbers mean nothing.") == times
    for name in ("table.csv", "runs.csv", "verdicts.csv"):
        assert {row["quick"] for row in rows((tmp_path / "quick" / name).read_text("utf-8"))} == {"true"}
    assert json.loads((tmp_path / "quick" / "provenance.json").read_text())["quick"] is True
    drawn.clear()
    write_files(WHOLE, CURVES, tmp_path / "whole")
    assert {figure.get_suptitle() for figure in drawn} == {""}
    assert {row["quick"] for row in rows((tmp_path / "whole" / "runs.csv").read_text())} == {"false"}
    assert "Smoke" not in (tmp_path / "whole" / "table.html").read_text(encoding="utf-8")
