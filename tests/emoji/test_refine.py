"""Refiners: off they change nothing, on they are trained after the network and apart from what is tested."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ablation.emoji import likeness
from ablation.emoji.caveats import refiner_caveats
from ablation.emoji.composition.evaluator import composition
from ablation.emoji.cost import composing_flops, refining_flops, run_flops
from ablation.emoji.data.sources import load
from ablation.emoji.determinism import deterministic
from ablation.emoji.evaluate import decode, encode, evaluate
from ablation.emoji.experiment import EMOJI
from ablation.emoji.likeness import edge_energy, features, kernel_distance, measure_likeness, scaled
from ablation.emoji.measures import KERNEL_DISTANCE, NEARER_TO_TRAINING, RECOGNISED, SHARPNESS
from ablation.emoji.model import Autoencoder
from ablation.emoji.protocols import composed
from ablation.emoji.refine import Discriminator, Grain, Refiner, train_refiner
from ablation.emoji.replicas import run_together
from ablation.emoji.run import prepare, run
from ablation.emoji.seeds import generator
from ablation.emoji.spec import ModelSpec, RefineSpec, RunSpec, parse, training
from ablation.emoji.training_data import Pictures
from ablation.emoji.weights import FILE, REFINER, model_of
from ablation.errors import UserError
from ablation.experiment import Diverged
from ablation.fingerprint import fingerprint
from ablation.runner.results import results
from ablation.runner.scheduler import run_study
from ablation.settings import flat, vary
from ablation.study import Study
from ablation.tracking.store import Store
from analogies import draw_shapes
from doubles import FakeRun, draw_faces, small_spec
from engines import InlineEngine

KINDS = ("plain", "adversarial")
GRAIN = {"refine.kind": "grain", "refine.grain": 0.1}
LIKENESS = (SHARPNESS, RECOGNISED, NEARER_TO_TRAINING, KERNEL_DISTANCE)
SMALL = ModelSpec(channels=(4, 8), latent_dim=8)


def refining(kind: str, steps: int = 4) -> dict[str, object]:
    return {"refine.kind": kind, "refine.steps": steps}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> RunSpec:
    """Drawn faces, a tiny network, and batches of 8."""
    spec = small_spec(draw_faces(tmp_path_factory.mktemp("faces") / "faces.parquet"))
    return vary(spec, {"train.epochs": 0, "train.steps": 3, "train.batch_size": 8})


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> RunSpec:
    parquet = draw_shapes(tmp_path_factory.mktemp("shapes") / "shapes.parquet")
    tiny = {"model.channels": (4, 8), "model.latent_dim": 8, "train.steps": 6, "train.batch_size": 8}
    return vary(composed, tiny | {"data.sources": (str(parquet),), "data.common": ""})


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def pictures(count: int = 12, seed: int = 0) -> Tensor:
    """Random pictures with edges, black and white: uint8 (n, 3, 64, 64)."""
    blocks = torch.rand(count, 3, 16, 16, generator=generator(seed, "pictures")) * 1.4 - 0.2
    return (blocks.clamp(0, 1).repeat_interleave(4, 2).repeat_interleave(4, 3) * 255).round().to(torch.uint8)


class Drawing(Autoencoder):
    """A network whose code is a picture, which it draws after `change`: so a double decides what is drawn."""

    def __init__(self, change: Callable[[Tensor], Tensor] = lambda given: given) -> None:
        super().__init__(SMALL, 0, 0)
        self.change = change

    def encode(self, images: Tensor) -> Tensor:
        return images.flatten(1)

    def decode(self, codes: Tensor) -> Tensor:
        return self.change(codes.unflatten(1, (3, 64, 64)))


def likeness_of(change: Callable[[Tensor], Tensor], real: Tensor, trained: Tensor) -> dict[str, float]:
    single, whole = measure_likeness(Drawing(change), real, torch.arange(len(real)), trained, LIKENESS)
    return {name: one.mean for name, one in single.items()} | whole


def blurred(given: Tensor) -> Tensor:
    return torch.nn.functional.avg_pool2d(given, 5, stride=1, padding=2, count_include_pad=False)


# What is off


def test_runs_without_a_refiner_keep_their_fingerprints_and_each_refiner_has_its_own() -> None:
    assert fingerprint(EMOJI, composed, 0, "data") == "7317e2a0e589c7ec"
    specs = [vary(composed, {"refine.kind": kind}) for kind in ("none", *KINDS)]
    specs.append(vary(specs[2], {"refine.adversarial_weight": 0.5}))
    specs += [vary(composed, GRAIN), vary(composed, GRAIN | {"refine.grain": 0.2})]
    prints = [fingerprint(EMOJI, one, 0, "data") for one in specs]
    assert prints[0] == "7317e2a0e589c7ec"
    assert prints[1:3] == ["a0ff5dfc5f5a6824", "5ff76f5941a9dec8"]
    assert len({*prints}) == 6
    assert all(training(one) == composed for one in specs)
    assert all(EMOJI.program(one) is not None for one in specs)
    earlier = {name: value for name, value in flat(composed).items() if not name.startswith("refine.")}
    assert parse(earlier) == composed


@pytest.mark.parametrize("changes", [*map(refining, KINDS), GRAIN])
def test_a_refiner_changes_no_bit_of_the_network_and_none_of_its_curves(
    small: RunSpec, changes: dict[str, object]
) -> None:
    with deterministic():
        without, refined = run(small, 0), run(vary(small, changes), 0)
    own = refined.model.state_dict()
    assert equal(
        without.model.state_dict(), {n: one for n, one in own.items() if not n.startswith("refiner.")}
    )
    assert [one.metrics for one in without.history] == [one.metrics for one in refined.history]
    assert torch.equal(without.model.dropout.rng.get_state(), refined.model.dropout.rng.get_state())
    assert without.metrics["test_accuracy"] == refined.metrics["test_accuracy"]
    assert without.metrics["test_mse"] != refined.metrics["test_mse"]


def test_a_refiner_that_learned_nothing_draws_what_the_decoder_draws() -> None:
    given = pictures(4) / 255
    assert torch.equal(Refiner()(given), given)


@pytest.mark.parametrize("kind", KINDS)
def test_equal_seeds_give_equal_refiners_and_torchs_own_stream_is_left_alone(
    small: RunSpec, kind: str
) -> None:
    prepared, spec = prepare(small, 0), RefineSpec(kind=kind, steps=3)
    learned = next(prepared.pictures.passes)
    before, states = torch.get_rng_state(), []
    with deterministic():
        for seed in (0, 0, 1):
            states.append(train_refiner(prepared.model, learned, spec, 8, seed).state_dict())
    assert equal(states[0], states[1])
    assert not equal(states[0], states[2])
    assert torch.equal(torch.get_rng_state(), before)
    assert prepared.model.training  # as it was


def test_the_kinds_differ_in_the_adversarial_loss_alone(small: RunSpec) -> None:
    prepared = prepare(small, 0)
    learned, steps = next(prepared.pictures.passes), 3

    def taught(**settings: object) -> dict[str, Tensor]:
        spec = RefineSpec(steps=steps, **settings)  # type: ignore[arg-type]
        return train_refiner(prepared.model, learned, spec, 8, 0).state_dict()

    plain, weightless = taught(kind="plain"), taught(kind="adversarial", adversarial_weight=1e-12)
    for name, one in plain.items():
        assert torch.allclose(one, weightless[name], atol=1e-4)
    heavy = taught(kind="adversarial", adversarial_weight=1.0)
    assert not all(torch.allclose(one, heavy[name], atol=1e-4) for name, one in plain.items())


# What it learns from


def test_a_refiner_learns_from_training_pictures_alone(
    small: RunSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Pictures] = []

    def watch(model: Autoencoder, learned: Pictures, *more: object) -> Refiner:
        given.append(learned)
        return train_refiner(model, learned, *more)  # type: ignore[arg-type]

    monkeypatch.setattr("ablation.emoji.run.train_refiner", watch)
    result = run(vary(small, refining("adversarial", 1)), 0)
    sets, images = prepare(small, 0).pictures.sets, load(small.data.sources)
    held_out = {images.subject[n] for part in (sets.validation, sets.test) for n in part.index.tolist()}
    assert not {images.subject[n] for n in sets.train.index.tolist()} & held_out
    (learned,) = given
    assert len(learned) == len(sets.train)
    originals = sets.train.copy == 0
    assert torch.equal(learned.pixels[originals], images.pixels[sets.train.index[originals]])
    assert result.model.refiner is not None


def test_a_refiner_lowers_the_error_of_what_it_learned_from(small: RunSpec) -> None:
    prepared = prepare(vary(small, {"train.batch_size": 8}), 0)
    model, learned = prepared.model, next(prepared.pictures.passes)
    errors = []
    for steps in (1, 40):
        model.refiner = None
        model.refiner = train_refiner(model, learned, RefineSpec(kind="plain", steps=steps), 8, 0)
        drawn = decode(model, encode(model, learned.pixels))
        errors.append(float((drawn - learned.pixels / 255).square().mean()))
    assert errors[1] < 0.6 * errors[0]


def test_a_rate_that_is_too_high_is_said_in_a_sentence(small: RunSpec) -> None:
    with pytest.raises(Diverged, match=r"refine\.lr below"):
        run(vary(small, refining("plain", 6) | {"refine.lr": 1e38}), 0)


# What it draws


@pytest.mark.parametrize("output", ["sigmoid", "linear"])
def test_no_refined_value_is_below_black_or_above_white(small: RunSpec, output: str) -> None:
    spec = vary(small, refining("adversarial", 5) | {"refine.lr": 0.05, "model.output": output})
    model = run(spec, 0).model
    codes = 50 * torch.randn(8, 8, generator=generator(0, "codes"))
    with torch.no_grad():
        drawn = model.eval().decode(codes)
    assert drawn.min() >= 0
    assert drawn.max() <= 1


def test_grain_is_noise_of_its_strength_alike_on_every_picture_and_another_under_another_seed() -> None:
    grey, grain = torch.full((3, 3, 64, 64), 0.5), Grain(0.1, 0)
    added = grain(grey) - grey
    assert float(added.std()) == pytest.approx(0.1, rel=0.03)
    assert float(added.mean()) == pytest.approx(0, abs=0.005)
    assert torch.equal(grain(grey), grain(grey[:1]).expand(3, -1, -1, -1))
    assert torch.equal(grain(grey), Grain(0.1, 0)(grey))
    assert not torch.equal(grain(grey), Grain(0.1, 1)(grey))
    neighbours = torch.stack([added[0, :, :, :-1].flatten(), added[0, :, :, 1:].flatten()])
    assert abs(float(torch.corrcoef(neighbours)[0, 1])) < 0.05
    ends = torch.cat([torch.zeros(1, 3, 64, 64), torch.ones(1, 3, 64, 64)])
    assert grain(ends).min() == 0
    assert grain(ends).max() == 1


def test_grain_fools_sharpness_and_kernel_distance_and_neither_the_error_nor_a_gain(shapes: RunSpec) -> None:
    """Why the study sets a refiner against grain, and which measures it can be set against it by."""
    real = pictures(60)
    trained = pictures(20, seed=1)

    def blur(given: Tensor) -> Tensor:
        return 0.8 * blurred(given) + 0.1

    plain = likeness_of(blur, real, trained)
    grainy = likeness_of(lambda given: Grain(0.1, 0)(blur(given)), real, trained)
    assert grainy[SHARPNESS] > 1.5 * plain[SHARPNESS]
    assert grainy[KERNEL_DISTANCE] < 0.8 * plain[KERNEL_DISTANCE]
    assert grainy[RECOGNISED] == plain[RECOGNISED]
    assert grainy[NEARER_TO_TRAINING] == plain[NEARER_TO_TRAINING]
    prepared = prepare(shapes, 0, ["gain"])
    model, how = prepared.model, shapes.compose
    found = []
    for refiner in (None, Grain(0.1, 0)):
        model.refiner = refiner
        rows = composition(model, prepared.images, prepared.tasks, how, 0).rows
        errors = [(float(row["error"]), float(row["copy"])) for row in rows]
        found.append([(error, copy - error) for error, copy in errors])
    for (error, gained), (with_grain, gained_with_grain) in zip(*found, strict=True):
        assert with_grain - error == pytest.approx(0.1**2, rel=0.4)
        assert gained_with_grain == pytest.approx(gained, abs=0.05 * 0.1**2)


def test_a_discriminator_judges_patches_and_no_layer_stretches_a_picture() -> None:
    judge = Discriminator().train()
    given = pictures(4) / 255
    for _ in range(50):
        said = judge(given)
    assert said.shape == (4, 1, 16, 16)
    far = given.clone()
    far[:, :, 40:] = 1 - far[:, :, 40:]
    judge.eval()
    assert torch.equal(judge(given)[..., 0, :], judge(far)[..., 0, :])
    for layer in (one for one in judge if isinstance(one, torch.nn.Conv2d)):
        stretch = torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2)
        assert float(stretch) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("kind", KINDS)
def test_target_and_truth_of_a_gain_are_refined_as_the_composite_is(shapes: RunSpec, kind: str) -> None:
    prepared = prepare(shapes, 0, ["gain"])
    model, learned = prepared.model, next(prepared.pictures.passes)
    how = vary(shapes, {"compose.method": "unedited", "compose.redrawn": True}).compose

    def rows() -> list[dict[str, object]]:
        return [dict(row) for row in composition(model, prepared.images, prepared.tasks, how, 0).rows]

    plain = rows()
    model.refiner = train_refiner(model, learned, RefineSpec(kind=kind, steps=30), 8, 0)
    refined = rows()
    assert refined
    for before, after in zip(plain, refined, strict=True):
        assert after["error"] == pytest.approx(after["copy"], abs=1e-4)  # the target, drawn: a gain of 0
        assert after["copy"] != before["copy"]
        assert after["ceiling"] != before["ceiling"]


# What is kept


def test_a_refined_run_takes_the_training_of_another_and_keeps_its_refiner(
    small: RunSpec, tmp_path: Path
) -> None:
    plain, spec = FakeRun(tmp_path / "plain"), vary(small, refining("adversarial"))
    alone, built = FakeRun(tmp_path / "alone", LIKENESS), FakeRun(tmp_path / "built", LIKENESS)
    for one in (plain, alone, built):
        one.folder.mkdir()
    EMOJI.train(small, 0, plain)
    own = fingerprint(EMOJI, small, 0, EMOJI.version(small))
    built.trained = plain.left(own, FILE)
    numbers = [dict(EMOJI.train(spec, 0, one)) for one in (alone, built)]
    for found in numbers:
        for name in EMOJI.machine_metrics:
            del found[name]
    assert numbers[0] == numbers[1]
    assert alone.artifacts[REFINER] == built.artifacts[REFINER]
    assert FILE in alone.artifacts
    assert FILE not in built.artifacts
    assert REFINER not in plain.artifacts
    assert {SHARPNESS, KERNEL_DISTANCE} <= numbers[0].keys()


def test_a_study_trains_one_network_and_its_refiners_and_gives_each_network_back(
    small: RunSpec, store: Store
) -> None:
    arms: dict[str, dict[str, object]] = {"decoder": {}, "grain": GRAIN}
    arms |= {kind: refining(kind) for kind in KINDS}
    study = Study(
        name="refiners", question="?", source="a double", baseline=small, arms=arms, seeds=1,
        measures={"test_mse": 0.01, SHARPNESS: 0.1}, claims=(),
    )  # fmt: skip
    assert run_study(study, store, InlineEngine(), 1).failed == {}
    frame = results(study, store).set_index("arm")
    assert set(frame.built_on[[*KINDS, "grain"]]) == {frame.run_id["decoder"]}
    assert frame.test_mse.nunique() == 4
    for arm in arms:
        spec, seed, model = model_of(store, frame.run_id[arm])
        test = prepare(spec, seed).pictures.test
        assert (model.refiner is None) == (arm == "decoder")
        error = evaluate(model, test.pixels, test.labels)["mse"]
        assert error == pytest.approx(frame.test_mse[arm], rel=1e-6)
    folder = store.root / "artifacts" / "refiners" / frame.run_id["plain"] / "artifacts"
    (folder / REFINER).write_bytes(b"")
    with pytest.raises(UserError, match="are no safetensors"):
        model_of(store, frame.run_id["plain"])


def test_networks_that_train_together_have_their_refiners(small: RunSpec) -> None:
    spec = vary(small, {"augment.copies": 0} | refining("plain"))
    alone, (together,) = run(spec, 0), run_together([(spec, 0)])
    assert not isinstance(together, Diverged)
    assert together.model.refiner is not None
    assert together.metrics["test_mse"] == pytest.approx(alone.metrics["test_mse"], rel=0.02)


def test_every_fold_has_a_refiner_of_its_own(small: RunSpec) -> None:
    spec = vary(small, {"data.folds": 3, "augment.copies": 0} | refining("plain", 2))
    result = run(spec, 0, measures=[SHARPNESS, KERNEL_DISTANCE])
    assert result.metrics[KERNEL_DISTANCE] == result.metrics[KERNEL_DISTANCE]
    kept = result.items[result.items.measure == SHARPNESS]
    assert len(kept) == result.metrics["images_test"] == 35
    assert kept.value.mean() == pytest.approx(result.metrics[SHARPNESS])


# What it costs


def test_a_plan_counts_a_refiner_and_an_adversarial_one_costs_more(small: RunSpec) -> None:
    costs = [refining_flops(vary(small, {"refine.kind": kind})) for kind in ("none", *KINDS)]
    assert costs[0] == 0 < costs[1] < costs[2] < 3 * costs[1]
    assert refining_flops(vary(small, GRAIN)) == 0
    refined = vary(small, {"refine.kind": "plain"})
    assert run_flops(refined, 30, 10) - run_flops(small, 30, 10) == costs[1]
    assert EMOJI.cost(refined, 0, reuses=True) == composing_flops(small) + costs[1]


def test_a_report_says_who_redraws_and_a_smoke_budget_is_one_for_refiners_too(small: RunSpec) -> None:
    arms: dict[str, dict[str, object]] = {"decoder": {}, "plain": refining("plain", 1000), "grain": GRAIN}
    study = Study(
        name="quick", question="?", source="a double", baseline=small, arms=arms, seeds=1,
        measures={"test_mse": 0.01}, claims=(),
    )  # fmt: skip
    plain, grain = refiner_caveats(study)
    assert plain.startswith("In plain a refiner, trained for 1000 optimiser steps more, redraws every")
    assert grain.startswith("In grain noise with a standard deviation of 0.1, where white is 1, is added to")
    assert study.smoke().settings["plain"].refine.steps <= 20
    assert study.smoke().settings["decoder"].refine == RefineSpec()
    assert study.smoke().settings["grain"].refine == RefineSpec(kind="grain", grain=0.1)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"refine.steps": 5}, "refine.steps is of another refiner, but refine.kind is 'none'"),
        ({"refine.kind": "plain", "refine.adversarial_weight": 0.1}, "take the kind 'adversarial'"),
        ({"refine.kind": "plain", "refine.discriminator_lr": 0.1}, "refine.discriminator_lr"),
        ({"refine.kind": "gan"}, "refine.kind"),
        ({"refine.kind": "grain"}, "refine.grain is 0: set its standard deviation"),
        ({"refine.kind": "plain", "refine.grain": 0.1}, "take the kind 'grain'"),
        (GRAIN | {"refine.steps": 5}, "refine.steps is of another refiner, but refine.kind is 'grain'"),
        ({"refine.kind": "adversarial", "refine.adversarial_weight": 0.0}, "above 0"),
    ],
)
def test_settings_without_meaning_are_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(UserError, match=said):
        vary(composed, changes)


# What is measured


def test_real_pictures_are_as_sharp_as_real_their_own_and_at_no_distance() -> None:
    found = likeness_of(lambda given: given, pictures(40), pictures(seed=1))
    assert found[SHARPNESS] == 1
    assert found[RECOGNISED] == 1
    assert found[NEARER_TO_TRAINING] == 0
    assert found[KERNEL_DISTANCE] <= 0  # unbiased for two samples, and one is none of the other


def test_a_blur_is_less_sharp_and_farther_and_noise_is_sharper_and_farther() -> None:
    real = pictures(40)
    noise = torch.rand(40, 3, 64, 64, generator=generator(0, "noise")) - 0.5
    same = likeness_of(lambda given: given, real, pictures(seed=1))
    soft = likeness_of(blurred, real, pictures(seed=1))
    rough = likeness_of(lambda given: (given + noise).clamp(0, 1), real, pictures(seed=1))
    assert soft[SHARPNESS] < 0.5
    assert rough[SHARPNESS] > 1.5
    assert same[KERNEL_DISTANCE] < min(soft[KERNEL_DISTANCE], rough[KERNEL_DISTANCE])


def test_an_edge_has_more_energy_than_the_same_edge_blurred() -> None:
    edge = torch.zeros(1, 3, 64, 64)
    edge[..., 32:] = 1
    assert edge_energy(edge)[0] > 3 * edge_energy(blurred(edge))[0]
    assert edge_energy(edge)[0] == pytest.approx(1 / 63 / 2)
    assert edge_energy(torch.full((1, 3, 64, 64), 0.3))[0] == 0


def test_pictures_of_one_colour_have_no_sharpness() -> None:
    real = pictures(4)
    real[0] = 7
    single, _ = measure_likeness(Drawing(), real, torch.tensor([5, 6, 7, 8]), real, [SHARPNESS])
    assert single[SHARPNESS].index.tolist() == [6, 7, 8]
    assert measure_likeness(Drawing(), real[:1], torch.tensor([5]), real, LIKENESS)[1] == {}


def test_who_draws_training_pictures_is_found_out() -> None:
    real, trained = pictures(), pictures(seed=1)
    copied = likeness_of(lambda given: trained[: len(given)] / 255, real, trained)
    assert copied[NEARER_TO_TRAINING] == 1
    assert copied[SHARPNESS] == pytest.approx(1, abs=0.2)
    shuffled = likeness_of(lambda given: given.roll(1, 0), real, trained)
    assert shuffled[RECOGNISED] == 0
    assert shuffled[NEARER_TO_TRAINING] < 1


def test_a_picture_that_training_has_too_is_no_copy_of_it() -> None:
    real = pictures()
    found = likeness_of(blurred, real, real)
    assert found[NEARER_TO_TRAINING] == 0
    assert likeness_of(lambda given: given, torch.cat([real, real]), real)[RECOGNISED] == 1


def test_the_kernel_distance_is_zero_between_halves_of_one_set_and_grows_with_a_shift() -> None:
    draws = torch.randn(2000, 16, generator=generator(0, "draws")).double()
    halves = [kernel_distance(draws[:1000], draws[1000:] + shift) for shift in (0, 0.5, 1)]
    assert abs(halves[0]) < 0.05
    assert halves[0] + 0.1 < halves[1] < halves[2]
    swapped = kernel_distance(draws[50:90], draws[:50])
    assert kernel_distance(draws[:50], draws[50:90]) == pytest.approx(swapped, rel=1e-9)


def test_features_are_those_of_every_run_and_scaled_by_real_pictures_alone() -> None:
    real, other = pictures(), pictures(seed=1)
    first = features(real)
    likeness._convolutions.cache_clear()
    assert torch.equal(first, features(real))
    assert first.shape == (len(real), sum(likeness.MAPS))
    moved, kept = scaled(features(other), first)
    assert kept.mean(0).abs().max() < 1e-9
    assert kept.var(0).mean() == pytest.approx(1)
    assert torch.allclose(moved - kept, (features(other) - first) / first.var(0).mean().sqrt())


def test_what_is_not_asked_is_not_taken(small: RunSpec) -> None:
    assert not {*LIKENESS} & run(small, 0).metrics.keys()
    assert all(EMOJI.on_demand(name) for name in LIKENESS)
    assert measure_likeness(Drawing(), pictures(), torch.arange(12), pictures(), []) == ({}, {})
