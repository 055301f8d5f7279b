"""Experimental: several runs of one network trained as one program, every step one `vmap` over their weights.

An accelerator is far too wide for one network of this size; its seeds, lambdas, rates and augmentations can
share a step. On a CPU it costs up to two fifths more, and `fit` stays what trains there; how fast it is on an
accelerator has not been measured.
"""

import os
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call, vmap

from ablation.emoji.model import Autoencoder
from ablation.emoji.result import Result, pooled
from ablation.emoji.run import measure_network, prepare
from ablation.emoji.seeds import generator
from ablation.emoji.spec import RunSpec, TrainSpec
from ablation.emoji.train import Epoch, batches, check_finite, losses, make_optimizer, measured
from ablation.emoji.training_data import Pictures
from ablation.errors import UserError
from ablation.experiment import Diverged

Batch = tuple[Tensor, Tensor, Tensor]
"""Images (n, 3, 64, 64), labels (n,) and dropout's mask (n, latent_dim)."""

TOLERANCE = 1e-3
"""How far a weight may lie from that of `fit`, of the largest of its tensor, after tens of steps in float32:
products are added up in another order, and Adam makes much of small gradients."""


@dataclass(frozen=True)
class Replica:
    """What `fit` takes: a model and its passes, validation pictures, training spec and seed."""

    model: Autoencoder
    passes: Iterable[Pictures]
    validation: Pictures
    spec: TrainSpec
    seed: int


def run_together(
    cells: Sequence[tuple[RunSpec, int]],
    on_epoch: Callable[[int, Epoch], None] = lambda number, epoch: None,
    measures: Collection[str] = (),
) -> list[Result | Diverged]:
    """What `run` makes of each cell, to `TOLERANCE`, trained on the accelerator where there is one.

    `on_epoch` sees the number of a cell and its epoch as it ends. A cell that diverges stops no other.
    Raises `UserError` where the cells are not one program.
    """
    if any(spec.augment.attack != "none" for spec, _ in cells):
        raise UserError(
            "replicas that train together see pictures as they are, but augment.attack is set: train them "
            "apart."
        )
    device = accelerator()
    prepared = [prepare(spec, seed, measures) for spec, seed in cells]
    replicas = []
    for one in prepared:
        validation = one.pictures.validation
        there = Pictures(validation.pixels.to(device), validation.labels.to(device))
        model = one.model.to(device)
        replicas.append(Replica(model, one.pictures.passes, there, one.spec.train, one.network_seed))
    ended: list[list[Epoch | Diverged]] = [[] for _ in cells]
    for number, epoch in fit_together(replicas):
        ended[number].append(epoch)
        if isinstance(epoch, Epoch):
            on_epoch(number, epoch)
    results: list[Result | Diverged] = []
    for one, epochs in zip(prepared, ended, strict=True):
        for parameter in one.model.parameters():  # views of what was stacked
            parameter.data, parameter.grad = parameter.data.cpu().clone(), None
        one.model.to(memory_format=torch.channels_last)  # as it was prepared
        history = [epoch for epoch in epochs if isinstance(epoch, Epoch)]
        try:
            lost = next((epoch for epoch in epochs if isinstance(epoch, Diverged)), None)
            results.append(lost or pooled(one.spec, one.images, [measure_network(one, history)], len(cells)))
        except Diverged as error:
            results.append(error)
    return results


def accelerator() -> torch.device:
    """Where replicas train: the accelerator that torch finds, else the CPU."""
    # Deterministic matrix products on CUDA want a workspace of fixed size, named before the first of them.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return found or torch.device("cpu")


def fit_together(replicas: Sequence[Replica]) -> Iterator[tuple[int, Epoch | Diverged]]:
    """Train the models of all `replicas` in place, on the device that they are on, as `fit` would each alone.

    Yields a replica's number and its `Epoch` as it ends a pass, or its `Diverged`, after which it takes no
    more part. Each draws from its own streams, so that its result does not depend on its company, within
    `TOLERANCE`. `Epoch.seconds` is the replica's share of the time. Raises `UserError` where they are not one
    program.
    """
    networks = {
        (str(one.model), one.model.dropout.probability, *(each.shape for each in one.model.parameters()))
        for one in replicas
    }
    if len(networks) > 1 or len({replica.spec.kind for replica in replicas}) > 1:
        raise UserError(
            "replicas that train together want one network, batch_size, optimizer and precision, and all or "
            "none a loss_weight of 0, but these differ: train them apart."
        )
    if any(one.spec.decay != "none" for one in replicas):
        raise UserError(
            "replicas that train together share one optimiser, whose rate does not decay, but train.decay is "
            "set: train them apart."
        )
    if any(one.spec.analogy_weight or one.spec.attribute_weight for one in replicas):
        raise UserError(
            "replicas that train together have no term of analogies or attributes, but "
            "train.analogy_weight or train.attribute_weight is set: train them apart."
        )
    if not replicas:
        return
    stacked = _stack([replica.model for replica in replicas])
    optimizer = make_optimizer((replica.model.parameters(), replica.spec) for replica in replicas)
    courses = [_course(replica) for replica in replicas]
    given: list[Batch | None] = [next(course) for course in courses]
    while active := [number for number, batch in enumerate(given) if batch is not None]:
        started = perf_counter()
        sums = _step(replicas, given, stacked)
        for number, replica in enumerate(replicas):
            for name, parameter in replica.model.named_parameters():
                # A parameter without a gradient is passed over, its moments and its count of steps, too.
                parameter.grad = stacked[name].grad[number] if number in active else None  # type: ignore[index]
        optimizer.step()
        seconds = (perf_counter() - started) / len(active)
        for number in active:
            came = courses[number].send((sums[number], seconds))
            while isinstance(came, Epoch | Diverged):
                yield number, came
                came = next(courses[number], None)
            given[number] = came


def _course(replica: Replica) -> Generator[Any, tuple[Tensor, float], None]:
    """The loop of `fit`, with the same draws, but for the step itself.

    Yields a `Batch`, whose sums, (5,), and seconds are sent in return; after every pass its `Epoch`, or its
    `Diverged`, which is the end.
    """
    model, spec, steps, number = replica.model, replica.spec, 0, 0
    order, passes = generator(replica.seed, "order"), iter(replica.passes)
    while number < spec.epochs or steps < spec.steps:
        number += 1
        started, train, sums = perf_counter(), next(passes), torch.zeros(5)
        seconds = perf_counter() - started
        for batch in batches(len(train), spec, steps, order):
            mask = model.dropout.mask(len(batch), model.to_code.out_features)
            added, taken = yield train.pixels[batch] / 255, train.labels[batch], mask
            steps, sums, seconds = steps + 1, sums + added, seconds + taken
        metrics = measured(sums, model, replica.validation)
        try:
            check_finite(f"in epoch {number}", metrics, spec)
        except Diverged as error:
            yield error
            return
        yield Epoch(number, steps, int(sums[3]), metrics, seconds)


def _stack(models: Sequence[Autoencoder]) -> dict[str, Tensor]:
    """Every parameter with the replicas as its first dimension; the models' own become views of it."""
    tables = [dict(model.named_parameters()) for model in models]
    stacked = {name: torch.stack([table[name].detach() for table in tables]) for name in tables[0]}
    for number, (model, table) in enumerate(zip(models, tables, strict=True)):
        model.train()
        for name, parameter in table.items():
            parameter.data = stacked[name][number]
    return {name: tensor.requires_grad_() for name, tensor in stacked.items()}


def _step(replicas: Sequence[Replica], given: Sequence[Batch | None], stacked: dict[str, Tensor]) -> Tensor:
    """Leave the gradients of all replicas in `stacked`; what each adds to its sums, (replicas, 5)."""
    model, spec = replicas[0].model, replicas[0].spec
    parts = _padded(given, spec.batch_size, model.to_code.out_features)
    device = next(iter(stacked.values())).device
    images, labels, masks, weights = (part.to(device) for part in parts)

    def measure(*one: Tensor) -> Tensor:
        own, (images, labels, mask, weights) = dict(zip(stacked, one, strict=False)), one[len(stacked) :]
        output = functional_call(model, own, (images, spec.loss_weight == 0, mask))
        squares = (output.reconstruction - images).square().flatten(1).mean(1)
        mse = (squares * weights).sum() / weights.sum().clamp(min=1)
        _, cross_entropy, correct = losses(output, images, labels)
        return torch.stack([mse, cross_entropy, correct, weights.sum(), (labels >= 0).sum()])

    with torch.autocast(device.type, torch.bfloat16, enabled=spec.precision == "bfloat16"):
        found = vmap(measure)(*stacked.values(), images, labels, masks, weights)
    reconstruction = torch.tensor([replica.spec.reconstruction_weight for replica in replicas], device=device)
    classes = torch.tensor([replica.spec.loss_weight or 1.0 for replica in replicas], device=device)
    for tensor in stacked.values():
        tensor.grad = None
    (reconstruction * found[:, 0] + classes * found[:, 1]).sum().backward()
    counts = torch.stack([found[:, 3], found[:, 4], found[:, 4]], dim=1)
    return torch.cat([found[:, :3] * counts, found[:, 3:]], dim=1).detach().cpu()


def _padded(given: Sequence[Batch | None], size: int, width: int) -> list[Tensor]:
    """Images, labels, masks and weights (replicas, size, ...): neither weight nor class for what is none."""
    count = len(given)
    images, labels = torch.zeros(count, size, 3, 64, 64), torch.full((count, size), -1)
    masks, weights = torch.zeros(count, size, width), torch.zeros(count, size)
    for number, batch in enumerate(given):
        if batch is not None:
            n = len(batch[1])
            images[number, :n], labels[number, :n], masks[number, :n] = batch
            weights[number, :n] = 1
    return [images, labels, masks, weights]
