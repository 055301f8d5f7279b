"""Null studies and planted effects through the whole path: data, split, a fit, recorded runs, verdicts.csv.

A run fits a nearest class mean in each of `WORLDS` worlds, which have pools of their own, and records an accuracy
for each: so that as many studies rest on one set of recorded runs, and are independent of each other. Their
verdicts are read in the text of verdicts.csv.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ablation import Claim, Difference, Measure, Replication, Run, Study
from ablation.report.data_files import verdicts_csv
from ablation.report.export import Results
from ablation.report.export import read as read_results
from ablation.runner.scheduler import run_study
from ablation.stats.effects import contrast
from ablation.stats.power import effect_power
from ablation.tracking.store import Store
from engines import InlineEngine
from recompute import read

WORLDS, ALPHA, SEEDS = 300, 0.05, (5, 10, 20)
POOL, TEST = 120, 40
PILOTS, LONG = 40, 100
"""How many other worlds say what `plan` predicts, and how many seeds tell it the spread there."""
REPLICATION: dict[str, Any] = {
    "training": "training",
    "split": Replication("split", TEST / (POOL - TEST)),
    "items": "items",
}


@lru_cache(maxsize=4)
def pools(first: int, worlds: int) -> tuple[np.ndarray, np.ndarray]:
    """Features (worlds, POOL, 4) and balanced labels of ±1, of which each feature tells equally much."""
    rng = np.random.default_rng(first)
    labels = rng.permuted(np.tile([-1.0, 1.0], (worlds, POOL // 2)), axis=1)
    return 0.4 * labels[..., None] + rng.normal(size=(worlds, POOL, 4)), labels


def outcomes(settings: dict[str, Any], seed: int) -> np.ndarray:
    """Whether each test item is read rightly, (worlds, TEST), and `gain` more.

    A seed draws the examples that each arm learns from (with replacement), and where the kind is "split" the
    split. Arms are told apart by that draw alone or, where labels are shuffled, by their features, too.
    Labels are shuffled once in a pool; for one fixed test set under every seed, since there an arm may really
    be better by chance.
    """
    kind, shuffled, arm = settings["kind"], settings["shuffled"], settings["arm"]
    worlds, first = settings["worlds"], settings["first"]
    features, labels = pools(first, worlds)
    shared = np.random.default_rng([first, seed])
    rows = np.arange(worlds)[:, None]
    order = np.tile(np.arange(POOL), (worlds, 1))
    if shuffled:
        rng = shared if kind == "training" else np.random.default_rng([first, 1])
        labels = rng.permuted(labels, axis=1)
        features = features[..., 2:] if arm else features[..., :2]
    if kind == "split":
        order = shared.permuted(order, axis=1)
    train, test = order[:, TEST:], order[:, :TEST]
    own = np.random.default_rng([first, seed, arm, 2])
    drawn = train[rows, own.integers(POOL - TEST, size=train.shape)]
    x, y = features[rows, drawn], labels[rows, drawn][..., None]
    above, below = (np.sum(x * (y == side), axis=1) / np.sum(y == side, axis=1) for side in (1, -1))
    middle, axis = (above + below) / 2, above - below
    score = np.einsum("wtf,wf->wt", features[rows, test] - middle[:, None], axis)
    return (np.sign(score) == labels[rows, test]) + settings["gain"]


def train(settings: dict[str, Any], seed: int, run: Run) -> dict[str, float]:
    found = outcomes(settings, seed)
    if settings["kind"] == "items":
        worlds, items = found.shape
        names = np.repeat([f"w{n}" for n in range(worlds)], items)
        run.items(
            pd.DataFrame({"measure": names, "item": list(range(items)) * worlds, "value": found.ravel()})
        )
    return {f"w{n}": float(value) for n, value in enumerate(found.mean(axis=1))}


def study(kind: str, shuffled: bool, arms: dict[str, dict[str, Any]], measures: Any, **changes: Any) -> Study:
    """The baseline is "old"; that "equal" is above it is false, and that "gained" is, true."""
    baseline = {"kind": kind, "shuffled": shuffled, "arm": 0, "gain": 0.0, "worlds": WORLDS, "first": 7}
    return Study(
        question="Is it better?",
        source="a simulation",
        name="nulls",
        train=train,
        baseline=baseline | changes,
        arms={"equal": {"arm": 1}, **arms},
        measures=measures,
        replication=REPLICATION[kind],
        seeds=max(SEEDS),
    )


def judged(kind: str, shuffled: bool, gain: float, arm: str = "gained") -> Study:
    """Of one world: two claims, which are a family each."""
    claims = (
        Claim("equal is above", Difference("score", "up", "equal")),
        Claim("gained is above", Difference("score", "up", arm), counts=False),
    )
    one = study(kind, shuffled, {arm: {"arm": 2, "gain": gain}}, {"score": Measure("higher", matters=gain)})
    return replace(one, claims=claims)


def pilots(kind: str, shuffled: bool) -> Iterator[tuple[pd.DataFrame, pd.DataFrame | None]]:
    """Cells and items of other worlds, with `LONG` seeds and no gain."""
    settings = {"kind": kind, "shuffled": shuffled, "gain": 0.0, "worlds": PILOTS, "first": 8}
    arms = {"old": 0, "equal": 1, "gained": 2}
    found = {
        (arm, seed): outcomes({**settings, "arm": n}, seed) for arm, n in arms.items() for seed in range(LONG)
    }
    for world in range(PILOTS):
        rows = [(arm, seed, one[world].mean()) for (arm, seed), one in found.items()]
        cells = pd.DataFrame(rows, columns=["arm", "seed", "score"]).replace({"arm": {"old": "baseline"}})
        items = None
        if kind == "items":
            values = pd.DataFrame([one[world] for one in found.values()]).assign(
                arm=cells.arm, seed=cells.seed
            )
            items = values.melt(["arm", "seed"], var_name="item").assign(measure="score", group="")
            items["item"] = items["item"].astype(str)
        yield cells.assign(state="complete", fingerprint="", run_id=""), items


def planned(kind: str, shuffled: bool) -> dict[int, tuple[float, float]]:
    """By seeds: the effect that `plan` says is found in 80 %, as a mean over worlds, and how often it is."""
    one = judged(kind, shuffled, 1.0)
    rule = one.claims[1].rule
    seen = [contrast(one, cells, rule, items) for cells, items in pilots(kind, shuffled)]
    found = {}
    for n in SEEDS:
        gain = float(np.mean([effect_power(one, each, n).detectable for each in seen]))
        known = judged(kind, shuffled, gain)
        found[n] = gain, float(np.mean([effect_power(known, each, n).power for each in seen]))
    return found


def exported(one: Study, cells: pd.DataFrame, items: pd.DataFrame | None, n: int) -> list[str]:
    """The words of verdicts.csv with the first n seeds."""
    mine = cells[cells.arm.isin(list(one.settings)) & (cells.seed < n)].reset_index(drop=True)
    own = None if items is None else items[items.seed < n]
    return [row["verdict"] for row in read(verdicts_csv(Results(one, mine, items=own).analysis))]


@pytest.mark.slow
@pytest.mark.parametrize("shuffled", [False, True], ids=["two identical arms", "labels shuffled"])
@pytest.mark.parametrize("kind", REPLICATION)
def test_null_studies_are_wrong_at_alpha_and_planted_effects_found_as_planned(
    kind: str, shuffled: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = planned(kind, shuffled)
    arms = {f"gained {n}": {"arm": 2, "gain": gain} for n, (gain, _) in plan.items()}
    measures = {f"w{n}": Measure("higher", matters=1.0) for n in range(WORLDS)}
    whole = study(kind, shuffled, arms, measures)
    store = Store(tmp_path)
    run_study(whole, store, InlineEngine(), workers=1)
    found = read_results(whole, store)
    by_world = dict(tuple(found.items.groupby("measure", observed=True))) if found.items is not None else {}
    for n, (gain, power) in plan.items():
        one = judged(kind, shuffled, gain, f"gained {n}")
        words = []
        for world in range(WORLDS):
            name = f"w{world}"
            cells = found.cells[["arm", "seed", "state", "fingerprint", "run_id"]]
            items = by_world[name].assign(measure="score") if kind == "items" else None
            words.append(exported(one, cells.assign(score=found.cells[name]), items, n))
        false = sum(word in ("supported", "refuted") for word, _ in words)
        shown = sum(word == "supported" for _, word in words)
        with capsys.disabled():
            print(
                f"{kind} {shuffled} {n}: false {false / WORLDS:.3f}, shown {shown / WORLDS:.3f} of {power:.3f}"
            )
