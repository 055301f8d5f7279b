"""Null studies and planted effects through the whole path: data, split, a fit, recorded runs, verdicts.csv.

A run fits a nearest class mean in each of `WORLDS` worlds, which have pools of their own, and records an
accuracy for each. So as many studies rest on one set of recorded runs, and are independent of each other.
Their verdicts are read in the text of verdicts.csv.
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
from ablation.stats.effects import Contrast, contrast
from ablation.stats.power import effect_power
from ablation.tracking.store import Store
from engines import InlineEngine
from recompute import read

WORLDS, FIRST, ALPHA, SEEDS = 300, 7, 0.05, (5, 10, 20)
POOL, TEST = 120, 40
PILOTS, LONG = 100, 60
"""In how many of the worlds `plan` is asked what it predicts, and how many other seeds tell it the spread."""
CAUTIOUS = {("split", False), ("split", True), ("items", False)}
"""Where studies are wrong far less often than alpha: splits share less of what tells the arms apart than
Nadeau and Bengio assume, and neither seeds nor items differ on average in what two identical arms do.
"""
LEAST = 1e-6
"""A smallest effect that matters far below the noise, so that nothing is equivalent."""
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


def study(kind: str, shuffled: bool, arms: dict[str, dict[str, Any]], measures: Any) -> Study:
    """The baseline and what differs from it: "equal" by nothing that matters, "gained" by the gain."""
    baseline = {"kind": kind, "shuffled": shuffled, "arm": 0, "gain": 0.0, "worlds": WORLDS, "first": FIRST}
    return Study(
        question="Is it better?",
        source="a simulation",
        name="nulls",
        train=train,
        baseline=baseline,
        arms=arms,
        measures=measures,
        replication=REPLICATION[kind],
        seeds=max(SEEDS),
    )


def judged(kind: str, shuffled: bool, arm: str, matters: float) -> Study:
    """A study of one world, with one claim: that the arm is above "old"."""
    changes = {"equal": {"arm": 1}}.get(arm, {"arm": 2})
    one = study(kind, shuffled, {arm: changes}, {"score": Measure("higher", matters=matters)})
    return replace(one, claims=(Claim("it is above", Difference("score", "up", arm)),))


def pilots(kind: str, shuffled: bool) -> Iterator[Contrast]:
    """What `LONG` seeds that no study has say of the arms in a world, without a gain."""
    settings = {"kind": kind, "shuffled": shuffled, "gain": 0.0, "worlds": WORLDS, "first": FIRST}
    one = judged(kind, shuffled, "gained", 1.0)
    found = {
        (arm, seed): outcomes({**settings, "arm": n}, 1000 + seed)
        for arm, n in (("baseline", 0), ("gained", 2))
        for seed in range(LONG)
    }
    for world in range(PILOTS):
        rows = [(arm, seed, values[world].mean()) for (arm, seed), values in found.items()]
        cells = pd.DataFrame(rows, columns=["arm", "seed", "score"])
        cells = cells.assign(state="complete", fingerprint="", run_id="")
        items = None
        if kind == "items":
            values = pd.DataFrame([each[world] for each in found.values()])
            items = values.assign(arm=cells.arm, seed=cells.seed).melt(["arm", "seed"], var_name="item")
            items = items.astype({"item": str}).assign(measure="score", group="")
        yield contrast(one, cells, one.claims[0].rule, items)


def planned(kind: str, shuffled: bool, seeds: int) -> tuple[float, float]:
    """The effect that `plan` says is found in 80 %, as a mean over worlds, and how often it is."""
    one, seen = judged(kind, shuffled, "gained", 1.0), list(pilots(kind, shuffled))
    gain = float(np.mean([effect_power(one, each, seeds).detectable for each in seen]))
    known = judged(kind, shuffled, "gained", gain)
    return gain, float(np.mean([effect_power(known, each, seeds).power for each in seen]))


def exported(one: Study, found: Results, world: str, items: pd.DataFrame | None) -> str:
    """The word of verdicts.csv for a world."""
    wanted = found.cells.arm.isin(list(one.settings))
    cells = found.cells.loc[wanted, ["arm", "seed", "state", "fingerprint", "run_id", world]]
    cells = cells.rename(columns={world: "score"}).reset_index(drop=True)
    own = None if items is None else items[items.arm.isin(list(one.settings))].assign(measure="score")
    (row,) = read(verdicts_csv(Results(one, cells, items=own).analysis))
    return row["verdict"]


@pytest.mark.simulation
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seeds", SEEDS)
@pytest.mark.parametrize("shuffled", [False, True], ids=["identical", "shuffled"])
@pytest.mark.parametrize("kind", REPLICATION)
def test_null_studies_are_wrong_at_alpha_and_planted_effects_are_found_as_planned(
    kind: str, shuffled: bool, seeds: int, tmp_path: Path
) -> None:
    """A study that is wrong at alpha passes with 99.9 %, at a tenth of it with 1 %."""
    gain, power = planned(kind, shuffled, seeds)
    arms = {"equal": {"arm": 1}, "gained": {"arm": 2, "gain": gain}}
    measures = {f"w{n}": Measure("higher", matters=1.0) for n in range(WORLDS)}
    whole = study(kind, shuffled, arms, measures)
    store = Store(tmp_path)
    run_study(whole, store, InlineEngine(), workers=1, seeds=seeds)
    found = read_results(whole, store)
    items = dict(tuple(found.items.groupby("measure", observed=True))) if kind == "items" else {}
    null, planted = judged(kind, shuffled, "equal", LEAST), judged(kind, shuffled, "gained", gain)
    words = [[exported(one, found, world, items.get(world)) for world in measures] for one in (null, planted)]
    false, shown = sum(word in ("supported", "refuted") for word in words[0]), words[1].count("supported")
    print(f"{kind}, shuffled {shuffled}, {seeds} seeds: {false} false, {shown} shown, {power:.3f} planned")
    assert false <= stats.binom.isf(0.001, WORLDS, ALPHA)
    assert false > stats.binom.isf(0.01, WORLDS, ALPHA / 10) or (kind, shuffled) in CAUTIOUS
    # With few seeds what is found may be shown to be equivalent, too (docs/verdicts.md).
    assert shown >= stats.binom.ppf(0.001, WORLDS, power - 0.035)
    assert shown <= stats.binom.isf(0.001, WORLDS, power) or kind == "split"
