"""Composition as numbers of a run: a leak shows, the guard sees it, and nothing is trained twice."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

import engines
from ablation.emoji.composition.analogies import TEST, Deal
from ablation.emoji.composition.evaluator import SIDES, CompositionEvaluator
from ablation.emoji.composition.gains import gain
from ablation.emoji.composition.latent_editor import LatentEditor, place
from ablation.emoji.composition.measures import composition
from ablation.emoji.composition.tasks import AnalogyTask, askings
from ablation.emoji.data.images import Images
from ablation.emoji.data.sources import load
from ablation.emoji.data.split import deal
from ablation.emoji.evaluate import encode
from ablation.emoji.model import Autoencoder
from ablation.emoji.protocols import composed
from ablation.emoji.run import identify, run
from ablation.emoji.spec import RunSpec, flat, parse, trunk, vary
from ablation.emoji.train import fit
from ablation.emoji.training_data import Pictures
from ablation.emoji.weights import best_run, model_of
from ablation.errors import UserError
from ablation.report.publish import publish, read
from ablation.report.runs_csv import runs_csv
from ablation.runner.coordinate import run_study
from ablation.runner.plan import trunks_first
from ablation.runner.results import results
from ablation.runner.runtime import workload
from ablation.runner.together import work_together
from ablation.runner.worker import Outcome, Task
from ablation.study import Cell, Claim, Difference, Study
from ablation.tracking.artifacts import COMPOSITION, WEIGHTS, artifact
from ablation.tracking.label import Label
from ablation.tracking.store import Store
from analogies import draw_shapes
from engines import InlineEngine

SMALL = {"model.channels": (8, 16), "model.latent_dim": 8, "train.steps": 5, "train.batch_size": 8}


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_shapes(tmp_path_factory.mktemp("shapes") / "shapes.parquet")


@pytest.fixture(scope="module")
def spec(shapes: Path) -> RunSpec:
    """Of the first seed that has truths on both sides: the family is small."""
    base = vary(composed, SMALL | {"data.sources": (str(shapes),), "data.common": ""})
    images = load(base.data.sources)
    return next(vary(base, {"seed": n}) for n in range(20) if askings(images, base.data, n))


@pytest.fixture
def study(spec: RunSpec) -> Study:
    return Study(
        name="composing",
        question="Does the mean do better than the pair?",
        source="a double",
        baseline=vary(spec, {"seed": 0}),
        arms={
            "pair": {},
            "mean": {"compose.method": "mean"},
            "PCA": {"compose.method": "pca", "compose.weigh": True},
        },
        measures={"gain": 0.05, "gain_shape": 0.05},
        claims=(Claim("the mean does better", Difference("gain", "up", "mean")),),
        seeds=1,
        first_seed=spec.seed,
    )


def test_a_run_says_how_its_codes_compose(spec: RunSpec) -> None:
    result = run(spec, composing=True)
    rows = pd.DataFrame(result.composition.rows)
    unseen = rows[rows.side == "unseen"]
    assert set(unseen.family) == {"shape"}
    assert result.metrics["gain"] == result.metrics["gain_shape"]
    assert result.metrics["truths_shape"] == unseen.d.nunique()
    assert result.composition.strips.shape[1:] == (7, 3, 64, 64)
    assert run(spec, composing=True).composition.numbers == result.composition.numbers


def test_what_is_composed_changes_no_weight_and_no_other_number(spec: RunSpec) -> None:
    one = run(spec, composing=True)
    other = run(vary(spec, {"compose.method": "centre", "compose.strength": 0.5}), composing=True)
    assert all(
        torch.equal(a, b) for a, b in zip(one.model.parameters(), other.model.parameters(), strict=True)
    )
    assert one.metrics["test_mse"] == other.metrics["test_mse"]
    assert one.metrics["gain"] != other.metrics["gain"]
    assert one.fingerprint != other.fingerprint


def test_no_strength_is_no_gain(spec: RunSpec) -> None:
    still = run(vary(spec, {"compose.strength": 0.0}), composing=True)
    assert still.metrics["gain"] == 0


def test_the_spec_that_composes_as_the_report_did_is_its_own_trunk(spec: RunSpec) -> None:
    other = vary(spec, {"compose.method": "pca", "compose.rank": 2})
    assert trunk(spec) == spec
    assert trunk(other) == spec
    assert parse(flat(other)) == other


def test_a_planted_truth_raises_the_score_and_the_guard_takes_it_out(shapes: Path, spec: RunSpec) -> None:
    images = load((str(shapes),))
    (ask,) = askings(images, spec.data, spec.seed)
    dealt = deal(images, spec.data, spec.seed)
    honest = (dealt == 0).nonzero().flatten()
    truths = sorted({one.d for one in ask.asked[TEST]})
    leaky = torch.cat([honest, torch.tensor(truths).repeat(3)])
    scores = {
        name: _score(images, ask, spec, indices) for name, indices in (("honest", honest), ("leaky", leaky))
    }
    assert scores["leaky"] < scores["honest"] - 0.001
    guard = Deal(images, dealt, leaky)
    assert not any(guard.unseen(truth) for truth in truths)
    assert all(Deal(images, dealt, honest).unseen(truth) for truth in truths)


def _score(images: Images, ask: AnalogyTask, spec: RunSpec, trained: torch.Tensor) -> float:
    """The error of composites of a network that learned from these images, whatever the guard says."""
    budget = vary(
        spec, {"train.steps": 200, "model.channels": (8, 16), "model.latent_dim": 16, "model.dropout": 0.0}
    )
    model = Autoencoder(budget.model, 0, 0)
    pictures = Pictures(images.pixels[trained], torch.full((len(trained),), -1))
    for _ in fit(model, iter([pictures] * 200), pictures, budget.train, 0):
        pass
    rows = CompositionEvaluator(model, images, (ask,), budget).measured(ask, TEST)
    return sum(float(row["error"]) for row in rows) / len(rows)


def test_a_gain_is_a_median_over_truths() -> None:
    rows = [
        {"d": d, "error": error, "copy": 1.0, "ceiling": 0.0}
        for d, error in (("x", 0.9), ("x", 0.7), ("y", 0.5), ("z", 0.4))
    ]
    assert gain(rows) == pytest.approx(0.5)


def test_a_study_trains_a_trunk_once_and_composes_with_its_weights(study: Study, store: Store) -> None:
    progress = run_study(study, store, InlineEngine(), 1)
    frame = results(study, store).set_index("arm")
    assert (progress.trained, progress.failed) == (3, {})
    assert frame.built_on["pair"] == ""
    assert set(frame.built_on[["mean", "PCA"]]) == {frame.run_id["pair"]}
    assert frame.test_mse.nunique() == 1
    alone = run(vary(study.specs["mean"], {"seed": study.first_seed}), composing=True)
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
def asking(plain: Study) -> Study:
    """One of the same cells that does."""
    return replace(plain, name="asking", measures={"gain": 0.05})


def arms_of(study: Study, store: Store) -> pd.DataFrame:
    return results(study, store).set_index("arm")


def test_a_study_without_gains_composes_nothing(plain: Study, store: Store) -> None:
    assert run_study(plain, store, InlineEngine(), 1).trained == 2
    assert "gain" not in arms_of(plain, store)
    assert artifact(store, arms_of(plain, store).run_id["wide"], COMPOSITION) is None


@pytest.mark.parametrize("group", [False, True], ids=["alone", "together"])
def test_what_lacks_a_gain_is_measured_anew_with_its_own_weights(
    plain: Study, asking: Study, store: Store, group: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_study(plain, store, InlineEngine(), 1)
    if group:
        monkeypatch.setattr(engines, "work", lambda task: work_together([task])[0])
    assert (workload(asking, store, 1, 1).lacking, workload(plain, store, 1, 1).lacking) == (2, 0)
    assert run_study(asking, store, InlineEngine(), 1).failed == {}
    before, after = arms_of(plain, store), arms_of(asking, store)
    assert after.built_on.to_dict() == before.run_id.to_dict()
    assert (after.fingerprint == before.fingerprint).all()
    assert (after.test_mse == before.test_mse).all()
    alone = run(vary(plain.baseline, {"seed": plain.first_seed}), composing=True)
    assert after.gain["wide"] == alone.metrics["gain"]
    assert best_run(store) == after.run_id[after.gain.idxmax()]
    # Of the two runs of a fingerprint, a third study takes the one that has what it measures.
    third = replace(asking, name="third")
    assert run_study(third, store, InlineEngine(), 1).reused == 2
    assert arms_of(third, store).reused_from.to_dict() == after.run_id.to_dict()


def test_runs_csv_is_the_same_whichever_study_came_first(
    plain: Study, asking: Study, store: Store, tmp_path: Path
) -> None:
    other = Store(tmp_path / "other")
    for where, order in ((store, (plain, asking)), (other, (asking, plain))):
        for one in order:
            run_study(one, where, InlineEngine(), 1)
    for one in (plain, asking):
        first, second = (runs_csv(one, results(one, where), 1) for where in (store, other))
        assert first == second


def test_weights_that_cannot_be_read_fail_their_own_cell_of_a_group(
    plain: Study, asking: Study, store: Store
) -> None:
    run_study(plain, store, InlineEngine(), 1)
    (kept,) = (store.root / "artifacts").rglob(f"{arms_of(plain, store).run_id['wide']}/**/{WEIGHTS}")
    kept.write_bytes(kept.read_bytes()[:100])
    experiment = store.experiment("asking", {})
    tasks = [_task(cell, store, experiment) for cell in asking.cells(1)]
    broken, sound = work_together(tasks)
    assert isinstance(broken, UserError)
    assert "are no safetensors" in str(broken)
    assert isinstance(sound, Outcome)
    assert sound.built


def _task(cell: Cell, store: Store, experiment: str) -> Task:
    found = identify(cell.spec)
    label = Label("asking", cell.arm, found.fingerprint, found.data)
    return Task(cell.spec, label, experiment, store.root, ("gain",))


def test_what_every_truth_gained_comes_back_from_the_runs(study: Study, store: Store, tmp_path: Path) -> None:
    run_study(study, store, InlineEngine(), 1, seeds=2)
    reading = read(study, store)
    medians = (
        reading.truths[reading.truths.measure == "gain"].groupby(["arm", "seed", "family"]).gain.median()
    )
    numbers = reading.cells.set_index(["arm", "seed"]).gain
    assert medians.groupby(["arm", "seed"]).mean().to_dict() == pytest.approx(numbers.to_dict())
    for verdict, over in zip(reading.analysis.verdicts, reading.analysis.crossed, strict=True):
        assert over is not None
        assert over.estimate == pytest.approx(verdict.estimate.mean)
    publish(study, store, tmp_path / "out")
    written = pd.read_csv(tmp_path / "out" / "truths.csv")
    assert set(written.truth) == set(reading.truths.truth)
    assert pd.read_csv(tmp_path / "out" / "verdicts.csv").effective_n.gt(0).all()


def test_one_cell_of_every_training_comes_first(study: Study) -> None:
    cells = {f"{cell.arm} {cell.seed}": cell for cell in study.cells(2)}
    seeds = [study.first_seed, study.first_seed + 1]
    pairs, others = [f"pair {n}" for n in seeds], [f"{arm} {n}" for n in seeds for arm in ("mean", "PCA")]
    assert list(trunks_first(cells)) == pairs + others


def test_without_a_trunk_in_the_store_the_first_arm_trains_it(study: Study, store: Store) -> None:
    bare = replace(
        study, baseline=study.specs["mean"], arms={"mean": {}, "PCA": study.arms["PCA"]}, claims=()
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
    codes = [encode(model_of(store, frame.run_id[arm])[1], pixels) for arm in ("pair", "mean")]
    assert torch.equal(*codes)
    assert model_of(store, frame.run_id["mean"])[0].compose.method == "mean"
    assert best_run(store) == frame.run_id["pair"]
    other = replace(study, name="other", arms={"mean": study.arms["mean"], "pair": {}}, claims=())
    run_study(other, store, InlineEngine(), 1)
    mirrored = results(other, store).set_index("arm")
    assert mirrored.built_on["mean"] == frame.run_id["pair"]
    assert torch.equal(encode(model_of(store, mirrored.run_id["mean"])[1], pixels), codes[0])


def test_any_three_pictures_are_mixed_and_judged_where_the_truth_is_known(
    shapes: Path, spec: RunSpec
) -> None:
    images = load((str(shapes),))
    model = Autoencoder(spec.model, 0, spec.seed)
    mixer = LatentEditor(model, images, spec)
    where = images.text.index
    blue, red, ring = where("large blue circle"), where("red heart"), where("large red circle")
    found = place(images, blue, red, ring)
    assert found is not None
    assert images.text[found.truth] == "blue heart"
    mix = mixer.mix(blue, red, ring, "mean", (0.0, 1.0))
    assert mix.gains[0] == 0
    assert mix.pictures.shape == (2, 3, 64, 64)
    assert place(images, blue, red, where("large green square")) is None
    assert mixer.mix(blue, red, where("large green square"), "pair", (1.0,)).truth is None


def test_nothing_is_composed_where_nothing_is_asked(faces: Path) -> None:
    spec = vary(composed, SMALL | {"data.sources": (str(faces),)})
    images = load((str(faces),))
    found = composition(Autoencoder(spec.model, 0, 0), images, spec)
    assert (found.numbers, found.rows, len(found.strips)) == ({}, (), 0)
    assert set(SIDES.values()) == {"seen", "unseen"}
