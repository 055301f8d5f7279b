"""Several specs to several `Result`s in one program: where `run` takes one spec, and otherwise as it does."""

import os
from collections.abc import Callable, Hashable, Sequence

import torch

from ablation.emoji.model import Autoencoder
from ablation.emoji.replicas import Replica, fit_together
from ablation.emoji.run import Result, finish, prepare
from ablation.emoji.spec import RunSpec
from ablation.emoji.train import Diverged, Epoch
from ablation.emoji.training_data import Pictures


def program(spec: RunSpec) -> Hashable:
    """What the specs that train together have in common (`Replica.program`)."""
    train = spec.train
    kinds = train.batch_size, train.optimizer, train.precision, train.loss_weight == 0
    return spec.model, spec.data.classes, kinds


def run_together(
    specs: Sequence[RunSpec],
    on_epoch: Callable[[int, Epoch], None] = lambda number, epoch: None,
    composing: bool = False,
) -> list[Result | Diverged]:
    """What `run` makes of each spec, to `replicas.TOLERANCE`, trained on the accelerator where there is one.

    `on_epoch` sees the number of a spec and its epoch as it ends. A spec that diverges stops no other.
    Raises `UserError` where the specs are not of one `program`.
    """
    device = accelerator()
    prepared = [prepare(spec) for spec in specs]
    replicas = []
    for one in prepared:
        passes, validation = one.pictures.learning
        there = Pictures(validation.pixels.to(device), validation.labels.to(device))
        replicas.append(Replica(one.model.to(device), passes, there, one.spec.train, one.spec.seed))
    histories: list[list[Epoch]] = [[] for _ in specs]
    lost: dict[int, Diverged] = {}
    for number, ended in fit_together(replicas):
        if isinstance(ended, Diverged):
            lost[number] = ended
        else:
            histories[number].append(ended)
            on_epoch(number, ended)
    results: list[Result | Diverged] = []
    for number, one in enumerate(prepared):
        _settle(one.model)
        try:
            results.append(lost.get(number) or finish(one, histories[number], composing, len(specs)))
        except Diverged as error:
            results.append(error)
    return results


def accelerator() -> torch.device:
    """Where replicas train: the accelerator that torch finds, else the CPU."""
    # Deterministic matrix products on CUDA want a workspace of fixed size, named before the first of them.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return found or torch.device("cpu")


def _settle(model: Autoencoder) -> None:
    """Bring the model back to the CPU, its parameters views of nothing, in the layout of `prepare`."""
    for parameter in model.parameters():
        parameter.data = parameter.data.cpu().clone()
        parameter.grad = None
    model.to(memory_format=torch.channels_last)
