"""The network's training after a kill: the same bytes as undisturbed."""

from pathlib import Path

import pytest

import test_kills
from test_kills import undisturbed as undisturbed

STUDY = """
from ablation import Study
from ablation.emoji import joint, vary

small = {{"data.sources": ({parquet!r},), "augment.copies": 3, "model.channels": (8, 16), "train.epochs": 12}}
study = Study(
    question="Does it survive?", source="a double", baseline=vary(joint, small),
    arms={{"latent 128": {{}}, "latent 16": {{"model.latent_dim": 16}}}},
    measures={{"test_mse": 0.01}}, seeds=3,
)
"""


@pytest.fixture(scope="module")
def study_file(tmp_path_factory: pytest.TempPathFactory, faces: Path) -> Path:
    path = tmp_path_factory.mktemp("studies") / "survivor.py"
    path.write_text(STUDY.format(parquet=str(faces)))
    return path


def test_a_killed_process_group_goes_on_to_the_same_bytes(
    study_file: Path, undisturbed: Path, tmp_path: Path
) -> None:
    test_kills.test_a_killed_process_group_goes_on_to_the_same_bytes(study_file, undisturbed, tmp_path)
