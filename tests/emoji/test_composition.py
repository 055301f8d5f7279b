"""Composition as numbers of a run: a leak shows, the guard sees it, and nothing is trained twice."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from PIL import Image

import engines
from ablation import Claim, Difference, Study, UserError
from ablation.emoji.composition.analogies import AnalogyTask, Assignment, analogy_tasks
from ablation.emoji.composition.evaluator import SIDES, CompositionEvaluator, composition, numbers_of
from ablation.emoji.composition.latent_editor import LatentEditor, find_analogy
from ablation.emoji.composition.scores import INSIDE, UNSEEN, Row, gain
from ablation.emoji.data.images import Images, grid
from ablation.emoji.data.sources import load
from ablation.emoji.data.split import TEST, TRAIN, assign_sides
from ablation.emoji.evaluate import encode
from ablation.emoji.experiment import EMOJI
from ablation.emoji.measures import COMPOSITE_MSE, COMPOSITE_SHARPNESS, MEANS
from ablation.emoji.model import Autoencoder
from ablation.emoji.protocols import composed
from ablation.emoji.result import Result
from ablation.emoji.run import run
from ablation.emoji.run_files import sheet_of
from ablation.emoji.spec import RunSpec, parse, training
from ablation.emoji.train import fit
from ablation.emoji.training_data import Pictures
from ablation.emoji.weights import best_run, model_of
from ablation.fingerprint import fingerprint
from ablation.report.data_files import runs_csv
from ablation.report.export import publish, read
from ablation.runner.recorded_plan import fingerprint_of, training_of
from ablation.runner.results import results
from ablation.runner.scheduler import run_study
from ablation.runner.time_estimate import workload
from ablation.runner.worker import Outcome, Task, packed, work_together
from ablation.settings import flat, vary
from ablation.study import Cell
from ablation.tracking import Store, artifact
from ablation.tracking.recording import Label
from analogies import draw_shapes
from engines import InlineEngine

COMPOSITION = "composition.csv"
SMALL = {"model.channels": (8, 16), "model.latent_dim": 8, "train.steps": 5, "train.batch_size": 8}


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_shapes(tmp_path_factory.mktemp("shapes") / "shapes.parquet")


@pytest.fixture(scope="module")
def spec(shapes: Path) -> RunSpec:
    return vary(composed, SMALL | {"data.sources": (str(shapes),), "data.common": ""})


@pytest.fixture(scope="module")
def seed(spec: RunSpec) -> int:
    """The first that has truths on both sides: the family is small."""
    images = load(spec.data.sources)
    return next(n for n in range(20) if analogy_tasks(images, spec.data, n))


def composing(spec: RunSpec, seed: int) -> Result:
    return run(spec, seed, measures=["gain"])


@pytest.fixture
def study(spec: RunSpec, seed: int) -> Study:
    return Study(
        name="composing",
        question="Does the mean do better than the pair?",
        source="a double",
        baseline=spec,
        arms={
            "pair": {},
            "mean": {"compose.method": "mean"},
            "PCA": {"compose.method": "pca", "compose.weigh": True},
        },
        measures={"gain": 0.05, "gain_shape": 0.05},
        claims=(Claim("the mean does better", Difference("gain", "up", "mean")),),
        seeds=1,
        first_seed=seed,
    )


def test_a_run_says_how_its_codes_compose(spec: RunSpec, seed: int) -> None:
    result = composing(spec, seed)
    rows = pd.DataFrame(result.composition.rows)
    unseen = rows[rows.side == "unseen"]
    assert set(unseen.family) == {"shape"}
    assert result.metrics["gain"] == result.metrics["gain_shape"]
    assert result.metrics["truths_shape"] == unseen.d.nunique()
    assert result.composition.strips.shape[1:] == (7, 3, 64, 64)
    assert composing(spec, seed).composition.numbers == result.composition.numbers


def test_a_run_that_composed_shows_its_composites_in_the_gallery(spec: RunSpec, seed: int) -> None:
    result = composing(spec, seed)
    buffer = BytesIO()
    sheet_of(result).save(buffer, "PNG")
    drawn, composites = EMOJI.gallery({"pair": buffer.getvalue()})
    c, b, a, d, made = (result.composition.strips[:, place] for place in (2, 1, 0, 6, 4))
    for png, wanted in ((composites.inputs, torch.cat([c, b, a, d])), (composites.arms["pair"], made)):
        shown = Image.open(BytesIO(png.content)).convert("RGB")
        assert shown.tobytes() == grid(wanted, columns=len(made), times=3).tobytes()
    assert Image.open(BytesIO(drawn.inputs.content)).width == len(result.examples) * (3 * 64 + 2) - 2
    assert drawn.caption != composites.caption


def test_the_error_of_composites_is_a_median_over_truths_of_large_families() -> None:
    plain: Row = {"side": UNSEEN, "copy": 1.0, "ceiling": 0.0, "error": 1.0, "from": "x", "to": "y"}
    plain |= {f"{name}{INSIDE}": float(plain[name]) for name in ("copy", "ceiling")}
    plain |= dict.fromkeys((name.replace("_", " ") for name in MEANS), 0.0)
    rows = [
        plain
        | {"family": family, "d": d, f"error{INSIDE}": error, "changed": changed, "sharpness": 1 - changed}
        for family, d, error, changed in (
            *(("tone", "x", 0.9, 0.5), ("tone", "x", 0.7, 0.5), ("tone", "y", 0.4, 0.5)),
            *(("tone", "z", 0.1, 0.5), ("tone", "same", 9.0, 0.0), ("faces", "cat", 7.0, 0.5)),
        )
    ]
    assert numbers_of(rows, {"tone"})[COMPOSITE_MSE] == pytest.approx(0.4)
    assert numbers_of(rows, {"tone"})[COMPOSITE_SHARPNESS] == pytest.approx((4 * 0.5 + 1) / 5)
    assert not {COMPOSITE_MSE, COMPOSITE_SHARPNESS} & numbers_of(rows, set()).keys()


def test_what_is_composed_changes_no_weight_and_no_other_number(spec: RunSpec, seed: int) -> None:
    changed = vary(spec, {"compose.method": "centre", "compose.strength": 0.5})
    one, other = composing(spec, seed), composing(changed, seed)
    assert all(
        torch.equal(a, b) for a, b in zip(one.model.parameters(), other.model.parameters(), strict=True)
    )
    assert one.metrics["test_mse"] == other.metrics["test_mse"]
    assert one.metrics["gain"] != other.metrics["gain"]
    version = EMOJI.version(spec)
    assert fingerprint(EMOJI, spec, seed, version) != fingerprint(EMOJI, changed, seed, version)


def test_no_strength_is_no_gain(spec: RunSpec, seed: int) -> None:
    still = composing(vary(spec, {"compose.strength": 0.0}), seed)
    assert still.metrics["gain"] == 0


def test_settings_that_compose_as_the_report_did_are_their_own_training(spec: RunSpec) -> None:
    other = vary(spec, {"compose.method": "pca", "compose.rank": 2})
    assert training(spec) == spec
    assert training(other) == spec
    assert parse(flat(other)) == other


def test_a_planted_truth_raises_the_score_and_the_guard_takes_it_out(spec: RunSpec, seed: int) -> None:
    images = load(spec.data.sources)
    (task,) = analogy_tasks(images, spec.data, seed)
    sides = assign_sides(images, spec.data, seed)
    honest = (sides == TRAIN).nonzero().flatten()
    truths = sorted({one.d for one in task.analogies[TEST]})
    leaky = torch.cat([honest, torch.tensor(truths).repeat(3)])
    scores = {
        name: _score(images, task, spec, seed, indices)
        for name, indices in (("honest", honest), ("leaky", leaky))
    }
    assert scores["leaky"] < scores["honest"] - 0.001
    guard = Assignment(images, sides, leaky)
    assert not any(guard.unseen(truth) for truth in truths)
    assert all(Assignment(images, sides, honest).unseen(truth) for truth in truths)


def _score(images: Images, task: AnalogyTask, spec: RunSpec, seed: int, trained: torch.Tensor) -> float:
    """The error of composites of a network that learned from these images, whatever the guard says."""
    budget = vary(
        spec, {"train.steps": 200, "model.channels": (8, 16), "model.latent_dim": 16, "model.dropout": 0.0}
    )
    model = Autoencoder(budget.model, 0, 0)
    pictures = Pictures(images.pixels[trained], torch.full((len(trained),), -1))
    for _ in fit(model, iter([pictures] * 200), pictures, budget.train, 0):
        pass
    rows = CompositionEvaluator(model, images, (task,), spec.compose, seed).measured(task, TEST)
    return sum(float(row["error"]) for row in rows) / len(rows)


def test_a_gain_is_a_median_over_truths() -> None:
    rows = [
        {"d": d, "error": error, "copy": 1.0, "ceiling": 0.0}
        for d, error in (("x", 0.9), ("x", 0.7), ("y", 0.5), ("z", 0.4))
    ]
    assert gain(rows) == pytest.approx(0.5)


def test_a_study_trains_once_and_composes_with_the_same_weights(study: Study, store: Store) -> None:
    progress = run_study(study, store, InlineEngine(), 1)
    frame = results(study, store).set_index("arm")
    assert (progress.trained, progress.failed) == (3, {})
    assert frame.built_on["pair"] == ""
    assert set(frame.built_on[["mean", "PCA"]]) == {frame.run_id["pair"]}
    assert frame.test_mse.nunique() == 1
    alone = composing(study.settings["mean"], study.first_seed)
    assert frame.gain["mean"] == alone.metrics["gain"]
    for arm in study.arms:
        table = artifact(store, frame.run_id[arm], COMPOSITION)
        assert table is not None
        assert table.startswith(b"side,family,from,to,a,b,c,d,error")


@pytest.fixture
def plain(study: Study) -> Study:
    """A study of two networks that wants no gain."""
    arms: dict[str, dict[str, Any]] = {"wide": {}, "narrow": {"model.latent_dim": 4}}
    return replace(study, name="plain", arms=arms, measures={"test_mse": 0.1}, claims=())


@pytest.fixture
def with_gain(plain: Study) -> Study:
    """One of the same cells that does."""
    return replace(plain, name="with_gain", measures={"gain": 0.05})


def arms_of(study: Study, store: Store) -> pd.DataFrame:
    return results(study, store).set_index("arm")


def test_a_study_without_gains_composes_nothing(plain: Study, store: Store) -> None:
    assert run_study(plain, store, InlineEngine(), 1).trained == 2
    assert "gain" not in arms_of(plain, store)
    assert artifact(store, arms_of(plain, store).run_id["wide"], COMPOSITION) is None


@pytest.mark.parametrize("group", [False, True], ids=["alone", "together"])
def test_what_lacks_a_gain_is_measured_anew_with_its_own_weights(
    plain: Study, with_gain: Study, store: Store, group: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_study(plain, store, InlineEngine(), 1)
    if group:
        monkeypatch.setattr(engines, "work", lambda task: work_together([task])[0])
    assert (workload(with_gain, store, 1, 1).lacking, workload(plain, store, 1, 1).lacking) == (2, 0)
    assert run_study(with_gain, store, InlineEngine(), 1).failed == {}
    before, after = arms_of(plain, store), arms_of(with_gain, store)
    assert after.built_on.to_dict() == before.run_id.to_dict()
    assert (after.fingerprint == before.fingerprint).all()
    assert (after.test_mse == before.test_mse).all()
    alone = composing(plain.baseline, plain.first_seed)
    assert after.gain["wide"] == alone.metrics["gain"]
    assert best_run(store) == after.run_id[after.gain.idxmax()]
    # Of the two runs of a fingerprint, a third study takes the one that has what it measures.
    third = replace(with_gain, name="third")
    assert run_study(third, store, InlineEngine(), 1).reused == 2
    assert arms_of(third, store).reused_from.to_dict() == after.run_id.to_dict()


def test_runs_csv_is_the_same_whichever_study_came_first(
    plain: Study, with_gain: Study, store: Store, tmp_path: Path
) -> None:
    other = Store(tmp_path / "other")
    for where, order in ((store, (plain, with_gain)), (other, (with_gain, plain))):
        for one in order:
            run_study(one, where, InlineEngine(), 1)
    for one in (plain, with_gain):
        first, second = (runs_csv(one, results(one, where), 1) for where in (store, other))
        assert first == second


def test_weights_that_cannot_be_read_fail_their_own_cell_of_a_group(
    plain: Study, with_gain: Study, store: Store
) -> None:
    run_study(plain, store, InlineEngine(), 1)
    (kept,) = (store.root / "artifacts").rglob(f"{arms_of(plain, store).run_id['wide']}/**/{EMOJI.kept_file}")
    kept.write_bytes(kept.read_bytes()[:100])
    experiment = store.experiment("with_gain", {})
    tasks = [_task(with_gain, cell, store, experiment) for cell in with_gain.cells(1)]
    broken, sound = work_together(tasks)
    assert isinstance(broken, UserError)
    assert "are no safetensors" in str(broken)
    assert isinstance(sound, Outcome)
    assert "built_on" in store.client.get_run(sound.run_id).data.tags


def _task(study: Study, cell: Cell, store: Store, experiment: str) -> Task:
    version = EMOJI.version(cell.settings)
    versions = {EMOJI.source(cell.settings): version}
    key, trained = fingerprint_of(study, cell, versions), training_of(study, cell, versions)
    label = Label(study.name, cell.arm, cell.seed, key, version, trained)
    return Task(packed(EMOJI, cell.settings), label, experiment, store.root, ("gain",))


def test_what_every_truth_gained_comes_back_from_the_runs(study: Study, store: Store, tmp_path: Path) -> None:
    run_study(study, store, InlineEngine(), 1, seeds=2)
    reading = read(study, store)
    gains = reading.items[reading.items.measure == "gain"]
    medians = gains.groupby(["arm", "seed", "group"])["value"].median()
    numbers = reading.cells.set_index(["arm", "seed"]).gain
    assert medians.groupby(["arm", "seed"]).mean().to_dict() == pytest.approx(numbers.to_dict())
    for verdict in reading.analysis.verdicts:
        assert verdict.clustered is not None
        assert verdict.clustered.estimate == pytest.approx(verdict.estimate.mean)
    publish(study, store, tmp_path / "out")
    written = pd.read_csv(tmp_path / "out" / "items.csv")
    assert set(written["item"]) == set(reading.items["item"])
    assert pd.read_csv(tmp_path / "out" / "verdicts.csv").effective_n.gt(0).all()


def test_one_cell_of_every_training_comes_first(study: Study, store: Store) -> None:
    engine = InlineEngine()
    run_study(study, store, engine, 1, seeds=2)
    seeds = [study.first_seed, study.first_seed + 1]
    pairs, others = [("pair", n) for n in seeds], [(arm, n) for n in seeds for arm in ("mean", "PCA")]
    assert [(task.label.arm, task.label.seed) for task in engine.tasks] == pairs + others


def test_without_the_training_in_the_store_the_first_arm_trains(study: Study, store: Store) -> None:
    bare = replace(
        study, baseline=study.settings["mean"], arms={"mean": {}, "PCA": study.arms["PCA"]}, claims=()
    )
    run_study(bare, store, InlineEngine(), 1)
    frame = results(bare, store).set_index("arm")
    assert frame.built_on["PCA"] == frame.run_id["mean"]


def test_the_plan_counts_a_training_once(study: Study, store: Store) -> None:
    run_study(study, store, InlineEngine(), 1)
    more = workload(study, store, seeds=2, workers=1)
    assert (more.cells, more.complete, more.lacking) == (6, 3, 3)
    assert more.seconds is not None
    assert more.seconds > 0


def test_a_model_comes_back_from_its_run_and_from_one_that_took_its_weights(
    study: Study, store: Store
) -> None:
    run_study(study, store, InlineEngine(), 1)
    frame = results(study, store).set_index("arm")
    pixels = load(study.baseline.data.sources).pixels[:2]
    codes = [encode(model_of(store, frame.run_id[arm])[2], pixels) for arm in ("pair", "mean")]
    assert torch.equal(*codes)
    assert model_of(store, frame.run_id["mean"])[0].compose.method == "mean"
    assert model_of(store, frame.run_id["mean"])[1] == study.first_seed
    assert best_run(store) == frame.run_id["pair"]
    other = replace(study, name="other", arms={"mean": study.arms["mean"], "pair": {}}, claims=())
    run_study(other, store, InlineEngine(), 1)
    mirrored = results(other, store).set_index("arm")
    assert mirrored.built_on["mean"] == frame.run_id["pair"]
    assert torch.equal(encode(model_of(store, mirrored.run_id["mean"])[2], pixels), codes[0])


def test_any_three_pictures_compose_and_are_judged_where_the_truth_is_known(spec: RunSpec, seed: int) -> None:
    images = load(spec.data.sources)
    editor = LatentEditor(Autoencoder(spec.model, 0, seed), images, spec, seed)
    where = images.text.index
    blue, red, ring = where("large blue circle"), where("red heart"), where("large red circle")
    found = find_analogy(images, blue, red, ring)
    assert found is not None
    assert images.text[found[1].d] == "blue heart"
    composite = editor.compose(blue, red, ring, "mean", (0.0, 1.0))
    assert composite.gains[0] == 0
    assert composite.pictures.shape == (2, 3, 64, 64)
    assert find_analogy(images, blue, red, where("large green square")) is None
    assert editor.compose(blue, red, where("large green square"), "pair", (1.0,)).truth is None


def test_nothing_is_composed_where_there_is_no_task(faces: Path) -> None:
    spec = vary(composed, SMALL | {"data.sources": (str(faces),)})
    images = load((str(faces),))
    tasks = analogy_tasks(images, spec.data, 0)
    found = composition(Autoencoder(spec.model, 0, 0), images, tasks, spec.compose, 0)
    assert (found.numbers, found.rows, len(found.strips)) == ({}, (), 0)
    assert set(SIDES.values()) == {"seen", "unseen"}
