"""Small studies and frames of invented runs, for the tests of statistics and reports."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from ablation import Claim, Difference, Study, Trend
from ablation.emoji.experiment import EmojiExperiment
from ablation.emoji.protocols import joint
from ablation.fingerprint import fingerprint

ODD = r"""50% & <b>"a_b"</b> | $x^2$ #1 {c} \d ~e* 'f' [g] λ é 😀"""
Value = Callable[[str, int], float]


class Coarse(EmojiExperiment):
    """One test item moves a measure by steps[measure]; there is nothing else to say of the runs."""

    def __init__(self, **steps: float) -> None:
        self.steps = steps

    def resolution(self, study: Study, cells: pd.DataFrame, measure: str) -> float:
        return self.steps.get(measure, 0.0)

    def caveats(self, study: Study, cells: pd.DataFrame) -> Iterator[str]:
        return iter(())


def a_study(**changes: Any) -> Study:
    """Three sizes around the baseline "middle", two measures, two claims, five seeds."""
    fields: dict[str, Any] = {
        "name": "sizes",
        "question": "Does size matter?",
        "source": "Larger is better. (part 1)",
        "baseline": joint,
        "arms": {
            "small": {"model.latent_dim": 64},
            "middle": {"model.latent_dim": 128},
            "large": {"model.latent_dim": 256},
        },
        "measures": {"test_mse": 0.002, "test_accuracy": 0.05},
        "claims": (
            Claim("larger is sharper", Trend("test_mse", "down", "model.latent_dim")),
            Claim("large is more accurate", Difference("test_accuracy", "up", "large")),
        ),
        "supported": "size matters",
    }
    return Study(**(fields | changes))


def a_frame(study: Study, seeds: int, mse: Value, accuracy: Value = lambda arm, seed: 0.5) -> pd.DataFrame:
    """All cells complete, with the values that `mse` and `accuracy` give to (arm, seed)."""
    return pd.DataFrame(
        {
            "arm": cell.arm,
            "seed": cell.seed,
            "state": "complete",
            "fingerprint": fingerprint(study.experiment, cell.settings, cell.seed, "data"),
            "run_id": f"run-{cell.arm}-{cell.seed}",
            "test_mse": mse(cell.arm, cell.seed),
            "test_accuracy": accuracy(cell.arm, cell.seed),
            "images_test": 40.0 + cell.seed % 2,
            "seconds": 1.5,
        }
        for cell in study.cells(seeds)
    )


def noisy(centre: dict[str, float], sd: float, seed: int = 0) -> Value:
    """A value per (arm, seed): centre[arm] plus a normal deviate of its own."""
    return lambda arm, s: centre[arm] + sd * np.random.default_rng([seed, s, *arm.encode()]).normal()


def some_curves(study: Study, seeds: int, steps: int = 3) -> pd.DataFrame:
    """MSE and accuracy of both sides: step + seed, 100 more in validation, and 0.001 more an arm."""
    more = {arm: number / 1000 for number, arm in enumerate(study.settings)}
    return pd.DataFrame(
        {
            "arm": c.arm,
            "seed": c.seed,
            "step": n,
            "metric": f"{side}_{m}",
            "value": n + c.seed + 100.0 * i + more[c.arm],
        }
        for c in study.cells(seeds)
        for n in range(steps)
        for i, side in enumerate(("train", "validation"))
        for m in ("mse", "accuracy")
    )
