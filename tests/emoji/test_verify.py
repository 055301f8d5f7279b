"""Verification: what was recorded comes out again, and what was changed since is named."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from ablation.errors import UserError
from ablation.runner.engines import together
from ablation.runner.engines.together import TogetherEngine
from ablation.runner.results import results
from ablation.runner.scheduler import run_study
from ablation.runner.verify import verify
from ablation.study import Study
from ablation.tracking.store import Store
from doubles import small_study
from engines import InlineEngine


@pytest.fixture
def one_thread() -> Iterator[None]:
    """As a worker has; `InlineEngine` computes in this process."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def ran(faces: Path, tmp_path: Path, one_thread: None) -> tuple[Study, Store]:
    study, store = small_study(faces), Store(tmp_path / "store")
    run_study(study, store, InlineEngine(), workers=1)
    return study, store


def test_a_cell_of_every_arm_comes_out_the_same(ran: tuple[Study, Store]) -> None:
    study, store = ran
    torch.set_num_threads(2)  # the number of the process that asks changes nothing, and is left as it was
    found = list(verify(study, store))
    assert [(v.cell.arm, v.cell.seed) for v in found] == [(arm, 0) for arm in study.arms]
    assert all(v.equal and v.kept and not v.files for v in found)
    assert not any(v.elsewhere for v in found)
    assert torch.get_num_threads() == 2


def test_a_number_that_was_changed_is_named_and_elsewhere_a_near_one_will_do(
    ran: tuple[Study, Store],
) -> None:
    study, store = ran
    frame = results(study, store).set_index("arm")
    run, mse = frame.run_id["latent 4"].iloc[0], frame.test_mse["latent 4"].iloc[0]
    store.client.log_metric(run, "test_mse", mse * 1.01)
    first, second = verify(study, store)
    assert first.equal
    assert not second.kept
    assert second.differing == {"test_mse": (pytest.approx(mse * 1.01), mse)}
    store.client.set_tag(run, "processor", "another")
    _, second = verify(study, store)
    assert second.elsewhere == ("processor",)
    assert second.kept
    assert not second.equal
    store.client.log_metric(run, "test_mse", mse * 1.1)
    _, second = verify(study, store)
    assert not second.kept


def test_other_weights_are_seen_though_every_number_agrees(ran: tuple[Study, Store], tmp_path: Path) -> None:
    study, store = ran
    frame = results(study, store).set_index("arm")
    one, other = (frame.run_id["latent 8"].iloc[n] for n in range(2))
    taken = store.client.download_artifacts(other, "model.safetensors", str(tmp_path))
    store.client.log_artifact(one, taken)
    first, _ = verify(study, store)
    assert first.differing == {}
    assert first.files == ("model.safetensors",)
    assert not first.kept


def test_cells_that_were_trained_together_are_near_and_said_to_be(
    faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(together, "QUIET_SECONDS", 60)  # no lone cell where handing out takes long
    study, store = small_study(faces), Store(tmp_path / "store")
    run_study(study, store, TogetherEngine, 4)
    for found in verify(study, store):
        assert found.elsewhere == ("trained with others",)
        assert found.kept


def test_a_study_that_was_never_run_is_a_mistake(faces: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no runs"):
        list(verify(small_study(faces), Store(tmp_path / "none")))
