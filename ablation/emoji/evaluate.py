"""A model and images to a dictionary of numbers: no gradients, no randomness, no change of its mode."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from sklearn import metrics as scores
from torch import Tensor
from torch.nn import functional as F

from ablation.emoji.model import Autoencoder

BATCH = 256  # images; bounds the memory of an evaluation, not its result


def evaluate(model: Autoencoder, pixels: Tensor, labels: Tensor) -> dict[str, float]:
    """Numbers of `model` on pixels, uint8 (n, 3, 64, 64), and labels, int64 (n,).

    mse: mean squared error of a pixel in [0, 1]. With a classifier also accuracy, balanced_accuracy
    (mean recall of a class), macro_f1 and cross_entropy (nats), over the images with a class (not -1).
    """
    squares, logits = 0.0, []
    with evaluating(model):
        for part in pixels.split(BATCH):
            images = part / 255
            output = model(images)
            squares += F.mse_loss(output.reconstruction, images, reduction="sum").item()
            if output.logits is not None:
                logits.append(output.logits)
    numbers = {"mse": squares / pixels.numel()}
    if not logits:
        return numbers
    guessed, truth = torch.cat(logits).cpu(), labels.cpu()
    return numbers | _classification(guessed[truth >= 0], truth[truth >= 0])


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
