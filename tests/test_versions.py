"""Stores of every version open with this one: read, exported as they were, and run for a further seed."""

import re
import shutil
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path

import pytest
from ablation.report.publish import publish
from ablation.runner.coordinate import run_study
from ablation.tracking.version import STORE_VERSION, TAG
from typer.testing import CliRunner

import ablation
from ablation import catalogue
from ablation.cli import app
from ablation.cli.progress import duration
from ablation.emoji.weights import model_of
from ablation.errors import UserError
from ablation.report.page import report
from ablation.runner.ledger import Ledger
from ablation.runner.results import results
from ablation.study import Study
from ablation.tracking.artifacts import artifact
from ablation.tracking.store import Store
from engines import InlineEngine, folder_of

STORES = Path(__file__).parent / "stores"
KEPT = sorted(path.parent.name for path in STORES.glob("*/store.tar.gz"))


def unpacked(version: str, to: Path) -> tuple[Study, Store]:
    """The study and the store that are kept of a version, in `to`, which is the working directory."""
    with tarfile.open(STORES / version / "store.tar.gz") as packed:
        packed.extractall(to, filter="data")
    return catalogue.load("small.py"), Store(Path("store"))


@pytest.fixture(params=KEPT)
def opened(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[str, Study, Store]:
    monkeypatch.chdir(tmp_path)
    return (request.param, *unpacked(request.param, tmp_path))


@pytest.fixture
def latest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Study, Store]:
    monkeypatch.chdir(tmp_path)
    return unpacked(ablation.__version__, tmp_path)


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
    pages = report({"small": study}, store, Path("page"), duration)
    assert any("reconstructions" in path.name for path in pages)


def test_and_runs_a_further_seed(opened: tuple[str, Study, Store], tmp_path: Path) -> None:
    version, study, store = opened
    progress = run_study(study, store, InlineEngine(), 1, seeds=3)
    assert (progress.there, progress.trained, progress.failed) == (4, 2, {})
    assert set(results(study, store).state) == {"complete"}
    assert table_of(study, store) == (STORES / version / "table.csv").read_text()
    for run_id in results(study, store).run_id:
        place = Path(store.client.get_run(run_id).info.artifact_uri)
        assert place.is_relative_to(tmp_path)
        assert (place / "model.safetensors").exists()
    experiment = store.client.get_experiment_by_name("small")
    assert experiment.tags[TAG] == str(STORE_VERSION)
    again = InlineEngine()
    assert run_study(study, store, again, 1, seeds=3).there == 6
    assert again.tasks == []


@pytest.mark.parametrize("number", ["99", "3.1", "two"])
def test_a_store_of_a_newer_version_is_refused_and_left_as_it_is(
    latest: tuple[Study, Store], number: str
) -> None:
    study, store = latest
    store.client.set_experiment_tag(store.experiment("small", {}), TAG, number)
    before, trials = folder_of(store.root), Path("store/optuna.db").read_bytes()
    newer = f"wants the newer ablation that wrote it in format {number}, but this one knows formats up to"
    for action in (
        lambda: run_study(study, Store(store.root), InlineEngine(), 1, seeds=3),
        lambda: results(study, Store(store.root)),
        lambda: publish(study, Store(store.root), Path("out")),
        lambda: report({"small": study}, Store(store.root), Path("page"), duration),
    ):
        with pytest.raises(UserError, match=newer):
            action()
    assert folder_of(store.root) == before
    assert Path("store/optuna.db").read_bytes() == trials


def test_a_new_store_carries_the_number_and_an_older_one_until_it_is_written_keeps_its_own(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = store.client.get_experiment(store.experiment("new", {"a": "b"}))
    assert (made.tags[TAG], made.tags["a"]) == (str(STORE_VERSION), "b")
    monkeypatch.chdir(tmp_path)
    _, old = unpacked("unnumbered", tmp_path)
    assert TAG not in old.client.get_experiment_by_name("small").tags
    old.experiment("small", {})
    assert old.client.get_experiment_by_name("small").tags[TAG] == str(STORE_VERSION)


def test_a_copy_of_a_store_writes_into_itself_and_a_link_to_one_changes_nothing(
    latest: tuple[Study, Store], tmp_path: Path
) -> None:
    study, store = latest
    _ = store.client  # unpacked here: it is where it is
    shutil.copytree("store", "copy")
    before = folder_of(store.root)
    run_study(study, Store(Path("copy")), InlineEngine(), 1, seeds=3)
    assert folder_of(store.root) == before
    Path("link").symlink_to("store")
    linked = Store(Path("link"))
    places = {
        Path(run.info.artifact_uri) for run in linked.client.search_runs([linked.experiment("small", {})])
    }
    assert {place.parents[3] for place in places} == {tmp_path / "store"}


def revision(name: str) -> str:
    with closing(sqlite3.connect(Path("store") / name)) as database:
        return str(database.execute("SELECT version_num FROM alembic_version").fetchone()[0])


def stamp(name: str, number: str) -> None:
    with closing(sqlite3.connect(Path("store") / name)) as database:
        database.execute("UPDATE alembic_version SET version_num = ?", (number,))
        database.commit()


def test_mlflows_tables_of_an_older_version_are_upgraded_and_the_old_file_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from alembic import command
    from mlflow.store.db.utils import _get_alembic_config, create_sqlalchemy_engine
    from mlflow.store.tracking.dbmodels.initial_models import Base

    monkeypatch.chdir(tmp_path)
    Path("store/locks").mkdir(parents=True)
    engine = create_sqlalchemy_engine(f"sqlite:///{tmp_path}/store/mlflow.db")
    Base.metadata.create_all(engine)
    config = _get_alembic_config(f"sqlite:///{tmp_path}/store/mlflow.db")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "f5a4f2784254")  # of MLflow 2.13
    engine.dispose()
    store = Store(Path("store"))
    assert store.experiment("x", {})
    assert revision("mlflow.db") != revision("mlflow.db.before-upgrade") == "f5a4f2784254"
    assert list(store.root.glob(".upgrade-*")) == []


def test_optunas_tables_of_an_older_version_are_upgraded_too(latest: tuple[Study, Store]) -> None:
    study, store = latest
    head = revision("optuna.db")
    stamp("optuna.db", "v3.0.0.d")  # after which an index was added, under another name than now
    ledger = Ledger.open(store, study)
    assert ledger is not None
    assert len(ledger.states()) == 4
    assert revision("optuna.db") == head
    assert revision("optuna.db.before-upgrade") == "v3.0.0.d"


@pytest.mark.parametrize(
    ("name", "said"), [("mlflow.db", "wants a newer MLflow"), ("optuna.db", "updating optuna")]
)
def test_tables_of_a_newer_version_are_a_sentence(latest: tuple[Study, Store], name: str, said: str) -> None:
    study, store = latest
    stamp(name, "feedfacefeed")
    with pytest.raises(UserError, match=said):
        results(study, store)
