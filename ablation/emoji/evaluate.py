"""A model and images to numbers: no gradients, no randomness, no change of its mode."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from sklearn import metrics as scores
from torch import Tensor
from torch.nn import functional as F

from ablation.emoji.model import Autoencoder

BATCH = 256  # images; bounds the memory of an evaluation, not its result


@dataclass(frozen=True, eq=False)
class PerPicture:
    """What a network, or several, made of single pictures.

    index: int64 (n,), which images they are. values: float64 (n,). classes: int64 (n,), where every class
    counts alike in the mean, whatever the number of its pictures.
    """

    index: Tensor
    values: Tensor
    classes: Tensor | None = None

    def __len__(self) -> int:
        return len(self.index)

    @property
    def weighed(self) -> Tensor:
        """The values, so weighed that their plain mean is the number of the run: float64 (n,).

        A picture of a class of m of n pictures, of k classes, counts n / (k m).
        """
        if self.classes is None:
            return self.values
        counts = self.classes.bincount()
        return self.values * len(self) / (int((counts > 0).sum()) * counts[self.classes])

    @property
    def mean(self) -> float:
        """The number of the run; NaN without a picture."""
        return self.weighed.mean().item()


def joined(parts: Sequence[PerPicture]) -> PerPicture:
    """The pictures of all parts, each of which has other ones."""
    classes = [one.classes for one in parts if one.classes is not None]
    return PerPicture(
        torch.cat([one.index for one in parts]),
        torch.cat([one.values for one in parts]),
        torch.cat(classes) if classes else None,
    )


@dataclass(frozen=True, eq=False)
class Answers:
    """What `model` says of n pictures.

    errors: float64 (n,), the mean squared error of each, of a pixel in [0, 1]. logits: (n, classes), or None
    without a classifier. labels: int64 (n,), -1 for none.
    """

    errors: Tensor
    logits: Tensor | None
    labels: Tensor

    @property
    def numbers(self) -> dict[str, float]:
        """mse: the mean of the errors. With a classifier also accuracy, balanced_accuracy (mean recall of a
        class), macro_f1 and cross_entropy (nats), over the images with a class.
        """
        numbers = {"mse": self.errors.mean().item()}
        if self.logits is None:
            return numbers
        known = self.labels >= 0
        return numbers | _classification(self.logits[known], self.labels[known])

    def per_picture(self, index: Tensor) -> dict[str, PerPicture]:
        """Those of the numbers that are means over the pictures, whose images are `index`."""
        found = {"mse": PerPicture(index, self.errors)}
        if self.logits is None:
            return found
        known = self.labels >= 0
        index, labels, logits = index[known], self.labels[known], self.logits[known]
        right = (logits.argmax(1) == labels).double()
        nats = F.cross_entropy(logits.double(), labels, reduction="none")
        return found | {
            "accuracy": PerPicture(index, right),
            "balanced_accuracy": PerPicture(index, right, labels),
            "cross_entropy": PerPicture(index, nats),
        }


def all_answers(parts: Sequence[Answers]) -> Answers:
    """Those of several networks, each on pictures of its own, one after another."""
    logits = [one.logits for one in parts if one.logits is not None]
    return Answers(
        torch.cat([one.errors for one in parts]),
        torch.cat(logits) if logits else None,
        torch.cat([one.labels for one in parts]),
    )


def evaluate(model: Autoencoder, pixels: Tensor, labels: Tensor) -> dict[str, float]:
    """`Answers.numbers` of `model` on pixels, uint8 (n, 3, 64, 64), and labels, int64 (n,)."""
    return answers(model, pixels, labels).numbers


def answers(model: Autoencoder, pixels: Tensor, labels: Tensor) -> Answers:
    """What `model` says of pixels, uint8 (n, 3, 64, 64), with labels, int64 (n,), -1 for none."""
    errors, logits = [], []
    with evaluating(model):
        for part in pixels.split(BATCH):
            images = part / 255
            output = model(images)
            squares = F.mse_loss(output.reconstruction, images, reduction="none")
            errors.append(squares.flatten(1).mean(1))
            if output.logits is not None:
                logits.append(output.logits)
    said = torch.cat(logits).cpu() if logits else None
    return Answers(torch.cat(errors).cpu().double(), said, labels.cpu())


def encode(model: Autoencoder, pixels: Tensor) -> Tensor:
    """Codes, float32 (n, latent_dim), of pixels, uint8 (n, 3, 64, 64)."""
    with evaluating(model):
        return torch.cat([model.encode(part / 255) for part in pixels.split(BATCH)])


def decode(model: Autoencoder, codes: Tensor) -> Tensor:
    """Pictures, float32 (n, 3, 64, 64) in [0, 1], of codes (n, latent_dim)."""
    with evaluating(model):
        return torch.cat([model.decode(part) for part in codes.split(BATCH)]).clamp(0, 1)


def reconstruct(model: Autoencoder, pixels: Tensor) -> Tensor:
    """Reconstructions, uint8 (n, 3, 64, 64), of pixels of the same shape."""
    return as_bytes(decode(model, encode(model, pixels)))


def as_bytes(pictures: Tensor) -> Tensor:
    """Pictures in [0, 1] as uint8."""
    return (pictures * 255).round().to(torch.uint8)


@contextmanager
def evaluating(model: Autoencoder) -> Iterator[None]:
    """Without dropout and gradients, and back to the mode before."""
    mode = model.training
    model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        model.train(mode)


def _classification(logits: Tensor, labels: Tensor) -> dict[str, float]:
    truth, guess = labels.numpy(), logits.argmax(1).numpy()
    present = sorted(set(truth.tolist()))
    return {
        "accuracy": float(scores.accuracy_score(truth, guess)),
        # Over the classes that occur, so that a guess of an absent class counts as wrong, not as a class.
        "balanced_accuracy": float(scores.recall_score(truth, guess, labels=present, average="macro")),
        "macro_f1": float(scores.f1_score(truth, guess, labels=present, average="macro", zero_division=0)),
        "cross_entropy": F.cross_entropy(logits.double(), labels).item(),
    }
