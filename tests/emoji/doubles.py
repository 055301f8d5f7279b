"""Small named doubles: pictures, settings and a study that train in a second, and the record of a run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ablation.claims import Claim, Difference
from ablation.emoji.protocols import joint
from ablation.emoji.spec import RunSpec
from ablation.experiment import Trained
from ablation.settings import vary
from ablation.study import Study

if TYPE_CHECKING:
    from PIL import Image

    from ablation.emoji.data.images import Images

HAPPY, SAD, OTHER = 20, 15, 10


def draw_faces(path: Path, seed: int = 0) -> Path:
    """A Parquet of round faces that smile, cry or do neither, each in a colour of its own."""
    import datasets  # of the extra emoji, which the declarations below do without

    rng = np.random.default_rng(seed)
    rows = []
    for kind, count in (("smiling", HAPPY), ("crying", SAD), ("plain", OTHER)):
        for number in range(count):
            rows.append(
                {
                    "image": _face(kind, tuple(int(c) for c in rng.integers(80, 256, 3))),
                    "text": f"{kind} face {number}",
                    "group": "faces",
                    "subgroup": kind,
                    "subject": f"{kind} {number}",
                }
            )
    features = datasets.Features(
        {"image": datasets.Image()} | {name: datasets.Value("string") for name in list(rows[0])[1:]}
    )
    datasets.Dataset.from_list(rows, features=features).to_parquet(path)
    return path


def _face(kind: str, colour: tuple[int, ...]) -> "Image.Image":
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (64, 64), "white")
    pen = ImageDraw.Draw(image)
    pen.ellipse((6, 6, 58, 58), fill=colour)
    start, end = {"smiling": (0, 180), "crying": (180, 360), "plain": (0, 1)}[kind]
    pen.arc((20, 30, 44, 48), start, end, fill="black", width=3)
    return image


def small_spec(parquet: Path) -> RunSpec:
    """The report's joint run on drawn faces, with a network and a budget of a second."""
    return vary(
        joint,
        {
            "data.sources": (str(parquet),),
            "augment.copies": 1,
            "model.channels": (4, 8),
            "model.latent_dim": 8,
            "train.epochs": 2,
        },
    )


def small_study(parquet: Path, **changes: object) -> Study:
    """Two arms of small specs, with one claim."""
    settings: dict[str, object] = {
        "name": "small",
        "question": "Does a latent of 4 do as well as one of 8?",
        "source": "a double",
        "baseline": small_spec(parquet),
        "arms": {"latent 8": {}, "latent 4": {"model.latent_dim": 4}},
        "measures": {"test_mse": 0.01, "test_balanced_accuracy": 0.05},
        "claims": (Claim("a smaller code is worse", Difference("test_mse", "up", "latent 4")),),
        "seeds": 2,
    }
    return Study(**(settings | changes))  # type: ignore[arg-type]


def made(
    texts: list[str],
    subjects: list[str] | None = None,
    groups: list[str] | None = None,
    subgroups: list[str] | None = None,
    vendors: list[str] | None = None,
) -> "Images":
    """Black images with these words."""
    import torch

    from ablation.emoji.data.images import Images

    empty = [""] * len(texts)
    words = {
        "text": texts,
        "group": groups,
        "subgroup": subgroups,
        "subject": subjects or texts,
        "emoji": None,
        "vendor": vendors,
    }
    pixels = torch.zeros(len(texts), 3, 64, 64, dtype=torch.uint8)
    return Images(pixels, **{name: tuple(given or empty) for name, given in words.items()})


@dataclass
class FakeRun:
    """A `Run` in memory: what was recorded can be read off it.

    points: (name, step, value) in the order of logging. artifacts: the bytes of each file by its name.
    """

    folder: Path
    measures: tuple[str, ...] = ()
    trained: Trained | None = None
    accelerator: bool = False
    points: list[tuple[str, int, float]] = field(default_factory=list)
    artifacts: dict[str, bytes] = field(default_factory=dict)
    frames: list[pd.DataFrame] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Note points of curves."""
        self.points += [(name, step, value) for name, value in metrics.items()]

    def artifact(self, path: Path) -> None:
        """Note the file's content."""
        self.artifacts[path.name] = path.read_bytes()

    def note(self, name: str, text: str) -> None:
        """Note the text."""
        self.notes[name] = text

    def items(self, frame: pd.DataFrame) -> None:
        """Note the values of single test items."""
        self.frames.append(frame)

    def left(self, fingerprint: str, kept_file: str, run_id: str = "fake") -> Trained:
        """What the next cell of the same training is given of this run."""
        curves: dict[str, list[tuple[int, float]]] = {}
        for name, step, value in self.points:
            curves.setdefault(name, []).append((step, value))
        return Trained(run_id, fingerprint, self.artifacts[kept_file], curves)
