"""Test items that are a sample: what runs keep of them, and effects over items and seeds at once."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import stats
from statsmodels.stats.anova import anova_lm

from ablation import Claim, Difference, Interaction, Level, Measure, Run, Study, Trend, UserError
from ablation.report.data_files import verdicts_csv
from ablation.report.export import read as read_results
from ablation.report.table import tabulate
from ablation.runner.scheduler import run_study
from ablation.runner.verify import verify
from ablation.stats.analysis import Analysis, analyse
from ablation.stats.crossed import sampled
from ablation.stats.power import piloted, power_of, said
from ablation.stats.statistics import t_detectable
from ablation.tracking.read import cell_runs
from ablation.tracking.store import Store
from engines import InlineEngine
from recompute import read

UP = Difference("score", "up", "new")


def unused(settings: dict[str, Any], seed: int) -> dict[str, float]:
    return {}


def study(**changes: Any) -> Study:
    fields: dict[str, Any] = {
        "name": "items",
        "question": "Is new better?",
        "source": "a double",
        "train": unused,
        "baseline": {"x": 1},
        "arms": {"old": {}, "new": {"x": 2}},
        "measures": {"score": Measure("higher", matters=0.05)},
        "claims": (Claim("new is better", UP),),
        "replication": "items",
    }
    return Study(**(fields | changes))


def frames(
    values: dict[str, np.ndarray], groups: list[str] | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Cells and items of `values[arm]`, (seeds, items); item i belongs to groups[i]."""
    seeds, items = next(iter(values.values())).shape
    rows = pd.DataFrame(
        {
            "arm": np.repeat(list(values), seeds * items),
            "seed": np.tile(np.repeat(np.arange(seeds), items), len(values)),
            "measure": "score",
            "group": np.tile(groups or [""] * items, len(values) * seeds),
            "item": np.tile([str(n) for n in range(items)], len(values) * seeds),
            "value": np.concatenate([one.ravel() for one in values.values()]),
        }
    )
    cells = rows.groupby(["arm", "seed"], sort=False)["value"].mean().rename("score").reset_index()
    return cells.assign(state="complete", fingerprint="", run_id=""), rows


def analysed(values: dict[str, np.ndarray], groups: list[str] | None = None, **changes: Any) -> Analysis:
    cells, items = frames(values, groups)
    return analyse(study(**changes), cells, cells.seed.nunique(), items=items)


def two_arms(differences: np.ndarray, seed: int = 0) -> dict[str, np.ndarray]:
    old = np.random.default_rng(seed).normal(size=differences.shape)
    return {"old": old, "new": old + differences}


def draw(rng: np.random.Generator, seeds: int, items: int, by_seed: float, by_item: float) -> np.ndarray:
    """Differences, (seeds, items), of mean 0; a deviation of 1 is left to each."""
    moved = by_seed * rng.normal(size=(seeds, 1)) + by_item * rng.normal(size=(1, items))
    return np.asarray(moved + rng.normal(size=(seeds, items)))


SOME = 0.2 + draw(np.random.default_rng(1), 6, 24, 0.4, 0.7)
ALONE = np.arange(24)


def test_the_estimate_is_the_difference_of_the_means() -> None:
    found = analysed(two_arms(SOME))
    effect = found.effect("new", "score")
    assert effect is not None
    assert effect.estimate.mean == pytest.approx(SOME.mean())
    difference = found.means["new", "score"].mean - found.means["old", "score"].mean
    assert effect.estimate.mean == pytest.approx(difference)
    assert effect.differences == pytest.approx(SOME.mean(axis=1))
    assert (effect.estimate.n, effect.seeds) == (6, (0, 1, 2, 3, 4, 5))


def test_the_components_are_those_of_statsmodels() -> None:
    frame = pd.DataFrame(
        [(s, i, SOME[s, i]) for s in range(6) for i in range(24)], columns=["seed", "item", "value"]
    )
    squares = anova_lm(smf.ols("value ~ C(seed) + C(item)", frame).fit())["mean_sq"]
    found = sampled(SOME, ALONE)
    assert found.rest == pytest.approx(squares["Residual"])
    assert found.by_seed == pytest.approx((squares["C(seed)"] - squares["Residual"]) / 24)
    assert found.by_cluster == pytest.approx((squares["C(item)"] - squares["Residual"]) / 6)
    total = squares["C(seed)"] + squares["C(item)"] - squares["Residual"]
    assert found.error() ** 2 == pytest.approx(total / (6 * 24))


def test_without_a_spread_over_seeds_it_is_the_paired_t_test_over_items_and_the_other_way_round() -> None:
    for row, table in ((SOME[0], np.tile(SOME[0], (6, 1))), (SOME[:, 0], np.tile(SOME[:, :1], (1, 24)))):
        effect = analysed(two_arms(table)).effect("new", "score")
        assert effect is not None
        want = stats.ttest_1samp(row, 0)
        low, high = want.confidence_interval(0.95)
        assert effect.p == pytest.approx(want.pvalue)
        assert (effect.estimate.low, effect.estimate.high) == pytest.approx((low, high))


def test_clusters_of_one_item_are_no_clusters_and_copies_in_a_cluster_add_nothing() -> None:
    plain = sampled(SOME, ALONE)
    twice = sampled(np.repeat(SOME, 2, axis=1), np.repeat(ALONE, 2))
    assert (twice.items, twice.clusters) == (48, 24)
    assert (twice.mean, twice.error(), twice.degrees()) == pytest.approx(
        (plain.mean, plain.error(), plain.degrees())
    )
    assert sampled(np.repeat(SOME, 2, axis=1), np.arange(48)).error() < 0.9 * plain.error()
    named = analysed(two_arms(SOME), [f"subject {n}" for n in ALONE])
    assert named.effects[0].estimate == analysed(two_arms(SOME)).effects[0].estimate


def test_clusters_of_unequal_size_keep_the_mean_over_items_and_the_spread_of_a_ratio() -> None:
    rng = np.random.default_rng(3)
    sizes = rng.integers(1, 9, 40)
    clusters = np.repeat(np.arange(40), sizes)
    table = np.tile((rng.normal(size=40)[clusters] + 0.1 * sizes[clusters]), (5, 1))
    found = sampled(table, clusters)
    assert found.mean == pytest.approx(table.mean())
    sums = np.array([table[0, clusters == c].sum() for c in range(40)]) - found.mean * sizes
    assert found.error() == pytest.approx(np.sqrt((sums**2).sum() / 39 / 40) / sizes.mean())


def test_order_and_labels_change_nothing() -> None:
    cells, items = frames(two_arms(SOME))
    one = study()
    there = analyse(one, cells, 6, items=items)
    order = np.random.default_rng(0).permutation(24)
    renamed = items.assign(item=[f"picture {order[int(n)]:03d}" for n in items["item"]])
    back = analyse(one, cells, 6, items=renamed.sample(frac=1, random_state=1))
    assert back.effects[0].p == pytest.approx(there.effects[0].p)
    assert analyse(one, cells, 6, items=items.sample(frac=1, random_state=2)) == there


def test_swapping_arm_and_reference_turns_the_effect_around() -> None:
    values = two_arms(SOME)
    there = analysed(values).effects[0]
    back = analysed({"old": values["new"], "new": values["old"]}).effects[0]
    assert back.p == pytest.approx(there.p)
    assert (back.estimate.low, back.estimate.high) == pytest.approx(
        (-there.estimate.high, -there.estimate.low)
    )


def test_every_rule_is_a_weighted_sum_of_results_on_the_same_items() -> None:
    rng = np.random.default_rng(5)
    values = {arm: rng.normal(size=(5, 30)) for arm in ("old", "new", "two", "both")}
    arms = {"old": {}, "new": {"x": 2}, "two": {"y": 2}, "both": {"x": 2, "y": 2}}
    claims = (
        Claim("together", Interaction("score", "up", "new", "two", "both")),
        Claim("level", Level("score", "new", 0.1)),
    )
    found = analysed(values, baseline={"x": 1, "y": 1}, arms=arms, claims=claims).verdicts
    tables = (values["both"] - values["new"] - values["two"] + values["old"], values["new"] - 0.1)
    for verdict, table in zip(found, tables, strict=True):
        want = sampled(table, np.arange(30))
        assert verdict.estimate.mean == pytest.approx(table.mean())
        assert verdict.p == pytest.approx(want.p_value())
    trend = Claim("grows", Trend("score", "up", "x", scale="rank"))
    levels = {"old": {}, "new": {"x": 2}, "two": {"x": 3}}
    (grows,) = analysed({arm: values[arm] for arm in levels}, arms=levels, claims=(trend,)).verdicts
    assert grows.p == pytest.approx(sampled(values["two"] - values["old"], np.arange(30)).p_value())


def test_items_that_some_runs_lack_are_left_out_and_named() -> None:
    cells, items = frames(two_arms(SOME))
    lost = (items.arm == "new") & (items.seed == 2) & (items.item == "7")
    cells.loc[(cells.arm == "new") & (cells.seed == 2), "score"] = (
        items[~lost].query("arm == 'new' and seed == 2")["value"].mean()
    )
    found = analyse(study(), cells, 6, items=items[~lost])
    assert found.effects[0].estimate.mean == pytest.approx(np.delete(SOME, 7, axis=1).mean())
    assert found.effects[0].p is not None
    assert any("left out: 1 for new on score" in text for text in found.caveats)
    assert "items" in read(verdicts_csv(found))[0]
    assert read(verdicts_csv(found))[0]["items"] == "23"


@pytest.mark.parametrize(
    ("keep", "reason"),
    [
        (lambda items: items[items.item.astype(int) < 9], "9 test items, fewer than 10, show too little"),
        (lambda items: items[items.arm == "old"], r"no test item is common to all runs .* \(24 are in some"),
        (lambda items: items[:0], "kept no test items"),
        (lambda items: None, "kept no test items"),
    ],
)
def test_too_few_items_in_common_are_not_tested_and_say_so(keep: Any, reason: str) -> None:
    cells, items = frames(two_arms(SOME))
    kept = keep(items)
    if kept is not None and len(kept):
        means = kept.groupby(["arm", "seed"])["value"].mean()
        cells["score"] = [means.get((a, s), 0.5) for a, s in zip(cells.arm, cells.seed, strict=True)]
    found = analyse(study(), cells, 6, items=kept)
    (verdict,) = found.verdicts
    assert (verdict.word, verdict.p, found.effects[0].verdict) == ("inconclusive", None, "inconclusive")
    assert re.search(reason, verdict.reason)
    assert found.effects[0].p is None


def test_fewer_than_five_seeds_stay_exploratory_however_many_items() -> None:
    found = analysed(two_arms(1 + draw(np.random.default_rng(2), 4, 400, 0, 0)))
    assert found.exploratory
    assert "4 seeds, fewer than 5" in found.verdicts[0].reason


def test_the_same_difference_everywhere_is_not_tested() -> None:
    found = analysed(two_arms(np.full((5, 20), 0.25)))
    assert found.effects[0].equal
    assert found.verdicts[0].reason.startswith(
        "Not tested: every test item under every seed gives the same difference"
    )
    assert found.verdicts[0].detectable is None


def test_a_metric_that_is_not_the_mean_of_its_items_is_refused() -> None:
    cells, items = frames(two_arms(SOME))
    cells.loc[3, "score"] += 0.01
    with pytest.raises(
        UserError, match=r"the score of a run is the mean over its test items, but that of old, seed 3, is"
    ):
        analyse(study(), cells, 6, items=items)


def test_what_is_printed_says_what_replicates() -> None:
    found = analysed(two_arms(SOME), [f"s{n // 2}" for n in range(24)])
    text = " ".join(found.caveats)
    assert "conclusions are about new trainings and new test items" in text
    assert "Test items that the compared runs share: 24 in 12 clusters for score." in text
    assert found.verdicts[0].rule == "score of new lies above that of old, paired by seed and test item."
    assert "paired by seed and test item" in tabulate(found).notes[0]


def test_advice_is_in_seeds_or_items_whichever_helps() -> None:
    rng = np.random.default_rng(8)
    items = analysed(two_arms(0.01 * draw(rng, 5, 60, 0, 50))).verdicts[0].reason
    assert "test items with 5 seeds would find an effect of 0.050" in items
    assert "seeds with these" not in items
    seeds = analysed(two_arms(0.01 * draw(rng, 5, 60, 10, 0))).verdicts[0].reason
    assert "seeds with these 60 test items would find" in seeds
    assert "with 5 seeds" not in seeds


def test_the_test_belongs_to_what_replicates() -> None:
    assert study().test == "crossed"
    for changes in ({"test": "t"}, {"test": "sign_flip"}, {"replication": "training", "test": "crossed"}):
        with pytest.raises(UserError, match=r"replication=.* does not go with test="):
            study(**changes)


def test_the_plan_says_what_is_known_before_runs() -> None:
    found = power_of(study(), 5)
    assert found.detectable == pytest.approx(t_detectable(4, 0.05) / np.sqrt(5))
    assert "where all test items show the same difference" in " ".join(found.sentences)
    assert "fewer than 10 clusters of test items no test is made" in found.sentences[-1]
    cells, items = frames(two_arms(0.01 * draw(np.random.default_rng(8), 5, 60, 0, 50)))
    (one,) = power_of(study(), 5, piloted(study(), cells, items)).effects
    assert one.needed is None
    assert one.clusters is not None
    assert f"It takes about {one.clusters:,} test items with 5 seeds to find it" in said(study(), one)
    cells, items = frames(two_arms(0.01 * draw(np.random.default_rng(8), 5, 60, 5, 50)))
    few, more = (power_of(study(), n, piloted(study(), cells, items)).effects[0] for n in (10, 20))
    assert more.clusters is not None
    assert few.clusters is None or more.clusters < few.clusters
    assert f"It takes about {more.clusters:,} test items with 20 seeds to find it" in said(study(), more)


def test_differences_that_cancel_within_every_cluster_are_not_tested() -> None:
    table = np.tile([0.25, -0.25], (6, 12))
    found = analysed(two_arms(table), [f"s{n // 2}" for n in range(24)])
    assert found.effects[0].p is None
    assert "gives the same difference" in found.verdicts[0].reason


def keeps_items(settings: dict[str, Any], seed: int, run: Run) -> dict[str, float]:
    """Right or wrong on twelve items, by their numbers; `fault` says what is done wrong."""
    frame = pd.DataFrame({"item": range(12), "value": [(n + seed) % settings["x"] == 0 for n in range(12)]})
    fault = settings["fault"]
    if fault == "none kept":
        return {"score": 0.5}
    if fault == "no label":
        frame["group"] = [None, *["a"] * 11]
    if fault == "words":
        frame["value"] = "right"
    if fault == "a near miss":
        frame["groups"] = "a"
    run.items(frame)
    if fault == "twice":
        run.items(frame[:1])
    return {"score": 0.9} if fault == "another number" else {}


def test_a_run_keeps_items_and_its_number_is_their_mean(store: Store) -> None:
    base = {"x": 2, "fault": ""}
    one = study(train=keeps_items, baseline=base, arms={"old": {}, "new": {"x": 3}}, seeds=5, name="kept")
    run_study(one, store, InlineEngine(), 1)
    found = read_results(one, store)
    assert found.items is not None
    assert set(found.items["group"]) == {""}
    assert set(found.items["item"]) == {str(n) for n in range(12)}
    means = found.items.groupby(["arm", "seed"])["value"].mean()
    assert found.cells.set_index(["arm", "seed"])["score"].to_dict() == pytest.approx(means.to_dict())
    (verdict,) = found.analysis.verdicts
    assert verdict.estimate.mean == pytest.approx(1 / 3 - 1 / 2)
    assert verdict.p is not None
    assert all(held.equal for held in verify(one, store))
    with pytest.raises(UserError, match=r"replication.kind: items became absent"):
        read_results(replace(one, replication="training", test=""), store)


def test_a_run_whose_items_are_not_its_number_fails_in_a_sentence(store: Store) -> None:
    faults = {
        "another number": r"but it is 0.9 and the mean of its items 0.5: keep the values",
        "none kept": r"but the run kept none of score: call run.items\(frame\)",
        "no label": r"wants a group in every row, but 1 have none",
        "words": r"wants numbers as values, but could not convert",
        "twice": r"wants one value for each measure, group and item",
        "a near miss": r"but the frame has also groups, which nothing reads: rename it, or drop it",
    }
    arms = {name: {"fault": name} for name in faults}
    one = study(train=keeps_items, baseline={"x": 2, "fault": ""}, arms=arms, claims=(), name="faults")
    run_study(one, store, InlineEngine(), 1, seeds=1)
    failures = cell_runs(store, "faults").set_index("arm")["failure"]
    for name, reason in faults.items():
        assert re.search(reason, failures[name])
    assert not failures["baseline"]
