"""How much of the processor's arithmetic training uses: its FLOP/s over those of a matrix product.

    python benchmarks/arithmetic.py [--threads 1 2] [--rounds 12] [--layers]

Steps are those of `fit` itself, batch 64, on the network of the settings `joint` as `run` has it: in
channels-last, Adam fused, deterministic. FLOPs are torch's own count of an image forward and backward. The
yardstick is a 2048 x 2048 x 2048 product of the same type with as many threads. One process for a number of
threads (a worker has one) runs a pass of eight steps in float32, products, a pass in bfloat16 (autocast),
products, and so on in turn; the best pass is set against the best product. `--layers` times each layer, the
losses, the optimiser and the casts alone, so that one sees where the rest goes.
"""

import argparse
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import repeat
from time import perf_counter

import torch
from apart import fresh
from reached import Reached, show

from ablation.emoji.cost import run_flops
from ablation.emoji.data.classes import class_names
from ablation.emoji.determinism import deterministic
from ablation.emoji.model import IMAGE_SIZE, Autoencoder
from ablation.emoji.protocols import joint
from ablation.emoji.spec import RunSpec
from ablation.emoji.train import Epoch, fit
from ablation.emoji.training_data import Pictures
from ablation.settings import vary

TARGETS = {"float32": 85.0, "bfloat16": 60.0}  # per cent of the product's FLOP/s
SIDE = 2048
STEPS = 8  # of a pass: long enough to time, short enough that the products stay beside it
PRODUCTS = 4  # after a pass


def pictures(count: int) -> Pictures:
    """Noise in the shape, type and memory format of what `run` trains on."""
    pixels = torch.randint(0, 256, (count, 3, IMAGE_SIZE, IMAGE_SIZE), dtype=torch.uint8)
    labels = torch.randint(0, len(class_names(joint.data.classes)), (count,))
    return Pictures(pixels.contiguous(memory_format=torch.channels_last), labels)


def network() -> Autoencoder:
    """As `run` makes it."""
    model = Autoencoder(joint.model, len(class_names(joint.data.classes)), seed=0)
    return model.to(memory_format=torch.channels_last)


def prepared(threads: int) -> AbstractContextManager[None]:
    """As a run computes, but with so many threads."""
    torch.manual_seed(0)
    return deterministic(threads)


def training(precision: str, passes: int) -> Iterator[Epoch]:
    """`passes` passes of `STEPS` steps; hardly anything is validated, and that is not in their seconds."""
    spec = vary(joint, {"train.precision": precision, "train.epochs": passes}).train
    return fit(network(), repeat(pictures(STEPS * spec.batch_size)), pictures(2), spec, seed=0)


def product(precision: str) -> float:
    """FLOP/s of the best of a few matrix products."""
    one, other = (torch.randn(SIDE, SIDE).to(getattr(torch, precision)) for _ in range(2))
    out, least = torch.empty_like(one), float("inf")
    for _ in range(PRODUCTS):
        started = perf_counter()
        torch.mm(one, other, out=out)
        least = min(least, perf_counter() - started)
    return 2 * SIDE**3 / least


def speeds(threads: int, rounds: int) -> dict[str, tuple[float, float]]:
    """Images/s trained on and FLOP/s of a product, the best of all rounds, by precision."""
    best = dict.fromkeys(TARGETS, (0.0, 0.0))
    with prepared(threads):
        for epochs in zip(*(training(precision, rounds) for precision in TARGETS), strict=True):
            # `zip` has run a pass of each; products of both follow, so that either sees the same machine.
            for precision, epoch in zip(TARGETS, epochs, strict=True):
                images, flops = best[precision]
                best[precision] = max(images, epoch.images / epoch.seconds), max(flops, product(precision))
    return best


def flops_of_an_image(spec: RunSpec = joint) -> float:
    """Of a training step, by what one more pass over the same pictures adds to a run."""
    one, two = (run_flops(vary(spec, {"train.epochs": passes}), 1000, 0) for passes in (1, 2))
    return (two - one) / 1000


def measure(threads: Sequence[int] = (1, 2), rounds: int = 12) -> list[Reached]:
    """The share of a product's FLOP/s that training reaches, by number of threads and precision."""
    cost, found = flops_of_an_image(), []
    for number in threads:
        for precision, (images, peak) in fresh(speeds, number, rounds).items():
            share = 100 * images * cost / peak
            note = f"{images:.0f} images/s, {images * cost / 1e9:.0f} of {peak / 1e9:.0f} GFLOP/s"
            what = f"training's arithmetic, {precision}, {number} thread{'s' if number > 1 else ''}"
            found.append(Reached("b", what, share, "%", TARGETS[precision], True, note))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=12, help="passes of each precision")
    parser.add_argument("--layers", action="store_true", help="also time each layer alone")
    options = parser.parse_args()
    show(measure(options.threads, options.rounds))
    if options.layers:
        import layers  # which imports this module

        for threads in options.threads:
            fresh(layers.show, threads)


if __name__ == "__main__":
    main()
