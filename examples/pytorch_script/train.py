"""A plain PyTorch script that knows nothing of any study: arguments in, metrics to MLflow.

python train.py --shift 1 --batch-norm --seed 3
"""

import argparse

import mlflow
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=15)
parser.add_argument("--lr", type=float, default=0.003)
parser.add_argument("--shift", type=int, default=0, help="move training images by up to so many pixels")
parser.add_argument("--batch-norm", action="store_true")
parser.add_argument("--seed", type=int, default=0)
options = parser.parse_args()

torch.manual_seed(options.seed)
images, labels = load_digits(return_X_y=True)
images = torch.tensor(images / 16, dtype=torch.float32).reshape(-1, 1, 8, 8)
split = train_test_split(images, torch.tensor(labels), train_size=1000, stratify=labels, random_state=0)
train_images, test_images, train_labels, test_labels = split


def block(inputs: int, outputs: int) -> list[nn.Module]:
    norm = [nn.BatchNorm2d(outputs)] if options.batch_norm else []
    return [nn.Conv2d(inputs, outputs, 3, padding=1), *norm, nn.ReLU()]


def shifted(batch: torch.Tensor) -> torch.Tensor:
    """Each image moved by a random number of pixels; what comes in is empty."""
    s = options.shift
    padded = nn.functional.pad(batch, (s, s, s, s))
    places = torch.randint(0, 2 * s + 1, (len(batch), 2)).tolist()
    return torch.stack([one[:, y : y + 8, x : x + 8] for one, (y, x) in zip(padded, places, strict=True)])


model = nn.Sequential(
    *block(1, 16), nn.MaxPool2d(2), *block(16, 32), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(128, 10)
)
optimizer = torch.optim.Adam(model.parameters(), lr=options.lr)
with mlflow.start_run():
    for epoch in range(1, options.epochs + 1):
        model.train()
        for chosen in torch.randperm(len(train_images)).split(50):
            loss = nn.functional.cross_entropy(model(shifted(train_images[chosen])), train_labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        mlflow.log_metric("train_loss", loss.item(), step=epoch)
    model.eval()
    with torch.no_grad():
        accuracy = (model(test_images).argmax(1) == test_labels).float().mean().item()
    mlflow.log_metric("test_accuracy", accuracy)
