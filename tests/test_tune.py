"""Tuning: the winner is near the optimum, no run twice, resumed as undisturbed, confirmed on fresh seeds alone."""

import dataclasses
import json
import math
import random
from collections.abc import Mapping
from pathlib import Path
from shutil import copytree
from typing import Any

import pandas as pd
import pytest
from pebble import ProcessExpired

import ablation
from ablation import Choice, Diverged, Measure, Range, Study, Tracked, Tune, UserError
from ablation.runner.scheduler import Progress, run_study
from ablation.runner.search import PRUNED, seeds_of
from ablation.runner.tune import (
    TUNED,
    best_of,
    check_tune,
    confirmation,
    importances,
    run_tune,
    seed_averaged,
    tried,
    tune_results,
)
from ablation.runner.worker import Task
from ablation.seeds import derive
from ablation.tracking.read import cell_runs
from ablation.tracking.store import Store
from ablation.tuning import CONFIRMING_SEED, TUNING_SEED
from engines import InlineEngine

OPTIMUM = 0.01


def noise(seed: int, *names: object) -> float:
    """A normal number that the seed and the names decide."""
    return random.Random(derive(seed, *map(str, names))).gauss(0, 1)


def bowl(settings: Mapping[str, Any], seed: int) -> dict[str, float]:
    """A quadratic in the decades of the rate, with its optimum at 0.01; the width and the shape hardly matter.

    A seed is as much harder for all settings as ten decades are, so only pairs by seed say what is better.
    """
    if settings["rate"] > 0.5:
        raise Diverged("the loss is not finite")
    decades = math.log10(settings["rate"] / OPTIMUM)
    loss = decades**2 + 0.001 * settings["width"] + 0.01 * (settings["shape"] == "round")
    return {name: loss + 10 * noise(seed, "seed") + 0.01 * noise(seed, name, settings) for name in MEASURES}


def luck(settings: Mapping[str, Any], seed: int) -> dict[str, float]:
    """Nothing matters: each run is a number of its own."""
    return {name: noise(seed, name, settings) for name in MEASURES}


MEASURES = {
    "held_out": Measure("lower", "Held-out loss", 3, matters=0.1, validation=True),
    "test": Measure("lower", "Test loss", 3, matters=0.1),
}
RANGES: dict[str, Range | Choice] = {
    "rate": Range(1e-4, 1.0, log=True),
    "width": Range(1, 8),
    "shape": Choice(["square", "round"]),
}
TUNE = Tune("test", RANGES, trials=30, objective="held_out")


def bowl_study(**changes: Any) -> Study:
    settings: dict[str, Any] = {
        "name": "bowl",
        "question": "Does a wider bowl hold more?",
        "source": "a double",
        "train": bowl,
        "baseline": {"rate": 0.3, "width": 4, "shape": "square"},
        "arms": {"wide": {"width": 8}},
        "measures": MEASURES,
        "tune": TUNE,
    }
    return Study(**(settings | changes))


def tuning(
    study: Study, store: Store, engine: InlineEngine | None = None, workers: int = 1
) -> Progress:
    return run_tune(study, store, engine or InlineEngine(), workers)


def found(study: Study, store: Store) -> pd.DataFrame:
    frame = tune_results(study, store)
    assert frame is not None
    return frame.drop(columns="run_id")


def test_the_winner_is_near_the_optimum_and_better_than_the_baseline(store: Store) -> None:
    study = bowl_study()
    progress = tuning(study, store)
    trials = found(study, store)
    assert trials.number.tolist() == list(range(30))
    best = best_of(study, trials)
    assert abs(math.log10(best["rate"] / OPTIMUM)) < 0.35
    first = trials.iloc[0]
    assert (first.rate, first.width, first["shape"]) == (0.3, 4, "square")
    assert best["held_out"] < first.held_out - 1
    assert progress.done == progress.total
    print(trials.to_string(), importances(study, store))
