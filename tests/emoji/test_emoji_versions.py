"""Stores of every version open with this one: read, exported as they were, and run for a further seed."""

import csv
import io
import re
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from typer.testing import CliRunner

import ablation
import make_store
from ablation import catalogue
from ablation.cli import app
from ablation.emoji.weights import model_of
from ablation.report.export import publish
from ablation.report.page import report
from ablation.runner.results import results
from ablation.runner.scheduler import run_study
from ablation.study import Study
from ablation.tracking.artifacts import artifact
from ablation.tracking.store import FORMAT, TAG, Store
from engines import InlineEngine
from make_store import place_of

STORES = Path(make_store.__file__).parent / "stores"
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


def check_same(now: str, then: str) -> None:
    """The rows of `then`, whose numbers may be rounded, and whose words of a verdict may be earlier ones."""
    rows, kept = ([*csv.DictReader(io.StringIO(text))] for text in (now, then))
    assert len(rows) == len(kept) > 0
    for row, old in zip(rows, kept, strict=True):
        assert row.keys() >= old.keys()  # later versions say more
        for name, text in old.items():
            if "." in text:
                decimals = len(text.partition(".")[2])
                assert float(row[name]) == pytest.approx(float(text), abs=0.51 * 10**-decimals), name
            elif name not in ("mark", "verdict"):
                assert row[name] == text, name


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
    check_same(table_of(study, store), (STORES / version / "table.csv").read_text())
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
    check_same(table_of(study, store), (STORES / version / "table.csv").read_text())
    for run_id in results(study, store).run_id:
        place = Path(store.client.get_run(run_id).info.artifact_uri)
        assert place.is_relative_to(Path.cwd())
        assert (place / "model.safetensors").exists()
    experiment = store.client.get_experiment_by_name("small")
    assert experiment.tags[TAG] == FORMAT
    again = InlineEngine()
    assert run_study(study, store, again, 1, seeds=3).there == 6
    assert again.tasks == []
