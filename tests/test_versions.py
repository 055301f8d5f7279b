"""Stores of every version open with this one: read, exported as they were, and run for a further seed."""

import re
import shutil
import sqlite3
import tarfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from filelock import FileLock
from typer.testing import CliRunner

import ablation
from ablation import catalogue
from ablation.cli import app
from ablation.emoji.weights import model_of
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
from make_store import place_of

STORES = Path(__file__).parent / "stores"
KEPT = sorted(path.parent.name for path in STORES.glob("*/store.tar.gz"))


@pytest.fixture(scope="module", params=KEPT)
def unpacked(request: pytest.FixtureRequest) -> Iterator[str]:
    """A version, whose store lies where it was made; once a process, since MLflow keeps what it opened."""
    place = place_of(request.param)
    with FileLock(f"{place}.lock"):
        shutil.rmtree(place, ignore_errors=True)
        with tarfile.open(STORES / request.param / "store.tar.gz") as packed:
            packed.extractall(place, filter="data")
        yield request.param
        shutil.rmtree(place)


@pytest.fixture
def opened(unpacked: str, monkeypatch: pytest.MonkeyPatch) -> tuple[str, Study, Store]:
    monkeypatch.chdir(place_of(unpacked))
    return unpacked, catalogue.load("small.py"), Store(Path("store"))


def table_of(study: Study, store: Store, seeds: int = 2) -> str:
    publish(study, store, Path("out"), seeds)
    return Path("out/table.csv").read_text()


def said(*words: str) -> str:
    result = CliRunner().invoke(app, [*words, "--store", "store"], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_there_is_a_small_store_of_every_released_version() -> None:
    log = (STORES.parents[1] / "CHANGELOG.md").read_text()
    released = re.findall(r"^## \[(\d[\w.]*)\]", log, re.M)
    assert {*released, ablation.__version__} <= set(KEPT)
    sizes = {version: (STORES / version / "store.tar.gz").stat().st_size for version in KEPT}
    assert max(sizes.values()) < 300_000


def test_a_store_of_any_version_is_read_as_it_was(opened: tuple[str, Study, Store]) -> None:
    version, study, store = opened
    assert table_of(study, store) == (STORES / version / "table.csv").read_text()
    assert said("status", "small.py").count(": complete seeds 0, 1") == 2
    assert "4 cells are there" in said("plan", "small.py")
    first = results(study, store).run_id[0]
    assert model_of(store, first)[0].model.latent_dim == 4
    assert artifact(store, first, "reconstructions.png") is not None
    pages = report({"small": study}, store, Path("page"))
    assert any("reconstructions" in path.name for path in pages)


def test_and_runs_a_further_seed(opened: tuple[str, Study, Store]) -> None:
    version, study, store = opened
    progress = run_study(study, store, InlineEngine(), 1, seeds=3)
    assert (progress.there, progress.trained, progress.failed) == (4, 2, {})
    assert set(results(study, store).state) == {"complete"}
    assert table_of(study, store) == (STORES / version / "table.csv").read_text()
    for run_id in results(study, store).run_id:
        place = Path(store.client.get_run(run_id).info.artifact_uri)
        assert place.is_relative_to(Path.cwd())
        assert (place / "model.safetensors").exists()
    experiment = store.client.get_experiment_by_name("small")
    assert experiment.tags[TAG] == FORMAT
    again = InlineEngine()
    assert run_study(study, store, again, 1, seeds=3).there == 6
    assert again.tasks == []


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
