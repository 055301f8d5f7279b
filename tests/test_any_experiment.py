"""A trivial experiment of ten lines goes through every verb, and nothing loads torch."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import ablation
from ablation import catalogue
from ablation.runner.ledger import Ledger
from ablation.runner.results import results
from ablation.tracking.read import cell_runs
from ablation.tracking.store import Store
from verbs import call

STUDY = """
import random, sys, time
from ablation import Claim, Difference, Measure, Study

def fit(settings, seed, run):
    for step in range(1, 4):
        run.log({{"loss": settings["rate"] / step}}, step)
        time.sleep({pause})
    noise = random.Random(f"{{seed}} {{settings}}").gauss(0, 0.01)
    return {{"error": settings["rate"] + noise, "torch": float("torch" in sys.modules)}}

study = Study(
    question="Is slower better?", source="a double", train=fit, baseline={{"rate": 0.5}},
    arms={{"slow": {{"rate": 0.1}}}}, measures={{"error": Measure("lower", "Error", 3, matters=0.05)}},
    claims=(Claim("slow is better", Difference("error", "down", "slow")),),
)
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with the study, whose cells take no time."""
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "trivial.py").write_text(STUDY.format(pause=0.0))
    return tmp_path


def said(place: Path, *words: str, code: int = 0) -> str:
    """What the command printed, in a process of its own that never imported torch."""
    ended = call(place, *words)
    assert ended.returncode == code, ended.stdout + ended.stderr
    assert ended.stderr.splitlines()[-1:] == ["False"], ended.stderr
    return " ".join(ended.stdout.split())


def test_every_verb_takes_it_and_none_loads_torch(place: Path) -> None:
    assert "trivial 2 arms × 5 seeds = 10 cells" in said(place, "list")
    assert "10 cells to train" in said(place, "plan", "trivial")
    ran = said(place, "run", "trivial", "--workers", "2")
    assert "10 trained" in ran
    assert "SUPPORTED: “slow is better”" in ran
    assert "10 there before" in said(place, "run", "trivial", "--workers", "2")
    assert "slow: complete seeds 0 to 4" in said(place, "status", "trivial")
    assert "| slow | 5 |" in said(place, "table", "trivial")
    said(place, "export", "trivial", "--to", "out")
    assert (place / "out" / "runs.csv").read_text().count("complete") == 10
    said(place, "report", "--to", "page")
    assert "slow is better" in (place / "page" / "index.html").read_text()
    assert said(place, "verify", "trivial").count("the same, bit for bit") == 2
    assert "trivial: 10 complete" in said(place, "doctor")
    frame = cell_runs(Store(place / "mlruns"), "trivial")
    assert set(frame.torch) == {0.0}  # nor did a worker
    run = Store(place / "mlruns").client.get_run(frame.run_id[0])
    assert run.data.params.keys() == {"rate", "seed"}


def test_the_views_of_its_page_name_its_settings_and_measures(place: Path) -> None:
    from ablation.tracking.views import study_pages

    said(place, "run", "trivial", "--workers", "2")
    pages = study_pages(Store(place / "mlruns"))
    titles = [page.title for page in pages["trivial"].pages]
    assert titles == ["arms", "mean curves", "mean over seeds", "cells", "compare arms"]
    experiment = Store(place / "mlruns").client.get_experiment_by_name("trivial")
    assert {f"mlflow.sharedViewState.{name}" for name in ("arms", "cells")} <= experiment.tags.keys()


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "what was waited for did not come"
        time.sleep(0.2)


def test_it_is_killed_and_goes_on(place: Path) -> None:
    (place / "studies" / "trivial.py").write_text(STUDY.format(pause=0.3))
    store = Store(place / "mlruns")

    def statuses() -> list[str]:
        return cell_runs(store, "trivial").status.tolist() if store.exists() else []

    words = [sys.executable, "-c", "from ablation.cli import main; main()", "run", "trivial"]
    first = subprocess.Popen([*words, "--workers", "2"], cwd=place, start_new_session=True)
    wait_for(lambda: statuses().count("FINISHED") >= 2 and "RUNNING" in statuses())
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    assert "there before" in said(place, "run", "trivial", "--workers", "2")
    study = catalogue.load(str(place / "studies" / "trivial.py"))
    assert results(study, store).state.tolist() == ["complete"] * 10
    runs = cell_runs(store, "trivial")
    assert runs[runs.status == "FINISHED"].fingerprint.is_unique
    assert "RUNNING" not in set(runs.status)


def test_a_ray_cluster_computes_it(place: Path, own_network: list[str]) -> None:
    pytest.importorskip("ray")
    words = "run trivial --engine ray --workers 2"
    script = f"ip link set lo up && {sys.executable} -c 'from ablation.cli import main; main()' {words}"
    ended = subprocess.run(
        [*own_network, "bash", "-c", script],
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "10 trained" in ended.stdout
    assert set(cell_runs(Store(place / "mlruns"), "trivial").torch) == {0.0}


def test_from_a_notebook_it_is_three_lines(place: Path) -> None:
    study = ablation.load(str(place / "studies" / "trivial.py"))
    results = ablation.run(study, store=place / "mlruns", workers=1)
    assert results.verdicts.verdict.tolist() == ["supported"]
    ledger = Ledger.open(Store(place / "mlruns"), study)
    assert ledger is not None
    assert json.loads(json.dumps(ledger.plan))["arms"]["slow"] == {"rate": 0.1}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("return 3", "an experiment returns a mapping of names to numbers, but got int"),
        ("return {'error': 'low'}", "a metric is a number with a name, but got 'low' for 'error'"),
        ("return {'eror': 1.0}", "the study measures error, but the experiment returned eror"),
        ("raise ValueError('no such file')", "ValueError: no such file"),
    ],
)
def test_what_it_does_wrong_is_said_of_its_cell(place: Path, body: str, reason: str) -> None:
    text = STUDY.format(pause=0.0).replace("    for step in range", f"    {body}\n    for step in range")
    (place / "studies" / "trivial.py").write_text(text)
    printed = said(place, "run", "trivial", "--seeds", "1", "--workers", "1", code=1)
    assert f"failed baseline, seed 0 and 1 more cell: {reason}" in printed


def test_what_diverges_is_a_result(place: Path) -> None:
    text = STUDY.format(pause=0.0).replace("import random", "from ablation import Diverged\nimport random")
    text = text.replace(
        "    for step in range", "    raise Diverged('the loss is nan')\n    for step in range"
    )
    (place / "studies" / "trivial.py").write_text(text)
    said(place, "run", "trivial", "--seeds", "1", "--workers", "1", code=1)
    assert "diverged seed 0" in said(place, "status", "trivial")


def test_an_unknown_measure_is_refused_with_the_known_ones(place: Path) -> None:
    with pytest.raises(ablation.UserError, match=r"no measure 'acuracy'.*known are accuracy"):
        ablation.Study(
            question="?",
            source="?",
            train=ablation.Function(lambda settings, seed: {}, {"accuracy": ablation.Measure("higher")}),
            baseline={"rate": 0.5},
            arms={"slow": {"rate": 0.1}},
            measures={"acuracy": 0.1},
        )
