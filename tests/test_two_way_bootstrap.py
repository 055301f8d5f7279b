"""Effects clustered by item and seed: what they equal, what widens them, and the effective n."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.random import default_rng
from scipy import stats

from ablation import Claim, Difference, Level, Study
from ablation.stats import two_way_bootstrap
from ablation.stats.caveats import clustered_caveats
from ablation.stats.two_way_bootstrap import Clustered, _median, clustered
from ablation.stats.verdicts import verdicts
from frames import a_study

SEEDS, ITEMS = 5, 40
GROUPS = ("faces", "clock")
UP = Difference("gain", "up", "large")


def study(*claims: Claim) -> Study:
    return a_study(measures={"gain": 0.05}, claims=claims or (Claim("large gains more", UP),))


def values(
    value: Callable[[str, int, str, int], float], items: Callable[[int], range] = lambda seed: range(ITEMS)
) -> pd.DataFrame:
    """Two groups: `value(arm, seed, group, item)` for the items that a seed asks for."""
    return pd.DataFrame(
        (arm, seed, "gain", group, f"{group} {item}", value(arm, seed, group, item))
        for arm in ("middle", "large")
        for seed in range(SEEDS)
        for group in GROUPS
        for item in items(seed)
    ).set_axis(["arm", "seed", "measure", "group", "item", "value"], axis=1)


def deviate(*key: object) -> float:
    return float(default_rng(list("/".join(map(str, key)).encode())).normal())


def effect(frame: pd.DataFrame) -> Clustered:
    found = clustered(study(), UP, frame)
    assert found is not None
    return found


def own(arm: str, seed: int, group: str, item: int) -> float:
    return (arm == "large") * (0.3 + deviate(seed, group, item))


def shared(arm: str, seed: int, group: str, item: int) -> float:
    return (arm == "large") * (0.3 + deviate(group, item))


def test_the_estimate_is_the_mean_over_seeds_of_the_runs_numbers() -> None:
    frame = values(lambda arm, seed, group, item: deviate(arm, seed, group, item))
    medians = frame.groupby(["arm", "seed", "group"])["value"].median()
    means = medians.groupby("arm").mean()
    assert effect(frame).estimate == pytest.approx(means["large"] - means["middle"])
    level = clustered(study(), Level("gain", "large", 0.25), frame)
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
    found = effect(values(lambda arm, seed, group, item: float(arm == "large")))
    assert (found.estimate, found.low, found.high, found.effective_n) == (1, 1, 1, float("inf"))


def test_items_that_come_back_under_every_seed_count_once() -> None:
    found = effect(values(shared))
    assert (found.items, found.seeds, found.values) == (2 * ITEMS, SEEDS, 2 * ITEMS * SEEDS)
    assert found.effective_n < 1.5 * found.items


def test_items_of_their_own_under_every_seed_give_a_larger_n() -> None:
    apart = effect(values(own, lambda seed: range(seed * ITEMS, (seed + 1) * ITEMS)))
    assert apart.items == apart.values
    assert apart.effective_n > 1.5 * effect(values(shared)).effective_n


def test_what_moves_all_items_of_a_seed_widens_the_interval() -> None:
    def swayed(arm: str, seed: int, group: str, item: int) -> float:
        return own(arm, seed, group, item) + (arm == "large") * 3 * deviate("sway", seed)

    calm, found = effect(values(own)), effect(values(swayed))
    assert found.high - found.low > 2 * (calm.high - calm.low)
    assert found.effective_n < 0.2 * calm.effective_n


def world(
    rng: np.random.Generator, seeds: int, sizes: tuple[int, ...], sds: tuple[float, ...]
) -> pd.DataFrame:
    """Groups of `sizes` items; the arms differ by 0.3, and by what `sds` say of seeds, items and the rest."""
    seed, frames = sds[0] * rng.normal(size=(seeds, 1)), []
    for n, size in enumerate(sizes):
        middle = rng.normal(size=size) + 0.3 * rng.normal(size=(seeds, size))
        moved = seed + sds[1] * rng.normal(size=size) + sds[2] * rng.normal(size=(seeds, size))
        places = {"seed": np.repeat(np.arange(seeds), size), "item": list(map(str, range(size))) * seeds}
        for arm, value in (("middle", middle), ("large", middle + 0.3 + moved)):
            rows = pd.DataFrame(places | {"value": value.ravel()})
            frames.append(rows.assign(arm=arm, measure="gain", group=f"group {n}"))
    return pd.concat(frames, ignore_index=True)


@pytest.mark.simulation
@pytest.mark.parametrize("sds", [(0.1, 1.0, 0.3), (0.5, 0.7, 0.5), (1.0, 0.3, 0.5), (0.3, 0.1, 1.0)])
@pytest.mark.parametrize("sizes", [(2, 2), (6, 6), (120,), (2, 4, 12, 30, 120)])
def test_of_95_percent_intervals_93_to_97_hold_the_true_effect(
    sizes: tuple[int, ...], sds: tuple[float, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever varies most, and from two items to 120; the bounds allow for so many worlds (99.9 %)."""
    monkeypatch.setattr(two_way_bootstrap, "DRAWS", 150)
    worlds, rng = 150, default_rng(3)
    found = [effect(world(rng, 5 + 5 * (n % 2), sizes, sds)) for n in range(worlds)]
    held = sum(one.low <= 0.3 <= one.high for one in found)
    assert stats.binom.ppf(0.001, worlds, 0.93) <= held <= stats.binom.isf(0.001, worlds, 0.97)


def test_two_items_in_all_say_nothing_of_new_items() -> None:
    rng = default_rng(4)
    for sizes in ((2,), (1, 1), (1, 2)):
        found = effect(world(rng, 5, sizes, (0.1, 0.1, 0.1)))
        assert (found.low, found.high) == (-np.inf, np.inf)
    assert np.isfinite(effect(world(rng, 5, (1, 3), (0.1, 0.1, 0.1))).high)
    one_seed = effect(world(rng, 1, (9, 9), (0.1, 0.1, 0.1)))
    assert (one_seed.low, one_seed.high) == (-np.inf, np.inf)


def test_where_seeds_share_no_item_it_is_the_t_interval_over_seeds() -> None:
    found = effect(values(own, lambda seed: range(seed * ITEMS, (seed + 1) * ITEMS)))
    frame = values(own, lambda seed: range(seed * ITEMS, (seed + 1) * ITEMS))
    medians = frame.groupby(["arm", "seed", "group"])["value"].median().groupby(["arm", "seed"]).mean()
    differences = medians["large"] - medians["middle"]
    low, high = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((low, high), rel=0.05)


def test_seeds_under_which_an_arm_lacks_an_item_are_left_out() -> None:
    frame = values(own)
    lost = (frame.arm == "middle") & (frame.seed == 2) & (frame.item == "clock 3")
    found = effect(frame[~lost])
    assert found.seeds == SEEDS - 1
    assert found.estimate == pytest.approx(effect(frame[frame.seed != 2]).estimate)
    assert clustered(study(), Difference("test_mse", "up", "large"), frame) is None
    assert clustered(study(), UP, frame[frame.arm == "middle"]) is None


def test_the_order_of_the_rows_changes_nothing() -> None:
    frame = values(own)
    assert effect(frame.sample(frac=1, random_state=1)) == effect(frame)


def test_a_claim_that_new_items_may_undo_is_named() -> None:
    one = study()
    cells = pd.DataFrame(
        {"arm": cell.arm, "seed": cell.seed, "state": "complete", "fingerprint": "", "run_id": ""}
        | {"gain": (cell.arm == "large") * (0.3 + 0.001 * cell.seed)}
        for cell in one.cells(SEEDS)
    )
    judged = verdicts(one, cells)
    assert judged[0].word == "supported"
    firm, weak = (
        [replace(judged[0], clustered=Clustered(0.3, low, 0.5, 9, SEEDS, 45, 7.0))] for low in (0.1, -0.1)
    )
    assert not any("not shown" in text for text in clustered_caveats(one, firm))
    assert any("not shown for new items" in text for text in clustered_caveats(one, weak))
    assert not [*clustered_caveats(one, judged)]
