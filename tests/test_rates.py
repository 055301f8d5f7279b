"""How often verdicts are wrong, and how often effects are found, as the exported files say: for each kind of
replication, in worlds that follow its own mechanism.

A world is a table of results for each arm; a study of it goes through the analysis into the text of table.csv
and verdicts.csv, and the words are read there. The bounds are those that a rate as declared passes with
99.9 %, by the binomial distribution.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ablation import Claim, Difference, Measure, Replication, Study
from ablation.report.data_files import verdicts_csv
from ablation.report.export import Results
from ablation.report.formats import render
from ablation.report.table import tabulate
from ablation.stats.crossed import sampled
from ablation.stats.power import power_of
from ablation.stats.statistics import power, t_power
from recompute import read

STUDIES, ALPHA = 120, 0.05
MOST_FALSE = int(stats.binom.isf(0.001, STUDIES, ALPHA))
ARMS = ("old", "equal", "better")
COMPONENTS = ("by_seed", "by_cluster", "rest")

World = Mapping[str, np.ndarray]
"""By arm: the values of the seeds, (seeds,), or of seeds and items, (seeds, items)."""
POOL, TEST = 120, 30


def unused(settings: dict[str, Any], seed: int) -> dict[str, float]:
    return {}


def study(replication: Any, matters: float) -> Study:
    """Of the two arms beside "old", each is claimed to be above it, which is true of "better" alone."""
    return Study(
        question="Is it better?",
        source="a simulation",
        train=unused,
        baseline={"x": 0},
        arms={arm: {"x": n} for n, arm in enumerate(ARMS)},
        measures={"score": Measure("higher", matters=matters, digits=6)},
        claims=tuple(Claim(f"{arm} is above", Difference("score", "up", arm)) for arm in ARMS[1:]),
        replication=replication,
    )


def exported(one: Study, world: World) -> dict[str, tuple[str, str]]:
    """By arm: its word in table.csv, and that of its claim in verdicts.csv."""
    seeds = len(world["old"])
    cells = pd.DataFrame(
        [(arm, seed, float(values[seed].mean())) for arm, values in world.items() for seed in range(seeds)],
        columns=["arm", "seed", "score"],
    ).assign(state="complete", fingerprint="", run_id="")
    items = pd.concat(of_items(world), ignore_index=True) if one.of_items else None
    analysis = Results(one, cells, items=items).analysis
    table = {row["arm"]: row["verdict"] for row in read(render(tabulate(analysis), "csv"))}
    claims = {row["claim"].split()[0]: row["verdict"] for row in read(verdicts_csv(analysis))}
    return {arm: (table[arm], claims[arm]) for arm in claims}


def of_items(world: World) -> Iterator[pd.DataFrame]:
    for arm, values in world.items():
        seeds, items = values.shape
        rows = {"seed": np.repeat(np.arange(seeds), items), "item": list(map(str, range(items))) * seeds}
        yield pd.DataFrame(rows | {"value": values.ravel()}).assign(arm=arm, measure="score", group="")


def trained(rng: np.random.Generator, shift: float) -> World:
    """Ten trainings on one split: a seed moves all arms, and each by itself."""
    seed = rng.normal(size=10)
    return {arm: seed + rng.normal(size=10) + shift * (arm == "better") for arm in ARMS}


def split_anew(rng: np.random.Generator, shift: float) -> World:
    """One pool of `POOL` examples, split ten times anew into training and test set; minus the squared error.

    Each arm fits a line through one feature of its own. The features tell equally much of the outcome, but
    for that of "better", which has 1 + shift times the weight.
    """
    x = rng.normal(size=(len(ARMS), POOL))
    y = x[0] + x[1] + (1 + shift) * x[2] + rng.normal(size=POOL)
    order = rng.permuted(np.tile(np.arange(POOL), (10, 1)), axis=1)
    train, test = order[:, TEST:], order[:, :TEST]
    slopes = (x[:, train] * y[train]).sum(axis=2) / (x[:, train] ** 2).sum(axis=2)
    errors = (y[test] - slopes[..., None] * x[:, test]) ** 2
    return dict(zip(ARMS, -errors.mean(axis=2), strict=True))


def right_or_wrong(rng: np.random.Generator, shift: float) -> World:
    """Eight trainings answer sixty questions: hard for all or for one arm, and some trainings are worse."""

    def answers(arm: str) -> np.ndarray:
        own = 4 * rng.normal(size=60) + 0.7 * rng.normal(size=(8, 1)) + shift * (arm == "better")
        return 1.0 * (rng.logistic(size=(8, 60)) < easy + own)

    easy = 1 + rng.normal(size=60)
    return {arm: answers(arm) for arm in ARMS}


def alike(rng: np.random.Generator, shift: float) -> World:
    """Five trainings, which move all their eighty items alike."""
    item = rng.normal(size=80)
    return {arm: item + rng.normal(size=(5, 1)) + shift * (arm == "better") for arm in ARMS}


def predicted(one: Study, worlds: list[World], alpha: float) -> tuple[float, float]:
    """The true effect of "better", and the power that follows from it and the spread that its worlds have."""
    differences = [world["better"] - world["old"] for world in worlds]
    delta = float(np.mean(differences))
    if not one.of_items:
        sd = float(np.sqrt(np.mean([np.var(each, ddof=1) for each in differences])))
        return delta, power(delta, sd, len(differences[0]), one.ratio, alpha)
    samples = [sampled(each, np.arange(each.shape[1])) for each in differences]
    spread = {name: float(np.mean([getattr(s, name) for s in samples])) for name in COMPONENTS}
    true = replace(samples[0], **spread)
    return delta, t_power(delta / true.error(), true.degrees(), alpha)


WORLDS: dict[str, tuple[Any, Callable[[np.random.Generator, float], World], float]] = {
    "training": ("training", trained, 1.7),
    "split": (Replication("split", TEST / (POOL - TEST)), split_anew, 0.85),
    "items": ("items", right_or_wrong, 2.8),
}


@pytest.mark.parametrize("kind", WORLDS)
def test_equal_arms_are_called_different_at_most_at_alpha_and_better_ones_found_as_predicted(
    kind: str,
) -> None:
    """The smallest effect that matters is that of "better": to call that equivalent is a mistake, too."""
    replication, world, shift = WORLDS[kind]
    rng = np.random.default_rng(1)
    calibration = [world(rng, shift) for _ in range(400)]
    delta, least = predicted(study(replication, 1.0), calibration, ALPHA / 2)
    one = study(replication, delta)
    most = predicted(one, calibration, ALPHA)[1]  # as if Holm asked for no more
    found = [exported(one, world(rng, shift)) for _ in range(STUDIES)]
    assert sum(words["equal"][0] in ("better", "worse") for words in found) <= MOST_FALSE
    assert sum(words["equal"][1] in ("supported", "refuted") for words in found) <= MOST_FALSE
    assert sum("equivalent" in words["better"] for words in found) <= MOST_FALSE
    seen = sum(words["better"] == ("better", "supported") for words in found)
    assert stats.binom.ppf(0.001, STUDIES, least) <= seen <= stats.binom.isf(0.001, STUDIES, most)
    assert 0.6 < least < most < 0.95


def test_the_effect_that_the_plan_names_is_found_in_four_studies_of_five_where_items_are_alike() -> None:
    rng, studies = np.random.default_rng(2), 60
    one = study("items", 1e-6)
    shift = power_of(one, 5).detectable * 2**0.5
    found = [exported(one, alike(rng, shift)) for _ in range(studies)]
    seen = sum(words["better"] == ("better", "supported") for words in found)
    assert seen >= stats.binom.ppf(0.001, studies, 0.8)
    assert sum(words["equal"][0] != "inconclusive" for words in found) <= stats.binom.isf(
        0.001, studies, ALPHA
    )
