"""What libraries do without a word to what we read and write, and that it changes nothing of ours.

docs/decisions/0034-silent-defaults.md lists it, with the test of each.
"""

import csv
import io
import json
import math
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric

import ablation
from ablation import Measure, Run, Study, Tracked, UserError
from ablation.fingerprint import fingerprint
from ablation.report.data_files import as_csv, items_csv
from ablation.report.export import read as read_results
from ablation.runner.ledger import Ledger
from ablation.runner.results import results
from ablation.runner.scheduler import run_study
from ablation.stats.cells import planned
from ablation.stats.items import means_of_items, paired
from ablation.tracking import journal_on_disk as disk
from ablation.tracking.artifacts import artifact
from ablation.tracking.read import cell_runs, items_of, metrics_of
from ablation.tracking.recording import Label, recording
from ablation.tracking.store import Store
from doubles_suite import BASELINE, Tiny, tiny_study
from engines import InlineEngine

ROOT = Path(__file__).parents[1]
DECISION = ROOT / "docs" / "decisions" / "0034-silent-defaults.md"
LABELS = [
    *("NA", "nan", "None", "null", "", " a ", "a\rb", "a\nb", "a\r\nb", '"', "a,b", "a;b", "007", "7", "1.0"),
    *("\ufeffa", "é", "e\u0301", "#a", "=1+1", "\u2028", "\\", "\t", "\x85"),
]


# The list itself.


def test_every_default_of_the_list_names_tests_that_are_there() -> None:
    rows = [line for line in DECISION.read_text().splitlines() if line.startswith("| ") and "---" not in line]
    rows = [row for row in rows if not row.startswith("| Silent default")]
    assert len(rows) > 40
    for row in rows:
        assert row.count(" | ") == 3, row
        held = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", row.rpartition(" | ")[2])
        assert held, row
        for file, name in held:
            content = (ROOT / file).read_text()
            assert not name or f"\ndef {name}(" in content, (file, name)
        for file in re.findall(r"`([\w/]+\.py)`", row.split(" | ")[1]):
            assert (ROOT / "ablation" / file).exists(), row


# MLflow, of runs that exist already.


@pytest.fixture
def foreign(blank: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[MlflowClient, str, Store]:
    """A client of an MLflow of others, with the experiment "vision", and where it lies."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    shutil.copy(blank / "mlflow.db", tmp_path)
    client = MlflowClient(tracking_uri=f"sqlite:///{tmp_path / 'mlflow.db'}")
    place = client.create_experiment("vision", artifact_location=str(tmp_path / "files"))
    for model in ("a", "b"):
        for seed in range(2):
            add(client, place, {"model": model, "seed": seed}, [0.5 + seed / 10])
    return client, place, Store(tmp_path)


def add(
    client: MlflowClient, place: str, params: Mapping[str, object], curve: list[float], **tags: str
) -> str:
    run_id = str(client.create_run(place, tags=tags).info.run_id)
    for name, value in params.items():
        client.log_param(run_id, name, value)
    client.log_batch(run_id, [Metric("accuracy", value, 0, n) for n, value in enumerate(curve)])
    client.set_terminated(run_id)
    return run_id


def a_study(**changes: Any) -> Study:
    settings: dict[str, Any] = {
        "question": "?",
        "source": "a double",
        "runs": Tracked("mlflow:vision"),
        "baseline": {"model": "a"},
        "arms": {"b": {"model": "b"}},
        "measures": {"accuracy": Measure("higher", matters=0.01)},
        "name": "vision",
    }
    return Study(**(settings | changes))


def said(found: Any) -> str:
    return " ".join(found.remarks)


def test_runs_that_were_deleted_are_counted(foreign: tuple[MlflowClient, str, Store]) -> None:
    client, place, store = foreign
    for seed in (2, 3):
        client.delete_run(add(client, place, {"model": "b", "seed": seed}, [0.9]))
    found = read_results(a_study(), store)
    assert len(found.cells) == 4
    assert "2 runs of the experiment were deleted in MLflow and are left out." in said(found)


def test_a_run_of_no_arm_is_named_by_its_parameters_or_by_those_nested_in_it(
    foreign: tuple[MlflowClient, str, Store],
) -> None:
    client, place, store = foreign
    parent = add(client, place, {"model": "a", "seed": 0}, [])
    add(client, place, {"model": "c", "seed": 0}, [0.5], **{"mlflow.parentRunId": parent})
    assert (
        "2 of 6 runs are of no arm of the study and left out: other runs are nested in it (1 run) and "
        "model = 'c' (1 run)." in said(read_results(a_study(), store))
    )


def test_a_parameter_that_mlflow_cut_is_named(foreign: tuple[MlflowClient, str, Store]) -> None:
    client, place, store = foreign
    for model, end in (("a", "x"), ("b", "y")):
        made = add(client, place, {"model": model, "seed": 2, "config": "w" * 7000 + end}, [0.5])
        assert len(client.get_run(made).data.params["config"]) == 6000
    found = read_results(a_study(), store)
    assert "MLflow keeps 6000 characters of a parameter, and config may have had more" in said(found)


def test_the_last_value_is_that_of_the_highest_step_whatever_it_is(
    foreign: tuple[MlflowClient, str, Store],
) -> None:
    client, place, store = foreign
    for seed, curve in enumerate([[0.9, 0.1], [0.9, math.nan], [0.9, math.inf], [math.nan, 0.3]], 2):
        for model in ("a", "b"):
            add(client, place, {"model": model, "seed": seed}, curve)
    late = add(client, place, {"model": "a", "seed": 6}, [])
    client.log_batch(late, [Metric("accuracy", 0.7, 9, 5), Metric("accuracy", 0.2, 99, 1)])
    same = add(client, place, {"model": "b", "seed": 6}, [])
    client.log_batch(same, [Metric("accuracy", 0.7, 9, 5), Metric("accuracy", 0.2, 9, 5)])
    cells = read_results(a_study(), store).cells
    values = cells[cells.seed > 1].groupby("seed").accuracy.agg(list).to_dict()
    np.testing.assert_equal(
        values,
        {2: [0.1, 0.1], 3: [math.nan] * 2, 4: [math.inf] * 2, 5: [0.3, 0.3], 6: [0.7, 0.7]},
    )
    gaps = "baseline, seed 3 ({}), b, seed 3 ({}), baseline, seed 4 ({}) and b, seed 4 ({})"
    four = cells[cells.seed.isin([3, 4])].run_id
    assert f"Finished, but without a finite accuracy: {gaps.format(*four)}." in said(
        read_results(a_study(), store)
    )


def test_parameters_are_texts_that_are_read_as_settings_are_declared(
    foreign: tuple[MlflowClient, str, Store],
) -> None:
    client, place, store = foreign
    declared: dict[str, object] = {"none": None, "true": True, "half": 0.5, "NA": "n/a", "list": (64, 32)}
    for value in (None, True, 0.50, "n/a", [64, 32], {"a": 1}, " NA"):
        add(client, place, {"model": "c", "seed": 0, "x": value}, [0.5])
    arms = {name: {"model": "c", "x": value} for name, value in declared.items()}
    study = a_study(baseline={"model": "c", "x": 0.5}, arms=arms)
    found = read_results(study, store)
    assert sorted(found.cells.arm) == sorted(declared)
    assert """x = "{'a': 1}" (1 run) and x = ' NA' (1 run)""" in said(found)
    add(client, place, {"model": "d", "seed": 0, "x": 1}, [0.5])
    both = {"one": {"model": "d", "x": 1}, "text": {"model": "d", "x": "1"}}
    with pytest.raises(UserError, match=r"is a run of the arms 'one' and 'text'"):
        read_results(a_study(baseline=both["one"], arms=both), store)


# MLflow, of our own runs.


def a_label(number: int = 0) -> Label:
    return Label("small", "slow", number, f"{number:016x}", "fedcba9876543210", f"{number:016x}")


def test_of_two_values_in_one_millisecond_the_later_is_the_last(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ablation.tracking.recording.Journal._now", lambda journal: journal.record.started)
    with recording(store, store.experiment("small", {}), a_label(), Tiny(), BASELINE) as run:
        for value in (0.9, 0.1):
            run.log({"miss": value}, 0)
        run.finish({"miss": 0.1})
    assert metrics_of(store, run.run_id) == {"miss": 0.1}  # MLflow shows the larger


def test_a_step_that_is_no_whole_number_is_refused(store: Store) -> None:
    with (
        pytest.raises(UserError, match=r"run.log wants a whole number as the step, but got 1.5"),
        recording(store, store.experiment("small", {}), a_label(), Tiny(), BASELINE) as run,
    ):
        run.log({"loss": 0.5}, 1.5)  # type: ignore[arg-type]


def test_a_long_setting_is_cut_in_mlflow_alone(store: Store) -> None:
    settings = {**BASELINE, "note": "x" * 7000}
    with recording(store, store.experiment("small", {}), a_label(), Tiny(), settings) as run:
        run.finish({"miss": 0.1})
    assert len(store.client.get_run(run.run_id).data.params["note"]) == 6000
    assert json.loads(artifact(store, run.run_id, "settings.json") or "") == settings
    other = {**BASELINE, "note": "x" * 6999 + "y"}
    assert fingerprint(Tiny(), settings, 0, "d") != fingerprint(Tiny(), other, 0, "d")


def test_numbers_of_a_run_are_kept_to_the_last_bit_whatever_they_are(store: Store) -> None:
    odd = {"a": 0.1 + 0.2, "b": math.nan, "c": math.inf, "d": -math.inf, "e": 5e-324, "f": 1e300, "g": -1 / 3}
    with recording(store, store.experiment("small", {}), a_label(), Tiny(), BASELINE) as run:
        run.log(odd, 0)
        run.finish(odd)
    np.testing.assert_equal(metrics_of(store, run.run_id), odd)
    frame = cell_runs(store, "small")
    np.testing.assert_equal(frame[[*odd]].iloc[0].to_dict(), odd)


def test_a_run_in_the_journal_keeps_what_json_has_no_word_for(store: Store) -> None:
    entry = disk.make_entry(store, "0" * 16)
    odd = {"a": math.nan, "b": math.inf, "c": 0.1 + 0.2, "\u2028": 1.0}
    disk.Record("0" * 16, "small", "", {"a": "\ud7ff\n"}, {"1": "2"}, {}, 5, metrics=odd).write(entry)
    disk.append(entry, [(name, value, 1, 2) for name, value in odd.items()])
    back = disk.read(entry)
    np.testing.assert_equal(back.metrics, odd)
    np.testing.assert_equal([value for _, value, _, _ in back.points], [*odd.values()])
    assert (back.tags, back.params) == ({"a": "\ud7ff\n"}, {"1": "2"})


def test_a_metric_name_that_mlflow_refuses_is_said_of_its_cell(store: Store) -> None:
    failed: dict[str, str] = {}

    def train(settings: Mapping[str, Any], seed: int) -> dict[str, float]:
        return {"error": 0.5, "50 %": 1.0}

    study = own(train, baseline={"x": 1}, arms={"b": {"x": 2}})
    run_study(study, store, InlineEngine(), 1, notify=lambda progress: failed.update(progress.failed))
    assert failed.keys() == {"baseline, seed 0", "b, seed 0"}
    assert all("MLflow does not take the result" in why for why in failed.values())
    assert set(results(study, store).state) == {"missing"}


# Labels of items, and texts in CSV.


def test_labels_of_items_come_back_as_they_went(store: Store) -> None:
    given = pd.DataFrame({"measure": "gain", "item": LABELS, "group": LABELS[::-1], "value": 0.1 + 0.2})
    given.loc[3:5, "value"] = math.nan, math.inf, 1e-300
    with recording(store, store.experiment("small", {}), a_label(), Tiny(), BASELINE) as run:
        run.items(given[:7])
        run.items(given[7:])
        run.finish({"gain": 1.0})
    back = items_of(store, cell_runs(store, "small").assign(state="complete"))
    pd.testing.assert_frame_equal(back[["measure", "item", "group", "value"]].astype(given.dtypes), given)


def test_texts_come_back_from_our_own_csv() -> None:
    text = as_csv(["a", "b", "c"], [(label, (1, label), 0.1 + 0.2) for label in LABELS])
    rows = [*csv.reader(io.StringIO(text, newline=""), strict=True)]
    assert rows == [["a", "b", "c"], *([label, f"1 {label}", "0.30000000000000004"] for label in LABELS)]
    assert as_csv(["a"], [[1]]) == "a\n1\n"
    items = pd.DataFrame(
        {"group": "", "item": [one for one in LABELS if one[:1] not in ("=", "\t")], "value": 0.5}
    )
    back = pd.read_csv(io.BytesIO(items_csv(items).encode()), dtype=str, keep_default_na=False)
    assert back["item"].tolist() == items["item"].tolist()
    plain = items[~items["item"].str.contains("\r")]
    assert '"7"' not in items_csv(plain)


def test_a_value_that_is_none_makes_the_mean_of_its_items_none() -> None:
    items = pd.DataFrame(
        {"measure": ["a", "a", "b"], "group": "", "item": [*"xyz"], "value": [1.0, math.nan, 2.0]}
    )
    np.testing.assert_equal(means_of_items(items), {"a": math.nan, "b": 2.0})


def test_items_pair_by_their_labels_alone() -> None:
    rows = [(arm, seed, "m", group, item, seed + len(arm)) for arm in ("a", "bb") for seed in (0, 1)
            for group, item in (("NA", "1"), ("", "1"), ("nan", "01"), ("NA", "é"))]  # fmt: skip
    items = pd.DataFrame(rows, columns=["arm", "seed", "measure", "group", "item", "value"])
    table, clusters, others = paired(items.sample(frac=1, random_state=1), "m", [0, 1], ["a", "bb"])
    assert table.shape == (2, 4, 2)
    assert len(set(clusters.tolist())) == 3  # NA is a group, and "" is none
    assert others == 0


# Settings: Optuna, JSON.


def own(train: Any, **changes: Any) -> Study:
    settings: dict[str, Any] = {
        "name": "own", "question": "?", "source": "?", "train": train, "seeds": 1,
        "measures": {"error": Measure("lower", matters=0.1)},
    }  # fmt: skip
    return Study(**(settings | changes))


def kinds(settings: Mapping[str, Any], seed: int, run: Run) -> dict[str, float]:
    """Which type the setting came as."""
    return {"error": float(["bool", "int", "float", "str", "NoneType"].index(type(settings["x"]).__name__))}


def test_settings_that_optuna_takes_for_one_are_two(store: Store) -> None:
    arms = {
        name: {"x": value, "y": n}
        for n, (name, value) in enumerate({"int": 1, "float": 1.0, "str": "1", "none": None}.items())
    }
    study = own(kinds, baseline={"x": True, "y": -1}, arms=arms)
    run_study(study, store, InlineEngine(), 1)
    cells = results(study, store)
    assert cells.set_index("arm").error.to_dict() == {
        "baseline": 0.0,
        "int": 1.0,
        "float": 2.0,
        "str": 3.0,
        "none": 4.0,
    }
    ledger = Ledger.open(store, study)
    assert ledger is not None
    assert [*ledger.states()] == cells.fingerprint.tolist()
    with pytest.raises(UserError, match="have equal settings: drop one of them"):
        own(kinds, baseline={"x": 0}, arms={"int": {"x": 1}, "float": {"x": 1.0}})


ODD = {0: 0.5, 1: math.nan, 2: math.inf, 3: -math.inf}


def not_finite(settings: Mapping[str, Any], seed: int) -> dict[str, float]:
    return {"error": ODD[settings["x"]]}


def test_a_measure_that_is_not_finite_is_a_gap_with_a_name_and_is_not_tried_again(store: Store) -> None:
    study = own(
        not_finite, baseline={"x": 0}, arms={name: {"x": n} for name, n in (("a", 1), ("b", 2), ("c", 3))}
    )
    assert run_study(study, store, InlineEngine(), 1).trained == 4  # Optuna fails a trial of NaN
    assert run_study(study, store, InlineEngine(), 1).there == 4
    found = read_results(study, store)
    assert set(found.cells.state) == {"complete"}
    np.testing.assert_equal(found.cells.error.tolist(), [*ODD.values()])
    assert (
        "Complete, but without a finite error, and left out of it: a, seed 0, b, seed 0 and c, seed 0."
        in (found.analysis.caveats)
    )
    assert all(e.estimate.n == 0 for e in found.analysis.effects)


def test_a_plan_comes_back_from_optuna_as_json_has_it(store: Store) -> None:
    study = own(kinds, baseline={"x": 1, "layers": (64, 32), "none": None}, arms={"b": {"x": 2}})
    run_study(study, store, InlineEngine(), 1)
    done = cell_runs(store, "own")
    run_study(study, store, InlineEngine(), 1)  # the plan is unchanged, and nothing is computed again
    pd.testing.assert_frame_equal(cell_runs(store, "own"), done)


def test_fingerprints_tell_values_apart_that_look_alike() -> None:
    def of(value: object) -> str:
        return fingerprint(Tiny(), {"x": value}, 0, "d")

    alike = [True, 1, 1.0, "1", "True", None, "None", "", (1,), "[1]", float("nan"), float("inf"), "NaN"]
    assert len({of(one) for one in alike}) == len(alike)
    long = np.zeros(5000)
    changed = long.copy()
    changed[2500] = 1.0  # numpy's text leaves it out
    assert str(long) == str(changed)
    assert of(long) != of(changed)
    assert of((1, 2)) == of([1, 2])


def test_a_seed_stays_whole_beside_cells_without_a_run() -> None:
    study = tiny_study(seeds=3)
    columns = ["arm", "seed", "state", "fingerprint", "run_id", "miss", "gain"]
    frame = pd.DataFrame([("slow", 1, "complete", "f", "r", 0.5, 0.5)], columns=columns)
    cells = planned(study, frame, 3)
    assert [*zip(cells.arm, cells.seed, strict=True)] == [(c.arm, c.seed) for c in study.cells(3)]
    assert cells.seed.map(type).eq(int).all()
    assert cells.state.tolist().count("missing") == 5


def test_a_data_frame_that_is_analysed_is_left_as_it_was() -> None:
    rows = [(m, s, 0.5 + s / 10) for s in range(5) for m in "ab"]
    there = pd.DataFrame(rows, columns=["model ", "seed", "accuracy"], index=pd.Index(range(10), name="n"))
    before = there.copy(deep=True)
    ablation.analyse(there, arm="model", baseline="a", measures={"accuracy": Measure("higher", matters=0.1)})
    pd.testing.assert_frame_equal(there, before)
