"""Fixtures of the emoji's tests; loaded, but not used, where the extra is not installed."""

from pathlib import Path

import pytest

from doubles import draw_faces


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """So that results are bit-equal on every machine."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Parquet of drawn faces."""
    return draw_faces(tmp_path_factory.mktemp("faces") / "faces.parquet")
