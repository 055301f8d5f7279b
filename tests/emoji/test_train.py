"""Training: same spec, same bits; observing changes nothing; the budget is kept; divergence is said."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ablation.emoji.determinism import deterministic
from ablation.emoji.evaluate import encode, evaluate, reconstruct
from ablation.emoji.experiment import EMOJI
from ablation.emoji.model import Autoencoder
from ablation.emoji.run import run
from ablation.emoji.seeds import generator
from ablation.emoji.spec import ModelSpec, TrainSpec
from ablation.emoji.train import Epoch, fit, rate
from ablation.emoji.training_data import Pictures
from ablation.experiment import Diverged
from ablation.settings import vary
from doubles import FakeRun, small_spec

SMALL = ModelSpec(channels=(4, 8), latent_dim=8)
BUDGET = TrainSpec(epochs=3, batch_size=8, loss_weight=0.5)
HALF = replace(BUDGET, precision="bfloat16")


def noise(count: int, name: str) -> Pictures:
    """Random pictures of two classes."""
    rng = generator(0, name)
    pixels = torch.randint(0, 256, (count, 3, 64, 64), generator=rng, dtype=torch.uint8)
    return Pictures(pixels, torch.arange(count) % 2)


TRAIN, VALIDATION = noise(20, "train"), noise(6, "validation")


def trained(
    spec: TrainSpec = BUDGET, seed: int = 0, observe: bool = False
) -> tuple[Autoencoder, list[Epoch]]:
    model = Autoencoder(SMALL, classes=2, seed=seed)
    epochs = []
    for epoch in fit(model, itertools.repeat(TRAIN), VALIDATION, spec, seed):
        epochs.append(epoch)
        if observe:
            torch.rand(3)
            evaluate(model, TRAIN.pixels, TRAIN.labels)
            encode(model, TRAIN.pixels)
            reconstruct(model, VALIDATION.pixels)
    return model, epochs


def weights(model: Autoencoder) -> Iterator[torch.Tensor]:
    return iter(model.state_dict().values())


def test_the_same_spec_gives_the_same_weights_bit_for_bit() -> None:
    assert all(itertools.starmap(torch.equal, zip(weights(trained()[0]), weights(trained()[0]), strict=True)))


def test_a_whole_run_of_a_spec_is_the_same_bit_for_bit(faces: Path) -> None:
    with deterministic():
        first, second = (run(small_spec(faces), 0) for _ in range(2))
    assert all(itertools.starmap(torch.equal, zip(weights(first.model), weights(second.model), strict=True)))
    assert first.metrics == second.metrics


def smallest() -> float:
    """1e-40, if this thread computes with numbers as small."""
    return float((torch.full((1,), 1e-30) * 1e-10)[0])


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("flush", [False, True])
def test_subnormal_numbers_are_flushed_where_it_is_asked_for_and_nowhere_else(
    before: bool, flush: bool
) -> None:
    if not torch.set_flush_denormal(before):
        pytest.skip("this processor cannot flush subnormal numbers")
    try:
        with deterministic(flush=flush):
            assert (smallest() == 0) == flush
        assert (smallest() == 0) == before
    finally:
        torch.set_flush_denormal(False)


@pytest.mark.parametrize("kind", ["keep", "flush"])
def test_a_run_computes_with_subnormal_numbers_or_without_as_its_settings_say(
    faces: Path, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not torch.set_flush_denormal(False):
        pytest.skip("this processor cannot flush subnormal numbers")
    seen, run = list[float](), FakeRun(tmp_path)
    monkeypatch.setattr(run, "log", lambda *_: seen.append(smallest()))
    EMOJI.train(vary(small_spec(faces), {"train.subnormals": kind}), 0, run)
    assert seen
    assert {one == 0 for one in seen} == {kind == "flush"}


@pytest.mark.parametrize(("budget", "steps"), [({"epochs": 3}, 9), ({"epochs": 0, "steps": 7}, 7)])
def test_a_rate_that_decays_falls_from_lr_to_almost_nothing(budget: dict[str, int], steps: int) -> None:
    spec = replace(BUDGET, decay="cosine", **budget)
    rates = [rate(spec, step, len(TRAIN)) for step in range(steps)]
    assert rates[0] == spec.lr
    assert rates == sorted(rates, reverse=True)
    assert 0 < rates[-1] < spec.lr / 10
    assert sum(rates) == pytest.approx(spec.lr * (steps + 1) / 2)
    model, _ = trained(spec)
    assert not any(itertools.starmap(torch.equal, zip(weights(model), weights(trained()[0]), strict=True)))


def test_another_seed_gives_other_weights() -> None:
    first, second = weights(trained()[0]), weights(trained(seed=1)[0])
    assert not all(itertools.starmap(torch.equal, zip(first, second, strict=True)))


def test_observing_changes_nothing() -> None:
    (plain, curve), (observed, same_curve) = trained(), trained(observe=True)
    assert all(itertools.starmap(torch.equal, zip(weights(plain), weights(observed), strict=True)))
    assert [epoch.metrics for epoch in curve] == [epoch.metrics for epoch in same_curve]


def test_evaluating_twice_gives_the_same_numbers_and_keeps_the_mode() -> None:
    model, _ = trained()
    model.train()
    first = evaluate(model, VALIDATION.pixels, VALIDATION.labels)
    assert first == evaluate(model, VALIDATION.pixels, VALIDATION.labels)
    assert model.training


def test_an_epoch_is_a_pass() -> None:
    _, epochs = trained()
    assert [epoch.number for epoch in epochs] == [1, 2, 3]
    assert [epoch.steps for epoch in epochs] == [3, 6, 9]
    assert {epoch.images for epoch in epochs} == {20}


def test_a_budget_of_steps_is_kept_to_the_step() -> None:
    _, epochs = trained(TrainSpec(steps=7, batch_size=8, loss_weight=0.5))
    assert [epoch.steps for epoch in epochs] == [3, 6, 7]
    assert epochs[-1].images == 8


def test_training_lowers_the_loss() -> None:
    _, epochs = trained(TrainSpec(epochs=15, batch_size=8, loss_weight=0.5))
    assert epochs[-1].metrics["train_mse"] < epochs[0].metrics["train_mse"]


def test_at_a_weight_of_zero_the_classifier_learns_and_the_code_never_hears_of_it() -> None:
    model, epochs = trained(TrainSpec(epochs=15, batch_size=8))
    assert epochs[-1].metrics["train_cross_entropy"] < epochs[0].metrics["train_cross_entropy"]
    alone = Autoencoder(SMALL, classes=0, seed=0)
    list(fit(alone, itertools.repeat(TRAIN), VALIDATION, TrainSpec(epochs=15, batch_size=8), 0))
    joint = model.state_dict()
    assert all(torch.equal(joint[name], value) for name, value in alone.state_dict().items())


def test_pictures_without_a_class_count_for_the_reconstruction_alone() -> None:
    some = Pictures(TRAIN.pixels, TRAIN.labels.clone().index_fill_(0, torch.arange(0, 20, 3), -1))
    none = Pictures(TRAIN.pixels, torch.full_like(TRAIN.labels, -1))
    (with_some,), (with_none,) = (
        list(fit(Autoencoder(SMALL, 2, 0), [pictures], VALIDATION, TrainSpec(epochs=1, loss_weight=1.0), 0))
        for pictures in (some, none)
    )
    assert with_some.metrics["train_mse"] == with_none.metrics["train_mse"]
    assert with_some.metrics["train_cross_entropy"] > 0
    assert with_none.metrics["train_cross_entropy"] == 0


def test_a_loss_that_is_not_finite_names_epoch_loss_and_what_to_try() -> None:
    with pytest.raises(Diverged, match=r"train_\w+ is (nan|inf) in epoch \d: try a train.lr below 1e\+06"):
        trained(TrainSpec(epochs=3, batch_size=8, lr=1e6, optimizer="sgd", loss_weight=0.5))


def test_mean_squared_error_is_that_of_a_pixel() -> None:
    model, _ = trained()
    numbers = evaluate(model, VALIDATION.pixels, VALIDATION.labels)
    with torch.no_grad():
        model.eval()
        error = (model(VALIDATION.pixels / 255).reconstruction - VALIDATION.pixels / 255).square().mean()
    assert numbers["mse"] == pytest.approx(error.item(), rel=1e-5)


def test_balanced_accuracy_is_the_mean_recall_of_a_class() -> None:
    model = Autoencoder(SMALL, classes=2, seed=0)
    with torch.no_grad():
        model.classifier.weight.zero_()
        model.classifier.bias.copy_(torch.tensor([1.0, 0.0]))  # always says class 0
    labels = torch.tensor([0, 0, 0, 0, 0, 1])
    numbers = evaluate(model, VALIDATION.pixels, labels)
    assert numbers["accuracy"] == pytest.approx(5 / 6)
    assert numbers["balanced_accuracy"] == pytest.approx(1 / 2)
    assert numbers["macro_f1"] == pytest.approx((10 / 11 + 0) / 2)


def test_half_precision_draws_the_same_and_keeps_weights_codes_and_measures_in_float32() -> None:
    full, half = (Autoencoder(SMALL, 2, 0) for _ in range(2))
    curves = [
        list(fit(m, itertools.repeat(TRAIN), VALIDATION, s, 0)) for m, s in ((full, BUDGET), (half, HALF))
    ]
    assert {p.dtype for p in half.parameters()} == {torch.float32}
    assert torch.equal(full.dropout.rng.get_state(), half.dropout.rng.get_state())
    # The products have 8 bits, so the curves are near each other; equal ones would mean that none was halved.
    for one, other in zip(*curves, strict=True):
        assert one.metrics != other.metrics
        assert other.metrics == pytest.approx(one.metrics, rel=0.05)
    alone = evaluate(half, VALIDATION.pixels, VALIDATION.labels)
    assert curves[1][-1].metrics["validation_mse"] == alone["mse"]


@pytest.mark.parametrize("part", ["encode", "decode", "forward"])
def test_whatever_leaves_the_network_under_autocast_is_float32(part: str) -> None:
    model, images = Autoencoder(SMALL, 2, 0), TRAIN.pixels / 255
    given = torch.randn(4, SMALL.latent_dim) if part == "decode" else images
    with torch.autocast("cpu", torch.bfloat16):
        left = getattr(model, part)(given)
    assert {t.dtype for t in (left if isinstance(left, tuple) else (left,))} == {torch.float32}


def test_dropout_masks_do_not_depend_on_the_precision() -> None:
    models = [Autoencoder(SMALL, 2, 0) for _ in range(2)]
    dropped = []
    for model, half in zip(models, (False, True), strict=True):
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            dropped.append(model.dropout(model.encode(TRAIN.pixels / 255)) == 0)
    assert torch.equal(*dropped)
    assert dropped[0].any()
