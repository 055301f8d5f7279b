"""The share of the variance that the split brings, from several trainings on each split."""

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from statsmodels.regression.mixed_linear_model import MixedLM

import ablation
from ablation import Measure, Study, UserError, variance_share
from ablation.report.export import Results

DOCS = Path(__file__).parents[1] / "docs" / "emoji.md"


def nested(rng: np.random.Generator, share: float, splits: int = 10, trainings: int = 3) -> np.ndarray:
    """Numbers of variance 1, of which the split brings `share`."""
    of_split = share**0.5 * rng.normal(size=(splits, 1))
    return of_split + (1 - share) ** 0.5 * rng.normal(size=(splits, trainings))


def test_it_is_what_restricted_maximum_likelihood_finds() -> None:
    """The two agree where designs are balanced and the estimate is above 0."""
    for seed in range(5):
        table = nested(np.random.default_rng(seed), 0.5, 12)
        found = variance_share(table)
        assert 0 <= found.low < found.mean < found.high < 1
        groups = np.repeat(np.arange(12), 3)
        with warnings.catch_warnings(action="ignore"):  # of the optimiser's way there
            fit = MixedLM(table.ravel(), np.ones((table.size, 1)), groups).fit(reml=True)
        of_split = float(np.asarray(fit.cov_re)[0, 0])
        assert found.mean == pytest.approx(of_split / (of_split + fit.scale), abs=1e-3)


def test_units_and_origin_do_not_matter() -> None:
    table = nested(np.random.default_rng(0), 0.4)
    one, other = variance_share(table), variance_share(pd.DataFrame(3.0 - 70.0 * table))
    assert vars(one) == pytest.approx(vars(other))
    assert one.n == 10


def test_extremes_are_0_and_1() -> None:
    splits = np.arange(5.0)[:, None] + np.zeros((5, 3))
    assert vars(variance_share(splits)) == {"mean": 1.0, "low": 1.0, "high": 1.0, "n": 5}
    trainings = np.zeros((5, 1)) + np.arange(3.0)
    assert vars(variance_share(trainings)) == {"mean": 0.0, "low": 0.0, "high": 0.0, "n": 5}


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.8])
@pytest.mark.parametrize(("splits", "trainings"), [(5, 3), (10, 2), (20, 3)])
def test_the_interval_holds_the_share_in_95_percent(share: float, splits: int, trainings: int) -> None:
    rng, draws = np.random.default_rng([int(10 * share), splits]), 1500
    found = [variance_share(nested(rng, share, splits, trainings)) for _ in range(draws)]
    holds = sum(one.low <= share <= one.high for one in found) / draws
    error = 3.3 * (0.95 * 0.05 / draws) ** 0.5
    # At 0 the lower end alone can miss it.
    assert holds == pytest.approx(0.95 if share else 0.975, abs=error)


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (np.zeros((4, 1)), r"two trainings on each, but got one of shape \(4, 1\)"),
        (np.array([[0.0, 1.0], [np.nan, 2.0]]), "with 1 gap: leave out"),
        ([["a", "b"], ["c", "d"]], "wants a table of numbers, but could not convert"),
        (np.ones((4, 3)), "wants numbers that vary, but all of them are equal"),
    ],
)
def test_a_table_that_tells_no_share_is_refused(table: Any, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        variance_share(table)


def fit(settings: dict[str, Any], seed: int) -> dict[str, float]:
    """Every number has a variance of 1 + 3 over splits and trainings; of a difference, of 6 + 2 each."""
    size, first = settings["model"]["latent_dim"], settings["train"]["initialisation"]
    split = np.random.default_rng([seed, size])
    own = np.random.default_rng([seed, size, first, 1])
    return {"test_mse": 3**0.5 * split.normal() + own.normal()}


def test_the_documented_lines_tell_the_share_of_a_measure_and_of_a_difference() -> None:
    """Of an experiment that is not the emoji's, with settings of these names."""
    declared, computed = re.findall(
        r"```python\n(.*?)```", DOCS.read_text("utf-8").split("### How much of the variance")[1], re.DOTALL
    )[:2]
    scope: dict[str, Any] = {}
    exec(declared, scope)
    study = Study(
        question="How much does the split bring?",
        source="docs/emoji.md",
        train=fit,
        baseline={"model": {"latent_dim": 128}, "train": {"initialisation": 0}},
        arms=scope["arms"],
        blocks=scope["blocks"],
        measures={"test_mse": Measure("lower", matters=1.0)},
        seeds=400,
    )
    rows = [{"arm": c.arm, "seed": c.seed, **fit(c.settings, c.seed)} for c in study.cells()]
    frame = pd.DataFrame(rows).assign(state="complete", fingerprint="", run_id="")
    lines = [line.split("#")[0] for line in computed.splitlines() if line.startswith("variance_share(")]
    assert len(lines) == 2
    scope |= {"results": Results(study, frame), "ablation": ablation}
    exec(computed, scope)
    for line in lines:
        share = eval(line, scope)
        assert share.low < 0.75 < share.high
        assert share.high - share.low < 0.15
