"""Recording: on the disk first, then in MLflow; a run that is begun is ended, whatever ends it."""

import json
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import mlflow
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import BAD_REQUEST

from ablation.errors import UserError
from ablation.experiment import Diverged, Experiment
from ablation.tracking import journal_on_disk as disk
from ablation.tracking import recording as journal
from ablation.tracking.artifacts import artifact
from ablation.tracking.read import (
    cell_runs,
    curve_names,
    curves,
    find,
    items_of,
    mark_killed,
    metrics_of,
    settled,
)
from ablation.tracking.recording import Label, metric_key, recording
from ablation.tracking.reuse import mirror, trained_run, training_of
from ablation.tracking.sender import deliver
from ablation.tracking.store import Store
from doubles_suite import BASELINE, KEPT, STEPS, Tiny
from engines import folder_of

TINY = Tiny()


def label(number: int = 0, study: str = "small") -> Label:
    return Label(study, "slow", number, f"{number:016x}", "fedcba9876543210", f"{number:016x}")


def record(
    store: Store, number: int = 0, study: str = "small", experiment: Experiment = TINY, **more: Any
) -> str:
    """A whole run; its id."""
    place = store.experiment(study, {})
    with recording(store, place, label(number, study), experiment, BASELINE, **more) as run:
        run.finish(experiment.train(BASELINE, number, run))
    return run.run_id


@pytest.mark.parametrize("database", ["a file", "on_postgresql"])
def test_runs_that_name_the_same_new_data_at_one_moment_all_finish(
    tmp_path: Path, database: str, request: pytest.FixtureRequest
) -> None:
    if database == "on_postgresql":
        request.getfixturevalue(database)
    store = Store(tmp_path)
    store.create()
    together = Barrier(4)

    def begin_and_end(experiment: str, seed: int) -> str:
        own = Store(store.root)
        own.client.get_experiment(experiment)  # it is open before the race begins
        together.wait()
        with recording(own, experiment, label(seed), TINY, BASELINE) as run:
            return run.run_id

    for round_ in range(3):  # a data set is new once an experiment
        experiment = store.experiment(f"round {round_}", {})
        with ThreadPoolExecutor(4) as pool:
            ids = list(pool.map(begin_and_end, [experiment] * 4, range(4)))
        assert {store.client.get_run(run_id).info.status for run_id in ids} == {"FINISHED"}
        assert all(len(store.client.get_run(run_id).inputs.dataset_inputs) == 1 for run_id in ids)


@pytest.mark.parametrize(
    "said",
    [
        "(sqlite3.IntegrityError) UNIQUE constraint failed: datasets.digest",
        '(psycopg.errors.UniqueViolation) duplicate key value violates unique constraint "dataset_pk"',
    ],
)
def test_a_lost_race_for_the_data_set_is_tried_again(
    store: Store, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    log_inputs, tries = store.client.log_inputs, []

    def lose_once(run_id: str, **inputs: object) -> None:
        tries.append(run_id)
        if len(tries) == 1:
            raise MlflowException(said, BAD_REQUEST)
        log_inputs(run_id, **inputs)

    monkeypatch.setattr(store.client, "log_inputs", lose_once)
    with recording(store, store.experiment("lost race", {}), label(), TINY, BASELINE) as run:
        pass
    assert len(tries) == 2
    (data,) = store.client.get_run(run.run_id).inputs.dataset_inputs
    assert (data.dataset.name, data.dataset.digest) == ("numbers", "fedcba9876543210")


def test_a_run_that_fails_as_it_begins_is_ended(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(run_id: str, **inputs: object) -> None:
        raise MlflowException("no room on the disk")

    monkeypatch.setattr(store.client, "log_inputs", refuse)
    experiment = store.experiment("failed start", {})
    with (
        pytest.raises(MlflowException, match="no room"),
        recording(store, experiment, label(), TINY, BASELINE),
    ):
        pass
    (run,) = store.client.search_runs([experiment])
    assert (run.info.status, run.data.tags["outcome"]) == ("FAILED", "failed")
    assert folder_of(store.root / "journal") == []


def test_a_run_is_whole_in_mlflow_and_nothing_is_left_in_the_journal(store: Store) -> None:
    run_id = record(store)
    run = store.client.get_run(run_id)
    assert run.data.params == {"rate": "0.1", "width": "1", "note": "plain", "seed": "0"}
    assert run.data.metrics["speed/seconds"] == metrics_of(store, run_id)["seconds"] == 0.01
    assert {"study", "arm", "seed", "fingerprint", "data", "training", "packages"} <= run.data.tags.keys()
    assert "built_on" not in run.data.tags
    kept = {file.path for file in store.client.list_artifacts(run_id)}
    assert {"settings.json", "environment.json", "items.csv", KEPT} <= kept
    assert json.loads(artifact(store, run_id, "settings.json") or "") == dict(BASELINE)
    assert len(store.client.get_metric_history(run_id, "train_loss")) == STEPS
    assert folder_of(store.root / "journal") == []


@pytest.mark.parametrize(
    ("error", "status", "outcome"),
    [
        (ValueError("broken"), "FAILED", "failed"),
        (Diverged("loss is nan"), "FAILED", "diverged"),
        (KeyboardInterrupt(), "KILLED", "killed"),
    ],
    ids=["an error", "diverged", "an interrupt"],
)
def test_a_run_ends_as_its_body_does(store: Store, error: BaseException, status: str, outcome: str) -> None:
    experiment = store.experiment("small", {})
    with (  # noqa: PT012
        pytest.raises(type(error)),
        recording(store, experiment, label(), TINY, BASELINE) as run,
    ):
        run.log({"train_loss": 1.0}, 1)
        raise error
    ended = store.client.get_run(run.run_id)
    assert (ended.info.status, ended.data.tags.get("outcome", "")) == (status, outcome)
    assert ended.data.metrics == {"train_loss": 1.0}
    assert folder_of(store.root / "journal") == []
    known = settled(store, label().fingerprint, experiment)
    assert (known is not None and known.diverged) == (outcome == "diverged")


def test_what_a_dead_process_left_is_dropped_and_its_run_killed(store: Store) -> None:
    experiment = store.experiment("small", {})
    alive = recording(store, experiment, label(), TINY, BASELINE)
    run = alive.__enter__()
    assert run.folder.is_dir()
    assert disk.waiting(store) == []  # it has not ended
    assert deliver(store, label().fingerprint) == ""
    assert mark_killed(store, label().fingerprint) == [run.run_id]
    assert folder_of(store.root / "journal") == []
    with pytest.raises(FileNotFoundError):
        run.log({"train_loss": 1.0}, 1)


def test_a_whole_run_whose_process_died_before_mlflow_had_it_is_delivered_not_computed_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*words: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(mlflow.MlflowClient, "log_artifacts", die)
        with pytest.raises(KeyboardInterrupt):
            record(store)
    fingerprint = label().fingerprint
    assert disk.waiting(store) == [fingerprint]
    (begun,) = find(store, {"fingerprint": fingerprint}, status="RUNNING")
    assert deliver(store, fingerprint) == begun.run_id
    assert artifact(store, begun.run_id, KEPT)
    assert metrics_of(store, begun.run_id)["gain"]


class Same(Tiny):
    """Its final number has the name of a curve."""

    def train(self, settings: Mapping[str, Any], seed: int, run: Any) -> Mapping[str, float]:
        for step in (1, 2, 3):
            run.log({"accuracy": step / 10}, step)
        return {"accuracy": 0.25}


def test_a_final_number_with_the_name_of_a_curve_is_the_last_word_and_no_point(store: Store) -> None:
    run_id = record(store, experiment=Same())
    assert metrics_of(store, run_id)["accuracy"] == 0.25
    runs = cell_runs(store, "small")
    for kept in (True, False):
        if not kept:
            shutil.rmtree(store.root / "cache")
        assert list(curves(store, runs, ["accuracy"]).value) == [0.1, 0.2, 0.3]


def test_metrics_in_sections_are_read_by_their_own_names(store: Store) -> None:
    class Sections(Tiny):
        def section(self, metric: str) -> str:
            return "" if metric == "val/miss" else "some part"

        def train(self, settings: Mapping[str, Any], seed: int, run: Any) -> Mapping[str, float]:
            return {"val/miss": 1.0, "a/b": 2.0, "c": 3.0}

    assert metric_key(Sections(), "c") == "some part/c"
    run_id = record(store, experiment=Sections())
    assert metrics_of(store, run_id) == {"val/miss": 1.0, "a/b": 2.0, "c": 3.0}
    assert cell_runs(store, "small")["a/b"].tolist() == [2.0]


@pytest.mark.parametrize("name", ["failure", "run_id", "seed"])
def test_a_metric_that_is_called_as_something_else_of_a_run_is_refused(store: Store, name: str) -> None:
    experiment = store.experiment("small", {})
    with (
        pytest.raises(UserError, match=f"a metric wants a name of its own, but {name} "),
        recording(store, experiment, label(), TINY, BASELINE) as run,
    ):
        run.finish({name: 1.0})


def test_items_are_read_to_the_last_bit_of_the_run_or_the_one_it_mirrors(store: Store) -> None:
    record(store, 1)
    known = settled(store, label(1).fingerprint, "")
    assert known is not None
    mirror(store, store.experiment("other", {}), label(1, "other"), known, TINY)
    frames = [items_of(store, cell_runs(store, name).assign(state="complete")) for name in ("small", "other")]
    pd.testing.assert_frame_equal(*frames)
    assert list(frames[0].columns) == ["arm", "seed", "measure", "group", "item", "value"]
    number = frames[0].groupby("group").value.median().mean()
    assert number == cell_runs(store, "small").gain[0]
    assert items_of(store, cell_runs(store, "small").assign(state="missing")).empty
    experiment = store.experiment("small", {})
    with (
        pytest.raises(UserError, match=r"run\.items wants the columns .* but the frame has no item"),
        recording(store, experiment, label(2), TINY, BASELINE) as run,
    ):
        run.items(frames[0][["measure", "group", "value"]])


def test_a_mirror_says_what_the_original_says(store: Store) -> None:
    run_id = record(store, 1)
    known = settled(store, label(1).fingerprint, "")
    assert known is not None
    copy = mirror(store, store.experiment("other", {}), label(1, "other"), known, TINY)
    assert metrics_of(store, copy) == metrics_of(store, run_id)
    one, other = cell_runs(store, "small"), cell_runs(store, "other")
    assert other.reused_from.tolist() == [run_id]
    names = curve_names(TINY)
    pd.testing.assert_frame_equal(curves(store, one, names), curves(store, other, names))


def test_a_note_is_a_column_of_the_run_and_of_the_one_that_mirrors_it(store: Store) -> None:
    with recording(store, store.experiment("small", {}), label(), TINY, BASELINE) as run:
        run.note("seen", "'four'\nlike 'five'" + "!" * 1000)
        run.finish({"error": 1.0})
    known = settled(store, label().fingerprint, "")
    assert known is not None
    mirror(store, store.experiment("other", {}), label(study="other"), known, TINY)
    (one,), (other,) = (cell_runs(store, name).note_seen for name in ("small", "other"))
    assert one == other
    assert one.startswith("'four' like 'five'!")
    assert len(one) < 510


def test_a_training_is_found_with_its_file_and_curves_and_locked_while_there_is_none(store: Store) -> None:
    key = label(1).training
    with training_of(store, key, TINY) as none, Store(store.root).free(f"training-{key}") as free:
        assert (none, free) == (None, False)
    run_id = record(store, 1)
    with training_of(store, key, TINY) as trained:
        assert trained is not None
        with Store(store.root).free(f"training-{key}") as free:
            assert free
    assert (trained.run_id, trained.fingerprint) == (run_id, label(1).fingerprint)
    assert json.loads(trained.content)["value"]
    assert [step for step, _ in trained.curves["train_loss"]] == list(range(1, STEPS + 1))
    taker = record(store, 2, trained=trained)
    assert store.client.get_run(taker).data.tags["built_on"] == run_id
    assert artifact(store, taker, KEPT) is None
    assert trained_run(store, label(2).training, TINY) is None  # it trained nothing itself


def test_points_are_sent_every_two_seconds(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment, moments = store.experiment("small", {}), [0.0]
    monkeypatch.setattr(journal.time, "monotonic", lambda: moments[-1])
    with recording(store, experiment, label(), TINY, BASELINE) as run:
        for step, moment in enumerate((0.5, 1.9, 2.1, 3.0), 1):
            moments.append(moment)
            run.log({"train_loss": 1 / step}, step)
            sent = len(store.client.get_metric_history(run.run_id, "train_loss")) if step > 2 else 0
            assert sent == (0, 0, 3, 3)[step - 1]
    assert len(store.client.get_metric_history(run.run_id, "train_loss")) == 4
