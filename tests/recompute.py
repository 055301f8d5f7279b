"""Verdicts computed independently, from the text of runs.csv and a study's declaration alone.

A verdicts.csv says by its column `rules` by which rules it was made; one without that column is by rules 1.
Published verdicts stay as they were made, so that both are computed here (docs/verdicts.md has them).

Nothing here comes from `ablation.stats` or `ablation.report`, and nothing is computed as it is there:
trends are lines that numpy fits, tests are scipy's and statsmodels' own.
"""

import csv
import itertools
import math
from typing import Any

import numpy as np
import pandas as pd
from scipy import optimize, special, stats
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm
from statsmodels.stats.multitest import multipletests

from ablation import Difference, Interaction, Over, Same, Study, Trend
from ablation.emoji.data.classes import class_names

Rows = list[dict[str, str]]
FEWEST = 5


def read(text: str) -> Rows:
    return list(csv.DictReader(text.splitlines()))


def rules_of(verdicts: Rows) -> int:
    """By which rules a verdicts.csv was made."""
    (rules,) = {int(row.get("rules", 1)) for row in verdicts}
    return rules


def recomputed(study: Study, runs: Rows, rules: int = 3, items: Rows | None = None) -> list[dict[str, Any]]:
    """What verdicts.csv should say, a row a claim; None for what should be empty. items: of items.csv, where
    test items replicate.
    """
    found = [_claim(study, runs, claim, items or []) for claim in study.claims]
    families = [[*range(len(found))]]
    if rules > 1:
        families = [[n for n, c in enumerate(study.claims) if c.counts is counts] for counts in (True, False)]
    for family in families:
        _adjust([found[n] for n in family], study.alpha, rules)
    for row, claim in zip(found, study.claims, strict=True):
        row["verdict"] = _word(study, claim.rule, row)
        shut = [gate for gate in study.gates if not gate.of or claim.rule.measure in gate.of]
        shut = [gate for gate in shut if not _passes(study, runs, gate, items or [])]
        row["gate"] = "; ".join(gate.text for gate in shut)
        if shut and row["p_holm"] is not None:
            row["verdict"] = "not judged"
    return found


def _passes(study: Study, runs: Rows, gate: Any, items: Rows) -> bool:
    """Whether the arm's values are shown to lie beyond the bound, by a one-sided test of scipy's."""
    arm = gate.arm or study.reference
    own = [row for row in runs if row["arm"] == arm]
    there = [row for row in own if _there(row, gate.measure)]
    if len(there) < len(own) or len(own) < FEWEST or own[0]["quick"] == "true":
        return False
    sign, bound = (1, gate.above) if gate.below is None else (-1, gate.below)
    beyond = sign * (np.array([float(row[gate.measure]) for row in there]) - bound)
    if any(row["measure"] == gate.measure for row in items):
        table = _by_cluster(items, gate.measure, [arm], lambda values: sign * (values[0] - bound))
        error, degrees = _crossed(table)
        return bool(stats.t.sf(table.mean() / error, degrees) < study.alpha)
    if np.ptp(beyond) <= 1e-10 * max(abs(bound), np.abs(beyond + bound).max()):
        p = stats.binomtest(int((beyond > 0).sum()), len(beyond), alternative="greater").pvalue
    elif study.test == "sign_flip":
        sums = [np.dot(signs, beyond) for signs in itertools.product([1, -1], repeat=len(beyond))]
        p = float(np.mean(np.array(sums) >= beyond.sum() * (1 - 1e-9 * np.sign(beyond.sum()))))
    else:
        t = stats.ttest_1samp(beyond, 0).statistic / _stretch(study, len(beyond))
        p = float(stats.t.sf(t, len(beyond) - 1))
    return bool(p < study.alpha)


def _stretch(study: Study, n: int) -> float:
    """Splits of one pool overlap: n differences are worth n / (1 + n ratio) independent ones."""
    parts = study.baseline.data.parts
    return math.sqrt(1 + n * (parts[2] / parts[0] if study.test == "corrected_t" else 0))


def _adjust(family: list[dict[str, Any]], alpha: float, rules: int) -> None:
    for name in ("p", "p_equivalence"):
        raw = [row[name] for row in family]
        steps = multipletests([1.0 if p is None else p for p in raw], method="holm")[1] if raw else []
        for row, p, step in zip(family, raw, steps, strict=True):
            row[f"{name}_holm"] = None if p is None else float(step)
    for row in family:
        row["family"] = len(family)
        p = row["p_ruled_out"]
        row["p_ruled_out_holm"] = None if p is None or rules == 1 else _least_level(family, p)
        if row["detectable_units"] is not None:
            row["detectable"] = row["detectable_units"](alpha / len(family))


def _least_level(family: list[dict[str, Any]], p: float) -> float:
    """The least alpha at which an exclusion is shown, by trying all at which anything changes.

    Shown where p is at most alpha over the number of claims that Holm does not call equivalent at alpha.
    """
    equivalent = [1.0 if row["p_equivalence_holm"] is None else row["p_equivalence_holm"] for row in family]
    levels = sorted({1.0, *equivalent, *(min(p * n, 1.0) for n in range(1, len(family) + 1))})

    def shown(level: float) -> bool:
        left = sum(one > level for one in equivalent)
        return p * left <= level * (1 + 1e-12)

    return next(level for level in levels if shown(level))


def _claim(study: Study, runs: Rows, claim: Any, items: Rows) -> dict[str, Any]:
    rule, test = claim.rule, study.test
    arms, per_seed = _effect_of(study, runs, rule)
    seeds = sorted({int(row["seed"]) for row in runs})
    cells = {(row["arm"], int(row["seed"])): row for row in runs}
    blocks = [[cells[arm, seed] for arm in arms] for seed in seeds]
    whole = [block for block in blocks if all(_there(row, rule.measure) for row in block)]
    table = np.array([[float(row[rule.measure]) for row in block] for block in whole]).reshape(-1, len(arms))
    effect = np.array([per_seed(values) for values in table])
    stretch = _stretch(study, len(effect))
    size = np.abs(table).max(initial=abs(getattr(rule, "value", 0.0)))
    flat = len(effect) > 1 and np.ptp(effect) <= 1e-10 * size
    fit = len(whole) == len(blocks) >= FEWEST and not flat and runs[0]["quick"] == "false"
    sd = 0.0 if flat or len(effect) < 2 else stats.tstd(effect)
    row = {
        "n": len(effect),
        "estimate": effect.mean() if len(effect) else None,
        "low": None,
        "high": None,
        "p": _p(effect, test, stretch) if fit else None,
        "p_equivalence": None,
        "p_ruled_out": None,
        "detectable": None,
        "detectable_units": None,
    }
    if len(effect) > 1:
        reach = stats.t.ppf(1 - study.alpha / 2, len(effect) - 1) * sd * stretch / math.sqrt(len(effect))
        row |= {"low": effect.mean() - reach, "high": effect.mean() + reach}
    if fit:
        # The most that one picture in one arm changes the effect.
        most = max(abs(per_seed(one) - per_seed(np.zeros(len(arms)))) for one in np.eye(len(arms)))
        least = _picture(study, runs, rule.measure) * most
        error = max(sd, least) * stretch / math.sqrt(len(effect))
        sesoi, degrees = study.measures[rule.measure], len(effect) - 1
        above = stats.t(degrees, loc=-sesoi, scale=error).sf(effect.mean())
        below = stats.t(degrees, loc=sesoi, scale=error).cdf(effect.mean())
        row["p_equivalence"] = max(above, below)
        row["p_ruled_out"] = {"up": below, "down": above}.get(rule.direction)
    if sd:
        row["detectable_units"] = lambda level: sd * stretch * _detectable(len(effect), test, level)
    if isinstance(rule, Over) and rule.blocks == "new" and len(effect) > 1:
        size = len(arms) // len(study.by_block)
        within = [_in_block(study, runs, rule, block)[1] for block in study.by_block]
        apart = [[one(v[n * size : (n + 1) * size]) for n, one in enumerate(within)] for v in table]
        found = _over_new(
            rule, np.array(apart), study.measures[rule.measure], study.alpha, least if fit else 0
        )
        row |= {name: one for name, one in found.items() if fit or not name.startswith("p")}
    if study.of_items and fit:
        table = _by_cluster(items, rule.measure, arms, per_seed)
        row |= _over_new(rule, table, study.measures[rule.measure], study.alpha, least)
    return row


def _by_cluster(items: Rows, measure: str, arms: list[str], per_seed: Any) -> np.ndarray:
    """What the arms' values come to, by seed and cluster of items.

    Of clusters of one size these are their means. A larger cluster adds more to the mean over items: what it
    adds is linearised, as of a ratio of sums over clusters.
    """
    frame = pd.DataFrame([row for row in items if row["measure"] == measure and row["arm"] in arms])
    frame = frame.assign(value=frame["value"].astype(float), seed=frame["seed"].astype(int))
    frame["cluster"] = frame["group"].where(frame["group"] != "", frame["item"])
    each = frame.pivot_table(index=["cluster", "item"], columns=["seed", "arm"], values="value")
    assert not each.isna().any(axis=None)
    effects = pd.DataFrame(
        {seed: each[seed][arms].apply(per_seed, axis=1, raw=True) for seed in each.columns.levels[0]}
    )
    mean = effects.to_numpy().mean()
    added = (effects - mean).groupby("cluster").sum()
    return mean + (added * len(added) / len(effects)).to_numpy().T


def _crossed(effects: np.ndarray) -> tuple[float, float]:
    """The standard error of the mean and its degrees of freedom, by rows and columns that are both random.

    The mean squares are those of statsmodels' two-way analysis of variance. Degrees of freedom are
    Satterthwaite's, the fewer of two: one mean square or the other is taken at its upper limit of 90 %.
    """
    seeds, blocks = effects.shape
    rows = [(effects[i, j], str(i), str(j)) for i in range(seeds) for j in range(blocks)]
    frame = pd.DataFrame(rows, columns=["effect", "seed", "block"])
    squares = anova_lm(ols("effect ~ seed + block", frame).fit())
    by_seed, by_block, rest = (squares.sum_sq / squares.df)[["seed", "block", "Residual"]] / effects.size
    by_seed, by_block = max(by_seed, rest), max(by_block, rest)
    n, m = seeds - 1, blocks - 1
    error = math.sqrt(by_seed + by_block - rest)
    most_seed, most_block = by_seed * n / stats.chi2.ppf(0.1, n), by_block * m / stats.chi2.ppf(0.1, m)
    degrees = min(
        (u + v - rest) ** 2 / (u**2 / n + v**2 / m + rest**2 / (n * m))
        for u, v in ((most_seed, by_block), (by_seed, most_block))
    )
    return error, degrees


def _over_new(rule: Any, effects: np.ndarray, sesoi: float, alpha: float, least: float) -> dict[str, Any]:
    """What seeds and blocks, or items, both random, come to: effects[i, j] is that of seed i in block j."""
    error, degrees = _crossed(effects)
    mean, floor = effects.mean(), max(error, least / math.sqrt(len(effects)))
    reach = stats.t.ppf(1 - alpha / 2, degrees) * error
    above = stats.t(degrees, loc=-sesoi, scale=floor).sf(mean)
    below = stats.t(degrees, loc=sesoi, scale=floor).cdf(mean)
    return {
        "low": mean - reach,
        "high": mean + reach,
        "p": float(2 * stats.t.cdf(-abs(mean) / error, degrees)),
        "p_equivalence": max(above, below),
        "p_ruled_out": {"up": below, "down": above}.get(rule.direction),
        "detectable_units": lambda level: error * _in_errors(degrees, level),
    }


def _in_block(study: Study, runs: Rows, rule: Any, block: str) -> tuple[list[str], Any]:
    """The arms that a rule over blocks rests on in one of them, and what their values there come to."""
    tail = f", {block}"
    own = [{**row, "arm": row["arm"].removesuffix(tail)} for row in runs if row["arm"].endswith(tail)]
    arms, per_seed = _effect_of(study.by_block[block], own, rule.rule)
    return [arm + tail for arm in arms], per_seed


def _effect_of(study: Study, runs: Rows, rule: Any) -> tuple[list[str], Any]:
    """The arms that a rule rests on, and what their values under one seed come to."""
    if isinstance(rule, Over):
        within = [_in_block(study, runs, rule, block) for block in study.by_block]
        size = len(within[0][0])
        return [arm for arms, _ in within for arm in arms], lambda v: np.mean(
            [one(v[n * size : (n + 1) * size]) for n, (_, one) in enumerate(within)]
        )
    if isinstance(rule, Trend):
        return _trend(study, runs, rule)
    if isinstance(rule, Interaction):
        corners = [study.reference, rule.first, rule.second, rule.both]
        return corners, lambda v: (v[3] - v[2]) - (v[1] - v[0])
    if isinstance(rule, Difference | Same):
        other = rule.to or dict(study.against).get(rule.arm) or study.reference
        return [other, rule.arm], lambda v: v[1] - v[0]
    return [rule.arm], lambda v: v[0] - rule.value


def _trend(study: Study, runs: Rows, rule: Trend) -> tuple[list[str], Any]:
    """The arms are found by the columns of runs.csv: equal to the middle one's in all but `along`."""
    columns = list(runs[0])
    tuned = [study.tuned.setting] if study.tuned else []
    settings = columns[columns.index("fingerprint") + 1 : columns.index(next(iter(study.measures)))]
    others = [name for name in settings if name not in (rule.along, *tuned)]
    table = {row["arm"]: row for row in runs}
    middle = table[rule.around or study.reference]
    arms = [arm for arm, row in table.items() if all(row[name] == middle[name] for name in others)]
    levels = np.array([float(table[arm][rule.along]) for arm in arms])
    x = {
        "log2": lambda: np.log2(levels),
        "linear": lambda: levels,
        "rank": lambda: np.unique(levels, return_inverse=True)[1].astype(float),
    }[rule.scale]()
    return arms, lambda v: np.polyfit(x, v, 1)[0] * (x.max() - x.min())


def _there(row: dict[str, str], measure: str) -> bool:
    return row["state"] == "complete" and row[measure] not in ("", "inf", "-inf")


def _p(effect: np.ndarray, test: str, stretch: float) -> float:
    if test == "sign_flip":
        sums = [abs(np.dot(signs, effect)) for signs in itertools.product([1, -1], repeat=len(effect))]
        return float(np.mean(np.array(sums) >= abs(effect.sum()) * (1 - 1e-9)))
    t = stats.ttest_1samp(effect, 0).statistic / stretch
    return float(2 * stats.t.cdf(-abs(t), len(effect) - 1))


def _picture(study: Study, runs: Rows, measure: str) -> float:
    """What one test picture, of the rarest class, moves a measure that counts pictures."""

    def fewest(column: str, unknown: float) -> float:
        found = [float(row[column]) for row in runs if row["state"] == "complete" and row.get(column)]
        return min(found, default=unknown)

    classes = len(class_names(study.baseline.data.classes))
    by_class = 1 / (max(classes, 1) * fewest("images_test_rarest", 1))
    among = any(one.data.among for one in study.declared.values())
    return {
        "test_accuracy": by_class if among else 1 / fewest("images_test", math.inf),
        "probe_accuracy": 1 / fewest("images_probe", math.inf),
        "test_balanced_accuracy": by_class,
        "test_macro_f1": by_class,
        "mood_balanced_accuracy": 1 / (2 * fewest("images_mood_rarest", 1)),
    }.get(measure, 0.0)


def _detectable(n: int, test: str, alpha: float) -> float:
    """The difference found with 80 % power by a plain t test, in deviations."""
    if test == "sign_flip" and 2 / 2**n >= alpha:
        return math.inf
    return _in_errors(n - 1, alpha) / math.sqrt(n)


def _in_errors(degrees: float, alpha: float) -> float:
    """The difference found with 80 % power by a t test of so many degrees of freedom, in standard errors."""
    # The power as it is defined, over the law of the sample deviation, with no noncentral t.
    u = (np.arange(20_000) + 0.5) / 20_000
    sd = stats.chi.ppf(u, degrees) / math.sqrt(degrees)
    critical = stats.t.ppf(1 - alpha / 2, degrees) * sd

    def missed(delta: float) -> float:
        return float(np.mean(special.ndtr(critical - delta) - special.ndtr(-critical - delta)))

    return float(optimize.brentq(lambda d: missed(d) - 0.2, 0, 10 + 10 * critical.mean()))


def _word(study: Study, rule: Any, row: dict[str, Any]) -> str:
    if row["p_holm"] is None:
        return "inconclusive"
    equivalent, different = row["p_equivalence_holm"] < study.alpha, row["p_holm"] < study.alpha
    if rule.direction is None:
        return "supported" if equivalent else "refuted" if different else "inconclusive"
    claimed = row["estimate"] * {"up": 1, "down": -1}[rule.direction] > 0
    ruled_out = row["p_ruled_out_holm"] is not None and row["p_ruled_out_holm"] < study.alpha
    for holds, word in (
        (equivalent, "equivalent"),
        (different and claimed, "supported"),
        (different, "refuted"),
        (ruled_out, "ruled out"),
    ):
        if holds:
            return word
    return "inconclusive"
