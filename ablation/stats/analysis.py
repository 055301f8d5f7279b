"""The analysis of a study: means, effects, verdicts, conclusion, and the runs behind each number."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from ablation.formatting import percent
from ablation.stats.caveats import caveats, fixed_words
from ablation.stats.cells import Seed, planned, values
from ablation.stats.effects import Effect, effects, mean_of
from ablation.stats.gates import Gated, gated, without_verdicts
from ablation.stats.items import check_cells
from ablation.stats.statistics import Estimate
from ablation.stats.verdicts import Verdict, conclusion, verdicts
from ablation.study import Study


@dataclass(frozen=True)
class Source:
    """A cell that a number rests on; `run_id` is "" where the store named none."""

    arm: str
    seed: Seed
    fingerprint: str
    run_id: str


@dataclass(frozen=True)
class Analysis:
    """Everything that the runs of a study say.

    means[arm, measure] is the arm's mean over its complete seeds. `fixed` lists the settings that
    every arm shares. sources[key] are the cells behind a number; the keys are "ARM/MEASURE/mean",
    "ARM/MEASURE/difference", "claim N/effect" and "gate N/mean", N from 1.
    """

    study: Study
    seeds: int
    means: Mapping[tuple[str, str], Estimate]
    effects: tuple[Effect, ...]
    gates: tuple[Gated, ...]
    verdicts: tuple[Verdict, ...]
    conclusion: str
    caveats: tuple[str, ...]
    fixed: str
    sources: Mapping[str, tuple[Source, ...]]

    @property
    def exploratory(self) -> bool:
        """Whether no effect was tested: too few seeds, a smoke budget, no complete arm or no spread."""
        return all(effect.p is None for effect in self.effects)

    @property
    def level_words(self) -> str:
        """The level of every interval, as in "95 %"."""
        return percent(1 - self.study.alpha)

    @property
    def others(self) -> dict[str, str]:
        """The arm that each arm's effects are differences to, where it is not the baseline."""
        against = self.study.against.items()
        return {arm: other for arm, other in against if other not in (arm, self.study.reference)}

    def effect(self, arm: str, measure: str) -> Effect | None:
        """The effect of `arm` on `measure`; None for a baseline, which is compared to nothing."""
        return next((e for e in self.effects if (e.arm, e.measure) == (arm, measure)), None)


def analyse(
    study: Study,
    frame: pd.DataFrame,
    seeds: int,
    seed_counts: Sequence[int] = (),
    items: pd.DataFrame | None = None,
    remarks: Sequence[str] = (),
) -> Analysis:
    """Means, effects and verdicts of `study` over its first `seeds` seeds.

    `frame` has one row per cell, in any order, with the columns arm, seed, state, fingerprint, run_id
    and every measure; a cell without a row is missing. Caveats also read the columns code and packages, and
    the experiment's own caveats read other metrics of its runs. `seed_counts` are the numbers of seeds that
    the study was run with, in order. `items` has the values of single test items: arm, seed, measure, group,
    item and value; they are the sample where the study says so (`crossed`), else `two_way_bootstrap` reads
    them. `remarks` are sentences on the runs themselves, which stand first among
    the caveats.

    Raises `UserError` where the frame is not one of this study (`cells.planned`).
    """
    cells = planned(study, frame, seeds)
    if study.of_items and items is not None:
        items = items.astype(dict.fromkeys(("arm", "measure", "group", "item"), "category"))
        check_cells(study, cells, items)
    means = {
        (arm, name): mean_of(study, cells, arm, name, items)
        for name in study.measures
        for arm in study.settings
    }
    passed = gated(study, cells, items)
    found = without_verdicts(effects(study, cells, items), passed)
    judged = verdicts(study, cells, items, passed)
    return Analysis(
        study,
        seeds,
        means,
        found,
        passed,
        judged,
        conclusion(study, judged),
        (*remarks, *caveats(study, cells, found, passed, judged, seed_counts)),
        fixed_words(study),
        _sources(study, cells, found, passed, judged),
    )


def _sources(
    study: Study,
    cells: pd.DataFrame,
    found: Iterable[Effect],
    gates: Iterable[Gated],
    judged: Iterable[Verdict],
) -> dict[str, tuple[Source, ...]]:
    rows = cells[["arm", "seed", "fingerprint", "run_id"]].itertuples(index=False, name=None)
    by_cell = {row[:2]: Source(*row) for row in rows}

    def of(arms: Sequence[str], seeds: Iterable[Seed]) -> tuple[Source, ...]:
        return tuple(by_cell[arm, seed] for seed in seeds for arm in arms)

    numbers = {
        f"{arm}/{name}/mean": of([arm], values(cells, name, [arm])[0])
        for name in study.measures
        for arm in study.settings
    }
    numbers |= {f"{e.arm}/{e.measure}/difference": of([e.arm, e.reference], e.seeds) for e in found}
    numbers |= {f"gate {i}/mean": of([g.arm], g.seeds) for i, g in enumerate(gates, 1)}
    return numbers | {f"claim {i}/effect": of(v.arms, v.seeds) for i, v in enumerate(judged, 1)}
