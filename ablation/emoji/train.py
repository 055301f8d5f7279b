"""Training, from top to bottom: `fit` is the whole loop and yields an `Epoch` a pass."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ablation.emoji.adversarial import attack_batch
from ablation.emoji.composition.attributes import weights
from ablation.emoji.composition.directions import NAMED_DIMS
from ablation.emoji.composition.quadruples import Quadruples
from ablation.emoji.evaluate import evaluate
from ablation.emoji.measures import CURVES
from ablation.emoji.model import Autoencoder, Output
from ablation.emoji.seeds import generator
from ablation.emoji.spec import AugmentSpec, TrainSpec
from ablation.emoji.training_data import Pictures
from ablation.experiment import Diverged

NO_ATTACK = AugmentSpec()


@dataclass(frozen=True)
class Epoch:
    """One pass: number from 1, steps so far, images it took in, measures, seconds of training alone."""

    number: int
    steps: int
    images: int
    metrics: dict[str, float]
    seconds: float


def fit(
    model: Autoencoder,
    passes: Iterable[Pictures],
    validation: Pictures,
    spec: TrainSpec,
    seed: int,
    augment: AugmentSpec = NO_ATTACK,
    quadruples: Quadruples | None = None,
) -> Iterator[Epoch]:
    """Train `model` in place; loss = reconstruction_weight x MSE + loss_weight x cross-entropy (part 2 b).

    `passes` gives the training pictures of every pass. At a loss_weight of 0 the classifier learns from a
    code that its gradient does not reach. Stops after the budget of `spec`, in passes or in steps; a pass
    that the budget of steps cuts short is measured all the same. Raises `Diverged` after an epoch whose loss
    is not finite.

    Of `augment` only the attack is taken, if there is one: copies are in `passes`. The network then sees
    attacked pictures, and both losses stay as they were: it should reconstruct the clean picture and name its
    class. What that costs says `adversarial.attack_batch`.

    With `quadruples` the loss is this + analogy_weight x `analogy_error`, of as many pictures again as the
    batch has; as a control it is the error of their d, decoded from their own codes. With an attribute_weight
    it is this + attribute_weight x `attribute_error`, and quadruples move the named dimensions alone.
    """
    optimizer = make_optimizer([(model.parameters(), spec)])
    order, attacks = generator(seed, "order"), generator(seed, "attack")
    draws = generator(seed, "quadruples")
    isolate, weight = spec.loss_weight == 0, spec.loss_weight or 1.0
    steps = number = 0
    pictures = iter(passes)
    while number < spec.epochs or steps < spec.steps:
        number += 1
        started = perf_counter()
        train = next(pictures)
        model.train()
        worth = weights(train.attributes) if spec.attribute_weight and train.attributes is not None else None
        sums = torch.zeros(5)
        for batch in batches(len(train), spec, steps, order):
            images, labels = train.pixels[batch] / 255, train.labels[batch]
            seen = attack_batch(model, images, labels, augment, attacks)
            with torch.autocast(images.device.type, torch.bfloat16, enabled=spec.precision == "bfloat16"):
                output = model(seen, isolate)
                wrong = _analogy_error(model, quadruples, spec, draws) if quadruples else torch.zeros(())
            mse, cross_entropy, correct = losses(output, images, labels)
            loss = spec.reconstruction_weight * mse + weight * cross_entropy
            if quadruples:
                loss = loss + spec.analogy_weight * wrong
            if worth is not None and train.attributes is not None:
                named = attribute_error(output.code, train.attributes[batch], worth[batch])
                loss = loss + spec.attribute_weight * named
            optimizer.zero_grad()
            loss.backward()
            for group in optimizer.param_groups:
                group["lr"] = rate(spec, steps, len(train))
            optimizer.step()
            known, count = (labels >= 0).sum(), torch.tensor(len(batch))
            sums += torch.stack([count * mse, known * cross_entropy, known * correct, count, known]).detach()
            steps += 1
        seconds = perf_counter() - started
        metrics = measured(sums, model, validation)
        check_finite(f"in epoch {number}", metrics, spec)
        yield Epoch(number, steps, int(sums[3]), metrics, seconds)


def batches(count: int, spec: TrainSpec, steps: int, order: torch.Generator) -> Sequence[Tensor]:
    """The places of the pictures of every step of a pass over `count` of them, after `steps` steps."""
    found: Sequence[Tensor] = torch.randperm(count, generator=order).split(spec.batch_size)
    return found[: spec.steps - steps] if spec.steps else found


def rate(spec: TrainSpec, steps: int, count: int) -> float:
    """The learning rate after `steps` steps, in passes over `count` pictures.

    cosine: equation 5 of Loshchilov and Hutter (2017), once over the whole budget.
    """
    if spec.decay == "none":
        return spec.lr
    budget = spec.steps or spec.epochs * math.ceil(count / spec.batch_size)
    return spec.lr * (1 + math.cos(math.pi * steps / budget)) / 2


def losses(output: Output, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean squared error of a pixel, cross-entropy of an image, and the share classified right; each ().

    The last two are over the images that have a class, and 0 where none has.
    """
    mse = F.mse_loss(output.reconstruction, images)
    if output.logits is None:
        return mse, torch.zeros(()), torch.zeros(())
    known = (labels >= 0).sum().clamp(min=1)
    correct = (output.logits.argmax(1) == labels).sum() / known
    return mse, F.cross_entropy(output.logits, labels, ignore_index=-1, reduction="sum") / known, correct


def analogy_error(model: Autoencoder, pictures: Tensor, named: bool = False) -> Tensor:
    """Mean squared error, (), of d and the picture of f(b) - f(a) + f(c): Reed et al. (2015), equation 3.

    pictures, (4, n, 3, 64, 64) in [0, 1]: n each of a, b, c and d. Without dropout, as codes are composed.
    named: f(b) - f(a) is added in the named dimensions alone.
    """
    a, b, c = model.encode(pictures[:3].flatten(0, 1)).chunk(3)
    step = b - a
    if named:
        step = F.pad(step[:, :NAMED_DIMS], (0, step.shape[1] - NAMED_DIMS))
    return F.mse_loss(model.decode(step + c), pictures[3])


def attribute_error(codes: Tensor, attributes: Tensor, worth: Tensor) -> Tensor:
    """Mean squared error, (), of the named dimensions of codes (n, latent_dim) from (n, attributes).

    worth, of the same shape: how much each counts.
    """
    return (worth * (codes[:, : attributes.shape[1]] - attributes).square()).mean()


def _analogy_error(
    model: Autoencoder, quadruples: Quadruples, spec: TrainSpec, draws: torch.Generator
) -> Tensor:
    answers = spec.quadruples == "answer"
    places = quadruples.draw(max(1, spec.batch_size // 4), draws)[3 if answers else 0 :]
    pictures = quadruples.images.pixels[places.flatten()].contiguous(memory_format=torch.channels_last) / 255
    if answers:
        return F.mse_loss(model.decode(model.encode(pictures)), pictures)
    return analogy_error(model, pictures.unflatten(0, places.shape), spec.attribute_weight > 0)


def measured(sums: Tensor, model: Autoencoder, validation: Pictures) -> dict[str, float]:
    """What an epoch reports, of its training sums and of the validation pictures after it.

    sums, (5,): of squared error, cross-entropy and hits, then of images and of those with a class.
    """
    found = evaluate(model, validation.pixels, validation.labels)
    means = zip(CURVES, (sums[:3] / sums[[3, 4, 4]].clamp(min=1)).tolist(), strict=True)
    return {f"train_{name}": mean for name, mean in means if name in found} | {
        f"validation_{name}": value for name, value in found.items() if name in CURVES
    }


def check_finite(when: str, metrics: dict[str, float], spec: TrainSpec) -> None:
    """Raise `Diverged` for the first of `metrics` that is not finite, saying when and what to try."""
    for name, value in metrics.items():
        if not math.isfinite(value):
            raise Diverged(
                f"{name} is {value} {when}: try a train.lr below {spec.lr:g}"
                + (f" or a train.loss_weight below {spec.loss_weight:g}." if spec.loss_weight else ".")
            )


def make_optimizer(parts: Iterable[tuple[Iterable[nn.Parameter], TrainSpec]]) -> torch.optim.Optimizer:
    """One optimiser of one kind for all `parts`, each with the rate and the decay of its spec."""
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for parameters, spec in parts:
        groups.setdefault((spec.lr, spec.weight_decay), []).extend(parameters)
    listed = [{"params": group, "lr": lr, "weight_decay": decay} for (lr, decay), group in groups.items()]
    if spec.optimizer == "sgd":
        return torch.optim.SGD(listed, momentum=0.9)
    kind = torch.optim.Adam if spec.optimizer == "adam" else torch.optim.AdamW
    return kind(listed, fused=True)
