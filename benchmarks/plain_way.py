"""A study by this package against the same study by plain Optuna and MLflow, in wall time from a cold start.

    python benchmarks/plain_way.py [--seeds 2] [--workers 2] [--quick]

Ours is `ablation run latent_size`, with its checks, common evaluation, probe, pictures, weights and table.
The other is `plain_study`, what a user would write in an afternoon: `enqueue_trial` and `optimize` in one
process with torch's own number of threads, a run in MLflow a cell with its settings, its curves every pass,
its test numbers and its model, over a Dataset of tensors in memory and a DataLoader. Each is one command with
an empty store. Lightning and Hydra are no part of it: neither is a dependency here. Of this package the plain
way takes what is compared, and no way of doing it: the arms, the images and their split, the initial weights.

Equal: arms, seeds, the network and its initial weights, batch, optimiser and rate, loss, images, split,
originals and copies in a pass, passes, what is logged after each pass. Not equal: the plain way draws its
copies at every access (ours once, by transforms of the same strengths), writes the network in torch's own
layers, has no channels-last, no fused Adam and no fixed order, and does not probe, measure the common faces,
draw pictures or check anything.
It is spared what MLflow would take by default to infer the requirements of a model, seconds a cell.
"""

import argparse
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import mlflow
import optuna
import torch
from apart import seconds_of
from reached import Reached, show
from report_way import PlainAutoencoder
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from workers import command

from ablation import catalogue
from ablation.emoji.data.classes import class_names, classify
from ablation.emoji.data.sources import load
from ablation.emoji.data.split import Items, split
from ablation.emoji.model import Autoencoder
from ablation.emoji.spec import RunSpec
from ablation.settings import flat
from ablation.study import Cell

FASTER = 2.0


class Pictures(Dataset):  # type: ignore[type-arg]
    """Tensors in memory, a copy augmented at every access."""

    def __init__(self, pixels: Tensor, labels: Tensor, items: Items, spec: RunSpec) -> None:
        self.pixels, self.labels, self.copy = pixels[items.index] / 255, labels[items.index], items.copy
        strength = spec.augment
        self.augment = transforms.Compose(
            [
                transforms.RandomHorizontalFlip(strength.flip),
                transforms.RandomRotation(strength.rotation_degrees),
                transforms.ColorJitter(
                    strength.brightness, strength.contrast, strength.saturation, strength.hue
                ),
            ]
        )

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        image = self.pixels[index]
        return (self.augment(image) if self.copy[index] else image), self.labels[index]


def losses(
    model: PlainAutoencoder, images: Tensor, labels: Tensor, weight: float
) -> tuple[Tensor, dict[str, float]]:
    """What is minimised, and its parts; at weight 0 the classifier learns from a code it cannot change."""
    output = model(images, weight == 0)
    mse, cross_entropy = F.mse_loss(output.reconstruction, images), F.cross_entropy(output.logits, labels)
    right = (output.logits.argmax(1) == labels).float().mean()
    parts = {"mse": mse.item(), "cross_entropy": cross_entropy.item(), "accuracy": right.item()}
    return mse + (weight or 1.0) * cross_entropy, parts


def means(side: str, sums: Mapping[str, float], count: int) -> dict[str, float]:
    """Of an image, by the metric's name."""
    return {f"{side}_{name}": value / count for name, value in sums.items()}


def measured(side: str, model: PlainAutoencoder, loader: DataLoader) -> dict[str, float]:  # type: ignore[type-arg]
    """Losses and accuracy on a set."""
    sums: dict[str, float] = defaultdict(float)
    model.eval()
    with torch.no_grad():
        for images, labels in loader:
            for name, value in losses(model, images, labels, 1.0)[1].items():
                sums[name] += value * len(images)
    return means(side, sums, len(loader.dataset))  # type: ignore[arg-type]


def network(spec: RunSpec, seed: int) -> PlainAutoencoder:
    """The plain network with the initial weights of `ablation run`."""
    classes = len(class_names(spec.data.classes))
    made = PlainAutoencoder(spec.model, classes)
    made.load_state_dict(Autoencoder(spec.model, classes, seed).state_dict())
    return made


def train(spec: RunSpec, seed: int) -> tuple[PlainAutoencoder, float]:
    """Train inside the active run; the model and its test error."""
    images = load(spec.data.sources)
    labels = torch.tensor(classify(images, spec.data.classes))
    sets = split(images, spec.data, spec.augment.copies, seed)
    learning, validation, test = (
        DataLoader(
            Pictures(images.pixels, labels, items, spec), spec.train.batch_size, shuffle=items is sets.train
        )
        for items in (sets.train, sets.validation, sets.test)
    )
    model = network(spec, seed)
    optimizer = torch.optim.Adam(model.parameters(), spec.train.lr, weight_decay=spec.train.weight_decay)
    steps = epoch = 0
    while epoch < spec.train.epochs or steps < spec.train.steps:
        sums, count = defaultdict[str, float](float), 0
        model.train()
        for pictures, classes in learning:
            loss, parts = losses(model, pictures, classes, spec.train.loss_weight)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            for name, value in parts.items():
                sums[name] += value * len(pictures)
            count, steps = count + len(pictures), steps + 1
            if steps == spec.train.steps:
                break
        epoch += 1
        found = means("train", sums, count) | measured("validation", model, validation)
        mlflow.log_metrics(found, step=epoch)
    final = measured("test", model, test)
    mlflow.log_metrics(final)
    return model, final["test_mse"]


def plain_study(store: Path, seeds: int, quick: bool) -> None:
    """The whole study, by Optuna and MLflow alone, into the folder."""
    declared = catalogue.load("latent_size")
    cells = (declared.smoke() if quick else declared).cells(seeds)
    store.mkdir(parents=True, exist_ok=True)
    root = store.absolute()
    mlflow.set_tracking_uri(f"sqlite:///{root / 'mlflow.db'}")
    mlflow.create_experiment("latent_size", artifact_location=str(root / "artifacts"))
    mlflow.set_experiment("latent_size")
    wanted: dict[tuple[str, int], Cell] = {(cell.arm, cell.seed): cell for cell in cells}

    def objective(trial: optuna.Trial) -> float:
        arm = trial.suggest_categorical("arm", list(dict.fromkeys(cell.arm for cell in cells)))
        seed = trial.suggest_int("seed", 0, seeds - 1)
        spec = wanted[arm, seed].settings
        with mlflow.start_run(run_name=f"{arm}, seed {seed}"):
            mlflow.log_params(flat(spec) | {"seed": seed})
            model, error = train(spec, seed)
            # Without named requirements MLflow looks for them, seconds a model.
            mlflow.pytorch.log_model(
                model, name="model", serialization_format="pickle", pip_requirements=["torch"]
            )
        return error

    trials = optuna.create_study(storage=f"sqlite:///{root / 'optuna.db'}", study_name="latent_size")
    for cell in cells:
        trials.enqueue_trial({"arm": cell.arm, "seed": cell.seed})
    trials.optimize(objective, n_trials=len(cells))


def measure(seeds: int = 2, workers: int = 2, quick: bool = False) -> list[Reached]:
    """Wall seconds of the plain way over ours."""
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        ours = seconds_of(*command(here / "ours", seeds, workers, quick))
        print(f"ours: {ours:.0f} s", flush=True)
        words = [sys.executable, __file__, "--plain", here / "plain", "--seeds", seeds]
        plain = seconds_of(*words, *(["--quick"] if quick else []))
        print(f"the plain way: {plain:.0f} s", flush=True)
    note = f"{seeds} seed(s): ours {ours:.0f} s with {workers} workers, the plain way {plain:.0f} s"
    return [Reached("e", "plain Optuna and MLflow over ours", plain / ours, "×", FASTER, True, note)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="the study's smoke budget")
    parser.add_argument("--plain", type=Path, help="run the plain way alone, into this folder")
    options = parser.parse_args()
    if options.plain:
        plain_study(options.plain, options.seeds, options.quick)
        return
    show(measure(options.seeds, options.workers, options.quick), options.quick)


if __name__ == "__main__":
    main()
