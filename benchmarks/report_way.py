"""A joint run of part 2 by this package against the report's own way of doing it, side by side.

    python benchmarks/report_way.py [--pairs 3] [--threads 2] [--epochs 10]

The report's way, written anew as a plain loop: every access decodes a picture of the report's size
(256 x 256 PNG), reduces it and transforms it with torchvision, batches come from a DataLoader, 60 % of
originals and copies train and 20 % validate after each epoch, and the network is of torch's own layers. Ours
is the same network, batch, copies and epochs, from the settings `joint`, with everything that a run does:
data, augmentation, training, validation, test, probe. They run in turn, ours first, and ours once more in
bfloat16, each in a process of its own; the ratio is that of each pair, of seconds an image trained on.
"""

import argparse
import io
import statistics
from importlib import import_module
from itertools import pairwise
from time import perf_counter

import torch
from apart import fresh
from PIL import Image
from reached import Reached, show
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, random_split
from torchvision import transforms

from ablation.emoji.data.classes import class_names, classify
from ablation.emoji.data.images import picture, png
from ablation.emoji.data.sources import load
from ablation.emoji.data.split import select
from ablation.emoji.determinism import deterministic
from ablation.emoji.experiment import EMOJI
from ablation.emoji.model import IMAGE_SIZE, Output
from ablation.emoji.protocols import joint
from ablation.emoji.run import run
from ablation.emoji.spec import ModelSpec
from ablation.emoji.train import losses
from ablation.settings import vary

FASTER = 5.0
SEED = 0

PLAIN = transforms.Compose([transforms.Resize((64, 64)), transforms.ToTensor()])
AUGMENTED = transforms.Compose(
    [
        PLAIN,
        transforms.RandomHorizontalFlip(),
        transforms.RandomRotation(10),
        transforms.ColorJitter(brightness=0.2, contrast=0.2, saturation=0.2, hue=0.1),
    ]
)


class PlainAutoencoder(nn.Module):
    """The report's network (parts 1 b, 2 b) in torch's own layers, by the names of `Autoencoder`."""

    def __init__(self, spec: ModelSpec, classes: int) -> None:
        super().__init__()
        self.maps = spec.channels[-1], IMAGE_SIZE >> len(spec.channels), IMAGE_SIZE >> len(spec.channels)
        flat = self.maps[0] * self.maps[1] * self.maps[2]
        down: list[nn.Module] = []
        for inputs, outputs in pairwise((3, *spec.channels)):
            down += [nn.Conv2d(inputs, outputs, 3, 2, padding=1), nn.ReLU()]
        up: list[nn.Module] = []
        for inputs, outputs in pairwise((*reversed(spec.channels), 3)):
            up += [nn.ConvTranspose2d(inputs, outputs, 3, 2, padding=1, output_padding=1), nn.ReLU()]
        self.encoder = nn.Sequential(*down)
        self.to_code = nn.Linear(flat, spec.latent_dim)
        self.dropout = nn.Dropout(spec.dropout)
        self.from_code = nn.Linear(spec.latent_dim, flat)
        self.decoder = nn.Sequential(*up[:-1])
        self.classifier = nn.Linear(spec.latent_dim, classes)

    def forward(self, images: Tensor, isolate: bool = False) -> Output:
        """Images (n, 3, 64, 64) to `Output`; `isolate` stops the gradient of the logits at the code."""
        code = self.dropout(self.to_code(self.encoder(images).flatten(1)))
        logits = self.classifier(code.detach() if isolate else code)
        return Output(self.decoder(self.from_code(code).unflatten(1, self.maps)).sigmoid(), logits, code)


class DecodedAtEveryAccess(Dataset):  # type: ignore[type-arg]
    """Pictures as PNG bytes, the first `originals` of them plain and every further copy augmented."""

    def __init__(self, files: list[bytes], labels: list[int], copies: int) -> None:
        self.files, self.labels, self.copies = files, labels, copies

    def __len__(self) -> int:
        return len(self.files) * (self.copies + 1)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        copy, original = divmod(index, len(self.files))
        image = Image.open(io.BytesIO(self.files[original])).convert("RGB")
        return (AUGMENTED if copy else PLAIN)(image), self.labels[original]


def report_way(threads: int, epochs: int) -> float:
    """Seconds an image trained on, validation included."""
    _begin_as_a_worker()
    torch.set_num_threads(threads)
    images = load(joint.data.sources)
    chosen = select(images, joint.data).tolist()
    labels = [classify(images, "happy_sad")[index] for index in chosen]
    files = [png(picture(images.pixels[index]).resize((256, 256))) for index in chosen]
    data = DecodedAtEveryAccess(files, labels, joint.augment.copies)
    parts = random_split(data, [0.6, 0.2, 0.2])
    train = DataLoader(parts[0], batch_size=64, shuffle=True)
    validation = DataLoader(parts[1], batch_size=64)
    model = PlainAutoencoder(joint.model, len(class_names("happy_sad")))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-5)
    started = perf_counter()
    for _ in range(epochs):
        model.train()
        for images, classes in train:
            mse, cross_entropy, _ = losses(model(images), images, classes)
            loss = mse + 0.5 * cross_entropy
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            for images, classes in validation:
                losses(model(images), images, classes)
    return (perf_counter() - started) / (epochs * len(parts[0]))


def our_way(threads: int, epochs: int, precision: str = joint.train.precision) -> float:
    """Seconds an image trained on, everything that a run does included."""
    _begin_as_a_worker()
    settings = vary(joint, {"train.epochs": epochs, "train.precision": precision})
    with deterministic(threads):
        result = run(settings, SEED)
    return result.seconds / (epochs * result.metrics["images_train"])


def _begin_as_a_worker() -> None:
    """With what it has imported before its first task: that is no part of either way."""
    for name in EMOJI.preload:
        import_module(name)


def measure(pairs: int = 3, threads: int = 2, epochs: int = joint.train.epochs) -> list[Reached]:
    """Seconds an image of the report's way over ours, the median of the pairs."""
    ratios, halved = [], []
    for pair in range(pairs):
        ours, theirs = fresh(our_way, threads, epochs), fresh(report_way, threads, epochs)
        ratios.append(theirs / ours)
        halved.append(theirs / fresh(our_way, threads, epochs, "bfloat16"))
        speeds = f"ours {1 / ours:.0f} images/s, the report's way {1 / theirs:.0f}"
        print(f"pair {pair + 1}: {speeds}, ratio {ratios[-1]:.2f}, in bfloat16 {halved[-1]:.2f}", flush=True)
    note = f"{threads} threads, the last of {pairs} pair(s): {speeds}"
    what, chosen = "the report's way over ours", "train.precision=bfloat16, which is no default"
    return [
        Reached("a", what, statistics.median(ratios), "×", FASTER, True, note),
        Reached("a", f"{what}, in bfloat16", statistics.median(halved), "×", None, True, chosen),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("pairs", 3), ("threads", 2), ("epochs", joint.train.epochs)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    show(measure(options.pairs, options.threads, options.epochs))


if __name__ == "__main__":
    main()
