"""What a test MSE looks like: `python docs/faces.py` draws docs/results/faces.png again, in two minutes.

Three networks of `confirm_loss_weight` (seed 5, the first of its five folds) draw faces that they were not
trained on. A hash of their names chooses the faces, so that nobody picks them.
"""

from hashlib import sha256
from pathlib import Path

import torch
from matplotlib.figure import Figure

from ablation.emoji import moods, vary
from ablation.emoji.determinism import deterministic
from ablation.emoji.evaluate import reconstruct
from ablation.emoji.run import prepare
from ablation.emoji.train import fit

LAMBDAS = (0.0, 0.5, 50.0)
SEED, FACES = 5, 10
INCHES = 0.62  # of a face


def drawn() -> list[tuple[str, torch.Tensor]]:
    """What each row shows, and its pictures: float32 (FACES, 3, 64, 64) in [0, 1]."""
    rows = []
    for weight in LAMBDAS:
        parts = prepare(vary(moods, {"train.loss_weight": weight}), SEED)
        sets, pixels = parts.pictures.sets, parts.images.pixels
        if not rows:
            tested = sets.test.index.tolist()
            tested.sort(key=lambda index: sha256(parts.images.name(index).encode()).digest())
            real, learned = pixels[tested] / 255, pixels[sets.train.index.unique()] / 255
            mean = learned.mean(0).expand_as(real)
            rows = [("the faces", real), (words("the mean training image", mean, real), mean)]
        for _ in fit(
            parts.model,
            parts.pictures.passes,
            parts.pictures.validation,
            parts.spec.train,
            parts.network_seed,
            parts.spec.augment,
            None,
        ):
            pass
        made = reconstruct(parts.model, pixels[tested]) / 255
        rows.append((words(f"lambda {weight:g}", made, real), made))
    return [(name, pictures[:FACES]) for name, pictures in rows]


def words(name: str, made: torch.Tensor, real: torch.Tensor) -> str:
    """The name of a row, and its error over all test faces of the fold."""
    return f"{name}\nMSE {(made - real).square().mean():.3f}"


def draw(rows: list[tuple[str, torch.Tensor]], to: Path) -> None:
    """A grid of faces, a row of `rows` each, named on the left."""
    figure = Figure(figsize=(1.6 + FACES * INCHES, len(rows) * INCHES))
    grid = figure.subplots(len(rows), FACES)
    figure.subplots_adjust(
        left=1.6 / figure.get_figwidth(), right=1, top=1, bottom=0, wspace=0.04, hspace=0.04
    )
    for (name, pictures), line in zip(rows, grid, strict=True):
        line[0].text(-0.15, 0.5, name, transform=line[0].transAxes, ha="right", va="center", fontsize=8)
        for axes, picture in zip(line, pictures, strict=True):
            axes.imshow(picture.permute(1, 2, 0).clamp(0, 1).numpy(), interpolation="nearest")
            axes.axis("off")
    figure.savefig(to, dpi=100)


if __name__ == "__main__":
    with deterministic():
        draw(drawn(), Path(__file__).parent / "results" / "faces.png")
