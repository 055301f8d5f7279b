"""A study of a stranger: a function without a network, two arms, milliseconds a cell."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ablation import Claim, Difference, Experiment, Measure, Run, Study
from ablation.seeds import derive

STEPS = 4
KEPT = "weights.json"


def line(settings: Mapping[str, Any], seed: int) -> float:
    """What the tiny experiment learns: a number that its settings and the seed decide."""
    return float(settings["rate"]) + derive(seed, "line") % 1000 / 1e5


@dataclass(frozen=True)
class Tiny(Experiment):
    """Learns a line: curves loss and accuracy, final miss and gain (by item), a kept file, a data set."""

    name = "tiny"
    measures = {  # noqa: RUF012
        "miss": Measure("lower", "Miss", 3, validation=True),
        "gain": Measure("higher", "Gain", 3),
    }
    curves = {"loss": "Loss", "accuracy": "Accuracy"}  # noqa: RUF012
    machine_metrics = ("seconds",)
    kept_file = KEPT
    strata = True
    exact_files = (KEPT,)
    tolerance = {"miss": 0.05}  # noqa: RUF012

    def train(self, settings: Mapping[str, Any], seed: int, run: Run) -> Mapping[str, float]:
        """Log the curves, keep the files and give the final numbers."""
        learned = run.trained and json.loads(run.trained.content)
        value = learned["value"] if learned else line(settings, seed)
        for step in range(1, STEPS + 1):
            fall = {"train_loss": value / step, "validation_loss": 2 * value / step, "accuracy": 1 - 1 / step}
            run.log(fall, step)
        if run.trained is None:
            (run.folder / KEPT).write_text(json.dumps({"value": value, "of": [dict(settings), seed]}))
            run.artifact(run.folder / KEPT)
        items = [("gain", group, f"item {n}", value * n) for group in ("a", "b") for n in (1, 2, 3)]
        run.items(pd.DataFrame(items, columns=["measure", "group", "item", "value"]))
        return {"miss": value + math.log1p(settings["width"]) / 100, "gain": 2 * value, "seconds": 0.01}

    def training(self, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        """The width changes what is measured, not what is learned."""
        return {**settings, "width": 1}

    def source(self, settings: Mapping[str, Any]) -> str:
        """One data set for all."""
        return "numbers"

    def version(self, settings: Mapping[str, Any]) -> str:
        """Of the data set."""
        return "fedcba9876543210"

    def dataset(self, settings: Mapping[str, Any]) -> Mapping[str, str]:
        """What MLflow shows of it."""
        return {"name": "numbers", "source": json.dumps({"numbers": 1000}), "profile": "{}"}

    def program(self, settings: Mapping[str, Any]) -> str:
        """All cells are one."""
        return self.name

    def train_together(
        self, cells: Sequence[tuple[Mapping[str, Any], int, Run]]
    ) -> Sequence[Mapping[str, float] | Exception]:
        """One after another."""
        return [self.train(*cell) for cell in cells]

    def section(self, metric: str) -> str:
        """Times stand further down."""
        return "speed" if metric == "seconds" else ""


BASELINE: Mapping[str, Any] = {"rate": 0.1, "width": 1, "note": "plain"}


def tiny_study(**changes: object) -> Study:
    """Two arms, of which the second shares no training with the first; one claim."""
    settings: dict[str, object] = {
        "name": "tiny",
        "question": "Does a higher rate miss by more?",
        "source": "a double",
        "train": Tiny(),
        "baseline": BASELINE,
        "arms": {"slow": {}, "fast": {"rate": 0.3}},
        "measures": {"miss": 0.01, "gain": 0.05},
        "claims": (Claim("a higher rate is worse", Difference("miss", "up", "fast")),),
        "seeds": 2,
    }
    return Study(**(settings | changes))  # type: ignore[arg-type]


class FakeRun:
    """A run that is recorded nowhere."""

    accelerator = False
    environment: Mapping[str, str] = {}

    def logged(self) -> tuple[Mapping[str, float], Mapping[str, str]]:
        return {}, {}

    def __init__(self, folder: Path, measures: Sequence[str] = ()) -> None:
        self.folder, self.measures, self.trained = folder, tuple(measures), None
        self.points: list[tuple[dict[str, float], int]] = []
        self.files: list[Path] = []
        self.notes: dict[str, str] = {}
        self.frames: list[pd.DataFrame] = []

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        self.points.append((dict(metrics), step))

    def artifact(self, path: Path) -> None:
        self.files.append(path)

    def note(self, name: str, text: str) -> None:
        self.notes[name] = text

    def items(self, frame: pd.DataFrame) -> None:
        self.frames.append(frame)
