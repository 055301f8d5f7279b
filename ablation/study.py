"""A study as a declaration: question, arms, seeds, measures and claims, and its expansion into cells.

Loads in milliseconds: it imports declarations alone, nothing that trains or tracks.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations, pairwise
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from ablation.blocks import Blocks, expanded
from ablation.claims import Claim
from ablation.errors import UserError, check_known
from ablation.experiment import Experiment, Replication, as_experiment
from ablation.fields import Dataclass, checked
from ablation.gates import Gate
from ablation.measures import RESERVED, Measure
from ablation.settings import flat, vary
from ablation.texts import unfit
from ablation.tuning import Search, Tune, Tuned

if TYPE_CHECKING:
    import pandas as pd

    from ablation.report.drawing import Figures
    from ablation.report.export import Results
    from ablation.report.table import Table

Test = Literal["corrected_t", "t", "sign_flip", "crossed"]
DEFAULT_TESTS = {"training": "t", "split": "corrected_t", "items": "crossed"}
TRAIN = 'a function(settings, seed), "package.module:function", a Command or an Experiment'
SPLIT = 'Replication("split", test_share=n_test / n_train)'
Sesoi = Annotated[float, "the smallest effect that matters, a number"]
FEWEST_SEEDS = 5
"""Below this a study is exploratory: it gets intervals, but no p-values and no verdicts."""
NAME = r"[^\W_][\w\-]{0,63}"
"""What a study may be called, as a regular expression."""
MOST_LETTERS = 200  # of an arm's name: MLflow keeps 250 of a run's, which has the seed behind it
TRIAL_LETTERS = 50  # of them for the value that an arm of a tuned study is tried at


@dataclass(frozen=True)
class Cell:
    """One arm under one seed: one training run, one Optuna trial, one MLflow run."""

    arm: str
    seed: int
    settings: Any

    @property
    def name(self) -> str:
        """The cell in words: "small, seed 3"."""
        return f"{self.arm}, seed {self.seed}"


@checked
@dataclass(frozen=True, kw_only=True)
class Study:
    """One question, and everything that is declared before it is answered.

    `train` is what turns settings and a seed into metrics: a function, "package.module:function", a `Command`
    or an `Experiment`; `runs` is a `Tracked`, which names runs that exist already. Without either the
    baseline brings its own experiment. `baseline` is a mapping or a frozen dataclass of settings. arms[name]
    is the arm's difference from the baseline, by dotted setting names. measures[name] is the smallest effect
    of interest (SESOI) of that measure, in its own unit: a difference inside it does not matter in practice;
    or a `Measure` that says it, where the experiment has no measures of its own.

    `replication` is what a seed varies: "training", "items" or `Replication("split", test_share=...)`; by
    default what the experiment says, which for your own trainer is "training".

    `test` is the paired test on seeds, declared here and never chosen from the data: "corrected_t" (Nadeau
    and Bengio 2003, for splits resampled from one pool; the default where a seed varies the split), "crossed"
    (over test items and seeds, for replication="items" alone), "t" (the default elsewhere) or "sign_flip"
    (exact; both for independent replications).

    against[arm] is the arm that the effects of `arm` are differences to, where it is not the baseline; an
    arm that is set against itself is a baseline of its own, for those set against it.
    blocks[name] are the settings that make a block, by dotted names: a data set, or another condition, on
    which the whole comparison is made. Every arm is run in every block, as "ARM, BLOCK", and compared within
    it, to the baseline of that block; a claim `Over` blocks is about all of them. `arms` and `against` then
    have these names, `baseline` is that of the first block, and `blocks` is a `Blocks`.
    `looks`: at how many seeds the study is judged, as in (5, 10, 15, 20), the last of which is its `seeds`
    (else 5): `run(until_decided=True)` stops arms that no undecided claim needs (docs/verdicts.md).
    `tuned` is a setting that is chosen afresh for every arm before its cells run, and chosen[arm] what was
    chosen. `search` is a two-objective search beside the arms. `tune` is a search for better settings than
    the baseline, which are then confirmed (`ablation tune`, `ablation.tune`). `part` is the place in the
    report, as in "2 f, 2". `cell_seconds` is what a cell took on two cores, on average: what `list` can say
    without a store.
    """

    question: str
    source: str
    baseline: Annotated[Any, Mapping[str, Any] | Dataclass]
    arms: Mapping[str, Mapping[str, Any]]
    measures: Annotated[Mapping[str, Any], Mapping[str, Measure | Sesoi]]
    train: Annotated[Experiment | Callable[..., Mapping[str, float]] | str | None, TRAIN] = None
    runs: Annotated[Experiment | None, "a Tracked(...)"] = None
    claims: tuple[Claim, ...] = ()
    gates: tuple[Gate, ...] = ()
    supported: str = ""
    seeds: Annotated[int, int | None] = None  # type: ignore[assignment]  # set below
    looks: tuple[int, ...] = ()
    test: Test | Literal[""] = ""
    replication: Annotated[Any, Annotated[Replication, SPLIT] | Literal["training", "items"] | None] = None
    alpha: float = 0.05
    against: Mapping[str, str] = field(default_factory=dict)
    blocks: Annotated[Any, Mapping[str, Mapping[str, Any]] | Blocks] = field(default_factory=Blocks)
    tuned: Tuned | None = None
    search: Search | None = None
    tune: Tune | None = None
    part: str = ""
    cell_seconds: float = 0.0
    first_seed: int = 0
    chosen: Mapping[str, float] = field(default_factory=dict)
    name: str = ""
    quick: bool = False
    store: "str | Path | None" = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse, in a sentence, a study that could not be run or judged as it is declared."""
        given = [one for one in (self.runs, self.train) if one is not None]
        if self.runs is not None and self.train is not None and self.train is not self.runs:
            raise UserError("a study wants train= or runs=, but got both: leave one out.")
        own = given[0] if given else getattr(self.baseline, "experiment", None)
        if own is None:
            raise UserError(
                "a study wants train=, a function that turns settings and a seed into metrics, but got none "
                f"with a baseline of type {type(self.baseline).__name__}: add it."
            )
        set_ = object.__setattr__
        for settings in (self.baseline, *self.arms.values()):
            for name, value in flat(settings).items():
                _check_setting(name, value)
        if not isinstance(self.blocks, Blocks):
            made = expanded(self.baseline, self.arms, self.against, self.blocks)
            for name, one in zip(("baseline", "arms", "against", "blocks"), made, strict=True):
                set_(self, name, one)
        asked: Any = self.seeds
        if asked is None:
            set_(self, "seeds", self.looks[-1] if self.looks else FEWEST_SEEDS)
        set_(self, "train", as_experiment(own, self.measures))
        if self.runs is not None:
            set_(self, "runs", self.train)
        set_(self, "measures", {name: _sesoi(name, one) for name, one in self.measures.items()})
        set_(self, "replication", _replication(self.replication, self.experiment, self.baseline))
        if not self.test:
            set_(self, "test", DEFAULT_TESTS[self.replication.kind])
        _check(self)

    @property
    def experiment(self) -> Experiment:
        """What turns settings and a seed into metrics."""
        assert isinstance(self.train, Experiment)
        return self.train

    @property
    def ratio(self) -> float:
        """n_test / n_train of one split where the test corrects for it; 0 for the other tests."""
        return self.replication.test_share if self.test == "corrected_t" else 0.0

    @property
    def of_items(self) -> bool:
        """Whether test items are a sample like the seeds: a run's numbers are means over its items."""
        return bool(self.replication.kind == "items")

    @property
    def pairing(self) -> str:
        """How effects are paired, in words."""
        return "paired by seed and test item" if self.of_items else "paired by seed"

    def measure(self, name: str) -> Measure:
        """The measure called `name`, or a `UserError` that names the known ones."""
        if not self.experiment.measures:
            raise UserError(
                f"the measure {name} wants its direction, but got a number alone: write "
                f'{name!r}: Measure("higher", matters=...) or "lower".'
            )
        check_known("measure", name, self.experiment.measures)
        return self.experiment.measures[name]

    def label(self, name: str) -> str:
        """The measure's words in tables and figures."""
        return self.measure(name).label or name

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The settings of every arm, by name, in the order of the file, tuned where it is."""
        if self.tuned is None:
            return self.declared
        name, chosen = self.tuned.setting, self.chosen
        return {
            arm: vary(s, {name: chosen[arm]} if arm in chosen else {}) for arm, s in self.declared.items()
        }

    @cached_property
    def declared(self) -> dict[str, Any]:
        """The settings of every arm as the file has it, before a tuned setting is chosen."""
        arms = {name: vary(self.baseline, changes) for name, changes in self.arms.items()}
        return arms if self.baseline in arms.values() else {"baseline": self.baseline, **arms}

    @cached_property
    def reference(self) -> str:
        """The name of the arm that equals the baseline."""
        return next(name for name, one in self.declared.items() if one == self.baseline)

    def reference_of(self, arm: str) -> str:
        """The arm that the effects of `arm` are differences to; the baseline's own is itself."""
        return self.against.get(arm, self.reference)

    @cached_property
    def varied(self) -> tuple[str, ...]:
        """The dotted names of the settings that differ between arms by declaration: the scientific ones."""
        tables = [flat(one) for one in self.declared.values()]
        return tuple(name for name in tables[0] if any(table[name] != tables[0][name] for table in tables))

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """What tells runs of the arms apart: the settings that vary, and the one that is tuned."""
        return (*self.varied, *([self.tuned.setting] if self.tuned else []))

    @cached_property
    def fixed(self) -> dict[str, Any]:
        """The settings that every arm shares, the tuned one left out: the caveat under the table."""
        return {name: value for name, value in flat(self.baseline).items() if name not in self.columns}

    def levels(self, along: str, around: str = "") -> dict[str, float]:
        """The value of `along` in each arm that differs from `around`, else the baseline, in it alone."""
        base = flat(self.declared[around or self.reference])
        tables = {name: flat(one) for name, one in self.declared.items()}
        return {
            name: float(table[along])
            for name, table in tables.items()
            if all(table[other] == value for other, value in base.items() if other != along)
        }

    def recorded(self, arm: str = "") -> tuple[str, ...]:
        """What the runs of an arm must have, of all arms where none is named: the measures of the study, and
        of its gates those that are about the arm.
        """
        own = (gate.measure for gate in self.gates if arm in ("", gate.of_arm(self)))
        return tuple(dict.fromkeys([*self.measures, *own]))

    @cached_property
    def by_block(self) -> dict[str, "Study"]:
        """The comparison in each block as a study of its own, in which the arms are called as declared."""
        return {block: self._in_block(names) for block, names in self.blocks.names.items()}

    def _in_block(self, names: Mapping[str, str]) -> "Study":
        own = {name: arm for arm, name in names.items()}
        (first, *_) = self.blocks.names.values()
        reference = next(arm for arm, name in first.items() if name == self.reference)
        against = {own[arm]: own[other] for arm, other in self.against.items() if arm in own}
        return replace(
            self,
            baseline=self.declared[names[reference]],
            arms={arm: self.arms[name] for arm, name in names.items()},
            against={arm: other for arm, other in against.items() if arm != reference},
            blocks=Blocks(),
            claims=(),
            gates=(),
            tuned=None,
            search=None,
            tune=None,
            chosen={},
        )

    def cells(self, seeds: int | None = None) -> list[Cell]:
        """Every arm under every seed, seed-major, so that an interrupted study has whole blocks."""
        if self.looks and seeds and seeds > self.seeds:
            raise UserError(
                f"the looks of {self.name or 'the study'} end at {self.seeds} seeds, but got {seeds}: leave "
                "--seeds out, or give fewer."
            )
        drawn = self.first_seeds(seeds or self.seeds)
        return [Cell(arm, seed, one) for seed in drawn for arm, one in self.settings.items()]

    def first_seeds(self, seeds: int) -> range:
        """The first so many seeds."""
        return range(self.first_seed, self.first_seed + seeds)

    def smoke(self) -> "Study":
        """The same study with a budget that only shows that it runs: its numbers mean nothing."""
        if self.runs is not None:
            raise UserError(f"the runs of {self.name or 'the study'} exist already: leave out --quick.")
        quick = self.experiment.quick
        arms = {arm: dict(quick(changes, n)) for n, (arm, changes) in enumerate(self.arms.items(), start=1)}
        baseline = vary(self.baseline, quick({}, 0))
        return replace(
            self, baseline=baseline, arms=arms, seeds=2, looks=(), name=f"{self.name}-quick", quick=True
        )

    @checked
    def run(
        self,
        *,
        store: "str | Path | None" = None,
        seeds: int | None = None,
        workers: int | None = None,
        engine: str = "local",
        code: Literal["", "same", "new"] = "",
        until_decided: bool = False,
    ) -> "Results":
        """Train every cell that has no finished run; what the runs say. The arguments are `ablation.run`'s.

        `results` and the properties below read from the same store afterwards.
        """
        from ablation import run

        object.__setattr__(self, "store", store or self.store)
        return run(
            self,
            store=self.store,
            seeds=seeds,
            workers=workers,
            engine=engine,
            code=code,
            until_decided=until_decided,
        )

    @checked
    def results(self, *, store: "str | Path | None" = None, seeds: int | None = None) -> "Results":
        """What the recorded runs say, read anew; `store` by default as in the last `run` of this object.

        Raises `UserError` where the study was never run there, or its plan has changed since.
        """
        from ablation import results

        return results(self, store=store or self.store, seeds=seeds)

    @property
    def table(self) -> "Table":
        """`Results.table` of the recorded runs."""
        return self.results().table

    @property
    def frame(self) -> "pd.DataFrame":
        """`Results.frame` of the recorded runs: a row a cell."""
        return self.results().frame

    @property
    def effects(self) -> "pd.DataFrame":
        """`Results.effects` of the recorded runs: a row an effect."""
        return self.results().effects

    @property
    def verdicts(self) -> "pd.DataFrame":
        """`Results.verdicts` of the recorded runs: a row a claim."""
        return self.results().verdicts

    @property
    def figures(self) -> "Figures":
        """`Results.figures` of the recorded runs, by name."""
        return self.results().figures


def _replication(declared: Any, experiment: Experiment, baseline: Any) -> Replication:
    found = experiment.replication(baseline) if declared is None else declared
    if not isinstance(found, Replication):
        found = Replication(found)
    if found.kind == "split" and not found.test_share > 0:
        raise UserError(f"replication wants {SPLIT}, but got {found!r}: say which share is tested.")
    return found


def _check_setting(name: str, value: object, lists: tuple[type, ...] = (list, tuple)) -> None:
    """Refuse what is another value, or none, once it was written as JSON and read again."""
    if isinstance(value, lists):
        for one in value:  # type: ignore[attr-defined]
            _check_setting(name, one, (list,))
        return
    is_nan = isinstance(value, float) and isnan(value)
    if value is None or (isinstance(value, bool | int | float | str) and not is_nan):
        return
    if is_nan:
        instead = "None"
    elif hasattr(value, "tolist"):
        instead = "what its .tolist() gives"
    else:
        instead = "a list" if isinstance(value, tuple) else "a text that names it"
    kind = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
    raise UserError(
        f"the setting {name} wants a number, a text, True, False, None or a list of these, but got "
        f"{'NaN' if is_nan else f'a value of type {kind}'}: write {instead}."
    )


def _sesoi(name: str, declared: Measure | float) -> float:
    found = declared.matters if isinstance(declared, Measure) else declared
    if found is None:
        raise UserError(f"the measure {name} wants the smallest effect that matters: add matters=... to it.")
    if not found > 0:
        raise UserError(f"the smallest effect of interest of {name} must be above 0, but got {found!r}.")
    return float(found)


def _check(study: Study) -> None:
    if study.name and not re.fullmatch(NAME, study.name):
        raise UserError(
            "a study's name wants at most 64 letters, digits, _ and -, and first a letter or a digit, but is "
            f"{study.name!r}: rename its file."
        )
    if study.seeds < 1:
        raise UserError(f"seeds of Study must be at least 1, but got {study.seeds}.")
    _check_looks(study)
    if not 0 < study.alpha < 1:
        raise UserError(f"alpha must lie between 0 and 1, but got {study.alpha}.")
    if (study.test == "crossed") != study.of_items:
        raise UserError(
            f'replication="{study.replication.kind}" does not go with test="{study.test}", since "crossed" '
            "tests over test items and seeds, and every other test over seeds alone: leave test out, or "
            "change replication."
        )
    if study.test == "corrected_t" and study.replication.kind != "split":
        raise UserError(
            'test="corrected_t" is for splits that are drawn anew from one pool, but here a seed varies '
            f"{study.replication.kind}: leave test out, or declare how the split is drawn, with "
            'replication=Replication("split", test_share=n_test / n_train).'
        )
    _check_texts(study)
    if not study.measures:
        raise UserError(
            "a study wants at least one measure with its smallest effect of interest, but got none."
        )
    for name in study.measures:
        study.measure(name)
        if name in RESERVED:
            raise UserError(f"a measure wants a name of its own, but {name} is something else: rename it.")
    _check_arms(study)
    if len({gate.text for gate in study.gates}) < len(study.gates):
        raise UserError("two gates of the study have the same text: say what tells them apart.")
    for gate in study.gates:
        gate.check(study)
    study.experiment.check_study(study)
    _check_against(study)
    if study.tuned is not None:
        study.tuned.check(study)
    if study.tune is not None:
        study.tune.check(study)
    if len({claim.text for claim in study.claims}) < len(study.claims):
        raise UserError("two claims of the study have the same text: say what tells them apart.")
    for claim in study.claims:
        check_known("measure in this study", claim.rule.measure, study.measures)
        claim.rule.check(study)


def _check_looks(study: Study) -> None:
    looks = study.looks
    if not looks:
        return
    if looks[0] < FEWEST_SEEDS or any(later <= earlier for earlier, later in pairwise(looks)):
        raise UserError(
            f"looks wants numbers of seeds that grow, the first at least {FEWEST_SEEDS}, since fewer are "
            f"never tested, but got {looks}: write it as in looks=(5, 10, 15, 20)."
        )
    if study.seeds != looks[-1]:
        raise UserError(
            f"the last of looks is the number of seeds, {looks[-1]}, but got seeds={study.seeds}: leave "
            "seeds out."
        )
    if study.runs is not None:
        raise UserError(
            "looks are for runs that are still to come, but these runs exist already: leave looks out."
        )


def _check_texts(study: Study) -> None:
    words = {name: getattr(study, name) for name in ("question", "source", "supported", "part")}
    own = [("a claim", claim.text) for claim in study.claims]
    own += [("a gate", text) for gate in study.gates for text in (gate.text, gate.otherwise)]
    for name, text in [*words.items(), *own]:
        if unfit(text):
            raise UserError(f"{name} of a study wants text without control characters, but is {text!r}.")


def _check_arms(study: Study) -> None:
    for name in study.arms:
        _check_name(name, MOST_LETTERS - (TRIAL_LETTERS if study.tuned else 0))
    if study.baseline not in study.declared.values():
        raise UserError(
            "an arm is called 'baseline' but differs from the baseline, which has that name where no arm "
            "equals it: rename the arm."
        )
    if len(study.declared) < 2:
        raise UserError("a study wants at least one arm beside its baseline, but got none.")
    for (name, one), (other, another) in combinations(study.declared.items(), 2):
        if one == another:
            raise UserError(f"the arms {name!r} and {other!r} have equal settings: drop one of them.")


def _check_name(name: str, most: int) -> None:
    """A name is shown in tables, figures and MLflow as it is, and looks like no other."""
    if not (name.isprintable() and name) or name != " ".join(name.split()) or len(name) > most:
        raise UserError(
            f"an arm's name wants at most {most} characters that can be seen, with single spaces between "
            f"words, but is {name!r}: rename the arm."
        )


def _check_against(study: Study) -> None:
    for arm, other in study.against.items():
        for name in (arm, other):
            check_known("arm", name, study.declared)
        if arm == study.reference:
            raise UserError(
                f"the baseline {arm!r} is set against no arm, but against has {other!r}: drop it."
            )
