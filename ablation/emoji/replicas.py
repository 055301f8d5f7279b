"""Experimental: several runs of one network trained as one program, every step one `vmap` over their weights.

An accelerator is far too wide for one network of this size; its seeds, lambdas, rates and augmentations can
share a step. On a CPU it costs up to two fifths more, and `fit` stays what trains there; how fast it is on an
accelerator has not been measured.
"""

import os
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from time import perf_counter

import torch
from torch import Tensor
from torch.func import functional_call, vmap

from ablation.emoji.model import Autoencoder
from ablation.emoji.run import Result, finish, prepare
from ablation.emoji.seeds import generator
from ablation.emoji.spec import RunSpec, TrainSpec
from ablation.emoji.train import Epoch, batches, check_finite, losses, make_optimizer, measured
from ablation.emoji.training_data import Pictures
from ablation.errors import UserError
from ablation.experiment import Diverged

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

    @property
    def program(self) -> Hashable:
        """What replicas have in common: the network, and what of its training is no number of a step."""
        spec, model = self.spec, self.model
        kinds = spec.batch_size, spec.optimizer, spec.precision, spec.loss_weight == 0
        shapes = tuple(parameter.shape for parameter in model.parameters())
        return str(model), shapes, model.dropout.probability, kinds


def run_together(
    cells: Sequence[tuple[RunSpec, int]],
    on_epoch: Callable[[int, Epoch], None] = lambda number, epoch: None,
    composing: bool = False,
) -> list[Result | Diverged]:
    """What `run` makes of each cell, to `TOLERANCE`, trained on the accelerator where there is one.

    `on_epoch` sees the number of a cell and its epoch as it ends. A cell that diverges stops no other.
    Raises `UserError` where the cells are not one program.
    """
    device = accelerator()
    prepared = [prepare(spec, seed, composing) for spec, seed in cells]
    replicas = []
    for one in prepared:
        passes, validation = one.pictures.passes, one.pictures.validation
        there = Pictures(validation.pixels.to(device), validation.labels.to(device))
        replicas.append(Replica(one.model.to(device), passes, there, one.spec.train, one.seed))
    histories: list[list[Epoch]] = [[] for _ in cells]
    lost: dict[int, Diverged] = {}
    for number, ended in fit_together(replicas):
        if isinstance(ended, Diverged):
            lost[number] = ended
        else:
            histories[number].append(ended)
            on_epoch(number, ended)
    results: list[Result | Diverged] = []
    for number, one in enumerate(prepared):
        _bring_back(one.model)
        try:
            results.append(lost.get(number) or finish(one, histories[number], among=len(cells)))
        except Diverged as error:
            results.append(error)
    return results


def accelerator() -> torch.device:
    """Where replicas train: the accelerator that torch finds, else the CPU."""
    # Deterministic matrix products on CUDA want a workspace of fixed size, named before the first of them.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return found or torch.device("cpu")


def _bring_back(model: Autoencoder) -> None:
    """Bring the model back to the CPU, its parameters views of nothing, in the layout of `prepare`."""
    for parameter in model.parameters():
        parameter.data = parameter.data.cpu().clone()
        parameter.grad = None
    model.to(memory_format=torch.channels_last)


def fit_together(replicas: Sequence[Replica]) -> Iterator[tuple[int, Epoch | Diverged]]:
    """Train the models of all `replicas` in place, on the device that they are on, as `fit` would each alone.

    Yields a replica's number and its `Epoch` as it ends a pass, or its `Diverged`, after which it takes no
    more part. Each draws from its own streams, so that its result does not depend on its company, within
    `TOLERANCE`. `Epoch.seconds` is the replica's share of the time. Raises `UserError` where they are not one
    program.
    """
    if len({replica.program for replica in replicas}) > 1:
        raise UserError(
            "replicas that train together want one network, batch_size, optimizer and precision, and all or "
            "none a loss_weight of 0, but these differ: train them apart."
        )
    if not replicas:
        return
    stacked = _stack([replica.model for replica in replicas])
    optimizer = make_optimizer((replica.model.parameters(), replica.spec) for replica in replicas)
    states = [_ReplicaState(replica) for replica in replicas]
    while active := [number for number, state in enumerate(states) if state.active]:
        started = perf_counter()
        sums = _step(replicas, states, stacked)
        for number, replica in enumerate(replicas):
            for name, parameter in replica.model.named_parameters():
                # A parameter without a gradient is passed over, its moments and its count of steps, too.
                parameter.grad = stacked[name].grad[number] if number in active else None  # type: ignore[index]
        optimizer.step()
        for number in active:
            states[number].add_step(sums[number], (perf_counter() - started) / len(active))
            if states[number].pass_over:
                yield number, states[number].epoch()


@dataclass
class _ReplicaState:
    """Where the training of a replica stands: the same draws, in the same order, as in `fit`."""

    replica: Replica
    number: int = 0
    steps: int = 0
    seconds: float = 0.0
    diverged: bool = False
    batches: list[Tensor] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.order, self.passes = generator(self.replica.seed, "order"), iter(self.replica.passes)
        self.sums = torch.zeros(5)

    @property
    def active(self) -> bool:
        spec = self.replica.spec
        budget = self.number < spec.epochs or self.steps < spec.steps
        return not self.diverged and (bool(self.batches) or budget)

    @property
    def pass_over(self) -> bool:
        return not self.batches

    def batch(self) -> tuple[Tensor, Tensor, Tensor]:
        """The next images (n, 3, 64, 64) and labels (n,), and dropout's mask."""
        model, spec = self.replica.model, self.replica.spec
        if not self.batches:
            self.number += 1
            self.train, self.sums, self.seconds = next(self.passes), torch.zeros(5), 0.0
            self.batches = list(batches(len(self.train), spec, self.steps, self.order))
        batch = self.batches.pop(0)
        mask = model.dropout.mask(len(batch), model.to_code.out_features)
        return self.train.pixels[batch] / 255, self.train.labels[batch], mask

    def add_step(self, sums: Tensor, seconds: float) -> None:
        """Count a step and add up what it measured."""
        self.steps, self.sums, self.seconds = self.steps + 1, self.sums + sums, self.seconds + seconds

    def epoch(self) -> Epoch | Diverged:
        """The epoch of the pass that ends here, or its `Diverged`."""
        replica = self.replica
        metrics = measured(self.sums, replica.model, replica.validation)
        try:
            check_finite(f"in epoch {self.number}", metrics, replica.spec)
        except Diverged as error:
            self.diverged = True
            return error
        return Epoch(self.number, self.steps, int(self.sums[3]), metrics, self.seconds)


def _stack(models: Sequence[Autoencoder]) -> dict[str, Tensor]:
    """Every parameter with the replicas as its first dimension; the models' own become views of it."""
    tables = [dict(model.named_parameters()) for model in models]
    stacked = {name: torch.stack([table[name].detach() for table in tables]) for name in tables[0]}
    for number, (model, table) in enumerate(zip(models, tables, strict=True)):
        model.train()
        for name, parameter in table.items():
            parameter.data = stacked[name][number]
    return {name: tensor.requires_grad_() for name, tensor in stacked.items()}


def _step(replicas: Sequence[Replica], states: Sequence[_ReplicaState], stacked: dict[str, Tensor]) -> Tensor:
    """Leave the gradients of all replicas in `stacked`; what each adds to its sums, (replicas, 5)."""
    model, spec = replicas[0].model, replicas[0].spec
    parts = _padded([state.batch() if state.active else None for state in states], spec.batch_size, model)
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


def _padded(
    batches: Sequence[tuple[Tensor, Tensor, Tensor] | None], size: int, model: Autoencoder
) -> list[Tensor]:
    """Images, labels, masks and weights (replicas, size, ...): neither weight nor class for what is none."""
    count, width = len(batches), model.to_code.out_features
    images, labels = torch.zeros(count, size, 3, 64, 64), torch.full((count, size), -1)
    masks, weights = torch.zeros(count, size, width), torch.zeros(count, size)
    for number, batch in enumerate(batches):
        if batch is not None:
            n = len(batch[1])
            images[number, :n], labels[number, :n], masks[number, :n] = batch
            weights[number, :n] = 1
    return [images, labels, masks, weights]
