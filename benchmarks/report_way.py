"""A joint run of part 2 by this package against the report's own way of doing it, side by side.

    python benchmarks/report_way.py [--pairs 3] [--threads 2] [--epochs 10]

The report's way, written anew as a plain loop: every access decodes a picture of the report's size
(256 x 256 PNG), reduces it and transforms it with torchvision, batches come from a DataLoader, 60 % of
originals and copies train and 20 % validate after each epoch, and the network is of torch's own layers. Ours
is the same network, batch, copies and epochs, from the spec `joint`, with everything that a run does: data,
augmentation, training, validation, test, probe. They run in turn, ours first, and ours once more in
bfloat16, each in a process of its own; the ratio is that of each pair, of seconds an image trained on.
"""

import argparse
import io
import statistics
from time import perf_counter

import ablation.runner.preload  # noqa: F401  both begin with what a worker has imported already
import torch
from ablation.emoji.data.labels import class_names, classify
from ablation.emoji.data.pictures import picture, png
from apart import fresh
from PIL import Image
from plain_network import PlainAutoencoder
from reached import Reached, show
from torch.utils.data import DataLoader, Dataset, random_split
from torchvision import transforms

from ablation.emoji.data.sources import load
from ablation.emoji.data.split import select
from ablation.emoji.protocols import joint
from ablation.emoji.run import run
from ablation.emoji.spec import vary
from ablation.emoji.train import losses

FASTER = 5.0

PLAIN = transforms.Compose([transforms.Resize((64, 64)), transforms.ToTensor()])
AUGMENTED = transforms.Compose(
    [
        PLAIN,
        transforms.RandomHorizontalFlip(),
        transforms.RandomRotation(10),
        transforms.ColorJitter(brightness=0.2, contrast=0.2, saturation=0.2, hue=0.1),
    ]
)


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
    torch.set_num_threads(threads)
    images = load(joint.data.sources)
    chosen = select(images, joint.data).tolist()
    labels = [classify(images.text, images.subgroup, "happy_sad")[index] for index in chosen]
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
    torch.set_num_threads(threads)
    spec = vary(joint, {"train.epochs": epochs, "train.precision": precision})
    result = run(spec)
    return result.seconds / (epochs * result.metrics["images_train"])


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
