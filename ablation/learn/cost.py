"""What a run costs before it runs: its floating-point operations, by torch's own count."""

from functools import cache
from math import ceil

import torch
from torch.utils.flop_counter import FlopCounterMode

from ablation.data.labels import class_names
from ablation.learn.model import IMAGE_SIZE, Autoencoder
from ablation.spec import ModelSpec, RunSpec


def training_flops(spec: RunSpec, images: int) -> float:
    """Floating-point operations of training `spec` on `images` pictures a pass: forward and backward."""
    return images_seen(spec, images) * _flops_of_an_image(spec.model, len(class_names(spec.data.classes)))


def images_seen(spec: RunSpec, images: int) -> float:
    """How many pictures training takes in, repeats included, with `images` in a pass."""
    batches = ceil(images / spec.train.batch_size)
    return spec.train.steps * images / batches if spec.train.steps else spec.train.epochs * images


@cache
def _flops_of_an_image(spec: ModelSpec, classes: int) -> int:
    model = Autoencoder(spec, classes, seed=0)
    with FlopCounterMode(display=False) as counter:
        output = model(torch.zeros(1, 3, IMAGE_SIZE, IMAGE_SIZE))
        output.reconstruction.sum().backward()
    return int(counter.get_total_flops())
