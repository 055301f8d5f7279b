"""The report's network as an experiment: what it keeps, reuses, refuses and says, on the record of a run."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load, save

from ablation.emoji import VENDORS
from ablation.emoji import experiment as module
from ablation.emoji.data.sources import load as load_images
from ablation.emoji.experiment import EMOJI
from ablation.emoji.protocols import composed, joint
from ablation.emoji.run_files import DUPLICATES, SHEET
from ablation.emoji.spec import RunSpec
from ablation.errors import UserError
from ablation.experiment import Trained
from ablation.fingerprint import fingerprint
from ablation.settings import vary
from doubles import FakeRun, small_spec, small_study

TINY = {"model.channels": (4, 8), "model.latent_dim": 8, "train.steps": 3}


@pytest.fixture
def record(tmp_path: Path) -> Callable[..., FakeRun]:
    """Makes the record of a run, each with a folder of its own."""

    def make(**given: object) -> FakeRun:
        folder = tmp_path / f"run {len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        return FakeRun(folder, **given)  # type: ignore[arg-type]

    return make


def left_by(run: FakeRun, spec: RunSpec, seed: int = 0) -> Trained:
    return run.left(fingerprint(EMOJI, spec, seed, EMOJI.version(spec)), EMOJI.kept_file)


def test_a_run_keeps_curves_files_and_every_number(faces: Path, record: Callable[..., FakeRun]) -> None:
    spec, run = small_spec(faces), record(measures=("test_mse",))
    found = EMOJI.train(spec, 0, run)
    assert set(run.artifacts) == {"learning_curves.png", SHEET, DUPLICATES, EMOJI.kept_file}
    assert {step for _, step, _ in run.points} == {1, 2}
    assert {name.partition("_")[2] for name, _, _ in run.points} == set(EMOJI.curves)
    last = {name: value for name, step, value in run.points if step == 2}
    assert last.items() <= found.items()
    assert set(EMOJI.machine_metrics) < found.keys()
    assert not run.frames
    assert all(isinstance(value, float) for value in found.values())


def test_curves_are_logged_by_optimiser_step(faces: Path, record: Callable[..., FakeRun]) -> None:
    spec, run, again = vary(small_spec(faces), {"train.batch_size": 8}), record(), record()
    found = EMOJI.train(spec, 0, run)
    steps = sorted({step for _, step, _ in run.points})
    assert len(steps) == 2  # passes
    assert steps[1] == 2 * steps[0] > 2
    again.trained = left_by(run, spec)
    assert EMOJI.train(spec, 0, again)["train_mse"] == found["train_mse"]


def test_equal_settings_give_equal_bytes_whatever_the_threads(
    faces: Path, record: Callable[..., FakeRun]
) -> None:
    spec, runs, before = small_spec(faces), [record(), record()], torch.get_num_threads()
    try:
        EMOJI.train(spec, 1, runs[0])
        torch.set_num_threads(2)
        EMOJI.train(spec, 1, runs[1])
        assert torch.get_num_threads() == 2
        assert not torch.are_deterministic_algorithms_enabled()
    finally:
        torch.set_num_threads(before)
    assert runs[0].artifacts[EMOJI.kept_file] == runs[1].artifacts[EMOJI.kept_file]
    assert runs[0].points == runs[1].points


def test_a_run_of_the_same_training_takes_its_weights_and_curves(
    faces: Path, record: Callable[..., FakeRun]
) -> None:
    spec, first = small_spec(faces), record()
    trained = EMOJI.train(spec, 0, first)
    other = vary(spec, {"compose.method": "mean"})
    assert EMOJI.training(other) == EMOJI.training(spec) == spec
    second = record(trained=left_by(first, spec))
    found = EMOJI.train(other, 0, second)
    assert second.points == first.points
    assert EMOJI.kept_file not in second.artifacts
    assert found["images_per_second"] == 0
    clocked = dict.fromkeys(EMOJI.machine_metrics, 0.0)
    assert {**found, **clocked} == {**trained, **clocked}


def broken(kept: bytes, how: str) -> bytes:
    weights = load(kept)
    name = next(iter(weights))
    changed = {
        "nan": weights | {name: torch.full_like(weights[name], torch.nan)},
        "shape": weights | {name: weights[name][:1].clone()},
        "name": {"other": weights[name]},
    }
    return b"no tensors" if how == "bytes" else save(changed[how], {"fingerprint": "author"})


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("bytes", "are no safetensors"),
        ("nan", "do not fit its network"),
        ("shape", "do not fit its network"),
        ("name", "do not fit its network"),
        ("author", "were not written by it"),
    ],
)
def test_weights_that_are_not_those_of_the_run_are_refused(
    faces: Path, record: Callable[..., FakeRun], how: str, said: str
) -> None:
    spec, first = small_spec(faces), record()
    EMOJI.train(spec, 0, first)
    kept = replace(left_by(first, spec), fingerprint="author")
    if how != "author":
        kept = replace(kept, content=broken(kept.content, how))
    with pytest.raises(UserError, match=f"the run fake keeps {said}: delete the run in MLflow"):
        EMOJI.train(spec, 0, record(trained=kept))


def test_composing_is_done_where_a_measure_asks_and_its_items_give_its_numbers(
    record: Callable[..., FakeRun],
) -> None:
    spec = vary(composed, TINY)
    plain, asked = record(measures=("test_mse",)), record(measures=("gain",))
    without, found = EMOJI.train(spec, 0, plain), EMOJI.train(spec, 0, asked)
    assert not any(map(EMOJI.on_demand, without))
    assert all(map(EMOJI.on_demand, found.keys() - without.keys()))
    assert {"composites.png", "composition.csv"} == asked.artifacts.keys() - plain.artifacts.keys()
    (frame,) = asked.frames
    assert list(frame.columns) == ["measure", "group", "item", "value"]
    medians = frame.groupby(["measure", "group"])["value"].median()
    for name, value in medians.groupby("measure").mean().items():
        assert found[str(name)] == pytest.approx(value)
    assert set(frame["measure"]) == {
        name for name, one in EMOJI.measures.items() if name.startswith("gain") and one.needs != "vendors"
    }
    assert {"tone", "gender"} == set(frame[frame.measure == "gain_large"]["group"])


@pytest.mark.parametrize(
    ("changes", "measure", "said"),
    [
        ({"data.keyword": "locomotive"}, "test_mse", "must leave some image"),
        ({"data.common": "locomotive"}, "common_mse", "wants held-out texts .* the images have none"),
        ({}, "gain", "gain wants families of analogies"),
        ({}, "gain_large", "gain_large wants a family of analogies of whose truths about twenty are tested"),
        ({}, "mood_balanced_accuracy", "wants held-out faces"),
    ],
)
def test_a_cell_that_cannot_be_split_or_measured_is_refused(
    faces: Path, changes: dict[str, object], measure: str, said: str
) -> None:
    spec = vary(small_spec(faces), changes)
    if measure != "test_mse":
        EMOJI.check(spec, 0, ("test_mse",))
    with pytest.raises(UserError, match=said):
        EMOJI.check(spec, 0, ("test_mse", measure))


def test_every_measure_of_the_report_can_be_had_of_its_own_images() -> None:
    one_vendor = [name for name, one in EMOJI.measures.items() if one.needs != "vendors"]
    EMOJI.check(joint, 0, one_vendor)
    several = vary(joint, {"data.sources": tuple(VENDORS.values())})
    EMOJI.check(several, 0, ("gain_vendor", "gain_large"))
    with pytest.raises(UserError, match="gain_vendor wants emoji that several vendors drew"):
        EMOJI.check(joint, 0, ("gain_vendor",))


def test_the_version_is_that_of_the_images_and_travels_with_them(faces: Path) -> None:
    spec = small_spec(faces)
    images = EMOJI.pack(spec)
    assert EMOJI.version(spec) == images.fingerprint == load_images((str(faces),)).fingerprint
    elsewhere = vary(spec, {"data.sources": ("a file of another machine.parquet",)})
    with pytest.raises(UserError):
        EMOJI.version(elsewhere)
    EMOJI.unpack(elsewhere, images)
    assert EMOJI.version(elsewhere) == images.fingerprint


def test_costs_are_those_of_training_or_of_composing_alone(
    faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, half = small_spec(faces), vary(small_spec(faces), {"train.precision": "bfloat16"})
    more = vary(spec, {"train.epochs": 40})
    assert EMOJI.cost(more, 0, reuses=False) > EMOJI.cost(spec, 0, reuses=False)
    assert EMOJI.cost(more, 0, reuses=True) == EMOJI.cost(spec, 0, reuses=True)
    for units, times in ((True, 1.0), (False, module.SLOW_BFLOAT16)):
        monkeypatch.setattr(module, "_bfloat16_units", lambda units=units: units)
        assert EMOJI.cost(half, 0, reuses=False) == times * EMOJI.cost(spec, 0, reuses=False)
        assert EMOJI.cost(half, 0, reuses=True) == EMOJI.cost(spec, 0, reuses=True)
        assert [*EMOJI.warnings(spec)] == []
        assert len([*EMOJI.warnings(half)]) == (0 if units else 1)


def test_arms_with_equal_inputs_share_them_in_the_gallery(
    faces: Path, record: Callable[..., FakeRun]
) -> None:
    study, sheets = small_study(faces), {}
    for arm, settings in study.settings.items():
        run = record()
        EMOJI.train(settings, 0, run)
        sheets[arm] = run.artifacts[EMOJI.sheet]
    other = record()
    EMOJI.train(vary(study.baseline, {"data.common": "crying"}), 0, other)
    shared, alone = EMOJI.gallery(sheets | {"c": other.artifacts[EMOJI.sheet]})
    assert (set(shared.arms), set(alone.arms)) == (set(study.settings), {"c"})
    names = [png.file for one in (shared, alone) for png in (one.inputs, *one.arms.values())]
    assert len(set(names)) == len(names)


def test_torch_and_torchvision_that_do_not_match_are_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ((said, fine),) = EMOJI.examine()
    assert fine
    assert "loads torchvision" in said
    (tmp_path / "torchvision.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    with monkeypatch.context() as other:
        other.delitem(sys.modules, "torchvision", raising=False)
        other.syspath_prepend(tmp_path)
        ((said, fine),) = EMOJI.examine()
    assert not fine
    assert "does not load torchvision" in said
    monkeypatch.setitem(sys.modules, "torchvision", None)
    assert [*EMOJI.examine()] == [("the extra emoji lacks torchvision", False)]


def test_caveats_and_resolution_are_those_of_the_cells(faces: Path) -> None:
    study = small_study(faces)
    cells = pd.DataFrame(
        {
            "arm": ["latent 8", "latent 4"],
            "seed": [0, 0],
            "state": ["complete"] * 2,
            "images_test": [10.0, 10.0],
            "images_test_rarest": [4.0, 3.0],
        }
    )
    assert "tested on 10 images that its training never saw" in " ".join(EMOJI.caveats(study, cells))
    assert EMOJI.resolution(study, cells, "test_balanced_accuracy") == pytest.approx(1 / 6)
    assert EMOJI.resolution(study, cells, "test_mse") == 0
