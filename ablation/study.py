"""A study as a declaration: question, arms, seeds, measures and claims, and its expansion into cells.

Loads in milliseconds: it imports specs and words, never torch, MLflow or Optuna.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from ablation.claims import Claim as Claim
from ablation.claims import Difference as Difference
from ablation.claims import Trend as Trend
from ablation.soundness import Test, check_study
from ablation.spec import RunSpec, flat, vary


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
    name: str = ""
    quick: bool = field(default=False)

    def __post_init__(self) -> None:
        check_study(self)

    @cached_property
    def specs(self) -> dict[str, RunSpec]:
        """The spec of every arm (of seed 0), by name, in the order of the file."""
        arms = {name: vary(self.baseline, changes) for name, changes in self.arms.items()}
        return arms if self.baseline in arms.values() else {"baseline": self.baseline, **arms}

    @cached_property
    def reference(self) -> str:
        """The name of the arm that equals the baseline; every effect is a difference to it."""
        return next(name for name, spec in self.specs.items() if spec == self.baseline)

    @cached_property
    def varied(self) -> tuple[str, ...]:
        """The dotted names of the settings that differ between arms: the scientific ones."""
        tables = [flat(spec) for spec in self.specs.values()]
        return tuple(name for name in tables[0] if len({str(table[name]) for table in tables}) > 1)

    @cached_property
    def fixed(self) -> dict[str, Any]:
        """The settings that every arm shares, the seed left out: the caveat under the table."""
        settings = flat(self.baseline)
        return {k: v for k, v in settings.items() if k not in self.varied and k != "seed"}

    def levels(self, along: str) -> dict[str, float]:
        """The value of `along` in each arm that differs from the baseline in it alone, by arm name."""
        base = flat(self.baseline)
        tables = {name: flat(spec) for name, spec in self.specs.items()}
        return {
            name: float(table[along])  # type: ignore[arg-type]
            for name, table in tables.items()
            if all(table[other] == value for other, value in base.items() if other != along)
        }

    def cells(self, seeds: int | None = None) -> list[Cell]:
        """Every arm under every seed, seed-major, so that an interrupted study has whole blocks."""
        return [
            Cell(arm, seed, vary(spec, {"seed": seed}))
            for seed in range(seeds or self.seeds)
            for arm, spec in self.specs.items()
        ]

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
