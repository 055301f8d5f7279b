"""Fixtures that every test may use; one thread, so that results are bit-equal on every machine."""

import shutil
from pathlib import Path

import pytest
import torch

from ablation.track.store import Store
from doubles import draw_faces

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Parquet of drawn faces."""
    return draw_faces(tmp_path_factory.mktemp("faces") / "faces.parquet")


@pytest.fixture(scope="session")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty store, made once: its schema takes seconds."""
    root = tmp_path_factory.mktemp("blank")
    Store(root).create()
    return root


@pytest.fixture
def store(blank: Path, tmp_path: Path) -> Store:
    """A store of the test's own."""
    return Store(Path(shutil.copytree(blank, tmp_path / "store")))
