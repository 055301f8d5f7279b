"""A trainer of the user's own: how it is named, and what a change of its code asks for."""

import functools
from importlib import import_module
from pathlib import Path

import pytest

from ablation import Function, Measure, Replication, Study, UserError, catalogue
from ablation.experiment import hash_of_source
from ablation.runner.recorded_plan import plan_of
from ablation.runner.results import results
from ablation.runner.scheduler import run_study
from ablation.runner.tuned import tuning_of
from ablation.tracking.read import cell_runs
from ablation.tracking.store import Store
from engines import InlineEngine
from verbs import call

TRAINER = """
def fit(settings, seed):
    return {"error": settings["rate"] + seed / 1000}
"""
STUDY = """
from ablation import Measure, Study
study = Study(
    question="Is slower better?", source="a double", train="my_trainer:fit", baseline={"rate": 0.5},
    arms={"slow": {"rate": 0.1}}, measures={"error": Measure("lower", matters=0.05)}, seeds=2,
)
"""


def small(**changes: object) -> Study:
    settings: dict[str, object] = {
        "question": "?",
        "source": "?",
        "train": lambda settings, seed: {"error": settings["rate"]},
        "baseline": {"rate": 0.5},
        "arms": {"slow": {"rate": 0.1}},
        "measures": {"error": Measure("lower", matters=0.05)},
    }
    return Study(**(settings | changes))  # type: ignore[arg-type]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "my_trainer.py").write_text(TRAINER)
    (tmp_path / "mine.py").write_text(STUDY)
    return tmp_path


def said(place: Path, *words: str, code: int = 0) -> str:
    """What the command printed, its errors included."""
    ended = call(place, *words)
    assert ended.returncode == code, ended.stdout + ended.stderr
    return " ".join((ended.stdout + ended.stderr).split())


def test_a_function_is_named_by_module_and_found_beside_the_study_file(place: Path) -> None:
    assert "4 trained" in said(place, "run", "mine.py", "--workers", "2")
    assert "4 there before" in said(place, "run", "mine.py", "--workers", "2")


def test_code_that_changed_asks_for_a_word_and_mixes_nothing(place: Path) -> None:
    said(place, "run", "mine.py", "--workers", "1")
    store = Store(place / "mlruns")
    first = set(cell_runs(store, "mine").run_id)
    (place / "my_trainer.py").write_text(TRAINER.replace("/ 1000", "/ 100"))
    asked = "the code that mine trains with changed since it has runs: add --code same"
    old = "The code that mine trains with has changed since these runs: they are of version"
    assert old in said(place, "table", "mine.py")
    assert asked in said(place, "run", "mine.py", code=2)
    assert asked in said(place, "plan", "mine.py", code=2)
    assert set(cell_runs(store, "mine").run_id) == first

    same = said(place, "run", "mine.py", "--code", "same", "--seeds", "3", "--workers", "1")
    assert "2 trained" in same
    table = said(place, "table", "mine.py")
    assert "The runs come from 2 versions of the experiment's code" in table
    assert old not in table
    assert "6 there before" in said(place, "run", "mine.py", "--seeds", "3")  # asked once

    (place / "my_trainer.py").write_text(TRAINER.replace("/ 1000", "/ 10"))
    assert "4 trained" in said(place, "run", "mine.py", "--code", "new", "--workers", "1")
    study = catalogue.load(str(place / "mine.py"))
    frame = results(study, store)
    assert frame.state.tolist() == ["complete"] * 4
    assert not first & set(frame.run_id)
    assert "versions of the experiment" not in said(place, "table", "mine.py")
    (place / "my_trainer.py").write_text(TRAINER)
    assert asked in said(place, "run", "mine.py", code=2)


def test_another_word_for_it_is_refused(place: Path) -> None:
    assert "--code wants same or new, but got 'yes'" in said(place, "run", "mine.py", "--code", "yes", code=2)


def test_the_declaration_of_the_study_is_no_code_of_its_trainer() -> None:
    text = "def fit(s, seed):\n    return {}\nstudy = Study(\n    question='a',\n)\n"
    other = text.replace("'a'", "'b'")
    assert hash_of_source(text) == hash_of_source(other)
    assert hash_of_source(text) != hash_of_source(text.replace("{}", "{'x': 1}"))
    assert hash_of_source("not: python(") != hash_of_source("not: python")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("sys:exit", "names the module sys, which is not found"),
        ("my_trainer", 'train wants "package.module:function"'),
        ("no_such_module:fit", "names the module no_such_module, which is not found"),
        ("no.such:fit", "names the module no.such, which is not found"),
    ],
)
def test_a_name_that_is_none_is_refused_at_once(name: str, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        small(train=name)


def test_what_is_not_in_the_module_is_said_before_a_cell_runs(place: Path) -> None:
    (place / "mine.py").write_text(STUDY.replace(":fit", ":fitt"))
    printed = said(place, "run", "mine.py", code=2)
    assert "wants the module that defines fitt, but my_trainer does not" in printed
    assert not (place / "mlruns").exists()


def test_a_function_of_other_arguments_is_refused_before_a_cell_runs() -> None:
    study = small(train=lambda settings: {})
    with pytest.raises(UserError, match=r"takes other arguments"):
        study.experiment.check({}, 0, ())


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"measures": {"error": 0.1}}, r"error wants its direction, but got a number alone"),
        ({"measures": {"error": Measure("lower")}}, r"error wants the smallest effect that matters"),
        ({"train": 3}, r"train of Study wants a function.*, a Command or an Experiment, but got 3"),
        ({"test": "corrected_t"}, r"corrected_t.* a seed varies training"),
        ({"replication": "split"}, r"replication of Study wants .*test_share.* but got 'split'"),
        ({"replication": "seed"}, r"replication of Study wants .*'training' or 'items', but got 'seed'"),
        ({"replication": Replication("split")}, r"replication wants .*test_share.* but got Replication"),
        ({"runs": Function(lambda s, n: {})}, r"train= or runs=, but got both"),
    ],
)
def test_a_declaration_that_cannot_be_judged_gets_its_sentence(
    changes: dict[str, object], reason: str
) -> None:
    with pytest.raises(UserError, match=reason):
        small(**changes)


def test_what_replicates_is_training_unless_it_is_declared() -> None:
    assert small().replication.kind == "training"
    assert "assumed" in small().replication.words
    assert small(replication="training").replication == Replication("training")
    split = small(replication=Replication("split", test_share=0.25))
    assert split.test == "corrected_t"
    assert split.ratio == 0.25


def test_code_that_was_taken_for_the_same_is_no_other_studys(place: Path) -> None:
    said(place, "run", "mine.py", "--workers", "1")
    (place / "my_trainer.py").write_text(TRAINER.replace("seed / 1000", "seed"))
    said(place, "run", "mine.py", "--code", "same", "--seeds", "3", "--workers", "1")
    (place / "my_trainer.py").write_text(TRAINER)
    (place / "other.py").write_text(STUDY)
    printed = said(place, "run", "other.py", "--seeds", "3", "--workers", "1")
    assert "2 trained, 0 there before, 4 reused" in printed
    frame = results(catalogue.load(str(place / "other.py")), Store(place / "mlruns"))
    assert frame.error.max() < 0.51


def decorated(function):  # type: ignore[no-untyped-def]
    @functools.wraps(function)
    def inner(settings, seed):  # type: ignore[no-untyped-def]
        return function(settings, seed)

    return inner


def trainer(settings, seed):  # type: ignore[no-untyped-def]
    return {"error": 0.0}


class Callable_:
    def __call__(self, settings, seed):  # type: ignore[no-untyped-def]
        return {"error": 0.0}


@pytest.mark.parametrize(
    "train", [functools.partial(trainer), Callable_(), Callable_().__call__, (lambda x: lambda s, n: x)({})]
)
def test_what_holds_values_of_its_own_wants_a_version(train: object) -> None:
    with pytest.raises(UserError, match=r"train wants a function of a module, .* code_version"):
        small(train=train)
    assert Function(train, code_version="1").code() == "1"  # type: ignore[arg-type]


def test_a_decorator_hides_no_code(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(place)
    text = "from test_own_trainer import decorated\n@decorated\ndef fit(settings, seed):\n    return {}\n"
    versions = set()
    for number, body in enumerate((text, text.replace("{}", "{'error': 1.0}"))):
        (place / f"decorated_{number}.py").write_text(body)
        versions.add(small(train=import_module(f"decorated_{number}").fit).experiment.code())
    assert len(versions) == 2


def test_a_lambda_in_the_statement_of_the_study_is_code() -> None:
    text = "x = 1\nstudy = Study(\n    train=lambda s, n: {'error': 1.0},\n)\n"
    assert hash_of_source(text, 3) != hash_of_source(text.replace("1.0", "2.0"), 3)
    assert hash_of_source(text, 1) == hash_of_source(text.replace("1.0", "2.0"), 1)


def test_a_name_that_its_module_only_imports_is_refused(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(place)
    (place / "outer_module.py").write_text("from my_trainer import fit\n")
    with pytest.raises(UserError, match="wants the module that defines fit, but outer_module does not"):
        small(train="outer_module:fit")


def test_two_modules_of_one_name_are_never_mixed(tmp_path: Path) -> None:
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "neighbour_of_both.py").write_text(TRAINER)
        body = STUDY.replace('"my_trainer:fit"', "fit")
        (tmp_path / folder / "s.py").write_text(f"from neighbour_of_both import fit\n{body}")
    catalogue.load(str(tmp_path / "first" / "s.py"))
    with pytest.raises(UserError, match=r"wants the module neighbour_of_both beside it, but .*first"):
        catalogue.load(str(tmp_path / "second" / "s.py"))


def test_the_better_end_of_a_measure_belongs_to_the_plan() -> None:
    lower, higher = (
        plan_of(small(measures={"error": Measure(better, matters=0.05)}), {})
        for better in ("lower", "higher")
    )
    assert lower != higher
    assert plan_of(small(replication="training"), {}) == plan_of(small(), {})


def test_a_module_that_changes_after_the_study_was_declared_trains_no_cell(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(place)
    (place / "module_that_changes.py").write_text(TRAINER)
    experiment = small(train="module_that_changes:fit").experiment
    (place / "module_that_changes.py").write_text(TRAINER.replace("/ 1000", "/ 10"))
    with pytest.raises(UserError, match="the file of module_that_changes:fit changed while the study ran"):
        experiment.train({"rate": 0.5}, 0, None)  # type: ignore[arg-type]


def test_values_that_other_code_was_tuned_with_are_not_taken_without_a_word(place: Path) -> None:
    tuned = STUDY.replace("seeds=2", 'seeds=2, tuned=Tuned("rate", 0.1, 1.0, 2, "error")')
    tuned = tuned.replace("import Measure", "import Measure, Tuned").replace(
        'baseline={"rate": 0.5}', 'baseline={"rate": 0.5, "width": 1}'
    )
    tuned = tuned.replace('{"rate": 0.1}', '{"width": 2}').replace("matters", "validation=True, matters")
    (place / "mine.py").write_text(tuned)
    study, store = catalogue.load(str(place / "mine.py")), Store(place / "mlruns")
    run_study(tuning_of(study), store, InlineEngine(), workers=1)
    (place / "my_trainer.py").write_text(TRAINER.replace("/ 1000", "/ 10"))
    asked = "the code that mine-tuning trains with changed since it has runs"
    assert asked in said(place, "run", "mine.py", code=2)
    assert "4 trained" in said(place, "run", "mine.py", "--code", "same", "--workers", "1")


def test_a_function_gets_its_run_where_it_asks_for_it_alone() -> None:
    def called(train: object) -> object:
        return Function(train, code_version="1").train({}, 7, "the run")["x"]  # type: ignore[arg-type]

    assert called(lambda settings, seed, run: {"x": run}) == "the run"
    assert called(lambda settings, seed, run=None: {"x": run}) == "the run"
    assert called(lambda settings, seed, other: {"x": other}) == "the run"
    assert called(lambda settings, seed, epochs=10: {"x": epochs}) == 10
    assert called(lambda settings, seed, *, epochs=10: {"x": epochs}) == 10
