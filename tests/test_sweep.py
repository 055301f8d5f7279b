"""A study to runs: every cell once, resumed unasked, shared between studies, agreed by both stores."""

import dataclasses
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from optuna.trial import TrialState

from ablation.cli.show import show_status, show_table
from ablation.errors import UserError
from ablation.experiment import Diverged, Run
from ablation.fingerprint import fingerprint
from ablation.report.export import publish, read, summarise
from ablation.runner.doctor import examine
from ablation.runner.ledger import Ledger
from ablation.runner.recorded_plan import check_unchanged, plan_of
from ablation.runner.results import results
from ablation.runner.scheduler import Progress, run_study
from ablation.study import Study
from ablation.terminal import Reporter
from ablation.tracking.read import cell_lock, cell_runs, mark_killed_if_free
from ablation.tracking.recording import Label, recording
from ablation.tracking.store import Store
from doubles_suite import BASELINE, KEPT, Tiny, tiny_study
from engines import InlineEngine, folder_of


@pytest.fixture
def study() -> Study:
    return tiny_study()


class Overflowing(Tiny):
    """At an infinite rate, training diverges; `wrong` data is refused."""

    def train(self, settings: Mapping[str, Any], seed: int, run: Run) -> Mapping[str, float]:
        if math.isinf(settings["rate"]):
            raise Diverged("miss is not finite")
        return super().train(settings, seed, run)

    def check(self, settings: Mapping[str, Any], seed: int, measures: Sequence[str]) -> None:
        if settings["note"] == "wrong":
            raise UserError("there is no zebra: name other data.")


class Changing(Tiny):
    """Its data has another version each time that somebody asks."""

    def __init__(self) -> None:
        self.versions = count()

    def version(self, settings: Mapping[str, Any]) -> str:
        return f"{next(self.versions):016}"


def swept(
    study: Study, store: Store, engine: InlineEngine | None = None, seeds: int | None = None
) -> Progress:
    return run_study(study, store, engine or InlineEngine(), workers=1, seeds=seeds)


def same_files(first: Path, second: Path) -> list[str]:
    """The names of the files that differ."""
    return [path.name for path in first.iterdir() if path.read_bytes() != (second / path.name).read_bytes()]


def test_every_cell_becomes_one_complete_trial_and_one_finished_run(study: Study, store: Store) -> None:
    progress = swept(study, store)
    assert (progress.total, progress.trained, progress.failed) == (4, 4, {})
    frame = results(study, store)
    assert frame.state.tolist() == ["complete"] * 4
    assert frame.run_id.is_unique
    ledger = Ledger.open(store, study)
    assert ledger is not None
    assert ledger.states() == dict.fromkeys(frame.fingerprint, TrialState.COMPLETE)
    runs = cell_runs(store, study.name).set_index("fingerprint")
    assert runs.status.tolist() == ["FINISHED"] * 4
    trials = {trial.user_attrs["fingerprint"]: trial.values for trial in ledger._trials()}
    for row in frame.itertuples():
        assert trials[row.fingerprint] == [row.miss, row.gain]


def test_cells_are_handed_out_seed_by_seed(study: Study, store: Store) -> None:
    engine = InlineEngine()
    swept(study, store, engine)
    assert [task.label.seed for task in engine.tasks] == [0, 0, 1, 1]
    assert engine.closed


def test_a_second_run_trains_nothing_and_exports_the_same_bytes(
    study: Study, store: Store, tmp_path: Path
) -> None:
    swept(study, store)
    summarise(study, store)
    publish(study, store, tmp_path / "first")
    engine = InlineEngine()
    progress = swept(study, store, engine)
    summarise(study, store)
    publish(study, store, tmp_path / "second")
    assert engine.tasks == []
    assert progress.there == 4
    assert same_files(tmp_path / "first", tmp_path / "second") == []


def test_an_interrupted_study_goes_on_and_exports_what_an_undisturbed_one_does(
    study: Study, store: Store, blank: Path, tmp_path: Path
) -> None:
    def interrupt(task: object) -> None:
        if len(engine.tasks) == 3:
            raise KeyboardInterrupt

    engine = InlineEngine(interrupt)
    with pytest.raises(KeyboardInterrupt):
        swept(study, store, engine)
    ledger = Ledger.open(store, study)
    assert ledger is not None
    assert TrialState.RUNNING not in ledger.states().values()
    assert results(study, store).state.tolist() == ["complete", "complete", "missing", "missing"]
    rest = InlineEngine()
    assert swept(study, store, rest).trained == len(rest.tasks) == 2
    publish(study, store, tmp_path / "interrupted")

    undisturbed = Store(tmp_path / "undisturbed")
    undisturbed.create()
    swept(study, undisturbed)
    publish(study, undisturbed, tmp_path / "whole")
    # MLflow draws the ids of runs at random, so the file that names them cannot be equal.
    assert same_files(tmp_path / "interrupted", tmp_path / "whole") == ["provenance.json"]


def test_a_cell_that_fails_does_not_stop_the_others_and_is_tried_again(study: Study, store: Store) -> None:
    def fail(task: object) -> None:
        if len(engine.tasks) == 2:
            raise OSError("the disk is full")

    engine = InlineEngine(fail)
    progress = swept(study, store, engine)
    assert progress.trained == 3
    assert progress.failed == {"fast, seed 0": "OSError: the disk is full"}
    assert swept(study, store).trained == 1
    assert results(study, store).state.tolist() == ["complete"] * 4


def test_a_diverging_cell_is_a_result_that_is_not_tried_again(store: Store) -> None:
    study = tiny_study(arms={"slow": {}, "hot": {"rate": math.inf}}, claims=(), train=Overflowing())
    progress = swept(study, store)
    assert progress.trained == 2
    assert all("miss is not finite" in reason for reason in progress.failed.values())
    assert results(study, store).groupby("arm").state.unique().explode().to_dict() == {
        "slow": "complete",
        "hot": "diverged",
    }
    engine = InlineEngine()
    assert len(swept(study, store, engine).failed) == 2
    assert engine.tasks == []


def test_a_fingerprint_is_computed_once_and_shown_as_reused_in_another_study(
    study: Study, store: Store
) -> None:
    swept(study, store)
    other = dataclasses.replace(study, name="other", arms={"slow": {}, "middle": {"rate": 0.2}}, claims=())
    progress = swept(other, store)
    assert (progress.trained, progress.reused) == (2, 2)
    first, second = (
        results(study, store).set_index("fingerprint"),
        results(other, store).set_index("fingerprint"),
    )
    shared = first.index.intersection(second.index)
    assert len(shared) == 2
    assert second.loc[shared].reused_from.tolist() == first.loc[shared].run_id.tolist()
    pd.testing.assert_series_equal(first.loc[shared].miss, second.loc[shared].miss)


def test_more_seeds_train_the_new_ones_alone(study: Study, store: Store) -> None:
    swept(study, store, seeds=1)
    progress = swept(study, store, seeds=2)
    assert (progress.there, progress.trained) == (2, 2)
    assert len(results(study, store)) == 4
    assert len(results(study, store, seeds=1)) == 2


def test_a_study_that_another_process_runs_is_refused_with_its_holder(study: Study, store: Store) -> None:
    with (
        store.sole("study-tiny", "the study tiny"),
        pytest.raises(UserError, match=r"the study tiny is being run by process \d+ on .* since .*: wait"),
    ):
        swept(study, store)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"arms": {"slow": {}, "fast": {"rate": 5}}},
            "fast.rate: 0.3 became 5",
        ),
        ({"claims": ()}, "the claim 'a higher rate is worse' is gone"),
        ({"arms": {"slow": {}, "fast": {"rate": 0.3}, "half": {"rate": 0.05}}}, "the arm 'half' is new"),
        (
            {"arms": {"slow": {}, "quick": {"rate": 0.3}}, "claims": ()},
            "the arm 'fast' is gone; the arm 'quick' is new; the claim .* is gone",
        ),
        (
            {"arms": {"other": {"rate": 7}}, "baseline": {**BASELINE, "rate": 6}, "claims": ()},
            "another study",
        ),
        ({"against": {"fast": "fast"}, "claims": ()}, "against"),
        ({"measures": {"miss": 0.5, "gain": 0.05}}, "miss: 0.01 became 0.5"),
    ],
)
def test_a_changed_plan_is_refused_with_what_differs(
    study: Study, store: Store, changes: dict[str, object], message: str
) -> None:
    swept(study, store, seeds=1)
    changed = dataclasses.replace(study, **changes)  # type: ignore[arg-type]
    for verb in (swept, read):
        with pytest.raises(
            UserError, match=rf"has runs of another plan.*{message}.*: give .* a new name .*, or undo the"
        ):
            verb(changed, store)  # type: ignore[operator]


def test_nothing_is_written_where_the_data_is_wrong(study: Study, tmp_path: Path) -> None:
    wrong = tiny_study(train=Overflowing(), baseline={**BASELINE, "note": "wrong"})
    with pytest.raises(UserError, match="zebra"):
        swept(wrong, Store(tmp_path / "never"))
    assert folder_of(tmp_path) == []


def finished_without_measures(study: Study, store: Store, experiment: str) -> str:
    """The id of a finished run of the first cell that measured nothing of what the study does."""
    version = study.experiment.version(study.baseline)
    key = fingerprint(study.experiment, study.baseline, 0, version)
    label = Label(experiment, "slow", 0, key, version, key)
    place = store.experiment(experiment, {})
    with recording(store, place, label, study.experiment, study.baseline) as older:
        older.finish({})
    return older.run_id


def test_the_studys_own_run_without_the_measure_is_named_and_not_taken(study: Study, store: Store) -> None:
    older = finished_without_measures(study, store, study.name)
    progress = swept(study, store, seeds=1)
    assert list(progress.failed) == ["slow, seed 0"]
    assert f"the recorded run {older} lacks miss" in progress.failed["slow, seed 0"]
    assert progress.trained == 1


def test_another_studys_run_without_the_measure_or_its_weights_is_trained_again(
    study: Study, store: Store
) -> None:
    finished_without_measures(study, store, "older")
    progress = swept(study, store, seeds=1)
    assert (progress.trained, progress.reused, progress.failed) == (2, 0, {})
    assert (results(study, store).built_on == "").all()


def test_results_of_a_study_that_was_never_run_say_what_to_do(
    study: Study, store: Store, tmp_path: Path
) -> None:
    for place in (store, Store(tmp_path / "nowhere")):
        with pytest.raises(UserError, match=r"tiny has no runs in .*: run it first"):
            results(study, place)


def test_fewer_seeds_than_before_are_shown_as_asked(study: Study, store: Store) -> None:
    swept(study, store, seeds=3)
    assert swept(study, store, seeds=1).there == 2
    assert len(results(study, store)) == 2
    assert read(study, store).seed_counts == (3, 1)


def test_a_run_that_mlflow_lost_is_trained_again_and_the_doctor_says_so(study: Study, store: Store) -> None:
    swept(study, store, seeds=1)
    store.client.delete_run(results(study, store).run_id[0])
    ledger = Ledger.open(store, study)
    assert ledger is not None
    assert swept(study, store, seeds=1).trained == 1
    assert results(study, store).state.tolist() == ["complete"] * 2


def test_a_deleted_experiment_is_said_in_a_sentence(study: Study, store: Store) -> None:
    swept(study, store, seeds=1)
    store.client.delete_experiment(store.experiment(study.name, {}))
    with pytest.raises(UserError, match="the experiment tiny was deleted in MLflow: restore it"):
        swept(study, store, seeds=1)


def test_data_that_changes_under_way_fails_its_cells(store: Store) -> None:
    progress = swept(tiny_study(train=Changing(), seeds=1), store)
    assert progress.trained == 0
    assert all("the data changed while the study ran" in reason for reason in progress.failed.values())


def test_a_plan_without_results_may_still_change(study: Study, store: Store) -> None:
    def fail(task: object) -> None:
        raise OSError("no")

    swept(study, store, InlineEngine(fail), seeds=1)
    changed = dataclasses.replace(study, claims=())
    assert swept(changed, store, seeds=1).trained == 2


def test_a_setting_that_is_added_later_leaves_recorded_plans_alone(
    study: Study, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ablation import settings

    swept(study, store, seeds=1)
    leaves = settings._leaves

    def later(one: object) -> Iterator[tuple[str, object, bool]]:
        for name, value, neutral in leaves(one):
            yield name, value, neutral or name.endswith("note")

    monkeypatch.setattr(settings, "_leaves", later)
    old = Ledger.open(store, study)
    assert old is not None
    plan = old.plan
    assert plan is not None
    for arm in plan["arms"].values():
        del arm["note"]  # as if the store were older than the setting
    old.plan = plan
    check_unchanged(study, plan, plan_of(study, plan["versions"]))


def test_ending_a_study_leaves_another_studys_live_run_alone(study: Study, store: Store) -> None:
    swept(study, store, seeds=1)
    living = results(study, store).fingerprint[0]
    label = Label(study.name, "slow", 0, living, "data", living)
    run_id = store.client.create_run(store.experiment(study.name, {}), tags=label.tags()).info.run_id
    with store.lock(cell_lock(living)):
        assert mark_killed_if_free(store, [living]) == {living: None}
        assert store.client.get_run(run_id).info.status == "RUNNING"
    assert mark_killed_if_free(store, [living]) == {living: [run_id]}


def test_a_study_whose_every_cell_failed_exports_all_the_same(
    study: Study, store: Store, tmp_path: Path
) -> None:
    def fail(task: object) -> None:
        raise OSError("no")

    swept(study, store, InlineEngine(fail))
    written = {path.name for path in publish(study, store, tmp_path / "out")}
    assert {"table.tex", "appendix.tex", "notes.md", "effects.pdf", "runs.csv", "verdicts.csv"} <= written
    assert {path.name for path in (tmp_path / "out").iterdir()} == written
    assert "No cell is complete" in (tmp_path / "out" / "table.md").read_text(encoding="utf-8")


def test_odd_names_and_reasons_are_shown_as_they_are(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    arms = {"drop [/x]": {}, "act [relu] & <b>": {"rate": 0.2}}
    study = tiny_study(arms=arms, claims=(), seeds=1)

    def fail(task: object) -> None:
        if len(engine.tasks) == 1:
            raise OSError("lost [/3]")

    engine = InlineEngine(fail)
    with Reporter(study, workers=1) as reporter:
        reporter.summary(run_study(study, store, engine, 1, notify=reporter.notify))
    show_table(read(study, store).table)
    show_status({"tiny": results(study, store)}, detailed=True)
    said = capsys.readouterr().out
    assert "failed drop [/x], seed 0: OSError: lost [/3]" in said
    assert said.count("act [relu] & <b>") >= 3


def test_the_doctor_ends_what_died_and_leaves_the_living_alone(study: Study, store: Store) -> None:
    swept(study, store, seeds=1)
    ledger = Ledger.open(store, study)
    assert ledger is not None
    ledger.begin(study.cells()[2], "abandoned")
    experiment = store.experiment(study.name, {})
    label = Label(study.name, "slow", 0, "abandoned", "data", "abandoned")
    dead = store.client.create_run(experiment, tags=label.tags()).info.run_id
    living = store.client.create_run(
        experiment, tags=dataclasses.replace(label, fingerprint="living").tags()
    ).info.run_id
    with store.lock("cell-living"):
        said = " ".join(finding.what for finding in examine(store))
    assert f"run {dead}: its process is gone; ended as KILLED" in said
    assert "run of living: being computed now" in said
    assert store.client.get_run(dead).info.status == "KILLED"
    assert store.client.get_run(living).info.status == "RUNNING"


def test_a_run_holds_everything_that_its_reader_wants(study: Study, store: Store) -> None:
    swept(study, store, seeds=1)
    row = results(study, store).iloc[0]
    run = store.client.get_run(row.run_id)
    assert run.data.params["rate"] == "0.1"
    version = study.experiment.version(study.baseline)
    assert run.data.tags["fingerprint"] == fingerprint(study.experiment, study.baseline, 0, version)
    assert run.inputs.dataset_inputs[0].dataset.digest == run.data.tags["data"]
    files = {item.path for item in store.client.list_artifacts(row.run_id)}
    assert {KEPT, "settings.json", "environment.json"} <= files
    curve = store.client.get_metric_history(row.run_id, "validation_loss")
    assert [point.step for point in curve] == [1, 2, 3, 4]


def test_a_failing_body_fails_its_run_and_says_why(study: Study, store: Store) -> None:
    experiment = store.experiment(study.name, {})
    label = Label(study.name, "slow", 0, "f", "d", "f")
    for error, status in ((ValueError("no"), "FAILED"), (KeyboardInterrupt(), "KILLED")):
        opened = recording(store, experiment, label, study.experiment, study.baseline)
        recorder = opened.__enter__()
        with pytest.raises(type(error)):
            opened.gen.throw(error)  # type: ignore[attr-defined]
        assert store.client.get_run(recorder.run_id).info.status == status


def test_summary_runs_hold_one_arm_each_and_are_written_once(study: Study, store: Store) -> None:
    swept(study, store)
    analysis = summarise(study, store).analysis
    summarise(study, store)
    experiment = store.experiment(study.name, {})
    arms = store.client.search_runs([experiment], "tags.role = 'arm'")
    assert sorted(run.info.run_name for run in arms) == ["fast", "slow"]
    four = next(run for run in arms if run.info.run_name == "fast")
    assert four.data.metrics["miss"] == round(analysis.means["fast", "miss"].mean, 3)
    assert four.data.metrics["n"] == 2
    assert "miss difference" in four.data.metrics


def test_saved_views_name_the_studys_settings_and_measures(study: Study, store: Store) -> None:
    import base64
    import zlib

    swept(study, store, seeds=1)
    experiment = store.client.get_experiment_by_name(study.name)
    view = json.loads(experiment.tags["mlflow.sharedViewState.mean_over_seeds"])
    state = json.loads(zlib.decompress(base64.b64decode(view["state"].removeprefix("deflate;"))))
    assert "params.`rate`" in state["selectedColumns"]
    assert state["groupBy"]["groupByKeys"] == [{"mode": "tag", "groupByData": "arm"}]
