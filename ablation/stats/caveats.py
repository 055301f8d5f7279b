"""Caveats: what a reader of the table has to know, one sentence each."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from ablation.claims import Over
from ablation.formatting import (
    SMOKE,
    bracket,
    count,
    difference_digits,
    listing,
    number,
    percent,
    short_commit,
    some,
)
from ablation.settings import flat
from ablation.stats.cells import COMPLETE, lacking, values
from ablation.stats.crossed import FEWEST_CLUSTERS, Sample
from ablation.stats.effects import Effect
from ablation.stats.gates import Gated, gate_caveats
from ablation.stats.sequential import looks_caveats
from ablation.stats.statistics import TESTS, Estimate
from ablation.stats.two_way_bootstrap import DRAWS, Clustered
from ablation.stats.verdicts import Verdict
from ablation.study import FEWEST_SEEDS, Study
from ablation.tuning import TUNING_SEED


def caveats(
    study: Study,
    cells: pd.DataFrame,
    found: Sequence[Effect],
    gates: Sequence[Gated],
    judged: Sequence[Verdict],
    seed_counts: Sequence[int],
) -> tuple[str, ...]:
    """What limits the numbers of `study`, the gravest first; `cells` has one row per planned cell.

    `seed_counts` are the numbers of seeds that the study was run with, in order.
    """
    return (
        *_warnings(study, cells),
        *edge_warnings(study),
        *gate_caveats(study, gates),
        *_remarks(cells),
        *_spreads(study, cells, found),
        *_history(study, cells, seed_counts),
        *_method(study, cells, found),
        *looks_caveats(study, cells, [one.arms for one in judged]),
        *tuned_caveats(study),
        *study.experiment.caveats(study, cells),
        *_pairing(study, cells),
        *clustered_caveats(study, judged),
    )


def fixed_words(study: Study) -> str:
    """The settings that every arm shares, as one sentence."""
    if not study.fixed:
        return (
            "The study declares no settings but those that tell the arms apart."
            if study.runs is not None
            else "No setting is held fixed: the arms vary all of them."
        )
    settings = ", ".join(f"{name} = {_value(value)}" for name, value in study.fixed.items())
    return f"Held fixed in every arm: {settings}."


def tuned_caveats(study: Study) -> Iterator[str]:
    """What was tuned, how, and what was chosen for each arm; nothing where nothing is tuned."""
    if study.tuned is None:
        return
    name, tuned = study.tuned.setting, study.tuned
    pool = ", on a split of its own that is drawn from the same pool as the test sets of the table"
    yield (
        f"{name} is tuned afresh for every arm, over {count(tuned.trials, 'trial')} each: the same values "
        f"from {tuned.least:g} to {tuned.largest:g}, evenly spaced on a logarithmic scale. Each arm gets the "
        f"value with the least {study.label(tuned.measure)} in its own trials, under seed {TUNING_SEED} "
        f"(study {study.name}-tuning){pool if study.replication.kind == 'split' else ''}."
    )
    if chosen := [f"{study.chosen[arm]:g} for {arm}" for arm in study.settings if arm in study.chosen]:
        yield f"Chosen {name}: {listing(chosen)}."
    if open_ := [arm for arm in study.settings if arm not in study.chosen]:
        yield f"Not chosen yet for {listing(open_)}: there {name} is {_value(flat(study.baseline)[name])}."


def _remarks(cells: pd.DataFrame) -> Iterator[str]:
    """What was recorded of the data with the complete cells, each sentence once."""
    texts = cells[cells["state"] == COMPLETE].get("remarks", ())
    yield from dict.fromkeys(line for text in texts if isinstance(text, str) for line in text.splitlines())


def edge_warnings(study: Study) -> Iterator[str]:
    """A warning where the best value of an arm is the least or the largest that was tried."""
    if study.tuned is None:
        return
    least, *_, largest = study.tuned.values
    chosen = {arm: study.chosen[arm] for arm in study.settings if arm in study.chosen}
    if edge := [arm for arm, value in chosen.items() if not least < value < largest]:
        yield (
            f"The best {study.tuned.setting} lies on the edge of the range tried for {listing(edge)}: a "
            "better one may lie beyond it, so that such an arm may be tuned less well than others."
        )


def clustered_caveats(study: Study, judged: Sequence[Verdict]) -> Iterator[str]:
    """What becomes of claims on measures of items when items are drawn anew like seeds."""
    drawn = [(n, v, v.clustered) for n, v in enumerate(judged, 1) if v.clustered is not None]
    if not drawn:
        return
    each = [f"claim {n} {_clustered_words(study, v.claim.rule.measure, c)}" for n, v, c in drawn]
    yield (
        f"For new seeds and new test items (drawn anew, {DRAWS:,} times), the effects are: "
        f"{listing(each)}. The effective n is the number of independent items that would give the same "
        "spread: items that come back under other seeds, and seeds that move many items, lower it."
    )
    decided = ("supported", "refuted")
    if weak := [f"claim {n}" for n, v, c in drawn if v.word in decided and c.low <= 0 <= c.high]:
        yield f"Clustered by test item and seed {listing(weak)} may be 0: not shown for new items."


def _clustered_words(study: Study, name: str, found: Clustered) -> str:
    digits = difference_digits(study.measure(name).digits, study.measures[name])
    spread = bracket(found.low, found.high, digits, signed=True)
    return (
        f"{number(found.estimate, digits, signed=True)} {spread} ({count(found.items, 'item')}, effective n "
        f"{found.effective_n:.0f})"
    )


def _warnings(study: Study, cells: pd.DataFrame) -> Iterator[str]:
    seeds = cells["seed"].nunique()
    if study.quick:
        yield SMOKE
    if seeds < FEWEST_SEEDS:
        yield f"Exploratory: {count(seeds, 'seed')}, fewer than {FEWEST_SEEDS}, so no test is made."
    elif seeds != study.seeds and study.runs is None:
        yield f"The study declares {count(study.seeds, 'seed')}, but this is an analysis of {seeds}."
    if gaps := lacking(cells, list(study.settings)):
        states = listing([f"{n} {state}" for state, n in gaps.items()])
        yield (
            f"Of {len(cells)} cells {states}: numbers are over the seeds that are left, and "
            + (
                "no look counts that lacks such a cell."
                if study.looks
                else "what rests on an arm with such a cell is not tested."
            )
        )
    complete = cells[cells["state"] == COMPLETE]
    for name in study.measures if study.runs is None else ():  # of runs that exist their reader says it
        odd = complete[~np.isfinite(complete[name].to_numpy(dtype=np.float64))]
        if len(odd):
            shown = [f"{arm}, seed {seed}" for arm, seed in zip(odd["arm"], odd["seed"], strict=True)]
            yield f"Complete, but without a finite {study.label(name)}, and left out of it: {some(shown)}."


def _spreads(study: Study, cells: pd.DataFrame, found: Sequence[Effect]) -> Iterator[str]:
    if same := [f"{e.arm} on {study.label(e.measure)}" for e in found if e.equal]:
        every = "Every test item under every seed" if study.of_items else "Every seed"
        yield (
            f"{every} gives the same difference for {listing(same)}: the measure is too coarse, or the "
            "seeds too few, to show a spread, so no test is made; an interval of zero "
            "width does not mean certainty."
        )
    steps = {name: study.experiment.resolution(study, cells, name) for name in study.measures}
    coarse = [_amount(study, name, step) for name, step in steps.items() if step]
    if coarse and any(e.p is not None and steps[e.measure] for e in found):
        yield (
            "Where equivalence is tested, the deviation over seeds is taken as no less than the most that "
            f"one test item can move the measure: {listing(coarse)}."
        )


def _history(study: Study, cells: pd.DataFrame, seed_counts: Sequence[int]) -> Iterator[str]:
    if not study.looks and any(later > earlier for earlier, later in pairwise(seed_counts)):
        yield (
            f"Seeds were added after results could be seen ({', then '.join(map(str, seed_counts))}), so the "
            "p-values are optimistic unless the number was fixed before."
        )
    complete = cells[cells["state"] == COMPLETE]
    for column, noun in (("code", "versions of the code"), ("packages", "sets of packages")):
        texts = dict.fromkeys(text for text in complete.get(column, ()) if isinstance(text, str) and text)
        if len(texts) > 1:
            named = [short_commit(text) if column == "code" else f"({text})" for text in texts]
            yield f"The runs come from {len(texts)} {noun}: {listing(named)}."


def _method(study: Study, cells: pd.DataFrame, found: Sequence[Effect]) -> Iterator[str]:
    how = f" ({study.replication.words})" if study.replication.words else ""
    if study.replication.kind == "split":
        yield (
            f"What replicates is the split, and the training on it{how}: conclusions are about training and "
            "test sets that are drawn like these."
        )
    elif study.of_items:
        yield (
            f"What replicates is the training, and the test items{how}: conclusions are about new trainings "
            "and new test items that are drawn like these."
        )
    else:
        yield (
            f"What replicates is the training alone, on one fixed split{how}: conclusions are about its test "
            "set."
        )
    yield from _blocks(study)
    level = percent(1 - study.alpha)
    if study.ratio:
        yield (
            f"Intervals are {level} Student t intervals with the variance of Nadeau and Bengio (2003), since "
            f"the splits overlap; n_test / n_train is taken as {study.ratio:.3g}, also for a measure of a "
            "part of the test data."
        )
    elif study.of_items:
        yield (
            f"Intervals are {level} Student t intervals over seeds and test items, both taken as random "
            "samples (crossed analysis of variance, Satterthwaite's degrees of freedom); the items of one "
            "cluster are drawn together."
        )
        yield from _samples(study, found)
    else:
        yield f"Intervals are {level} Student t intervals over seeds, taken as independent replications."
    if not study.quick and cells["seed"].nunique() >= FEWEST_SEEDS:
        over = "over the study's claims"
        if len({claim.counts for claim in study.claims}) > 1:
            over = "over the claims that count, and apart over those that do not"
        yield (
            f"Test: two-sided {TESTS[study.test]}, alpha {study.alpha:g}; equivalence by two one-sided "
            "t tests, and an effect ruled out by one; all adjusted by Holm over the arms within a measure, "
            f"and for claims {over}."
        )
    bounds = [_amount(study, name, sesoi) for name, sesoi in study.measures.items()]
    when = "before" if study.runs is None else "after"
    yield f"Smallest effects that matter, declared {when} the runs: {listing(bounds)}."


def _blocks(study: Study) -> Iterator[str]:
    """What blocks are, and what the claims over them are about."""
    if not study.by_block:
        return
    yield (
        f"Every arm is run in each of {len(study.by_block)} blocks ({', '.join(study.by_block)}), and "
        "compared within it."
    )
    readings = {claim.rule.blocks for claim in study.claims if isinstance(claim.rule, Over)}
    if "these" in readings:
        yield (
            "A claim over these blocks is about their mean effect, each counting alike, and about no others; "
            "it is tested over seeds."
        )
    if "new" in readings:
        yield (
            "A claim over new blocks takes these as a random sample, and is tested over seeds and blocks "
            "(crossed analysis of variance, Satterthwaite's degrees of freedom). No run shows that they are "
            "a random sample: how they were chosen decides what they stand for."
        )


def _samples(study: Study, found: Sequence[Effect]) -> Iterator[str]:
    """How many test items there are, and which are left out, by measure."""
    samples = [(e, e.sample) for e in found if e.sample is not None]
    counts = dict.fromkeys(f"{_items(one)} for {study.label(e.measure)}" for e, one in samples if one.items)
    if counts:
        yield f"Test items that the compared runs share: {listing(list(counts))}."
    if few := [
        f"{e.arm} on {study.label(e.measure)}" for e, one in samples if one.clusters < FEWEST_CLUSTERS
    ]:
        yield f"Fewer than {FEWEST_CLUSTERS} clusters of test items for {listing(few)}, so no test is made."
    left = [f"{one.lacking:,} for {e.arm} on {study.label(e.measure)}" for e, one in samples if one.lacking]
    if left:
        yield (
            f"Test items that not all compared runs have are left out: {listing(left)}; if runs lack the "
            "items that are hard, the effects are not about all items."
        )
    if of_these := [
        f"{e.arm} on {_over_seeds(study, e, e.these)}" for e in found if e.these and e.these.n > 1
    ]:
        yield (
            "The intervals of the table, and the claims, are about new test items. Over seeds alone (Student "
            f"t), which is about these test items and no others, the effects are: {listing(of_these)}."
        )


def _over_seeds(study: Study, effect: Effect, these: Estimate) -> str:
    digits = difference_digits(study.measure(effect.measure).digits, study.measures[effect.measure])
    spread = bracket(these.low, these.high, digits, signed=True)
    return f"{study.label(effect.measure)} {number(these.mean, digits, signed=True)} {spread}"


def _items(sample: Sample) -> str:
    clusters = f" in {sample.clusters:,} clusters" if sample.clusters < sample.items else ""
    return f"{sample.items:,}{clusters}"


def _pairing(study: Study, cells: pd.DataFrame) -> Iterator[str]:
    if unpaired := list(_unpaired(study, cells)):
        other = "the arm that it is compared to" if study.against else "baseline"
        yield (
            f"Pairing by seed did not help for {listing(unpaired)}: over seeds, arm and {other} correlate "
            "negatively."
        )


def _unpaired(study: Study, cells: pd.DataFrame) -> Iterator[str]:
    for name in study.measures:
        for arm in study.settings:
            table = values(cells, name, [arm, study.reference_of(arm)])[1]
            spread = len(table) > 2 and bool((np.ptp(table, axis=0) > 0).all())
            if arm != study.reference_of(arm) and spread and np.corrcoef(table.T).min() < 0:
                yield f"{arm} on {study.label(name)}"


def _value(value: object) -> str:
    if isinstance(value, tuple):
        return ":".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value) or "(empty)"


def _amount(study: Study, name: str, amount: float) -> str:
    digits = difference_digits(study.measure(name).digits, amount)
    return f"{study.label(name)} {number(amount, digits)}"
