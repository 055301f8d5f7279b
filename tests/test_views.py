"""MLflow's pages of a study: what its views, summary runs and description say, and how a browser shows it."""

import base64
import json
import os
import socket
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import requests
from typer.testing import CliRunner

from ablation import Claim, Difference, Experiment, Measure, Run, Study
from ablation.cli import app as command_line
from ablation.cli.store import open_browser
from ablation.report.export import summarise
from ablation.report.landing import landing_page
from ablation.runner.scheduler import run_study
from ablation.seeds import derive
from ablation.tracking.store import Store
from ablation.tracking.views import arm_runs, save_views, study_pages
from browser import Browser, chromium
from engines import InlineEngine
from servers import MlflowServer, free_port

ARMS = ["wide", "baseline arm", "narrow", "a fourth arm"]  # in no order of the alphabet
LONG = "a_measure_with_a_rather_long_name"


class Noisy(Experiment):
    """Two measures, one with a long name, curves with both sides, and a final number in a section."""

    name = "noisy"
    measures = {  # noqa: RUF012
        "error": Measure("lower", "Error", 3),
        LONG: Measure("higher", "Long", 2),
    }
    curves = {"loss": "Loss", "accuracy": "Accuracy"}  # noqa: RUF012

    def train(self, settings: Mapping[str, Any], seed: int, run: Run) -> Mapping[str, float]:
        """Numbers that its settings and the seed decide."""
        noise = derive(seed, f"noise of {settings['width']}") % 1000 / 1e5
        for step in (1, 2, 3):
            run.log(
                {"train_loss": noise / step, "validation_loss": 2 * noise / step, "accuracy": step / 3}, step
            )
        return {"error": settings["width"] / 100 + noise, LONG: 1 + noise, "seconds": 1.0, "data_set_size": 7}

    def section(self, metric: str) -> str:
        """Times stand further down."""
        return "speed" if metric == "seconds" else ""


def noisy_study(**changes: Any) -> Study:
    """Four arms, of which the second is the baseline and the last is compared to the first; six seeds."""
    widths = dict(zip(ARMS, (64, 32, 16, 65), strict=True))
    settings: dict[str, Any] = {
        "name": "noisy",
        "question": "Does the width matter?",
        "source": "a double",
        "train": Noisy(),
        "baseline": {"width": 32},
        "arms": {name: {} if width == 32 else {"width": width} for name, width in widths.items()},
        "against": {"a fourth arm": "wide"},
        "measures": {"error": 0.02, LONG: 0.1},
        "claims": (Claim("wide is worse", Difference("error", "up", "wide")),),
        "seeds": 6,
    }
    return Study(**(settings | changes))


@pytest.fixture(scope="module")
def ran(blank: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    import shutil

    store = Store(Path(shutil.copytree(blank, tmp_path_factory.mktemp("views") / "store")))
    run_study(noisy_study(), store, InlineEngine(), 1)
    summarise(noisy_study(), store)
    return store


def view(store: Store, study: str, name: str) -> Mapping[str, Any]:
    """The state of a saved view."""
    saved = json.loads(store.client.get_experiment_by_name(study).tags[f"mlflow.sharedViewState.{name}"])
    state = json.loads(zlib.decompress(base64.b64decode(saved["state"].removeprefix("deflate;"))))
    assert isinstance(state, dict)
    return state


def arms_of(store: Store, study: str) -> Sequence[Any]:
    place = store.place_of(study)
    return arm_runs(store, [place])[place]


def test_the_arms_view_has_its_columns_in_order_each_as_wide_as_its_head(ran: Store) -> None:
    state = view(ran, "noisy", "arms")
    words = [
        f"tags.`{what}.{name}`" for name in ("error", LONG) for what in ("mean", "difference", "p", "verdict")
    ]
    assert state["selectedColumns"] == ["params.`width`", "metrics.`n`", "tags.`against`", *words]
    assert state["columnOrder"][-len(state["selectedColumns"]) :] == state["selectedColumns"]
    assert state["columnWidths"].keys() == set(state["columnOrder"])
    assert state["columnWidths"][f"tags.`difference.{LONG}`"] > 6 * len(f"difference.{LONG}")
    assert state["orderByKey"] == "tags.`order`"


def test_means_over_seeds_begin_with_the_curves_and_their_groups_are_closed(ran: Store) -> None:
    state = view(ran, "noisy", "mean_over_seeds")
    assert state["groupsExpanded"] == {f"tag.arm.{arm}": False for arm in ARMS}
    shown = {one["name"]: one["display"] for one in state["compareRunSections"]}
    assert shown == {"Mean curves": True, "Measures": True, "Model metrics": False, "System metrics": False}
    assert list(shown)[:2] == ["Mean curves", "Measures"]
    charts = {one["metricKey"]: one["type"] for one in state["compareRunCharts"]}
    curves = ["validation_loss", "train_loss", "loss", "validation_accuracy", "train_accuracy", "accuracy"]
    assert list(charts) == [*curves, "error", LONG]
    assert set(charts.values()) == {"LINE", "BAR"}
    placed = [one["metricSectionId"] for one in state["compareRunCharts"]]
    assert set(placed) <= {one["uuid"] for one in state["compareRunSections"]}


def test_arms_stand_in_the_studys_order_also_after_one_was_written_anew(ran: Store) -> None:
    before = arms_of(ran, "noisy")
    assert [run.info.run_name for run in before] == ARMS
    ran.client.delete_run(before[1].info.run_id)
    summarise(noisy_study(), ran)
    after = arms_of(ran, "noisy")
    assert [run.info.run_name for run in after] == ARMS
    same = [one.info.run_id == two.info.run_id for one, two in zip(before, after, strict=True)]
    assert same == [True, False, True, True]


def test_an_arm_has_few_rounded_numbers_and_the_rest_in_words(ran: Store) -> None:
    analysis = summarise(noisy_study(), ran).analysis
    wide, baseline, _, fourth = (run.data for run in arms_of(ran, "noisy"))
    assert list(wide.metrics) == [
        "error",
        "error difference",
        "error low",
        "error high",
        "error p",
        LONG,
        "n",
    ]
    effect = analysis.effect("wide", "error")
    assert effect is not None
    assert effect.p_holm is not None
    assert wide.metrics["error difference"] == round(effect.estimate.mean, 3)
    assert wide.metrics["error p"] == pytest.approx(effect.p_holm, rel=0.05)
    assert wide.metrics["n"] == 6
    assert wide.tags["against"] == "baseline arm"
    assert wide.tags["verdict.error"] == effect.verdict == "worse"
    assert wide.tags["p.error"] == "<0.001"
    low, high = round(effect.estimate.low, 3), round(effect.estimate.high, 3)
    assert (
        wide.tags["difference.error"] == f"+{wide.metrics['error difference']:.3f} [+{low:.3f}, +{high:.3f}]"
    )
    assert wide.tags[f"mean.{LONG}"].startswith("1.0")
    assert list(baseline.metrics) == ["error", LONG, "n"]
    assert baseline.tags["against"] == "(baseline)"
    assert "difference.error" not in baseline.tags
    assert fourth.tags["against"] == "wide"


def test_arms_keep_the_table_and_a_picture_and_are_written_only_where_they_changed(
    ran: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = arms_of(ran, "noisy")[0]
    assert {one.path for one in ran.client.list_artifacts(run.info.run_id)} == {"table.html", "effects.png"}
    monkeypatch.setattr("ablation.report.figures.effects", lambda *any: pytest.fail("was drawn again"))
    summarise(noisy_study(), ran)
    assert arms_of(ran, "noisy")[0].info.run_id == run.info.run_id


def test_few_seeds_and_one_seed_are_said_to_be_untested(store: Store) -> None:
    study = noisy_study(seeds=1)
    run_study(study, store, InlineEngine(), 1)
    summarise(study, store)
    wide = arms_of(store, "noisy")[0].data
    assert wide.tags["verdict.error"] == "not tested"
    assert wide.tags["p.error"] == "–"
    assert "[" not in wide.tags["difference.error"]
    assert "error low" not in wide.metrics


def test_the_description_opens_with_the_finding(ran: Store) -> None:
    analysis = summarise(noisy_study(), ran).analysis
    tags = ran.client.get_experiment_by_name("noisy").tags
    assert tags["mlflow.note.content"].startswith(analysis.conclusion)
    assert "Does the width matter?" in tags["mlflow.note.content"]
    assert study_pages(ran)["noisy"].finding == analysis.conclusion


def test_a_quick_study_is_not_taken_for_a_finding_and_texts_are_no_markup(store: Store) -> None:
    study = noisy_study(question="Is <script>alert(1)</script> text?").smoke()
    run_study(study, store, InlineEngine(), 1)
    summarise(study, store)
    shown = landing_page(store)
    assert "numbers mean nothing" in shown
    assert "&lt;script&gt;alert(1)" in shown
    assert "<script>alert" not in shown


def test_the_first_page_answers_and_a_study_without_summary_has_no_arms(store: Store, ran: Store) -> None:
    titles = ["arms", "mean curves", "mean over seeds", "cells", "compare arms"]
    assert [page.title for page in study_pages(ran)["noisy"].pages] == titles
    run_study(noisy_study(seeds=1), store, InlineEngine(), 1)
    assert [page.title for page in study_pages(store)["noisy"].pages] == titles[1:4]
    assert "No finding yet" in landing_page(store)
    place = ["--store", str(store.root), "--port", str(free_port())]
    ended = CliRunner().invoke(command_line, ["ui", "noisy", "--compare", *place])
    assert "not summarised yet" in str(ended.exception)
    assert ended.output == ""


def test_a_study_of_more_runs_than_mlflow_loads_at_once_says_so(
    ran: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert study_pages(ran)["noisy"].note == ""
    monkeypatch.setattr("ablation.tracking.views.LOADED", 23)
    assert "24 runs" in study_pages(ran)["noisy"].note
    assert "24 runs" in landing_page(ran)


def test_views_of_a_study_of_many_arms_and_measures_fit_into_mlflow(store: Store) -> None:
    class Broad(Noisy):
        measures = {f"{LONG}_{n}": Measure("lower") for n in range(60)}  # noqa: RUF012
        curves = {f"curve_{n}": f"Curve {n}" for n in range(40)}  # noqa: RUF012

    study = noisy_study(
        name="broad",
        train=Broad(),
        arms={f"width {n}": {"width": n} if n != 32 else {} for n in range(200)},
        against={},
        measures=dict.fromkeys(Broad.measures, 0.1),
        claims=(),
    )
    place = store.experiment("broad", {})
    save_views(store, place, study, [f"validation_curve_{n}" for n in range(40)])
    assert len(view(store, "broad", "arms")["columnOrder"]) == 4 * 60 + 5


def test_every_verb_of_the_pages_is_refused_in_a_sentence(
    ran: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def said(*words: str) -> str:
        ended = CliRunner().invoke(command_line, ["ui", *words, "--store", str(ran.root)])
        return str(ended.exception)

    assert "no study with runs in this store 'noise'" in said("noise")
    assert "noisy" in said("noise")
    assert "--compare wants the study" in said("--compare")
    monkeypatch.setitem(sys.modules, "optuna_dashboard", None)
    assert "pip install 'ablation-suite[dashboard]'" in said("--optuna")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://ann:s3cret@db/runs")
    assert "which has no pages of its own" in said()
    assert "s3cret" not in said()


def test_optunas_dashboard_gets_the_trials_of_the_store(ran: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    class Dashboard:
        called: list[Any] = []  # noqa: RUF012

        def run_server(self, *words: Any, **named: Any) -> None:
            self.called.append((words, named))

    port = free_port()
    monkeypatch.setitem(sys.modules, "optuna_dashboard", Dashboard())  # type: ignore[arg-type]
    ended = CliRunner().invoke(
        command_line, ["ui", "--optuna", "--port", str(port), "--store", str(ran.root)]
    )
    assert f"http://127.0.0.1:{port}/dashboard" in ended.output
    assert Dashboard.called == [((ran.optuna_url,), {"host": "127.0.0.1", "port": port})]


@pytest.mark.parametrize(
    ("terminal", "wanted", "opened"), [(True, True, True), (True, False, False), (False, True, False)]
)
def test_the_browser_opens_in_a_terminal_once_the_port_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, terminal: bool, wanted: bool, opened: bool
) -> None:
    program, told = tmp_path / "browser", tmp_path / "told"
    program.write_text(f'#!/bin/sh\nprintf %s "$1" > {told}.part && mv {told}.part {told}\n')
    program.chmod(0o755)
    monkeypatch.setenv("BROWSER", f"{program} %s")
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal)
    port = free_port()
    opener = open_browser("http://127.0.0.1/studies/#/a?b=1&c=2", wanted, port)
    assert (opener is not None) == opened
    if opener is not None:
        time.sleep(1)
        assert not told.exists()
        with socket.create_server(("127.0.0.1", port)):
            assert opener.wait(60) == 0
        assert told.read_text() == "http://127.0.0.1/studies/#/a?b=1&c=2"


def test_the_links_of_a_tracking_server_are_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = MlflowServer(f"sqlite:///{tmp_path}/server.db", tmp_path / "artifacts", tmp_path / "server.log")
    server.start()
    try:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", server.url.replace("://", "://ann:s3cret@"))
        store = Store(tmp_path / "store")
        run_study(noisy_study(seeds=1), store, InlineEngine(), 1)
        summarise(noisy_study(seeds=1), store)
        ended = CliRunner().invoke(command_line, ["ui", "noisy", "--compare", "--store", str(store.root)])
    finally:
        server.stop()
    assert ended.exit_code == 0
    assert f"{server.url}/#/compare-runs" in ended.output
    assert "Ctrl-C" not in ended.output
    assert "s3cret" not in ended.output


@pytest.fixture(scope="module")
def served(ran: Store) -> Iterator[str]:
    """The address of `ablation ui` of the store."""
    if not chromium():
        pytest.skip("Chromium is not installed (Debian's package chromium)")
    port = free_port()
    words = ["-c", "from ablation.cli import command; command()", "ui", "--port", str(port)]
    process = subprocess.Popen(
        [sys.executable, *words, "--store", str(ran.root)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(480):
            try:
                if requests.get(f"{address}/health", timeout=1).ok:
                    break
            except requests.RequestException:
                assert process.poll() is None, process.stdout and process.stdout.read()
                time.sleep(0.25)
        yield address
    finally:
        os.killpg(process.pid, 15)
        said = process.communicate(timeout=60)[0]
    assert "arms " in said
    assert "Warning" not in said


@pytest.fixture(scope="module")
def browser(served: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("chromium")) as one, one.looking(1440, 900):
        yield one


def seen(browser: Browser, script: str, least: int) -> Any:
    """What the script says of the page once it is a list of `least` entries: MLflow loads piece by piece."""
    found: Any = []
    for _ in range(240):
        try:
            found = browser.ask(script)
        except AssertionError as error:  # MLflow's page leads on to another while it loads
            if "navigated or closed" not in str(error):
                raise
        if len(found) >= least:
            return found
        time.sleep(0.25)
    raise AssertionError(f"the page shows {found}: {browser.complaints}")


def shown(browser: Browser, address: str, script: str, least: int = 1) -> Any:
    """As `seen`, of the page at the address."""
    browser.do("Page.navigate", url="about:blank")  # else another # of the same page is not loaded anew
    browser.complaints.clear()
    browser.do("Page.navigate", url=address)
    return seen(browser, script, least)


def texts(selector: str) -> str:
    return (
        f"[...document.querySelectorAll({selector!r})].map((one) => one.textContent.trim()).filter(Boolean)"
    )


def complaints_of_ours(browser: Browser) -> list[str]:
    """What the console says beside what MLflow itself asks for in vain, and what it says of the graphics."""
    return [one for one in browser.complaints if "users/current" not in one and '"rendering"' not in one]


def page(served: str, store: Store, title: str) -> str:
    found = study_pages(store)["noisy"].page(title)
    assert found is not None
    return f"{served}/studies{found.path}"


def test_our_page_lists_the_studies_and_asks_nobody_else(served: str, browser: Browser) -> None:
    browser.calls.clear()
    links = shown(
        browser, f"{served}/studies/", "[...document.querySelectorAll('nav a')].map((a) => a.href)", 5
    )
    assert links[0].startswith(f"{served}/#/experiments/")
    assert browser.ask("document.querySelector('h2').textContent") == "noisy"
    assert set(browser.calls) <= {"about:blank", f"{served}/studies/"}
    assert browser.complaints == []
    elsewhere = requests.get(f"{served}/studies/", headers={"Host": "elsewhere.example"}, timeout=60)
    assert elsewhere.status_code == 403  # a page of another site, whose name leads here


def test_arms_open_in_the_studys_order_with_their_verdicts(served: str, browser: Browser, ran: Store) -> None:
    address = page(served, ran, "arms")
    assert shown(browser, address, texts(".ag-pinned-left-cols-container [role=row] a"), 4) == ARMS
    heads = seen(browser, texts(".ag-header-viewport [role=columnheader][col-id*='`']"), 8)
    words = ["mean.error", "difference.error", "p.error", "verdict.error", f"mean.{LONG}"]
    assert heads[:8] == ["width", "n", "against", *words]
    first = seen(browser, texts(".ag-center-cols-container [row-index='0'] [role=gridcell]"), 8)
    tags = arms_of(ran, "noisy")[0].data.tags
    assert first[:8] == ["64", "6", "baseline arm", *(tags[name] for name in words)]
    assert "worse" in first
    boxes = texts("[col-id='tags.`verdict.error`']").replace(
        "textContent.trim()", "getBoundingClientRect().right"
    )
    assert max(browser.ask(boxes)) <= 1440  # without scrolling
    assert complaints_of_ours(browser) == []


def test_mean_curves_are_what_their_link_opens_on(served: str, browser: Browser, ran: Store) -> None:
    lines = "[...document.querySelectorAll('.js-plotly-plot .scatterlayer path.js-line')].map((one) => 1)"
    shown(browser, page(served, ran, "mean curves"), lines, 4)
    rows = browser.ask(texts("[role=row]"))
    groups = [row.partition("Group: ")[2] for row in rows if "Group: " in row]
    assert groups == [f"{arm}6" for arm in ARMS]  # each with its number of runs, and none of them open
    assert complaints_of_ours(browser) == []


def test_the_compare_page_has_the_arms_side_by_side(served: str, browser: Browser, ran: Store) -> None:
    cells = "[...document.querySelectorAll('th')].find((one) => one.textContent === 'Run Name:')"
    names = f"[...(({cells})?.parentNode.querySelectorAll('td') ?? [])].map((one) => one.textContent)"
    assert shown(browser, page(served, ran, "compare arms"), names, 4) == ARMS
    assert complaints_of_ours(browser) == []


def test_the_picture_of_an_arm_is_drawn(served: str, browser: Browser, ran: Store) -> None:
    run = arms_of(ran, "noisy")[0].info
    address = f"{served}/studies/#/experiments/{run.experiment_id}/runs/{run.run_id}/artifacts/effects.png"
    widths = (
        "[...document.images].filter((one) => one.src.startsWith('blob:')).map((one) => one.naturalWidth)"
    )
    assert shown(browser, address, f"({widths}).filter(Boolean)")[0] > 300
