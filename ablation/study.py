"""A study as a declaration: question, arms, seeds, measures and claims, and its expansion into cells.

Loads in milliseconds: it imports specs and words, never torch, MLflow or Optuna.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from ablation.claims import Claim as Claim
from ablation.claims import Difference as Difference
from ablation.claims import Interaction as Interaction
from ablation.claims import Level as Level
from ablation.claims import Same as Same
from ablation.claims import Trend as Trend
from ablation.emoji.spec import RunSpec, flat, vary
from ablation.tuning import Search as Search
from ablation.tuning import Tuned as Tuned
from ablation.validation import Test, check_study


@dataclass(frozen=True)
class Cell:
    """One arm under one seed: one training run, one Optuna trial, one MLflow run."""

    arm: str
    seed: int
    spec: RunSpec


@dataclass(frozen=True, kw_only=True)
class Study:
    """One question of the report.

    arms[name] is the arm's difference from the baseline, by dotted setting names. measures[name] is
    the smallest effect of interest (SESOI) of that measure, in its own unit: a difference inside it
    does not matter in practice. `test` is the paired test on seeds, declared here and never chosen from
    the data: "corrected_t" (Nadeau and Bengio 2003, for splits resampled from one pool),
    "t" or "sign_flip" (exact; both for independent replications).

    against[arm] is the arm that the effects of `arm` are differences to, where it is not the baseline; an
    arm that is set against itself is a baseline of its own, for those set against it.
    `tuned` is a setting that is chosen afresh for every arm before its cells run, and chosen[arm] what was
    chosen. `search` is a two-objective search beside the arms. `part` is the report's, as in "2 f, 2".
    `cell_seconds` is what a cell took on two cores, on average: what `list` can say without a store.
    """

    question: str
    source: str
    baseline: RunSpec
    arms: Mapping[str, Mapping[str, Any]]
    measures: Mapping[str, float]
    claims: tuple[Claim, ...] = ()
    supported: str = ""
    seeds: int = 5
    test: Test = "corrected_t"
    alpha: float = 0.05
    against: Mapping[str, str] = field(default_factory=dict)
    tuned: Tuned | None = None
    search: Search | None = None
    part: str = ""
    cell_seconds: float = 0.0
    first_seed: int = 0
    chosen: Mapping[str, float] = field(default_factory=dict)
    name: str = ""
    quick: bool = field(default=False)

    def __post_init__(self) -> None:
        check_study(self)

    @cached_property
    def specs(self) -> dict[str, RunSpec]:
        """The spec of every arm (of seed 0), by name, in the order of the file, tuned where it is."""
        if self.tuned is None:
            return self.declared
        name, chosen = self.tuned.setting, self.chosen
        return {
            arm: vary(s, {name: chosen[arm]} if arm in chosen else {}) for arm, s in self.declared.items()
        }

    @cached_property
    def declared(self) -> dict[str, RunSpec]:
        """The spec of every arm as the file has it, before a tuned setting is chosen."""
        arms = {name: vary(self.baseline, changes) for name, changes in self.arms.items()}
        return arms if self.baseline in arms.values() else {"baseline": self.baseline, **arms}

    @cached_property
    def reference(self) -> str:
        """The name of the arm that equals the baseline."""
        return next(name for name, spec in self.declared.items() if spec == self.baseline)

    def reference_of(self, arm: str) -> str:
        """The arm that the effects of `arm` are differences to; the baseline's own is itself."""
        return self.against.get(arm, self.reference)

    @cached_property
    def varied(self) -> tuple[str, ...]:
        """The dotted names of the settings that differ between arms by declaration: the scientific ones."""
        tables = [flat(spec) for spec in self.declared.values()]
        return tuple(name for name in tables[0] if len({str(table[name]) for table in tables}) > 1)

    @cached_property
    def fixed(self) -> dict[str, Any]:
        """The settings that every arm shares, seed and tuned one left out: the caveat under the table."""
        settings, tuned = flat(self.baseline), self.tuned.setting if self.tuned else ""
        return {k: v for k, v in settings.items() if k not in (*self.varied, "seed", tuned)}

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """What tells runs of the arms apart: the settings that vary, and the one that is tuned."""
        return (*self.varied, *([self.tuned.setting] if self.tuned else []))

    def levels(self, along: str, around: str = "") -> dict[str, float]:
        """The value of `along` in each arm that differs from `around`, else the baseline, in it alone."""
        base = flat(self.declared[around or self.reference])
        tables = {name: flat(spec) for name, spec in self.declared.items()}
        return {
            name: float(table[along])  # type: ignore[arg-type]
            for name, table in tables.items()
            if all(table[other] == value for other, value in base.items() if other != along)
        }

    def cells(self, seeds: int | None = None) -> list[Cell]:
        """Every arm under every seed, seed-major, so that an interrupted study has whole blocks."""
        count = seeds or self.seeds
        if count not in self._cells:  # every reader of a large study asks for them, each several times
            self._cells[count] = tuple(
                Cell(arm, seed, replace(spec, seed=seed))
                for seed in range(self.first_seed, self.first_seed + count)
                for arm, spec in self.specs.items()
            )
        return list(self._cells[count])

    @cached_property
    def _cells(self) -> dict[int, tuple[Cell, ...]]:
        return {}

    def smoke(self, steps: int = 20) -> "Study":
        """The same study with a budget that only shows that it runs: its numbers mean nothing."""
        budget = {"train.epochs": 0, "train.steps": steps}
        arms = {}
        for number, (arm, changes) in enumerate(self.arms.items(), start=1):
            kept = {name: value for name, value in changes.items() if name not in budget}
            # Arms that differ in their budget still differ, by a step.
            arms[arm] = kept if len(kept) == len(changes) else kept | {"train.steps": steps + number}
        name, baseline = f"{self.name}-quick", vary(self.baseline, budget)
        return replace(self, baseline=baseline, arms=arms, seeds=2, name=name, quick=True)
