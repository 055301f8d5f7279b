"""What a run costs before it runs: its floating-point operations, by torch's own count."""

from functools import cache
from math import ceil

import torch
from torch.utils.flop_counter import FlopCounterMode

from ablation.emoji.data.classes import by_column, class_names
from ablation.emoji.data.sources import load
from ablation.emoji.model import IMAGE_SIZE, Autoencoder, seeded
from ablation.emoji.refine import Discriminator, Refiner
from ablation.emoji.spec import TRAINED_REFINERS, ModelSpec, RunSpec, TrainSpec

COMMON = 800  # images measured once a run, about: the probe's codes and the held-out faces
COMPOSED = 5000  # images encoded or decoded, about, where codes are composed anew


def run_flops(spec: RunSpec, trained: int, validated: int) -> float:
    """Floating-point operations of a run with `trained` pictures in a pass and `validated` after it.

    Training is forward and backward. Validation after every pass and the common evaluation are forward. An
    attack is forward and backward through the encoder, once or, with pgd, in each of its steps. A refiner is
    trained and used, too.
    """
    forward, both, attack = _flops_of_an_image(spec.model, _classes(spec))
    measured = passes(spec.train, trained) * validated + COMMON
    steps = {"none": 0, "noise": 0, "fgsm": 1, "pgd": spec.augment.attack_steps}[spec.augment.attack]
    # A quadruple is three pictures encoded and one decoded, about two pictures; a step has a quarter as many.
    terms = 1.5 if spec.train.analogy_weight else 1.0
    learned = terms * both + spec.augment.attack_share * steps * attack
    return images_seen(spec.train, trained) * learned + measured * forward + refining_flops(spec)


def composing_flops(spec: RunSpec) -> float:
    """Floating-point operations of a run that takes another's weights and composes with them anew."""
    return (COMMON + COMPOSED) * _flops_of_an_image(spec.model, _classes(spec))[0]


def refining_flops(spec: RunSpec) -> float:
    """Floating-point operations of training a refiner and of redrawing what is measured; 0 without one, and
    of grain.

    A step of an adversarial one is forward and backward through the discriminator three times, too.
    """
    if spec.refine.kind not in TRAINED_REFINERS:
        return 0.0
    forward, both, judged = _refining_flops_of_an_image()
    learned = both + (3 * judged if spec.refine.kind == "adversarial" else 0)
    decoded = _flops_of_an_image(spec.model, _classes(spec))[0]
    return spec.refine.steps * spec.train.batch_size * (decoded + learned) + (COMMON + COMPOSED) * forward


def passes(spec: TrainSpec, images: int) -> int:
    """How often training goes over its `images` pictures, the last time perhaps in part."""
    return ceil(spec.steps / ceil(images / spec.batch_size)) if spec.steps else spec.epochs


def images_seen(spec: TrainSpec, images: int) -> float:
    """How many pictures training takes in, repeats included, with `images` in a pass."""
    return spec.steps * images / ceil(images / spec.batch_size) if spec.steps else spec.epochs * images


def _classes(spec: RunSpec) -> int:
    images = load(spec.data.sources) if by_column(spec.data.classes) else None
    return len(class_names(spec.data.classes, images))


@cache
def _flops_of_an_image(spec: ModelSpec, classes: int) -> tuple[int, int, int]:
    """Of one image forward, of forward and backward, and of forward and backward from its code to it."""
    model = Autoencoder(spec, classes, seed=0)
    image = torch.zeros(1, 3, IMAGE_SIZE, IMAGE_SIZE)
    with FlopCounterMode(display=False) as counter:
        output = model(image)
        forward = int(counter.get_total_flops())
        output.reconstruction.sum().backward()
    model.requires_grad_(False)
    with FlopCounterMode(display=False) as attack:
        model.encode(image.requires_grad_()).sum().backward()
    return forward, int(counter.get_total_flops()), int(attack.get_total_flops())


@cache
def _refining_flops_of_an_image() -> tuple[int, int, int]:
    """Of one image through a refiner forward, forward and backward, and so through a discriminator."""
    refiner, judge = seeded(0, "refiner", Refiner), seeded(0, "discriminator", Discriminator)
    image = torch.zeros(1, 3, IMAGE_SIZE, IMAGE_SIZE)
    with FlopCounterMode(display=False) as counter:
        refined = refiner(image)
        forward = int(counter.get_total_flops())
        refined.sum().backward()
    with FlopCounterMode(display=False) as judged:
        judge(image.requires_grad_()).sum().backward()
    return forward, int(counter.get_total_flops()), int(judged.get_total_flops())
