"""The files that a run keeps, written into a folder before MLflow takes them."""

import json
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from safetensors.torch import save_file

from ablation.emoji.run import Result
from ablation.emoji.run_pictures import save_composites, save_learning_curves, save_reconstructions
from ablation.emoji.spec import flat
from ablation.tracking.artifacts import COMPOSITION, SPEC, WEIGHTS
from ablation.tracking.origin import origin


def write_weights(result: Result, folder: Path) -> None:
    """Write the trained weights, by their names, as safetensors."""
    weights = {name: tensor.contiguous() for name, tensor in result.model.state_dict().items()}
    save_file(weights, folder / WEIGHTS, metadata={"fingerprint": result.fingerprint})


def write_files(result: Result, folder: Path, how: Mapping[str, str]) -> None:
    """Write pictures, composites, spec and environment; `how` it was trained is a part of the last."""
    save_learning_curves(result.history, folder / "learning_curves.png")
    save_reconstructions(result, folder / "reconstructions.png")
    if result.composition.rows:
        save_composites(result.composition, folder / "composites.png")
        pd.DataFrame(result.composition.rows).to_csv(folder / COMPOSITION, index=False)
    (folder / SPEC).write_text(json.dumps(flat(result.spec), indent=1) + "\n")
    here = origin()
    environment = {"packages": here.packages, "hardware": here.hardware | dict(how), "commit": here.commit}
    (folder / "environment.json").write_text(json.dumps(environment, indent=1) + "\n")
    if here.diff:
        (folder / "git.diff").write_text(here.diff)
