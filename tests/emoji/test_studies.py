"""The studies of the report: each can be run as declared, and says which arms it has."""

import pytest

from ablation import catalogue
from ablation.runner.recorded_plan import checked_versions


@pytest.mark.parametrize("name", catalogue.builtin())
def test_every_cell_of_every_study_can_be_split_and_measured(name: str) -> None:
    study = catalogue.load(name)
    sources = {study.experiment.source(settings) for settings in study.settings.values()}
    assert checked_versions(study, study.cells()).keys() == sources


@pytest.mark.parametrize("name", catalogue.builtin())
def test_every_study_file_expands_and_names_each_of_its_arms(name: str) -> None:
    study = catalogue.load(name)
    text = " ".join(catalogue.builtin()[name].read_text().split('"""')[1].split())
    assert study.name == name
    assert len(study.cells()) == len(study.settings) * study.seeds
    assert [arm for arm in study.settings if arm not in text] == []
