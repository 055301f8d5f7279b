"""The study latent_size by plain Optuna and MLflow: what plain_way.py sets beside `ablation run`.

    python benchmarks/plain_study.py --store FOLDER [--seeds 2] [--quick]

Of this package it takes what is compared, and no way of doing it: the arms, the images and their split, the
initial weights.
"""

import argparse
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import mlflow
import optuna
import torch
from plain_network import PlainAutoencoder
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from ablation import catalogue
from ablation.emoji.data.labels import class_names, classify
from ablation.emoji.data.sources import load
from ablation.emoji.data.split import Items, split
from ablation.emoji.model import Autoencoder
from ablation.emoji.spec import RunSpec, flat
from ablation.study import Cell


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


def network(spec: RunSpec) -> PlainAutoencoder:
    """The plain network with the initial weights of `ablation run`."""
    classes = len(class_names(spec.data.classes))
    made = PlainAutoencoder(spec.model, classes)
    made.load_state_dict(Autoencoder(spec.model, classes, spec.seed).state_dict())
    return made


def train(spec: RunSpec) -> tuple[PlainAutoencoder, float]:
    """Train inside the active run; the model and its test error."""
    images = load(spec.data.sources)
    labels = torch.tensor(classify(images.text, images.subgroup, spec.data.classes))
    sets = split(images, spec.data, spec.augment.copies, spec.seed)
    learning, validation, test = (
        DataLoader(
            Pictures(images.pixels, labels, items, spec), spec.train.batch_size, shuffle=items is sets.train
        )
        for items in (sets.train, sets.validation, sets.test)
    )
    model = network(spec)
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="the study's smoke budget")
    options = parser.parse_args()
    declared = catalogue.load("latent_size")
    cells = (declared.smoke() if options.quick else declared).cells(options.seeds)
    options.store.mkdir(parents=True, exist_ok=True)
    root = options.store.absolute()
    mlflow.set_tracking_uri(f"sqlite:///{root / 'mlflow.db'}")
    mlflow.create_experiment("latent_size", artifact_location=str(root / "artifacts"))
    mlflow.set_experiment("latent_size")
    wanted: dict[tuple[str, int], Cell] = {(cell.arm, cell.seed): cell for cell in cells}

    def objective(trial: optuna.Trial) -> float:
        arm = trial.suggest_categorical("arm", list(dict.fromkeys(cell.arm for cell in cells)))
        seed = trial.suggest_int("seed", 0, options.seeds - 1)
        spec = wanted[arm, seed].spec
        with mlflow.start_run(run_name=f"{arm}, seed {seed}"):
            mlflow.log_params(flat(spec))
            model, error = train(spec)
            # Without named requirements MLflow looks for them, seconds a model.
            mlflow.pytorch.log_model(
                model, name="model", serialization_format="pickle", pip_requirements=["torch"]
            )
        return error

    study = optuna.create_study(storage=f"sqlite:///{root / 'optuna.db'}", study_name="latent_size")
    for cell in cells:
        study.enqueue_trial({"arm": cell.arm, "seed": cell.seed})
    study.optimize(objective, n_trials=len(cells))


if __name__ == "__main__":
    main()
