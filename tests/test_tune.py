"""Tuning: the winner is near the optimum, no run twice, resumed as undisturbed, confirmed on fresh seeds."""

import dataclasses
import math
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pandas as pd
import pytest

import ablation
from ablation import (
    Choice,
    Diverged,
    Experiment,
    Gate,
    Measure,
    Range,
    Run,
    Study,
    Tracked,
    Tune,
    UserError,
    cli,
)
from ablation.launch import to_confirm
from ablation.report.page import report
from ablation.report.tune import TuneResults, read_tune
from ablation.runner.engines import local
from ablation.runner.scheduler import Progress, run_study
from ablation.runner.search import PRUNED, seeds_of
from ablation.runner.tune import (
    TuneTrials,
    best_of,
    check_tune,
    confirmation,
    confirming_seeds,
    run_tune,
    seed_averaged,
    tried,
    tune_results,
)
from ablation.runner.worker import Task
from ablation.seeds import derive
from ablation.tracking.read import cell_runs
from ablation.tracking.store import Store
from ablation.tuning import CONFIRMING_SEED, TUNING_SEED
from engines import InlineEngine

OPTIMUM = 0.01


def noise(seed: int, *names: object) -> float:
    """A normal number that the seed and the names decide."""
    return random.Random(derive(seed, *map(str, names))).gauss(0, 1)


def bowl(settings: Mapping[str, Any], seed: int) -> dict[str, float]:
    """A quadratic in the decades of the rate, best at 0.01; the width and the shape hardly matter.

    A seed is as much harder for all settings as ten decades are, so only pairs by seed say what is better.
    """
    if settings["rate"] > 0.5:
        raise Diverged("the loss is not finite")
    decades = math.log10(settings["rate"] / OPTIMUM)
    loss = decades**2 + 0.001 * settings["width"] + 0.01 * (settings["shape"] == "round")
    return {name: loss + 10 * noise(seed, "seed") + 0.01 * noise(seed, name, settings) for name in MEASURES}


def luck(settings: Mapping[str, Any], seed: int) -> dict[str, float]:
    """Nothing matters: each run is a number of its own."""
    return {name: noise(seed, name, settings) for name in MEASURES}


def hill(settings: Mapping[str, Any], seed: int) -> dict[str, float]:
    """The bowl upside down."""
    return {name: -value for name, value in bowl(settings, seed).items()}


def nothing(settings: Mapping[str, Any], seed: int) -> dict[str, float]:
    """A number that is none."""
    return dict.fromkeys(MEASURES, math.nan)


def easy_at_first(settings: Mapping[str, Any], seed: int) -> dict[str, float]:
    """Nothing under the first seed, whatever the rate; 1 and the rate under the others."""
    return dict.fromkeys(MEASURES, (seed > TUNING_SEED) * (1 + settings["rate"]))


@dataclasses.dataclass(frozen=True)
class Refusing:
    """Settings of which each may have its values, and some of them not together."""

    rate: float = 0.25
    width: int = 4
    shape: str = "square"

    def __post_init__(self) -> None:
        if self.rate > 0.3 and self.width < 4:
            raise UserError("a narrow bowl wants a low rate.")


def bottomless(settings: Mapping[str, Any], seed: int) -> dict[str, float]:
    """The lowest number there is, which is no loss."""
    return dict.fromkeys(MEASURES, -math.inf)


def class_bowl(settings: Refusing, seed: int) -> dict[str, float]:
    """The bowl of a class of settings."""
    return bowl(dataclasses.asdict(settings), seed)


MEASURES = {
    "held_out": Measure("lower", "Held-out loss", 3, matters=0.1, validation=True),
    "test": Measure("lower", "Test loss", 3, matters=0.1),
}


class Picky(Experiment):
    """Trains under any seed but one that a comparison has."""

    measures = MEASURES

    def check(self, settings: Any, seed: int, measures: Sequence[str]) -> None:
        if seed >= CONFIRMING_SEED:
            raise UserError(f"there is no bowl under seed {seed}.")

    def train(self, settings: Any, seed: int, run: Run) -> dict[str, float]:
        return bowl(settings, seed)


RANGES: dict[str, Range | Choice] = {
    "rate": Range(1e-4, 1.0, log=True),
    "width": Range(1, 8),
    "shape": Choice(["square", "round"]),
}
TUNE = Tune("test", RANGES, trials=30, objective="held_out")


def bowl_study(**changes: Any) -> Study:
    settings: dict[str, Any] = {
        "name": "bowl",
        "question": "Does a wider bowl hold more?",
        "source": "a double",
        "train": bowl,
        "baseline": {"rate": 0.3, "width": 4, "shape": "square"},
        "arms": {"wide": {"width": 8}},
        "measures": MEASURES,
        "tune": TUNE,
    }
    return Study(**(settings | changes))


def tuning(study: Study, store: Store, engine: InlineEngine | None = None, workers: int = 1) -> Progress:
    return run_tune(study, store, engine or InlineEngine(), workers)


def found(study: Study, store: Store) -> pd.DataFrame:
    frame = tune_results(study, store)
    assert frame is not None
    return frame.drop(columns="run_id")


def tuned(study: Study, store: Store) -> TuneResults:
    """Searched and confirmed in this process, by one worker."""
    tuning(study, store)
    against = to_confirm(study, store)
    if against is not None:
        run_study(against, store, InlineEngine(), 1)
    found = read_tune(study, store)
    assert found is not None
    return found


def interrupted(number: int) -> InlineEngine:
    """An engine whose task of that number, from 1, is never computed."""

    def stop(task: Task) -> None:
        if len(engine.tasks) == number:
            raise KeyboardInterrupt

    engine = InlineEngine(stop)
    return engine


@pytest.fixture(scope="module")
def whole(blank: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, Store]:
    """The bowl, searched and confirmed."""
    store = Store(Path(copytree(blank, tmp_path_factory.mktemp("tuned") / "store")))
    study = bowl_study()
    tuned(study, store)
    return study, store


@pytest.fixture
def other(blank: Path, tmp_path: Path) -> Store:
    return Store(Path(copytree(blank, tmp_path / "other")))


def test_the_winner_is_near_the_optimum_and_the_first_trial_is_the_baseline(
    whole: tuple[Study, Store],
) -> None:
    study, store = whole
    trials = found(study, store)
    best, first = best_of(study, trials), trials.iloc[0]
    assert trials.number.tolist() == list(range(30))
    assert abs(math.log10(best["rate"] / OPTIMUM)) < 0.35
    assert (first.rate, first.width, first["shape"]) == (0.3, 4, "square")
    assert best["held_out"] < first.held_out - 1


def test_the_importances_name_the_setting_that_matters(whole: tuple[Study, Store]) -> None:
    results = read_tune(*whole)
    assert results is not None
    assert next(iter(results.importances)) == "rate"
    assert results.importances["rate"] > 0.8
    assert sum(results.importances.values()) == pytest.approx(1)
    assert results.settings.setting.tolist()[0] == "rate"
    assert "exploratory" in str(results)


def test_the_winner_is_confirmed_on_seeds_that_no_trial_and_no_cell_of_the_study_had(
    whole: tuple[Study, Store],
) -> None:
    study, store = whole
    results = read_tune(study, store)
    assert results is not None
    assert results.confirmation is not None
    assert results.confirmation.verdicts.verdict.tolist() == ["supported"]
    assert results.confirmation.verdicts.n.tolist() == [10]
    assert list(results.confirmation.study.settings) == ["baseline", "tuned"]
    searched = set(cell_runs(store, "bowl-tune").seed)
    confirming = set(results.confirmation.cells.seed)
    assert searched == set(range(TUNING_SEED, TUNING_SEED + 3))
    assert confirming == set(confirming_seeds(study))
    assert min(confirming) >= CONFIRMING_SEED
    assert not (searched | confirming) & {cell.seed for cell in study.cells()}
    said = " ".join(results.confirmation.table.notes) + " ".join(results.confirmation.analysis.caveats)
    assert "which this table does not have" in said
    assert f"rate {results.best['rate']:.3g} (baseline 0.3)" in said


def test_a_trial_is_dropped_where_it_is_worse_than_the_median_of_the_others(
    whole: tuple[Study, Store],
) -> None:
    study, store = whole
    trials = found(study, store)
    assert set(trials.seeds[trials.state == "complete"]) == {3}
    assert 0 < set(trials.seeds[trials.state == PRUNED]).pop() < 3
    runs = cell_runs(store, "bowl-tune")
    first = runs[runs.seed == TUNING_SEED].set_index("arm").held_out
    dropped = [f"trial {n}" for n in trials.number[(trials.state == PRUNED) & (trials.seeds == 1)]]
    kept = [f"trial {n}" for n in trials.number[trials.state == "complete"]]
    assert first[dropped].min() > first[kept].min()
    assert len(runs) == trials.seeds.sum() < 75  # of 90


def test_an_easy_first_seed_saves_no_trial(store: Store) -> None:
    tune = Tune("test", {"rate": Range(1e-4, 1.0)}, 10, objective="held_out", trial_seeds=4)
    study = bowl_study(train=easy_at_first, tune=tune)
    tuning(study, store)
    worst = found(study, store).query("number >= 4").sort_values("rate").iloc[-1]
    assert (worst.state, worst.seeds) == (PRUNED, 2)


def test_a_study_of_another_name_is_confirmed_on_other_seeds() -> None:
    names = [f"bowl_{n}" for n in range(5)]
    first = [confirming_seeds(bowl_study(name=name))[0] for name in names]
    assert len({*first}) == 5
    assert min(first) >= CONFIRMING_SEED > TUNING_SEED


def test_what_the_settings_refuse_together_is_said_in_a_sentence_each_time(store: Store) -> None:
    tune = Tune("test", {"rate": Range(0.2, 0.4), "width": Range(1, 8)}, 12, objective="held_out")
    study = bowl_study(train=class_bowl, baseline=Refusing(), tune=tune)
    for _ in range(2):
        with pytest.raises(UserError, match="a narrow bowl wants a low rate"):
            tuning(study, store)
    assert 0 < len(found(study, store)) < 12  # what was tried before stays


def test_ranges_that_optuna_cannot_change_are_refused_in_a_sentence(store: Store) -> None:
    with pytest.raises(KeyboardInterrupt):
        tuning(bowl_study(), store, interrupted(1))
    other = dataclasses.replace(TUNE, ranges={**RANGES, "shape": Choice(["square", "long"])})
    with pytest.raises(UserError, match=r"not those with which it was begun .* undo the change\.$"):
        tuning(bowl_study(tune=other), store)


def test_a_measure_that_is_better_at_its_other_end_is_another_search(store: Store) -> None:
    tune = dataclasses.replace(TUNE, trials=2)
    tuning(bowl_study(tune=tune), store)
    measures = {name: dataclasses.replace(one, better="higher") for name, one in MEASURES.items()}
    with pytest.raises(UserError, match=r"bowl-tune has runs of another plan \(better: .*lower.* became"):
        tuning(bowl_study(tune=tune, measures=measures), store)


def test_what_the_comparison_lacks_is_said_before_the_search(store: Store) -> None:
    engine = InlineEngine()
    with pytest.raises(UserError, match="no bowl under seed"):
        tuning(bowl_study(train=Picky(), measures=dict.fromkeys(MEASURES, 0.1)), store, engine)
    assert engine.tasks == []


def test_every_trial_is_a_run_and_nothing_runs_twice(whole: tuple[Study, Store]) -> None:
    study, store = whole
    before = len(cell_runs(store, "bowl-tune"))
    engine = InlineEngine()
    progress = tuning(study, store, engine)
    assert engine.tasks == []
    assert len(progress.failed) == (found(study, store).state == "diverged").sum()
    assert progress.there == progress.total - len(progress.failed)
    assert progress.done == progress.total == found(study, store).seeds.sum()
    assert len(cell_runs(store, "bowl-tune")) == before


@pytest.mark.parametrize("number", [1, 8, 20])
def test_after_an_interruption_one_worker_gives_the_same_trials_and_repeats_no_run(
    whole: tuple[Study, Store], store: Store, number: int
) -> None:
    study = dataclasses.replace(bowl_study(), tune=dataclasses.replace(TUNE, trials=12))
    with pytest.raises(KeyboardInterrupt):
        tuning(study, store, interrupted(number))
    assert len(cell_runs(store, "bowl-tune")) == number - 1
    progress = tuning(study, store)
    assert progress.done == progress.total
    pd.testing.assert_frame_equal(found(study, store), found(*whole).head(12))
    assert cell_runs(store, "bowl-tune").fingerprint.is_unique


def test_several_workers_take_every_trial_once_with_its_seeds_in_order(store: Store) -> None:
    study = dataclasses.replace(bowl_study(), tune=dataclasses.replace(TUNE, trials=9))
    engine = InlineEngine()
    assert tuning(study, store, engine, workers=3).done == sum(found(study, store).seeds)
    assert found(study, store).number.tolist() == list(range(9))
    for number, seeds in found(study, store).set_index("number").seeds.items():
        of_trial = [task.label.seed for task in engine.tasks if task.label.arm == f"trial {number}"]
        assert of_trial == list(range(TUNING_SEED, TUNING_SEED + int(seeds)))


def test_a_trial_that_fails_is_tried_again_with_its_own_settings(store: Store) -> None:
    study = dataclasses.replace(bowl_study(), tune=dataclasses.replace(TUNE, trials=4))

    def fail(task: Task) -> None:
        if len(engine.tasks) == 5:  # the second seed of the second trial
            raise OSError("the disk is full")

    engine = InlineEngine(fail)
    progress = tuning(study, store, engine)
    assert list(progress.failed) == ["trial 1, seed 1000001"]
    assert progress.done == progress.total
    with pytest.raises(UserError, match=r"once all 4 trials have a result, but some failed: tune it again"):
        to_confirm(study, store)
    again = InlineEngine()
    progress = tuning(study, store, again)
    assert again.tasks[0].settings == engine.tasks[4].settings
    assert (progress.reused, len(again.tasks)) == (1, 3)
    assert found(study, store).number.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("number", range(3))
def test_selection_alone_makes_nothing_better_since_fresh_seeds_judge(store: Store, number: int) -> None:
    tune = Tune("test", {"rate": RANGES["rate"]}, trials=10, objective="held_out", trial_seeds=2, seeds=8)
    baseline = {"rate": 2.0, "width": number, "shape": "square"}  # out of the ranges, so another one wins
    results = tuned(bowl_study(train=luck, baseline=baseline, tune=tune), store)
    assert best_of(results.study, results.trials)["held_out"] < 0  # the truth is 0: it was lucky
    assert results.confirmation is not None
    assert results.confirmation.verdicts.verdict.tolist() != ["supported"]


def test_a_higher_objective_is_better_where_its_measure_says_so(store: Store) -> None:
    measures = {name: dataclasses.replace(one, better="higher") for name, one in MEASURES.items()}
    tune = Tune("test", {"rate": Range(1e-4, 0.4, log=True)}, trials=12, objective="held_out")
    study = bowl_study(train=hill, measures=measures, tune=tune)
    results = tuned(study, store)
    assert abs(math.log10(results.best["rate"] / OPTIMUM)) < 0.6
    assert results.confirmation is not None
    assert results.confirmation.verdicts.verdict.tolist() == ["supported"]


def test_where_the_baseline_is_best_nothing_is_confirmed(store: Store, tmp_path: Path) -> None:
    tune = Tune("test", {"rate": Range(1e-4, 0.1, log=True)}, trials=4, objective="held_out", trial_seeds=1)
    study = bowl_study(baseline={"rate": OPTIMUM, "width": 1, "shape": "square"}, tune=tune)
    results = tuned(study, store)
    assert results.confirmation is None
    assert "No trial is better than the baseline" in str(results)
    report({"bowl": study}, store, tmp_path / "page")
    assert "No trial is better than the baseline" in (tmp_path / "page" / "report.md").read_text("utf-8")


def test_a_baseline_outside_of_the_ranges_is_no_trial(store: Store) -> None:
    tune = Tune("test", {"rate": Range(1e-3, 0.1, log=True)}, trials=2, objective="held_out", trial_seeds=1)
    study = bowl_study(tune=tune)
    tuning(study, store)
    assert found(study, store).rate.between(1e-3, 0.1).all()


def test_where_every_trial_diverges_the_sentence_says_so(store: Store) -> None:
    tune = Tune("test", {"rate": Range(0.6, 0.9)}, trials=3, objective="held_out")
    study = bowl_study(baseline={"rate": 0.7, "width": 4, "shape": "square"}, tune=tune)
    progress = tuning(study, store)
    assert len(progress.failed) == progress.total == 3  # one seed each
    with pytest.raises(UserError, match=r"all 3 trials of bowl diverged .*not finite.*: narrow the ranges"):
        to_confirm(study, store)


@pytest.mark.parametrize("train", [nothing, bottomless])
def test_a_value_that_is_not_finite_ends_its_trial(store: Store, train: Callable[..., Any]) -> None:
    tune = Tune("test", {"rate": Range(1e-3, 0.1, log=True)}, trials=2, objective="held_out")
    study = bowl_study(train=train, tune=tune)
    tuning(study, store)
    assert found(study, store).state.tolist() == ["diverged", "diverged"]
    assert len(cell_runs(store, "bowl-tune")) == 2
    ledger = TuneTrials.open(store, tried(study))
    assert ledger is not None
    assert [trial.values for trial in ledger.last().values()] == [[math.inf], [math.inf]]  # the worst


def test_no_trial_is_added_once_the_best_was_compared(
    whole: tuple[Study, Store],
) -> None:
    study, store = whole
    more = dataclasses.replace(study, tune=dataclasses.replace(TUNE, trials=31))
    with pytest.raises(
        UserError, match="compared with its baseline already, and more trials would choose anew"
    ):
        tuning(more, store)
    narrow = dataclasses.replace(TUNE, ranges={**RANGES, "width": Range(1, 4)})
    with pytest.raises(UserError, match="bowl-tune has runs of another plan"):
        tuning(dataclasses.replace(study, tune=narrow), store)


def test_gates_on_the_baseline_guard_the_confirmation(store: Store) -> None:
    gates = (
        Gate("the baseline learns", "test", below=100.0),
        Gate("a wide one learns", "test", below=100.0, arm="wide"),
    )
    trials = pd.DataFrame(
        {
            "number": [0],
            "state": ["complete"],
            "rate": [0.1],
            "width": [2],
            "shape": ["round"],
            "held_out": [1.0],
        }
    )
    against = confirmation(bowl_study(gates=gates), trials)
    assert against is not None
    assert [gate.text for gate in against.gates] == ["the baseline learns"]
    assert against.settings["tuned"] == {"rate": 0.1, "width": 2, "shape": "round"}


def test_a_trial_gains_nothing_by_an_easy_seed() -> None:
    rng = np.random.default_rng(0)
    trials, seeds = rng.normal(size=6), np.array([0.0, -5.0, 3.0])
    whole = trials[:, None] + seeds
    cut = [row[:n].tolist() for row, n in zip(whole, (3, 1, 2, 3, 1, 1), strict=True)]
    np.testing.assert_allclose(seed_averaged(cut), whole.mean(axis=1))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ranges": {}}, "the range of at least one setting"),
        ({"ranges": {"rat": Range(0.1, 1.0)}}, r"no setting 'rat' \(did you mean 'rate'\?\)"),
        ({"ranges": {"shape": Range(0, 1)}}, "a Range is of numbers, but the setting shape is 'square'"),
        (
            {"ranges": {"width": Range(1, 2.5)}},
            "width is a whole number, 4, and its Range wants whole numbers",
        ),
        ({"ranges": {"rate": Range(1.0, 0.1)}}, "a Range wants least < largest, but rate has 1.0 and 0.1"),
        ({"ranges": {"rate": Range(0, 1, log=True)}}, "0 < least < largest on a logarithmic scale"),
        (
            {"ranges": {"width": Choice([1, "two"])}},
            "width is 4 and may become 'two': give values of one type",
        ),
        ({"ranges": {"width": Choice([3])}}, "two or more different values, but width has 3"),
        ({"trials": 1}, "at least 2 trials"),
        ({"ranges": {"state": Range(1, 2)}}, "has a column state, .*: give the setting another name"),
        ({"measure": "tset"}, r"no measure in this study 'tset' \(did you mean 'test'"),
        ({"objective": "test"}, "tune wants objectives on validation data, but test is not one of them"),
        ({"trial_seeds": 0}, "at least 1 seed a trial and 2 to confirm"),
        ({"seeds": 1}, "at least 1 seed a trial and 2 to confirm"),
    ],
)
def test_an_unsound_declaration_is_refused_in_a_sentence(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message) as refused:
        bowl_study(tune=dataclasses.replace(TUNE, **changes))
    assert str(refused.value).endswith(".")


def test_what_cannot_be_tuned_is_refused_in_a_sentence() -> None:
    with pytest.raises(UserError, match=r"the argument ranges\['rate'\] of Tune wants a Range or a Choice"):
        Tune("test", {"rate": (1e-4, 1.0)}, 4)  # type: ignore[dict-item]
    with pytest.raises(UserError, match=r"bowl says nothing of what to tune: add tune=Tune\(...\)"):
        check_tune(bowl_study(tune=None))
    runs = Tracked(pd.DataFrame({"rate": [1.0, 2.0], "seed": [0, 0], "test": [1.0, 2.0]}))
    existing: dict[str, Any] = {"train": None, "runs": runs, "baseline": {"rate": 1.0}}
    with pytest.raises(UserError, match="the runs of the study exist already, so nothing can be tuned"):
        bowl_study(**existing, arms={"two": {"rate": 2.0}}, tune=Tune("test", {"rate": Range(1.0, 2.0)}, 4))
    with pytest.raises(UserError, match="the runs of bowl exist already: nothing can be tuned"):
        check_tune(bowl_study(**existing, arms={"two": {"rate": 2.0}}, tune=None))
    with pytest.raises(UserError, match="tune is about one baseline, but every block has its own"):
        bowl_study(blocks={"a": {"shape": "square"}, "b": {"shape": "round"}})
    with pytest.raises(UserError, match=r"draws seeds from 1000000 on, .* end at 1000002: lower first_seed"):
        bowl_study(first_seed=TUNING_SEED - 2)


def test_a_winner_at_an_end_of_what_was_tried_is_told(whole: tuple[Study, Store], store: Store) -> None:
    ranges: dict[str, Range | Choice] = {"rate": Choice([0.1, 0.3]), "shape": RANGES["shape"]}
    tune = Tune("test", ranges, trials=6, objective="held_out")
    results = tuned(bowl_study(tune=tune), store)
    assert results.best["rate"] == 0.1  # the optimum, 0.01, is not among them
    assert results.confirmation is not None
    assert "The best value of rate is at an end of what was tried" in str(results.confirmation)
    inside = read_tune(*whole)
    assert inside is not None
    assert inside.best["rate"] not in RANGES["rate"].edges
    at_an_end = inside.best["width"] in RANGES["width"].edges
    assert ("The best value of width is at an end" in str(inside.confirmation)) == at_an_end
    assert "The best value of rate" not in str(inside.confirmation)


def test_a_quick_tuning_is_small(store: Store) -> None:
    quick = bowl_study().smoke()
    tune = check_tune(quick)
    assert (tune.trials, len(seeds_of(tune)), tune.seeds) == (3, 2, 2)
    results = tuned(quick, store)
    assert "these numbers mean nothing" in str(results)
    assert results.importances == {}


def test_the_files_and_the_page_have_what_was_found(whole: tuple[Study, Store], tmp_path: Path) -> None:
    study, store = whole
    results = read_tune(study, store)
    assert results is not None
    names = {path.name for path in results.export(tmp_path / "out")}
    assert {"tune_trials.csv", "tune_settings.csv", "table.md", "verdicts.csv"} <= names
    trials = pd.read_csv(tmp_path / "out" / "tune_trials.csv")
    assert trials.held_out.dropna().tolist() == results.trials.held_out.dropna().tolist()
    against, again = to_confirm(study, store), confirmation(study, trials)
    assert again is not None
    assert again == against  # whoever has the trials alone knows what was compared
    report({"bowl": study}, store, tmp_path / "page")
    text = (tmp_path / "page" / "report.md").read_text(encoding="utf-8")
    assert "the tuned settings are better than the baseline in Test loss" in text
    assert "ablation tune bowl" in text
    assert results._repr_html_().count("<table") >= 2


STUDY = """
from ablation import Choice, Measure, Range, Study, Tune

def train(settings, seed):
    loss = (settings["rate"] - 1) ** 2 + seed % 7 / 100 + seed % 11 * settings["width"] / 1e6
    return {"held_out": loss, "test": loss}

study = Study(
    question="?", source="a double", train=train, baseline={"rate": 3.0, "width": 2},
    arms={"wide": {"width": 3}},
    measures={
        "held_out": Measure("lower", matters=0.1, validation=True), "test": Measure("lower", matters=0.1)
    },
    tune=Tune("test", {"rate": Range(0.0, 3.0), "width": Choice([1, 2, 3])}, trials=10, objective="held_out",
              trial_seeds=2, seeds=6),
)
"""


def test_the_whole_path_by_the_command_line(
    blank: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, folder = tmp_path / "mine.py", tmp_path / "store"
    path.write_text(STUDY, encoding="utf-8")
    copytree(blank, folder)
    monkeypatch.setattr("ablation.cli.signal.signal", lambda *_: None)
    monkeypatch.setattr(local, "warm", lambda experiments: None)
    said = {}
    for words in (["plan"], ["tune", "--workers", "1", "--to", str(tmp_path / "out")], ["tune"]):
        monkeypatch.setattr("sys.argv", ["ablation", words[0], str(path), "--store", str(folder), *words[1:]])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert not ended.value.code
        said[" ".join(words[:2])] = capsys.readouterr().out
    cost = (
        "Tuning takes 10 trials of at most 2 seeds each, and 2 arms × 6 seeds to confirm the best: at most 32"
    )
    assert cost in said["plan"]
    first = said["tune --workers"]
    assert first.startswith(cost)
    verdict = "SUPPORTED: “the tuned settings are better than the baseline in test”"
    for shown in ("setting", "importance", verdict):
        assert shown in first
    runs = pd.read_csv(tmp_path / "out" / "tune_trials.csv").seeds.sum()
    assert f"0 trained, {runs} there before" in said["tune"]
    assert "0 trained, 12 there before" in said["tune"]
    assert (tmp_path / "out" / "tune_settings.csv").exists()
    loaded = ablation.load(str(path))
    assert ablation.tune(loaded, store=folder).confirmation is not None
