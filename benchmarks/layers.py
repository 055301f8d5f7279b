"""Where a training step goes: every layer alone, the losses, the optimiser, the casts; see arithmetic.py.

A layer is timed on the input that it has in the network, at batch 64, in memory format and type of the step:
forward, then backward to its input (but the pictures') and its weights. Under autocast the types are cast in
between: "weights cast" is all of them to bfloat16 forward, and their gradients back to float32. The best of
several; what a step of `fit` takes beyond the sum is reading batches in random order, sums, and caches that
the layers alone find warm.

    python benchmarks/layers.py [--rounds 13] [--repeats 6]

Alone it says what share of a step two things save, with one thread in float32: the gradients of `DownConv`
and `UpConv` against torch's own, and a malloc that gives no memory back to the system. Passes of eight steps
of both variants are run in turn: gradients in one process, malloc in two, since it cannot be set back.
Shares are of processor time, which other work on the machine moves less than the clock's.
"""

import argparse
import copy
import ctypes
import math
import statistics
from collections.abc import Callable, Iterator
from itertools import islice, repeat
from time import perf_counter, process_time
from typing import Any

import torch
from apart import fresh
from arithmetic import STEPS, TARGETS, network, pictures, prepared, training
from machine import here
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from ablation.emoji import model as module
from ablation.emoji.model import Output
from ablation.emoji.protocols import joint
from ablation.emoji.train import fit, losses
from ablation.settings import vary

TIMES = 15
Row = tuple[str, float, float, float, float]
"""Name, ms forward, ms backward, GFLOP forward, GFLOP backward."""


def best(call: Callable[[], object]) -> float:
    """Milliseconds of the best of several."""
    least = math.inf
    for _ in range(TIMES):
        started = perf_counter()
        call()
        least = min(least, perf_counter() - started)
    return 1000 * least


def inputs(model: nn.Module, images: Tensor) -> dict[str, tuple[nn.Module, Tensor]]:
    """Every layer with the input that it has in the network, by name."""
    found: dict[str, tuple[nn.Module, Tensor]] = {}
    hooks = [
        layer.register_forward_hook(
            lambda layer, given, _, name=name: found.update({name: (layer, given[0])})
        )
        for name, layer in model.named_modules()
        if not list(layer.children())
    ]
    model(images)
    for hook in hooks:
        hook.remove()
    return found


def row(name: str, forward: Callable[[], Tensor]) -> Row:
    """Forward, and what backward adds to it."""
    given = torch.rand_like(forward())

    def both() -> None:
        forward().backward(given)

    with FlopCounterMode(display=False) as one:
        forward()
    with FlopCounterMode(display=False) as two:
        both()
    flops, ms = one.get_total_flops(), best(forward)
    return name, ms, max(best(both) - ms, 0.0), flops / 1e9, (two.get_total_flops() - flops) / 1e9


def layer_row(name: str, layer: nn.Module, given: Tensor, dtype: torch.dtype) -> Row:
    """Of one layer alone."""
    alone, x = copy.deepcopy(layer).to(dtype), given.detach().to(dtype)
    if isinstance(alone, nn.ReLU):
        alone.inplace = False  # in the network it writes over what it is given, which here is wanted again
    x.requires_grad_(name != "encoder.0")  # nobody asks for the gradient of the pictures
    described = f"{name} {type(layer).__name__} {' x '.join(map(str, given.shape[1:]))}"
    return row(described, lambda: alone(x))


def rows(precision: str) -> list[Row]:
    """Of everything in a step."""
    model, train, dtype = network(), pictures(joint.train.batch_size), getattr(torch, precision)
    images = train.pixels / 255
    # What is float32 under autocast, too: what is behind the decoder's last layer, and dropout.
    whole = ("output", "dropout")
    found = [
        layer_row(name, layer, given, torch.float32 if name in whole else dtype)
        for name, (layer, given) in inputs(model, images).items()
    ]
    output = Output(*(part.detach().requires_grad_() for part in model(images)))

    def loss() -> Tensor:
        mse, cross_entropy, _ = losses(output, images, train.labels)
        return mse + joint.train.loss_weight * cross_entropy

    found += [row("losses", loss), ("pictures to floats", best(lambda: train.pixels / 255), 0.0, 0.0, 0.0)]
    weights = list(model.parameters())
    if dtype != torch.float32:
        halves = [part.detach().to(dtype) for part in weights]
        casts = best(lambda: [part.to(dtype) for part in weights]), best(lambda: [h.float() for h in halves])
        found.append(("weights cast", *casts, 0.0, 0.0))
    for part in weights:
        part.grad = torch.zeros_like(part)
    optimizer = torch.optim.Adam(
        weights, lr=joint.train.lr, weight_decay=joint.train.weight_decay, fused=True
    )
    return [*found, ("optimiser", best(optimizer.step), 0.0, 0.0, 0.0)]


def show(threads: int) -> None:
    """Print a table a precision."""
    with prepared(threads):
        _show(threads)


def _show(threads: int) -> None:
    for precision in TARGETS:
        step = 1000 / STEPS * min(epoch.seconds for epoch in islice(training(precision, 4), 4))
        made = Table("layer, input", "forward ms", "backward ms", "GFLOP/s forward", "backward")
        made.title = f"{precision}, {threads} thread(s); a step of `fit` takes {step:.0f} ms"
        every = rows(precision)
        total = tuple(sum(column) for column in zip(*(one[1:] for one in every), strict=True))
        for name, forward, backward, *flops in [*every, ("all", *total)]:
            rates = [
                f"{1000 * f / ms:.0f}" if f and ms else ""
                for f, ms in zip(flops, (forward, backward), strict=True)
            ]
            made.add_row(name, f"{forward:.2f}", f"{backward:.2f}" if backward else "", *rates)
        for column in made.columns[1:]:
            column.justify = "right"
        made.caption = f"measured on {here()}"
        Console(width=110).print(made)


def gradients(rounds: int) -> list[tuple[float, float]]:
    """Processor seconds of a pass with our gradients and with torch's, in turn; the first is left out."""
    ours = network()
    down, up = module.DownConv, module.UpConv
    module.DownConv = lambda i, o: nn.Conv2d(i, o, 3, stride=2, padding=1)  # type: ignore[assignment,misc]
    module.UpConv = lambda i, o: nn.ConvTranspose2d(i, o, 3, stride=2, padding=1, output_padding=1)  # type: ignore[assignment,misc]
    try:
        theirs = network()
    finally:
        module.DownConv, module.UpConv = down, up  # type: ignore[misc]
    return list(zip(*(_passes(model, rounds) for model in (ours, theirs)), strict=True))[1:]


def memory(kept: bool, rounds: int) -> float:
    """Processor seconds of a pass, the median of several, where malloc keeps what a step frees or not."""
    if kept:  # M_TRIM_THRESHOLD and M_MMAP_MAX of glibc's malloc.h
        ctypes.CDLL(None).mallopt(-1, 2**31 - 1)
        ctypes.CDLL(None).mallopt(-4, 0)
    return statistics.median(list(_passes(network(), rounds))[1:])


def _passes(model: module.Autoencoder, rounds: int) -> Iterator[float]:
    """Processor seconds of each pass of `fit`; hardly anything is validated."""
    spec = vary(joint, {"train.epochs": rounds}).train
    epochs = fit(model, repeat(pictures(STEPS * spec.batch_size)), pictures(2), spec, seed=0)
    for _ in range(rounds):
        started = process_time()
        next(epochs)
        yield process_time() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=13, help="passes of each variant in a process")
    parser.add_argument("--repeats", type=int, default=6, help="processes of each variant")
    options = parser.parse_args()
    shares: dict[str, list[float]] = {"own gradients": [], "memory kept": []}
    for _ in range(options.repeats):
        shares["own gradients"] += [100 * (1 - a / b) for a, b in fresh(_alone, gradients, options.rounds)]
        kept, given = (fresh(_alone, memory, kept, options.rounds) for kept in (True, False))
        shares["memory kept"].append(100 * (1 - kept / given))
    print(f"measured on {here()}")
    for name, found in shares.items():
        low, middle, high = statistics.quantiles(found, n=4)
        print(f"{name}: {middle:.1f} % of a step saved (quartiles {low:.1f} to {high:.1f}, n = {len(found)})")


def _alone(call: Callable[..., Any], *args: object) -> Any:
    with prepared(1):
        return call(*args)


if __name__ == "__main__":
    main()
