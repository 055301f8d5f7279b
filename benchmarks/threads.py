"""How far a run's numbers move with the number of threads: the stated tolerance of determinism.

    python benchmarks/threads.py [--epochs 10]

Runs the report's joint settings, seed 0, with one thread twice (the bits must be equal) and with two threads
once.
"""

import argparse

import torch
from machine import here

from ablation.emoji.determinism import deterministic
from ablation.emoji.protocols import joint
from ablation.emoji.result import Result
from ablation.emoji.run import run
from ablation.settings import vary


def with_threads(threads: int, epochs: int) -> Result:
    with deterministic(threads):
        return run(vary(joint, {"train.epochs": epochs}), 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=joint.train.epochs)
    options = parser.parse_args()
    print(f"measured on {here()}")
    one, again, two = (with_threads(threads, options.epochs) for threads in (1, 1, 2))
    weights = (result.model.state_dict() for result in (one, again))
    equal = all(torch.equal(*pair) for pair in zip(*(w.values() for w in weights), strict=True))
    print(f"one thread, twice: weights {'equal bit for bit' if equal else 'DIFFER'}")
    for name, value in one.metrics.items():
        if two.metrics[name] != value:
            print(f"{name}: {value:.6f} with one thread, {two.metrics[name]:.6f} with two")


if __name__ == "__main__":
    main()
