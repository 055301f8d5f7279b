"""Stores of every version open with this one: read, exported as they were, and run for a further seed."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ablation.errors import UserError
from ablation.report.export import publish
from ablation.report.page import report
from ablation.runner.results import results
from ablation.runner.scheduler import run_study
from ablation.study import Study
from ablation.tracking.artifacts import artifact
from ablation.tracking.read import cell_runs
from ablation.tracking.store import FORMAT, TAG, Store
from doubles_suite import KEPT as KEPT_FILE
from doubles_suite import tiny_study
from engines import InlineEngine, folder_of


@pytest.fixture
def latest(store: Store) -> tuple[Study, Store]:
    """A store of this version with a study's runs."""
    study = tiny_study(seeds=1)
    run_study(study, store, InlineEngine(), 1)
    return study, store


@pytest.mark.parametrize(
    ("number", "cure"),
    [
        ("99", "newer ablation .* upgrade ablation"),
        ("3.1", "newer ablation .* upgrade ablation"),
        ("two", "newer ablation .* upgrade ablation"),
        ("2", "older ablation .* read it with the version that wrote it"),
        ("", "older ablation .* read it with the version that wrote it"),
    ],
)
def test_a_store_of_another_format_is_refused_and_left_as_it_is(
    latest: tuple[Study, Store], number: str, cure: str, tmp_path: Path
) -> None:
    study, store = latest
    experiment = store.experiment(study.name, {})
    if number:
        store.client.set_experiment_tag(experiment, TAG, number)
    else:  # as before there were numbers
        with closing(sqlite3.connect(store.root / "mlflow.db")) as database:
            database.execute("DELETE FROM experiment_tags WHERE key = ?", (TAG,))
            database.commit()
    before, trials = folder_of(store.root), (store.root / "optuna.db").read_bytes()
    for action in (
        lambda: run_study(study, Store(store.root), InlineEngine(), 1, seeds=3),
        lambda: results(study, Store(store.root)),
        lambda: publish(study, Store(store.root), tmp_path / "out"),
        lambda: report({study.name: study}, Store(store.root), tmp_path / "page"),
    ):
        with pytest.raises(UserError, match=f"{cure}, or name another --store") as raised:
            action()
        assert f"in format {number or 1}, but this one knows format {FORMAT} alone" in str(raised.value)
    assert folder_of(store.root) == before
    assert (store.root / "optuna.db").read_bytes() == trials


def test_a_new_store_carries_the_number_and_what_others_made_on_a_server_is_not_written_to(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = store.client.get_experiment(store.experiment("new", {"a": "b"}))
    assert (made.tags[TAG], made.tags["a"]) == (FORMAT, "b")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{store.root / 'mlflow.db'}")
    server = Store(tmp_path / "locks")
    server.create()
    server.client.create_experiment("theirs")
    for action in (lambda: server.experiment("theirs", {}), lambda: cell_runs(server, "theirs")):
        with pytest.raises(UserError, match=r"the experiment theirs of .* was not made by this version"):
            action()


def test_a_store_that_was_moved_says_so_and_a_link_to_it_opens_it(
    latest: tuple[Study, Store], tmp_path: Path
) -> None:
    study, store = latest
    before = results(study, store)
    moved = tmp_path / "moved"
    store.root.rename(moved)
    with pytest.raises(UserError, match=f"was moved or copied from {store.root}, .* move it back, or make"):
        results(study, Store(moved))
    store.root.symlink_to(moved)
    for root in (moved, store.root):
        assert results(study, Store(root)).equals(before)
    assert artifact(Store(moved), before.run_id[0], KEPT_FILE)


def stamp(path: Path, number: str) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE alembic_version SET version_num = ?", (number,))
        database.commit()


def test_tables_of_another_version_of_mlflow_are_a_sentence(blank: Path, tmp_path: Path) -> None:
    shutil.copy(blank / "mlflow.db", tmp_path)  # since a process looks at the tables of a file once
    stamp(tmp_path / "mlflow.db", "feedfacefeed")
    with pytest.raises(
        UserError, match=r"of another version of MLflow, whose `mlflow db upgrade` mends older"
    ):
        _ = Store(tmp_path).client


def test_tables_of_another_version_of_optuna_are_a_sentence(latest: tuple[Study, Store]) -> None:
    study, store = latest
    stamp(store.root / "optuna.db", "feedfacefeed")
    with pytest.raises(UserError, match="updating optuna"):
        results(study, Store(store.root))
