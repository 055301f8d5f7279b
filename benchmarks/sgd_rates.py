"""Which learning rates let SGD leave the plateau of the mean picture in the budget of `design_choices`?

python benchmarks/sgd_rates.py: validation MSE of a split that no cell has, SGD at five rates beside Adam;
some three minutes on one core.
"""

from machine import here

from ablation import catalogue
from ablation.emoji.determinism import deterministic
from ablation.emoji.run import run
from ablation.settings import vary
from ablation.tuning import TUNING_SEED

RATES = (0.1, 0.3, 1.0, 10.0, 30.0)


def main() -> None:
    print(f"measured on {here()}")
    arms = catalogue.load("design_choices").declared
    rates = {f"SGD, {rate:g}": vary(arms["SGD"], {"train.lr": rate}) for rate in RATES}
    for name, settings in ({"Adam, 0.001": arms["as reported"]} | rates).items():
        with deterministic():
            last = run(settings, TUNING_SEED).history[-1]
        print(f"{name:12} validation MSE {last.metrics['validation_mse']:.4f}", flush=True)


if __name__ == "__main__":
    main()
