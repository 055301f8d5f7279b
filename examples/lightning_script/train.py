"""A Lightning script that knows nothing of any study: MLflow's autologging records what it logs.

python train.py --batch-norm --seed 3
"""

import argparse
import logging

import lightning as L
import mlflow
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=10)
parser.add_argument("--batch-norm", action="store_true")
parser.add_argument("--seed", type=int, default=0)
options = parser.parse_args()


class Network(L.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        norm = [nn.BatchNorm1d(64)] if options.batch_norm else []
        self.layers = nn.Sequential(nn.Linear(64, 64), *norm, nn.ReLU(), nn.Linear(64, 10))

    def training_step(self, batch: list[torch.Tensor], number: int) -> torch.Tensor:
        images, labels = batch
        loss = nn.functional.cross_entropy(self.layers(images), labels)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def test_step(self, batch: list[torch.Tensor], number: int) -> None:
        images, labels = batch
        self.log("test_accuracy", (self.layers(images).argmax(1) == labels).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=0.003)


L.seed_everything(options.seed, verbose=False)
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
images, labels = load_digits(return_X_y=True)
images = torch.tensor(images / 16, dtype=torch.float32)
split = train_test_split(images, torch.tensor(labels), train_size=1000, stratify=labels, random_state=0)
train_images, test_images, train_labels, test_labels = split
train = DataLoader(TensorDataset(train_images, train_labels), batch_size=50, shuffle=True)
test = DataLoader(TensorDataset(test_images, test_labels), batch_size=len(test_images))

mlflow.pytorch.autolog(log_models=False)
quiet = {"enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False}
trainer = L.Trainer(max_epochs=options.epochs, accelerator="cpu", logger=False, **quiet)
with mlflow.start_run():
    model = Network()
    trainer.fit(model, train)
    trainer.test(model, test, verbose=False)
