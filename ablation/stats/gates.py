"""Whether the runs pass a study's gates, and which effects are left without a verdict where they do not.

A gate is passed where the one-sided test of its bound shows it at the study's alpha: the study's own test,
over test items, too, where they are a sample and the measure has values of them. Values that are all equal
have no spread, and are tested by their sign. Gates are not corrected, neither among each other nor with
claims: a verdict needs its claim shown and every gate passed, and all of several conditions are falsely shown
no more often than any one of them (Berger, Multiparameter hypothesis testing and acceptance sampling,
Technometrics 24, 1982). Gates take verdicts away and add none, so that no rate of false verdicts grows.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from ablation.claims import Level
from ablation.experiment import Replication
from ablation.formatting import apart, bracket, count, listing, number, p_words, percent
from ablation.gates import Gate
from ablation.stats.cells import Seed, common, lacking
from ablation.stats.crossed import FEWEST_CLUSTERS
from ablation.stats.effects import Contrast, Effect, contrast
from ablation.stats.statistics import Estimate
from ablation.study import FEWEST_SEEDS, Study


@dataclass(frozen=True)
class Gated:
    """What the runs say of a gate. estimate: the arm's mean with its interval, in the unit of the measure.

    p: of the one-sided test of the bound; None where no test is made. passed: whether it shows the gate at
    alpha. missed: whether it shows that the arm lies on the other side. untested: why there is no test.
    """

    gate: Gate
    arm: str
    seeds: tuple[Seed, ...]
    estimate: Estimate
    p: float | None
    passed: bool
    missed: bool
    untested: str = ""

    def numbers(self, study: Study) -> str:
        """As in "Accuracy of A 0.520 [0.470, 0.570]; above 0.500 was declared"."""
        seen = self.estimate
        digits = apart((seen.low, seen.high, seen.mean), abs(self.gate.bound), self.gate.digits(study))
        shown = number(seen.mean, digits)
        shown += f" {bracket(seen.low, seen.high, digits)}" if seen.n > 1 else ""
        name = f"{self.gate.label(study)} of {self.arm}"
        what = f"{name} {shown}; " if seen.n else ""
        return f"{what}{self.gate.bound_words(study)} was declared"

    def why(self, study: Study) -> str:
        """Why nothing is judged, as a clause: "the baseline is at chance (...)"."""
        gate, numbers = self.gate, self.numbers(study)
        if self.untested:
            return f"it was not tested whether {gate.text}: {self.untested} ({numbers})"
        if self.missed:
            return f"{gate.otherwise or f'it is not so that {gate.text}'} ({numbers})"
        if gate.otherwise:
            return f"for all that these runs show, {gate.otherwise} ({numbers})"
        return f"it is not shown that {gate.text} ({numbers})"

    def sentence(self, study: Study) -> str:
        """What became of the gate, with its p-value."""
        gate = self.gate
        labels = [study.label(name) for name in gate.of]
        over = f"claims on {listing(labels)}" if labels else "all claims"
        if self.untested:
            end = f"not tested, since {self.untested}"
        else:
            end = f"{'passed' if self.passed else 'not passed'}, {p_words(self.p)} one-sided"
        return f"Gate for {over}, “{gate.text}”: {end} ({self.numbers(study)})."


def gated(study: Study, cells: pd.DataFrame, items: pd.DataFrame | None = None) -> tuple[Gated, ...]:
    """What the runs say of every gate, in the order of the study file; `cells` has a row a planned cell.

    `items` has the values of single test items, as for `effects.effects`.
    """
    return tuple(_gated(study, cells, items, gate) for gate in study.gates)


def closed(gates: Iterable[Gated], measure: str) -> list[Gated]:
    """Those of the gates that guard claims on the measure and are not passed."""
    return [one for one in gates if one.gate.guards(measure) and not one.passed]


def without_verdicts(effects: Sequence[Effect], gates: Sequence[Gated]) -> tuple[Effect, ...]:
    """The effects, "not judged" where one was tested and a gate of its measure is not passed."""
    return tuple(
        replace(one, verdict="not judged") if one.p is not None and closed(gates, one.measure) else one
        for one in effects
    )


def _gated(study: Study, cells: pd.DataFrame, items: pd.DataFrame | None, gate: Gate) -> Gated:
    arm, bound = gate.of_arm(study), gate.bound
    if study.of_items and not _has_items(items, gate.measure, arm):
        # Of a number without items there are only seeds: a statement about these items.
        study = replace(study, replication=Replication(), test="t")
    found = contrast(study, cells, Level(gate.measure, arm, bound), items)
    off = found.estimate
    seen = Estimate(off.mean + bound, off.low + bound, off.high + bound, off.n)
    beyond = found.up == (gate.above is not None)
    p, untested = found.p, ""
    if found.equal:
        # No spread to test by, but every seed lies on one side: the exact sign test.
        p = min(2 * 0.5 ** len(found.seeds) / found.weight, 1.0) if off.mean else 1.0
    elif p is None:
        untested = _untested(study, cells, found)
    if p is None:
        return Gated(gate, arm, found.seeds, seen, None, passed=False, missed=False, untested=untested)
    one_sided, other = (p / 2, 1 - p / 2) if beyond else (1 - p / 2, p / 2)
    return Gated(
        gate,
        arm,
        found.seeds,
        seen,
        one_sided,
        passed=one_sided < study.alpha,
        missed=other < study.alpha,
    )


def _has_items(items: pd.DataFrame | None, measure: str, arm: str) -> bool:
    return items is not None and bool((items["measure"].eq(measure) & items["arm"].eq(arm)).any())


def _untested(study: Study, cells: pd.DataFrame, found: Contrast) -> str:
    """Why no test is made."""
    (arm,) = found.arms
    planned = len(common(cells, [arm]))
    if gaps := lacking(cells, [arm]):
        states = listing([f"{n} {state}" for state, n in gaps.items()])
        return f"{sum(gaps.values())} of {count(planned, 'cell')} of {arm} are not complete ({states})"
    if study.quick:
        return "a smoke budget only shows that the study runs"
    if planned < FEWEST_SEEDS:
        return f"{count(planned, 'seed')}, fewer than {FEWEST_SEEDS}, are exploratory"
    if found.sample is not None and found.sample.clusters < FEWEST_CLUSTERS:
        return f"it has {found.sample.over}, fewer than {FEWEST_CLUSTERS}"
    return f"{found.rule.measure} is not a number under every seed of {arm}"


def gate_caveats(study: Study, gates: Sequence[Gated]) -> Iterable[str]:
    """What became of each gate, and what gates do; nothing where there is none."""
    if not gates:
        return
    yield from (one.sentence(study) for one in gates)
    yield (
        f"A claim gets a verdict only where all of its gates are passed, each at alpha {study.alpha:g} "
        f"without a correction, with {percent(1 - study.alpha)} intervals. Gates take verdicts away and add "
        "none, so that no rate of false verdicts grows by them."
    )
