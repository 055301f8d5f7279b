"""Caveats: what a reader of the table has to know, one sentence each."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from ablation.emoji.budgets import budget_caveats
from ablation.emoji.metric_resolution import one_picture
from ablation.emoji.split_caveats import split_caveats
from ablation.formatting import SMOKE, count, difference_digits, listing, number, percent
from ablation.measures import measure as find_measure
from ablation.stats.cells import lacking, values
from ablation.stats.effects import FEWEST_SEEDS, Effect
from ablation.stats.items import truth_caveats
from ablation.stats.roles import edge_warnings, tuned_caveats
from ablation.stats.statistics import TESTS
from ablation.study import Study


def caveats(
    study: Study, cells: pd.DataFrame, found: Sequence[Effect], looks: Sequence[int] = ()
) -> tuple[str, ...]:
    """What limits the numbers of `study`, the gravest first; `cells` has one row per planned cell.

    `looks` are the numbers of seeds that the study was run with, in order.
    """
    return (
        *_warnings(study, cells),
        *edge_warnings(study),
        *_spreads(study, cells, found),
        *_history(cells, looks),
        *_method(study, cells),
        *tuned_caveats(study),
        *split_caveats(study, cells),
        *truth_caveats(study, cells),
        *_data(study, cells),
    )


def _warnings(study: Study, cells: pd.DataFrame) -> Iterator[str]:
    seeds = cells["seed"].nunique()
    if study.quick:
        yield SMOKE
    if seeds < FEWEST_SEEDS:
        yield f"Exploratory: {count(seeds, 'seed')}, fewer than {FEWEST_SEEDS}, so no test is made."
    elif seeds != study.seeds:
        yield f"The study declares {count(study.seeds, 'seed')}, but this is an analysis of {seeds}."
    if gaps := lacking(cells, list(study.specs)):
        states = listing([f"{n} {state}" for state, n in gaps.items()])
        yield (
            f"Of {len(cells)} cells {states}: numbers are over the seeds that are left, and what rests on an "
            "arm with such a cell is not tested."
        )


def _spreads(study: Study, cells: pd.DataFrame, found: Sequence[Effect]) -> Iterator[str]:
    if same := [f"{e.arm} on {find_measure(e.measure).label}" for e in found if e.equal]:
        yield (
            f"Every seed gives the same difference for {listing(same)}: the measure is too coarse, or the "
            "seeds too few, to show a spread, so no test is made; an interval of no width "
            "is no certainty."
        )
    steps = {name: one_picture(study, cells, name) for name in study.measures}
    coarse = [_amount(name, step) for name, step in steps.items() if step]
    if coarse and any(e.p is not None and steps[e.measure] for e in found):
        yield (
            "Where equivalence is tested, the deviation over seeds is taken as no less than what one test "
            f"picture, of the rarest class, can move the measure: {listing(coarse)}."
        )


def _history(cells: pd.DataFrame, looks: Sequence[int]) -> Iterator[str]:
    if any(later > earlier for earlier, later in pairwise(looks)):
        yield (
            f"Seeds were added after results could be seen ({', then '.join(map(str, looks))}), so the "
            "p-values are optimistic unless the number was fixed before."
        )
    for column, noun in (("code", "versions of the code"), ("packages", "sets of packages")):
        texts = _distinct(cells, column)
        if len(texts) > 1:
            named = [_commit(text) if column == "code" else f"({text})" for text in texts]
            yield f"The runs come from {len(texts)} {noun}: {listing(named)}."


def _distinct(cells: pd.DataFrame, column: str) -> list[str]:
    """The texts in `column` of the complete cells, each once, in the order of the plan."""
    if column not in cells:
        return []
    kept = cells.loc[cells["state"] == "complete", column]
    return list(dict.fromkeys(text for text in kept if isinstance(text, str) and text))


def _commit(text: str) -> str:
    """A commit in ten characters, with what follows a "+"."""
    commit, plus, rest = text.partition("+")
    return commit[:10] + plus + rest


def _method(study: Study, cells: pd.DataFrame) -> Iterator[str]:
    level = percent(1 - study.alpha)
    if study.test == "corrected_t":
        parts = " : ".join(map(str, study.baseline.data.parts))
        yield (
            f"Intervals are {level} Student t intervals with the variance of Nadeau and Bengio (2003), since "
            f"all splits are drawn from one pool of images, as test : train of the deal ({parts}) has it, "
            "whatever part of its side a measure is taken on."
        )
    else:
        yield f"Intervals are {level} Student t intervals over seeds, taken as independent replications."
    if not study.quick and cells["seed"].nunique() >= FEWEST_SEEDS:
        yield (
            f"Test: two-sided {TESTS[study.test]}, alpha {study.alpha:g}; equivalence by two one-sided "
            "t tests; both adjusted by Holm over the arms within a measure, and for claims over the study's "
            "claims."
        )
    bounds = [_sesoi(study, name) for name in study.measures]
    yield f"Smallest effects that matter, declared before the runs: {listing(bounds)}."


def _data(study: Study, cells: pd.DataFrame) -> Iterator[str]:
    yield from budget_caveats(study, cells)
    if unpaired := list(_unpaired(study, cells)):
        other = "the arm that it is set against" if study.against else "baseline"
        yield (
            f"Pairing by seed did not help for {listing(unpaired)}: over seeds, arm and {other} correlate "
            "negatively."
        )


def _unpaired(study: Study, cells: pd.DataFrame) -> Iterator[str]:
    for name in study.measures:
        for arm in study.specs:
            table = values(cells, name, [arm, study.reference_of(arm)])[1]
            spread = len(table) > 2 and bool((np.ptp(table, axis=0) > 0).all())
            if arm != study.reference_of(arm) and spread and np.corrcoef(table.T).min() < 0:
                yield f"{arm} on {find_measure(name).label}"


def _sesoi(study: Study, name: str) -> str:
    return _amount(name, study.measures[name])


def _amount(name: str, amount: float) -> str:
    measure = find_measure(name)
    return f"{measure.label} {number(amount, difference_digits(measure.digits, amount))}"
