"""Effects clustered by truth and seed: what they equal, what widens them, and the effective n."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from numpy.random import default_rng

from ablation.stats.items import crossed_caveats
from ablation.stats.two_way_bootstrap import Crossed, _median, crossed
from ablation.stats.verdicts import verdicts
from ablation.study import Claim, Difference, Level, Study
from frames import a_study

SEEDS, TRUTHS = 5, 40
FAMILIES = ("faces", "clock")
UP = Difference("gain", "up", "large")


def study(*claims: Claim) -> Study:
    return a_study(measures={"gain": 0.05}, claims=claims or (Claim("large composes better", UP),))


def gains(
    value: Callable[[str, int, str, int], float], truths: Callable[[int], range] = lambda seed: range(TRUTHS)
) -> pd.DataFrame:
    """Two families: `value(arm, seed, family, truth)` for the truths that a seed asks for."""
    return pd.DataFrame(
        (arm, seed, "gain", family, f"{family} {truth}", value(arm, seed, family, truth))
        for arm in ("middle", "large")
        for seed in range(SEEDS)
        for family in FAMILIES
        for truth in truths(seed)
    ).set_axis(["arm", "seed", "measure", "family", "truth", "gain"], axis=1)


def deviate(*key: object) -> float:
    return float(default_rng(list("/".join(map(str, key)).encode())).normal())


def effect(frame: pd.DataFrame) -> Crossed:
    found = crossed(study(), UP, frame)
    assert found is not None
    return found


def own(arm: str, seed: int, family: str, truth: int) -> float:
    return (arm == "large") * (0.3 + deviate(seed, family, truth))


def shared(arm: str, seed: int, family: str, truth: int) -> float:
    return (arm == "large") * (0.3 + deviate(family, truth))


def test_the_estimate_is_the_mean_over_seeds_of_the_runs_numbers() -> None:
    frame = gains(lambda arm, seed, family, truth: deviate(arm, seed, family, truth))
    medians = frame.groupby(["arm", "seed", "family"]).gain.median()
    means = medians.groupby("arm").mean()
    assert effect(frame).estimate == pytest.approx(means["large"] - means["middle"])
    level = crossed(study(), Level("gain", "large", 0.25), frame)
    assert level is not None
    assert level.estimate == pytest.approx(means["large"] - 0.25)


def test_the_median_of_repeated_values_is_numpys() -> None:
    rng = default_rng(0)
    for n in range(1, 8):
        values, counts = rng.normal(size=n), rng.integers(0, 4, size=(20, n))
        for found, times in zip(_median(values, counts.astype(float)), counts, strict=True):
            taken = np.repeat(values, times)
            assert found == pytest.approx(np.median(taken)) if len(taken) else np.isnan(found)


def test_what_does_not_vary_has_an_interval_of_a_point() -> None:
    found = effect(gains(lambda arm, seed, family, truth: float(arm == "large")))
    assert (found.estimate, found.low, found.high, found.effective) == (1, 1, 1, float("inf"))


def test_truths_that_come_back_under_every_seed_count_once() -> None:
    found = effect(gains(shared))
    assert (found.truths, found.seeds, found.gains) == (2 * TRUTHS, SEEDS, 2 * TRUTHS * SEEDS)
    assert found.effective < 1.5 * found.truths


def test_truths_of_their_own_under_every_seed_tell_more() -> None:
    apart = effect(gains(own, lambda seed: range(seed * TRUTHS, (seed + 1) * TRUTHS)))
    assert apart.truths == apart.gains
    assert apart.effective > 1.5 * effect(gains(shared)).effective


def test_what_moves_all_truths_of_a_seed_widens_the_interval() -> None:
    def swayed(arm: str, seed: int, family: str, truth: int) -> float:
        return own(arm, seed, family, truth) + (arm == "large") * 3 * deviate("sway", seed)

    calm, found = effect(gains(own)), effect(gains(swayed))
    assert found.high - found.low > 2 * (calm.high - calm.low)
    assert found.effective < 0.2 * calm.effective


def test_the_interval_holds_the_truth_of_most_worlds() -> None:
    held = 0
    for world in range(40):
        frame = gains(
            lambda arm, seed, family, truth, world=world: (  # type: ignore[misc]
                (arm == "large") * (0.3 + deviate(world, family, truth) + 0.5 * deviate(world, "seed", seed))
            )
        )
        found = effect(frame)
        held += found.low <= 0.3 <= found.high
    assert held >= 36


def test_seeds_under_which_an_arm_lacks_a_truth_are_left_out() -> None:
    frame = gains(own)
    lost = (frame.arm == "middle") & (frame.seed == 2) & (frame.truth == "clock 3")
    found = effect(frame[~lost])
    assert found.seeds == SEEDS - 1
    assert found.estimate == pytest.approx(effect(frame[frame.seed != 2]).estimate)
    assert crossed(study(), Difference("test_mse", "up", "large"), frame) is None
    assert crossed(study(), UP, frame[frame.arm == "middle"]) is None


def test_the_order_of_the_rows_changes_nothing() -> None:
    frame = gains(own)
    assert effect(frame.sample(frac=1, random_state=1)) == effect(frame)


def test_a_claim_that_new_truths_may_undo_is_named() -> None:
    one = study()
    cells = pd.DataFrame(
        {"arm": cell.arm, "seed": cell.seed, "state": "complete", "fingerprint": "", "run_id": ""}
        | {"gain": (cell.arm == "large") * (0.3 + 0.001 * cell.seed)}
        for cell in one.cells(SEEDS)
    )
    judged = verdicts(one, cells)
    assert judged[0].word == "supported"
    firm, weak = (Crossed(0.3, low, 0.5, 9, SEEDS, 45, 7.0) for low in (0.1, -0.1))
    assert not any("not shown" in text for text in crossed_caveats(judged, (firm,)))
    assert any("not shown for new truths" in text for text in crossed_caveats(judged, (weak,)))
    assert not [*crossed_caveats(judged, (None,))]
