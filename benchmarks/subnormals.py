"""What do subnormal numbers cost in a long training, and what does flushing them to 0 change?

python benchmarks/subnormals.py [--steps 3000]: the network of `trained_composition` on one core under a seed
that no study has, with train.subnormals "keep" and "flush": milliseconds of processor a step of every quarter
of the budget, then the largest difference of a weight and the validation MSE of both. Ten minutes.
"""

import argparse
from time import process_time

from machine import here

from ablation import catalogue
from ablation.emoji.determinism import deterministic
from ablation.emoji.run import prepare
from ablation.emoji.train import fit
from ablation.settings import vary
from ablation.tuning import TUNING_SEED


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=3000, help="budget in optimiser steps")
    steps = parser.parse_args().steps
    print(f"measured on {here()}")
    models = []
    for kind in ("keep", "flush"):
        change = {"train.steps": steps, "train.subnormals": kind}
        spec = vary(catalogue.load("trained_composition").baseline, change)
        made = prepare(spec, TUNING_SEED)
        with deterministic(flush=kind == "flush"):
            began, before, quarter = process_time(), 0, 1
            for epoch in fit(
                made.model, made.pictures.passes, made.pictures.validation, spec.train, made.network_seed
            ):
                if epoch.steps >= quarter * steps / 4:
                    cost = 1000 * (process_time() - began) / (epoch.steps - before)
                    print(f"{kind:5} to step {epoch.steps:5}: {cost:5.1f} ms a step", flush=True)
                    began, before, quarter = process_time(), epoch.steps, quarter + 1
        models.append(made.model.state_dict())
        print(f"{kind:5} validation MSE {epoch.metrics['validation_mse']:.6f}", flush=True)
    kept, flushed = models
    most = max(float((kept[name] - flushed[name]).abs().max()) for name in kept)
    print(f"largest difference of a weight: {most:.2g}")


if __name__ == "__main__":
    main()
