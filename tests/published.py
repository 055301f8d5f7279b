"""The studies whose results are published, as their runs were made."""

from pathlib import Path

import pandas as pd

from ablation import Study, catalogue
from ablation.runner.tune import confirmation

RESULTS = sorted((Path(__file__).parents[1] / "docs" / "results").glob("*/runs.csv"))


def declared(folder: Path) -> Study:
    """The study whose results the folder has; of tuned settings, those that its trials chose."""
    study = catalogue.load(folder.name.removesuffix("-tuned"))
    if not folder.name.endswith("-tuned"):
        return study
    against = confirmation(study, pd.read_csv(folder / "tune_trials.csv"))
    assert against is not None
    return against
