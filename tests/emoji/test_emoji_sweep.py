"""A study of the network to runs: what a study file of its own cannot show with a double of the suite."""

from pathlib import Path

import datasets
import pytest

from ablation.errors import UserError
from ablation.fingerprint import fingerprint
from ablation.runner.results import results
from ablation.study import Study
from ablation.tracking.store import Store
from doubles import draw_faces, small_study
from engines import InlineEngine
from test_sweep import swept


@pytest.fixture
def study(faces: Path) -> Study:
    return small_study(faces)


def test_a_diverging_network_says_which_rate_to_try(faces: Path, store: Store) -> None:
    arms = {"latent 8": {}, "hot": {"train.lr": 1e6, "train.optimizer": "sgd", "model.output": "linear"}}
    study = small_study(faces, arms=arms, claims=())
    progress = swept(study, store)
    assert progress.trained == 2
    assert all("try a train.lr below 1e+06" in reason for reason in progress.failed.values())
    assert results(study, store).groupby("arm").state.unique().explode().to_dict() == {
        "latent 8": "complete",
        "hot": "diverged",
    }


def test_arms_that_learn_from_different_images_are_told_apart_by_them(
    faces: Path, store: Store, tmp_path: Path
) -> None:
    other = draw_faces(tmp_path / "other.parquet", seed=1)
    arms = {"first": {}, "second": {"data.sources": (str(other),)}}
    study = small_study(faces, arms=arms, claims=(), seeds=1)
    swept(study, store)
    frame = results(study, store).set_index("arm")
    for cell in study.cells():
        version = study.experiment.version(cell.settings)
        assert frame.fingerprint[cell.arm] == fingerprint(study.experiment, cell.settings, cell.seed, version)
        run = store.client.get_run(frame.run_id[cell.arm])
        assert run.data.tags["data"] == version
    assert swept(study, store).there == 2


def test_images_that_change_under_way_fail_their_cells(faces: Path, store: Store, tmp_path: Path) -> None:
    path = tmp_path / "changing.parquet"
    path.write_bytes(faces.read_bytes())

    def change(task: object) -> None:
        draw_faces(path, seed=2)

    progress = swept(small_study(path, seeds=1), store, InlineEngine(change))
    assert progress.trained == 0
    assert all("the data changed while the study ran" in reason for reason in progress.failed.values())


def test_a_measure_that_the_images_cannot_have_is_refused_before_training(
    faces: Path, store: Store, tmp_path: Path
) -> None:
    rows = datasets.Dataset.from_parquet(str(faces), cache_dir=str(tmp_path / "cache"))
    rows.select_columns(["image", "text"]).to_parquet(tmp_path / "plain.parquet")
    study = small_study(tmp_path / "plain.parquet", measures={"probe_accuracy": 0.02}, claims=())
    engine = InlineEngine()
    with pytest.raises(UserError, match="probe_accuracy wants images with subgroups"):
        swept(study, store, engine)
    assert engine.tasks == []


def test_a_run_holds_everything_that_its_reader_wants(study: Study, store: Store) -> None:
    swept(study, store, seeds=1)
    row = results(study, store).iloc[0]
    run = store.client.get_run(row.run_id)
    assert run.data.params["model.latent_dim"] == "8"
    version = study.experiment.version(study.baseline)
    assert run.data.tags["fingerprint"] == fingerprint(study.experiment, study.baseline, 0, version)
    assert run.inputs.dataset_inputs[0].dataset.digest == run.data.tags["data"]
    files = {item.path for item in store.client.list_artifacts(row.run_id)}
    assert {
        "model.safetensors",
        "learning_curves.png",
        "reconstructions.png",
        "settings.json",
        "environment.json",
    } <= files
    curve = store.client.get_metric_history(row.run_id, "validation_mse")
    assert [point.step for point in curve] == [1, 2]
