"""The curves of a function are those that its runs logged, by whichever process."""

import base64
import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ablation import Measure, Run, Study
from ablation.report.export import read, summarise
from ablation.report.figures import recorded_curves
from ablation.runner.results import learning_curves
from ablation.runner.scheduler import run_study
from ablation.tracking.read import logged_curves
from ablation.tracking.store import Store
from engines import InlineEngine


def fit(settings: Mapping[str, Any], seed: int, run: Run) -> Mapping[str, float]:
    """Two sides of a curve by `run.log`, one by MLflow itself, as a child process does; and single points."""
    for step in range(3):
        run.log({"train_loss": settings["rate"] / (step + 1), "validation_loss": 1.0}, step)
    run.log({"parameters": 10.0}, 0)
    client, run_id = run.store.client, run.run_id  # type: ignore[attr-defined]
    if settings["rate"] == 0.1:
        for step in range(2):
            client.log_metric(run_id, "accuracy", step / 2, step=step)
            client.log_metric(run_id, "system/cpu", 50.0, step=step)
    return {"error": settings["rate"] + seed / 100}


def a_study(name: str = "own") -> Study:
    return Study(
        name=name, question="?", source="?", train=fit, baseline={"rate": 0.5}, seeds=2,
        arms={"slow": {"rate": 0.1}}, measures={"error": Measure("lower", matters=0.05)},
    )  # fmt: skip


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(Path(tmp_path_factory.mktemp("curves") / "mlruns"))
    for study in (a_study(), a_study("again")):  # whose cells are mirrors of the first's
        run_study(study, store, InlineEngine(), 1)
    return store


@pytest.mark.parametrize("name", ["own", "again"])
def test_a_panel_for_each_metric_of_more_than_one_step(ran: Store, name: str) -> None:
    study = a_study(name)
    found = read(study, ran)
    panels = dict(recorded_curves(found.analysis, learning_curves(study, found.cells, ran)))
    assert {label: sorted(lines) for label, lines in panels.items()} == {
        "accuracy": [("slow", "")],
        "loss": [(arm, side) for arm in ("baseline", "slow") for side in ("train", "validation")],
    }
    assert panels["loss"]["slow", "train"]["mean"].tolist() == pytest.approx([0.1, 0.05, 0.1 / 3])
    assert panels["accuracy"]["slow", ""]["max"].tolist() == [0.0, 0.5]


def test_the_first_run_of_each_arm_is_asked_and_no_other(ran: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def noted(store: Store, run_ids: list[str]) -> tuple[str, ...]:
        asked.extend(run_ids)
        return logged_curves(store, run_ids)

    monkeypatch.setattr("ablation.runner.results.logged_curves", noted)
    cells = read(a_study(), ran).cells
    learning_curves(a_study(), cells, ran)
    assert asked == cells.run_id[cells.seed == 0].tolist()


def test_the_charts_of_mlflow_are_those_that_were_logged(ran: Store) -> None:
    summarise(a_study(), ran)
    experiment = ran.client.get_experiment_by_name("own")
    view = json.loads(experiment.tags["mlflow.sharedViewState.mean_over_seeds"])["state"]
    charts = json.loads(zlib.decompress(base64.b64decode(view.removeprefix("deflate;"))))["compareRunCharts"]
    assert [one["metricKey"] for one in charts] == ["accuracy", "validation_loss", "train_loss", "error"]
