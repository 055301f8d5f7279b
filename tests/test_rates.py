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

from ablation import Claim, Difference, Gate, Measure, Replication, Study
from ablation.report.data_files import verdicts_csv
from ablation.report.export import Results
from ablation.report.formats import render
from ablation.report.table import tabulate
from ablation.stats.crossed import sampled
from ablation.stats.power import power_of
from ablation.stats.sequential import shares
from ablation.stats.statistics import (
    equivalence_power,
    holm,
    holm_excluded,
    power,
    smallest_detectable,
    t_power,
)
from ablation.stats.verdicts import verdicts
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


DRAWS = 20_000


def p_values(
    rng: np.random.Generator, truths: list[float], sd: float, n: int, draws: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """p of a difference, of equivalence and of exclusion, each (draws, claims), by scipy's own t tests; 1
    matters, and every claim is of an effect upwards.
    """
    values = np.array(truths)[:, None] + sd * rng.normal(size=(draws, len(truths), n))
    above = stats.ttest_1samp(values, 1.0, axis=2, alternative="less").pvalue
    below = stats.ttest_1samp(values, -1.0, axis=2, alternative="greater").pvalue
    return stats.ttest_1samp(values, 0.0, axis=2).pvalue, np.maximum(above, below), above


def false_at(truths: list[float], sd: float) -> dict[str, float]:
    """How often any of the claims gets a verdict that is not true of it, by what kind of mistake it is."""
    rng, n = np.random.default_rng(7), 3000
    p, equal, out = p_values(rng, truths, sd, 8, n)
    there, absent, apart = 0, 0, 0
    for one in range(n):
        e = holm(equal[one].tolist())
        x = holm_excluded(out[one].tolist(), e)
        separate = holm(out[one].tolist())
        shown = np.array(e, dtype=float) < ALPHA
        of_size, opposite = np.array(truths) >= 1, np.array(truths) <= -1
        there += any(np.array(holm(p[one].tolist()), dtype=float)[np.array(truths) == 0] < ALPHA)
        wrong = shown & (of_size | opposite)
        absent += any(wrong | ((np.array(x, dtype=float) < ALPHA) & of_size))
        apart += any(wrong | ((np.array(separate, dtype=float) < ALPHA) & of_size))
    return {"there": there / n, "absent": absent / n, "apart": apart / n}


@pytest.mark.simulation
@pytest.mark.parametrize(
    "truths", [[1.0], [1.0, -1.0], [1.0, 1.0, -1.0, -1.0], [1.0, 0.0, 0.3], [1.0, 1.0, -3.0, 0.0]]
)
def test_of_all_claims_one_is_falsely_called_absent_at_most_at_alpha(truths: list[float]) -> None:
    """Equivalent or ruled out, though the effect is as large as one that matters; and not a tenth of it."""
    error = 3 * np.sqrt(ALPHA * (1 - ALPHA) / 3000)
    found = [false_at(truths, sd) for sd in (0.2, 0.5)]
    for one in found:
        assert one["absent"] <= ALPHA + error
        assert one["there"] <= ALPHA + error
    assert max(one["absent"] for one in found) >= 0.4 * ALPHA
    if truths == [1.0, 1.0, -1.0, -1.0]:
        # Holm over the exclusions alone, beside Holm over equivalence, would be wrong more often.
        assert max(one["apart"] for one in found) > ALPHA + error


@pytest.mark.simulation
@pytest.mark.parametrize("n", [5, 10, 20])
def test_a_null_study_is_decided_falsely_at_alpha_through_the_whole_path(n: int) -> None:
    """Two claims that count and one beside: the two equal arms are called different at alpha, no less often
    than half of it, whatever becomes of the third.
    """
    studies, rng = 800, np.random.default_rng(n)
    one, cells = null_study(n)
    false, beside = 0, 0
    for _ in range(studies):
        first, second, third = verdicts(one, cells.assign(score=null_scores(rng, n)))
        false += any(verdict.word in ("supported", "refuted") for verdict in (first, second))
        beside += third.word == "supported"
    assert stats.binom.ppf(0.001, studies, ALPHA / 2) <= false <= stats.binom.isf(0.001, studies, ALPHA)
    assert beside >= 0.9 * studies


def null_study(n: int, looks: tuple[int, ...] = ()) -> tuple[Study, pd.DataFrame]:
    """Two claims that count, of arms that equal the old one, and one beside of an arm that is better by far;
    and the cells of n seeds, which lack their scores.
    """
    one = study("training", 0.01)
    claims = [Claim(arm, Difference("score", "up", arm)) for arm in ("equal", "other", "better")]
    arms = {arm: {"x": k} for k, arm in enumerate(("old", "equal", "other", "better"))}
    claims[2] = replace(claims[2], counts=False)
    one = replace(one, arms=arms, claims=tuple(claims), looks=looks, seeds=n)
    index = [(arm, seed) for arm in arms for seed in range(n)]
    cells = pd.DataFrame(index, columns=["arm", "seed"]).assign(state="complete", fingerprint="", run_id="")
    return one, cells


def null_scores(rng: np.random.Generator, n: int) -> np.ndarray:
    """The third arm is better by far: what it shows takes nothing from the claims that count."""
    values = rng.normal(size=n) + rng.normal(size=(4, n)) + np.array([[0.0], [0.0], [0.0], [4.0]])
    return values.ravel()


@pytest.mark.simulation
@pytest.mark.parametrize(("n", "sd"), [(5, 0.5), (10, 0.9), (20, 1.5)])
def test_absence_is_shown_at_the_predicted_power(n: int, sd: float) -> None:
    """Where there is no effect: equivalence as `equivalence_power` says, exclusion by the noncentral t."""
    p, equal, out = p_values(np.random.default_rng(n), [0.0], sd, n, DRAWS)
    error = 4 * 0.5 / np.sqrt(DRAWS)
    assert np.mean(equal < ALPHA) == pytest.approx(equivalence_power(1.0, sd, n, 0.0, ALPHA), abs=error)
    centre = np.sqrt(n) / sd
    one_sided = stats.nct.sf(stats.t.isf(ALPHA, n - 1), n - 1, centre)
    assert np.mean(out < ALPHA) == pytest.approx(one_sided, abs=error)
    # Seeds that find an effect of the smallest size that matters rule it out where there is none.
    assert one_sided >= power(1.0, sd, n, 0.0, ALPHA)
    assert np.mean(p < ALPHA) == pytest.approx(ALPHA, abs=error)


def guarded(one: Study, learned: np.ndarray, effect: np.ndarray) -> str:
    """The word of a claim, through the whole path, behind a gate of the baseline's accuracy: above 0.5."""
    n = len(learned)
    cells = pd.DataFrame({"arm": np.repeat(["old", "new"], n), "seed": [*range(n)] * 2})
    cells = cells.assign(state="complete", fingerprint="", run_id="")
    cells["score"] = np.concatenate([np.zeros(n), effect])
    cells["accuracy"] = np.concatenate([learned, np.full(n, 0.5)])
    return verdicts(one, cells)[0].word


GATED = Study(
    question="Is it better?",
    source="a simulation",
    train=unused,
    baseline={"x": 0},
    arms={"old": {}, "new": {"x": 1}},
    measures={"score": Measure("higher", matters=1.0)},
    claims=(Claim("better", Difference("score", "up", "new")),),
    gates=(Gate("the baseline has learned", "accuracy", above=0.5),),
)


@pytest.mark.simulation
@pytest.mark.parametrize("n", [5, 10, 20])
@pytest.mark.parametrize("together", [0.0, 0.9])
def test_a_baseline_at_chance_keeps_claims_from_being_judged_and_adds_no_false_verdict(
    n: int, together: float
) -> None:
    """Judged at alpha at most, and not a tenth of it; falsely decided no more often than without a gate,
    also where the gate's measure moves with the effect.
    """
    studies, rng = 600, np.random.default_rng(n)
    free = replace(GATED, gates=())
    found, without = [], []
    for _ in range(studies):
        chance = rng.normal(size=n)
        effect = together * chance + np.sqrt(1 - together**2) * rng.normal(size=n)
        found.append(guarded(GATED, 0.5 + 0.05 * chance, effect))
        without.append(guarded(free, 0.5 + 0.05 * chance, effect))
    judged = [word for word in found if word != "not judged"]
    assert stats.binom.ppf(0.001, studies, ALPHA / 2) <= len(judged) <= stats.binom.isf(0.001, studies, ALPHA)
    decided = ("supported", "refuted")
    false = [word in decided for word in found]
    assert not any(one and word not in decided for one, word in zip(false, without, strict=True))
    assert sum(false) <= stats.binom.isf(0.001, studies, ALPHA)


@pytest.mark.simulation
@pytest.mark.parametrize(("n", "learned"), [(5, 1.2), (10, 0.9), (20, 0.6)])
def test_a_learned_task_passes_with_the_predicted_power(n: int, learned: float) -> None:
    """By the noncentral t, one-sided; and the claim behind it is supported as if both were independent."""
    studies, rng = 600, np.random.default_rng(n)
    shift = 4 / np.sqrt(n)
    words = [
        guarded(GATED, 0.5 + 0.05 * (learned + rng.normal(size=n)), shift + rng.normal(size=n))
        for _ in range(studies)
    ]
    passes = float(stats.nct.sf(stats.t.isf(ALPHA, n - 1), n - 1, learned * np.sqrt(n)))
    judged = sum(word != "not judged" for word in words)
    assert stats.binom.ppf(0.001, studies, passes) <= judged <= stats.binom.isf(0.001, studies, passes)
    assert 0.6 < passes < 0.95
    finds = power(shift, 1.0, n, 0.0, ALPHA)
    supported = sum(word in ("supported", "equivalent") for word in words)
    both = passes * finds
    assert supported <= stats.binom.isf(0.001, studies, passes)
    assert supported >= stats.binom.ppf(0.001, studies, both)


LOOKS = (5, 10, 15, 20)


@pytest.mark.simulation
def test_a_null_study_that_is_looked_at_is_decided_falsely_at_alpha_through_the_whole_path() -> None:
    """At any look; the same looks without a rule would be wrong in more than twice as many studies."""
    studies, rng = 800, np.random.default_rng(11)
    (one, cells), (plain, _) = null_study(20, LOOKS), null_study(20)
    false = tempting = 0
    for _ in range(studies):
        scored = cells.assign(score=null_scores(rng, 20))
        first, second, third = verdicts(one, scored)
        false += any(verdict.word in ("supported", "refuted") for verdict in (first, second))
        assert third.word == "supported"
        peeks = (verdicts(plain, scored[scored["seed"] < look])[:2] for look in LOOKS)
        tempting += any(verdict.word in ("supported", "refuted") for peek in peeks for verdict in peek)
    assert stats.binom.ppf(0.001, studies, ALPHA / 2) <= false <= stats.binom.isf(0.001, studies, ALPHA)
    assert tempting > 2 * false


@pytest.mark.simulation
@pytest.mark.parametrize("kind", WORLDS)
def test_every_kind_of_replication_keeps_its_rates_where_it_is_looked_at(kind: str) -> None:
    replication, world, shift = WORLDS[kind]
    rng = np.random.default_rng(12)
    calibration = [world(rng, shift) for _ in range(400)]
    delta, _ = predicted(study(replication, 1.0), calibration, ALPHA)
    seeds = len(calibration[0]["old"])
    one = replace(study(replication, delta), looks=(5, seeds), seeds=seeds)
    found = [exported(one, world(rng, shift)) for _ in range(2 * STUDIES)]
    most = stats.binom.isf(0.001, 2 * STUDIES, ALPHA)
    assert sum(words["equal"][0] in ("better", "worse") for words in found) <= most
    assert sum(words["equal"][1] in ("supported", "refuted") for words in found) <= most
    assert sum("equivalent" in words["better"] for words in found) <= most
    assert sum(words["better"][1] == "supported" for words in found) >= STUDIES


@pytest.mark.simulation
@pytest.mark.parametrize(
    ("n", "false", "found"), [(5, 0.0095, 0.768), (10, 0.032, 0.787), (20, 0.045, 0.795)]
)
def test_what_is_significant_and_equivalent_at_once_is_equivalent(n: int, false: float, found: float) -> None:
    """Where what matters is what is detected in 80 %: arms that are equal are called different in less than
    alpha, and an effect of that size is found a little less often, with few seeds (docs/verdicts.md).
    """
    sd = 1 / smallest_detectable(n, 0.0, ALPHA)
    error = 4 * 0.5 / np.sqrt(DRAWS)
    for truth, expected in ((0.0, false), (1.0, found)):
        p, equal, _ = p_values(np.random.default_rng(n), [truth], sd, n, DRAWS)
        assert np.mean((p < ALPHA) & (equal >= ALPHA)) == pytest.approx(expected, abs=error)
        assert np.mean(p < ALPHA) == pytest.approx(0.8 if truth else ALPHA, abs=error)


@pytest.mark.simulation
@pytest.mark.parametrize(
    ("delta", "claims", "seeds"),
    [(0.0, 1, 20.0), (0.66, 1, 17.0), (1.0, 1, 13.7), (1.5, 1, 10.7), (1.0, 3, 15.3)],
)
def test_looks_save_runs_and_keep_the_level_and_the_predicted_power(
    delta: float, claims: int, seeds: float
) -> None:
    """By scipy's t tests of effects of `delta` standard deviations, at Holm's first step over the claims."""
    rng, parts, alpha = np.random.default_rng(13), np.array(shares(LOOKS)), ALPHA / claims
    values = delta + rng.normal(size=(DRAWS, 20))
    p = np.stack([stats.ttest_1samp(values[:, :n], 0, axis=1).pvalue for n in LOOKS], axis=1)
    shown = p < alpha * parts
    ends = np.where(shown.any(axis=1), np.array(LOOKS)[shown.argmax(axis=1)], LOOKS[-1])
    error = 4 * 0.5 / np.sqrt(DRAWS)
    seen = float(shown.any(axis=1).mean())
    if delta == 0:
        assert 0.6 * ALPHA <= seen <= ALPHA
    else:
        assert power(delta, 1.0, 20, 0.0, alpha * parts[-1]) - error <= seen
        assert seen <= power(delta, 1.0, 20, 0.0, alpha) + error
    assert float(ends.mean()) == pytest.approx(seeds, abs=0.15)


@pytest.mark.simulation
@pytest.mark.parametrize("delta", [0.0, 1.0, 2.5])
def test_intervals_of_looks_cover_wherever_a_study_stops(delta: float) -> None:
    """And the ordinary interval of the seeds at which a study stops does not."""
    rng, parts = np.random.default_rng(14), shares(LOOKS)
    values = delta + rng.normal(size=(DRAWS, 20))
    running, covered, plain = np.ones(DRAWS, dtype=bool), 0, 0
    for n, part in zip(LOOKS, parts, strict=True):
        tested = stats.ttest_1samp(
            values[:, :n], delta, axis=1
        ).pvalue  # covers where this is above the level
        shown = stats.ttest_1samp(values[:, :n], 0, axis=1).pvalue < ALPHA * part
        stops = running & (shown | (n == LOOKS[-1]))
        covered += int((tested[stops] >= ALPHA * part).sum())
        plain += int((tested[stops] >= ALPHA).sum())
        running &= ~stops
    assert covered / DRAWS >= 1 - ALPHA
    if delta == 1.0:
        assert plain / DRAWS < 1 - ALPHA
