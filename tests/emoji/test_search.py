"""A search: every turn once, resumed unasked, equal in two stores, refused where it is unsound or changed."""

import dataclasses
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from shutil import copytree

import pandas as pd
import pytest
from optuna.trial import TrialState
from pebble import ProcessExpired

from ablation import Range, Search, Study, cli
from ablation.errors import UserError
from ablation.experiment import Diverged
from ablation.report.export import publish
from ablation.runner.engines import local
from ablation.runner.scheduler import TRIES, Progress, run_study
from ablation.runner.search import POPULATION, Trials, check_search, run_search, search_results, searched
from ablation.runner.worker import Outcome, Task
from ablation.settings import vary
from ablation.tracking.read import cell_runs
from ablation.tracking.recording import recording
from ablation.tracking.store import Store
from ablation.tuning import TUNING_SEED
from doubles import small_study
from engines import InlineEngine, folder_of

WEIGHT = "train.loss_weight"
SEARCH = Search({WEIGHT: Range(0.01, 10.0, log=True)}, trials=6)
COLUMNS = [WEIGHT, "validation_mse", "validation_cross_entropy"]


class Pretender(InlineEngine):
    """Does not train: more weight, more error and less cross-entropy. A dropout of 0.5 diverges."""

    def submit(self, task: Task) -> "Future[Outcome]":
        future: Future[Outcome] = Future()
        self.tasks.append(task)
        try:
            self.before(task)
            future.set_result(pretend(task))
        except (OSError, ProcessExpired) as error:
            future.set_exception(error)
        return future


def pretend(task: Task) -> Outcome:
    weight = task.settings.train.loss_weight
    if task.settings.model.dropout != 0.5:
        metrics = {"validation_mse": 0.01 * weight, "validation_cross_entropy": 1 / weight}
        return Outcome("", metrics | {"validation_loss": 2.0})
    with (
        pytest.raises(Diverged),
        recording(Store(task.store), task.place, task.label, task.experiment, task.settings) as recorder,
    ):
        raise Diverged("the loss is not finite")
    return Outcome(recorder.run_id, {}, diverged=True, error="the loss is not finite")


def at(number: int, error: BaseException) -> Callable[[Task], None]:
    """What raises `error` as the task of that number, from 1, is handed in."""
    count = 0

    def raising(task: Task) -> None:
        nonlocal count
        count += 1
        if count == number:
            raise error

    return raising


@pytest.fixture
def study(faces: Path) -> Study:
    return small_study(faces, search=SEARCH, claims=())


@pytest.fixture
def other(blank: Path, tmp_path: Path) -> Store:
    """A second store."""
    return Store(Path(copytree(blank, tmp_path / "other")))


def searching(study: Study, store: Store, engine: InlineEngine | None = None, workers: int = 1) -> Progress:
    return run_search(study, store, engine or Pretender(), workers)


def found(study: Study, store: Store) -> pd.DataFrame:
    frame = search_results(study, store)
    assert frame is not None
    return frame


def trials_of(study: Study, store: Store) -> Trials:
    trials = Trials.open(store, searched(study))
    assert trials is not None
    return trials


def test_every_turn_becomes_a_complete_trial_and_a_recorded_run(study: Study, store: Store) -> None:
    study = dataclasses.replace(study, search=dataclasses.replace(SEARCH, trials=2))
    engine = InlineEngine()
    progress = searching(study, store, engine)
    assert (progress.total, progress.trained, progress.failed) == (2, 2, {})
    frame = found(study, store)
    assert frame.number.tolist() == [0, 1]
    assert frame.state.tolist() == ["complete"] * 2
    assert frame[WEIGHT].between(0.01, 10.0).all()
    runs = cell_runs(store, "small-search").set_index("fingerprint").loc[frame.fingerprint]
    assert frame.run_id.tolist() == runs.run_id.tolist()
    assert runs.arm.tolist() == ["trial 0", "trial 1"]
    assert set(runs.seed) == {TUNING_SEED}
    for name in SEARCH.objectives:
        assert frame[name].tolist() == runs[name].tolist()
    assert [task.settings for task in engine.tasks] == [
        vary(study.baseline, {WEIGHT: weight}) for weight in frame[WEIGHT]
    ]


def test_a_run_whose_coordinator_died_before_it_told_is_taken_and_not_trained_again(
    study: Study, store: Store
) -> None:
    study = dataclasses.replace(study, search=dataclasses.replace(SEARCH, trials=2))
    engine = InlineEngine()
    die = Trials.complete

    def dying(trials: Trials, number: int, metrics: object) -> None:
        raise KeyboardInterrupt

    Trials.complete = dying  # type: ignore[assignment, method-assign]
    try:
        with pytest.raises(KeyboardInterrupt):
            searching(study, store, engine)
    finally:
        Trials.complete = die  # type: ignore[method-assign]
    assert search_results(study, store) is None
    progress = searching(study, store, engine)
    assert (progress.trained, progress.reused) == (1, 1)
    assert cell_runs(store, "small-search").fingerprint.is_unique


def test_a_second_search_asks_for_nothing(study: Study, store: Store) -> None:
    searching(study, store)
    before, engine = found(study, store), Pretender()
    assert searching(study, store, engine).there == 6
    assert engine.tasks == []
    pd.testing.assert_frame_equal(found(study, store), before)


def test_a_larger_search_takes_the_new_turns_alone(study: Study, store: Store, other: Store) -> None:
    searching(study, store)
    before = found(study, store)
    larger = dataclasses.replace(study, search=dataclasses.replace(SEARCH, trials=8))
    assert searching(larger, store).trained == 2
    pd.testing.assert_frame_equal(found(larger, store).head(6), before)
    searching(larger, other)
    pd.testing.assert_frame_equal(found(larger, store)[COLUMNS], found(larger, other)[COLUMNS])


@pytest.mark.parametrize("sampler", ["tpe", "nsga2"])
def test_with_one_worker_two_searches_are_equal_and_no_trial_is_drawn_twice(
    study: Study, store: Store, other: Store, sampler: str
) -> None:
    ranges = {WEIGHT: Range(0.01, 10.0, log=True), "train.lr": Range(1e-4, 1e-2, log=True)}
    search = Search(ranges, trials=POPULATION + 4, sampler=sampler)  # type: ignore[arg-type]
    study = dataclasses.replace(study, search=search)
    for place in (store, other):
        searching(study, place)
    first, second = found(study, store), found(study, other)
    pd.testing.assert_frame_equal(first.drop(columns="run_id"), second.drop(columns="run_id"))
    assert first.fingerprint.head(POPULATION).is_unique
    assert first["train.lr"].between(1e-4, 1e-2).all()


@pytest.mark.parametrize("number", [1, 3, 6])
def test_an_interrupted_search_ends_as_an_undisturbed_one(
    study: Study, store: Store, other: Store, number: int
) -> None:
    with pytest.raises(KeyboardInterrupt):
        searching(study, store, Pretender(at(number, KeyboardInterrupt())))
    trials = trials_of(study, store)._trials()
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * (number - 1) + [TrialState.FAIL]
    assert searching(study, store).trained == 7 - number
    searching(study, other)
    pd.testing.assert_frame_equal(found(study, store)[COLUMNS], found(study, other)[COLUMNS])


def test_trials_that_a_dead_coordinator_left_running_are_failed_and_do_not_count(
    study: Study, store: Store, other: Store, faces: Path
) -> None:
    searching(dataclasses.replace(study, search=dataclasses.replace(SEARCH, trials=2)), store)
    trials = trials_of(study, store)
    _, cell, _ = trials.ask(2, SEARCH, {str(faces): "the images"})
    trials._optuna.ask()  # killed before it could say its turn
    engine = Pretender()
    progress = searching(study, store, engine)
    assert (progress.there, progress.trained) == (2, 4)
    assert engine.tasks[0].settings == cell.settings
    states = [trial.state for trial in trials_of(study, store)._trials()]
    assert states.count(TrialState.FAIL) == 2
    assert states.count(TrialState.COMPLETE) == 6
    searching(study, other)
    pd.testing.assert_frame_equal(found(study, store)[COLUMNS], found(study, other)[COLUMNS])


def test_a_trial_that_diverges_counts_and_is_not_tried_again(study: Study, store: Store) -> None:
    study = dataclasses.replace(study, baseline=vary(study.baseline, {"model.dropout": 0.5}))
    progress = searching(study, store)
    assert progress.trained == 0
    assert list(progress.failed.values()) == ["the loss is not finite"] * 6
    frame = found(study, store)
    assert frame.state.tolist() == ["diverged"] * 6
    assert frame[list(SEARCH.objectives)].isna().all(axis=None)
    engine = Pretender()
    assert len(searching(study, store, engine).failed) == 6
    assert engine.tasks == []


def test_a_trial_that_fails_stops_no_other_and_is_tried_again_as_it_was(study: Study, store: Store) -> None:
    engine = Pretender(at(2, OSError("the disk is full")))
    progress = searching(study, store, engine)
    assert progress.trained == 5
    assert list(progress.failed.values()) == ["OSError: the disk is full"]
    assert found(study, store).number.tolist() == [0, 2, 3, 4, 5]
    again = Pretender()
    assert searching(study, store, again).trained == 1
    assert again.tasks[0].settings == engine.tasks[1].settings
    assert found(study, store).number.tolist() == [0, 1, 2, 3, 4, 5]


def test_a_trial_whose_worker_is_killed_is_handed_in_again(study: Study, store: Store) -> None:
    engine = Pretender(at(2, ProcessExpired("killed")))
    assert searching(study, store, engine).trained == 6
    assert engine.tasks[1].settings == engine.tasks[2].settings

    def kill(task: Task) -> None:
        raise ProcessExpired("killed")

    larger = dataclasses.replace(study, search=dataclasses.replace(SEARCH, trials=7))
    engine = Pretender(kill)
    progress = searching(larger, store, engine)
    assert len(engine.tasks) == TRIES
    assert list(progress.failed.values()) == [f"its worker was killed {TRIES} times"]


def test_several_workers_take_every_turn_once(study: Study, store: Store) -> None:
    assert searching(study, store, workers=3).trained == 6
    assert found(study, store).number.tolist() == [0, 1, 2, 3, 4, 5]
    assert found(study, store).fingerprint.is_unique


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"search": Search({WEIGHT: Range(0.01, 20.0, log=True)}, 6)},
            r"ranges.train.loss_weight: \[0.01, 10.0\] became",
        ),
        ({"search": Search({"train.lr": Range(0.01, 10.0, log=True)}, 6)}, "ranges.train.lr: absent became"),
        ({"search": dataclasses.replace(SEARCH, reference=(1.0, 2.0))}, "reference"),
        (
            {"search": dataclasses.replace(SEARCH, objectives=("validation_loss", "validation_mse"))},
            "objectives",
        ),
    ],
)
def test_a_changed_search_is_refused_with_what_differs(
    study: Study, store: Store, changes: dict[str, Search], message: str
) -> None:
    searching(dataclasses.replace(study, search=dataclasses.replace(SEARCH, trials=2)), store)
    changed = dataclasses.replace(study, **changes)
    for verb in (searching, search_results):
        with pytest.raises(UserError, match=rf"small-search has runs of another plan .*{message}.*undo"):
            verb(changed, store)  # type: ignore[operator]
    baseline = vary(study.baseline, {"train.batch_size": 32})
    with pytest.raises(UserError, match=r"baseline.train.batch_size: 64 became 32"):
        searching(dataclasses.replace(study, baseline=baseline), store)


def test_a_search_without_results_may_still_change(study: Study, store: Store) -> None:
    def fail(task: Task) -> None:
        raise OSError("no")

    searching(study, store, Pretender(fail))
    assert search_results(study, store) is None
    narrow = Search({WEIGHT: Range(0.5, 0.6, log=True)}, trials=2)
    changed = dataclasses.replace(study, search=narrow)
    assert searching(changed, store).trained == 2
    assert found(changed, store)[WEIGHT].between(0.5, 0.6).all()


def test_a_search_that_another_process_runs_is_refused(study: Study, store: Store) -> None:
    with (
        store.sole("study-small-search", "the search of small"),
        pytest.raises(UserError, match=r"the search of small is being run by process \d+"),
    ):
        searching(study, store)


@pytest.mark.parametrize(
    ("search", "message"),
    [
        (None, r"small has no search: add search=Search\(...\) to its file"),
        (Search({}, 4), "at least one setting"),
        (Search({"train.loss_wait": Range(0.1, 1.0, log=True)}, 4), "did you mean 'train.loss_weight'"),
        (
            Search({"model.latent_dim": Range(8.0, 64.0, log=True)}, 4),
            "model.latent_dim is a whole number, 8",
        ),
        (Search({WEIGHT: Range(0.0, 1.0, log=True)}, 4), "0 < least < largest"),
        (Search({WEIGHT: Range(2.0, 1.0, log=True)}, 4), "0 < least < largest"),
        (Search({WEIGHT: Range(0.1, 1.0, log=True)}, 1), "at least 2 trials"),
        (
            Search({WEIGHT: Range(0.1, 1.0, log=True)}, 4, ("validation_mse", "test_mse")),
            "test_mse is not one of them",
        ),
        (
            Search({WEIGHT: Range(0.1, 1.0, log=True)}, 4, ("validation_mse", "validation_mes")),
            "validation_mes",
        ),
        (
            Search({WEIGHT: Range(0.1, 1.0, log=True)}, 4, ("validation_mse", "validation_mse")),
            "two objectives",
        ),
        (Search({WEIGHT: Range(0.1, 1.0, log=True)}, 4, sampler="nsga2"), 'say sampler="tpe"'),
    ],
)
def test_an_unsound_search_is_refused_before_anything_is_written(
    study: Study, tmp_path: Path, search: Search | None, message: str
) -> None:
    wrong = dataclasses.replace(study, search=search)
    with pytest.raises(UserError, match=message):
        searching(wrong, Store(tmp_path / "never"))
    assert folder_of(tmp_path) == []


def test_a_quick_search_is_small_and_marked(study: Study, store: Store) -> None:
    quick = study.smoke()
    assert check_search(quick).trials == 3
    engine = Pretender()
    assert searching(quick, store, engine).trained == 3
    assert {(task.label.study, task.label.quick) for task in engine.tasks} == {("small-quick-search", True)}
    assert search_results(study, store) is None


def test_a_study_without_a_search_or_never_searched_has_no_results(study: Study, store: Store) -> None:
    assert search_results(study, store) is None
    assert search_results(dataclasses.replace(study, search=None), store) is None


STUDY = """
from ablation import Range, Search, Study
from ablation.emoji import joint, vary

study = Study(
    question="?", source="a double", baseline=joint, arms={{"latent 4": {{"model.latent_dim": 4}}}},
    measures={{"test_mse": 0.01}}{search},
)
"""


@pytest.mark.parametrize(
    ("search", "options", "message"),
    [
        ("", [], "mine has no search: add search=Search(...) to its file, or run it without --search."),
        (
            ', search=Search({"train.lr": Range(0.1, 1.0, log=True)}, 2)',
            ["--seeds", "3"],
            "--search wants no --seeds",
        ),
    ],
)
def test_the_command_line_refuses_a_search_that_cannot_be_in_a_sentence(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    search: str,
    options: list[str],
    message: str,
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(STUDY.format(search=search))
    monkeypatch.setattr(cli.signal, "signal", lambda *_: None)
    monkeypatch.setattr(local, "warm", lambda experiments: None)
    words = ["run", str(path), "--search", "--store", str(tmp_path / "never"), *options]
    monkeypatch.setattr("sys.argv", ["ablation", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert message in capsys.readouterr().err
    assert folder_of(tmp_path) == ["mine.py"]


def test_publishing_a_searched_study_adds_its_front(study: Study, store: Store, tmp_path: Path) -> None:
    one = dataclasses.replace(study, seeds=1)
    run_study(one, store, InlineEngine(), workers=1)
    searching(one, store)
    assert {"table.md", "search.csv", "pareto.png", "pareto.pdf"} <= {
        path.name for path in publish(one, store, tmp_path / "out")
    }
