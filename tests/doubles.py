"""Small named doubles: pictures, a spec and a study that train in a second."""

from pathlib import Path

import datasets
import numpy as np
from PIL import Image, ImageDraw

from ablation.emoji.protocols import joint
from ablation.emoji.spec import RunSpec, vary
from ablation.study import Claim, Difference, Study

HAPPY, SAD, OTHER = 20, 15, 10


def draw_faces(path: Path, seed: int = 0) -> Path:
    """A Parquet of round faces that smile, cry or do neither, each in a colour of its own."""
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


def _face(kind: str, colour: tuple[int, ...]) -> Image.Image:
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
