"""Replicas trained as one program are what `fit` makes of each alone, whatever their company."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ablation.emoji.experiment import EMOJI
from ablation.emoji.model import Autoencoder
from ablation.emoji.replicas import TOLERANCE, Replica, fit_together
from ablation.emoji.seeds import generator
from ablation.emoji.spec import ModelSpec, TrainSpec
from ablation.emoji.train import Epoch, fit
from ablation.emoji.training_data import Pictures
from ablation.errors import UserError
from ablation.experiment import Diverged
from ablation.fingerprint import fingerprint
from ablation.settings import vary
from doubles import FakeRun, small_spec

SMALL = ModelSpec(channels=(4, 8), latent_dim=8)
DEEP = ModelSpec(channels=(4, 4, 4, 4), latent_dim=8)  # its inner maps are up to `model.SMALL`
BUDGET = TrainSpec(epochs=3, batch_size=8, loss_weight=0.5)
Trained = tuple[Autoencoder, list[Epoch | Diverged]]


def noise(count: int, name: str) -> Pictures:
    rng = generator(0, name)
    pixels = torch.randint(0, 256, (count, 3, 64, 64), generator=rng, dtype=torch.uint8)
    return Pictures(pixels, torch.arange(count) % 3 - 1)


VALIDATION = noise(6, "validation")


def replica(seed: int, spec: TrainSpec = BUDGET, images: int = 20, model: ModelSpec = SMALL) -> Replica:
    """One that learns from `images` pictures, new ones in each pass."""
    passes = [noise(images, f"train {seed} {number}") for number in range(9)]
    return Replica(Autoencoder(model, 2, seed), passes, VALIDATION, spec, seed)


def alone(one: Replica) -> Trained:
    return one.model, list(fit(one.model, one.passes, one.validation, one.spec, one.seed))


def together(*replicas: Replica) -> list[Trained]:
    ended: list[list[Epoch | Diverged]] = [[] for _ in replicas]
    for number, epoch in fit_together(replicas):
        ended[number].append(epoch)
    return [(one.model, epochs) for one, epochs in zip(replicas, ended, strict=True)]


def check(got: Trained, want: Trained, tolerance: float = TOLERANCE) -> None:
    """Weights, curves and counts alike, and as much drawn from dropout's stream."""
    for (name, one), other in zip(got[0].named_parameters(), want[0].parameters(), strict=True):
        assert (one - other).abs().max() <= tolerance * other.abs().max(), name
    assert torch.equal(got[0].dropout.rng.get_state(), want[0].dropout.rng.get_state())
    for mine, own in zip(got[1], want[1], strict=True):
        assert isinstance(mine, Epoch)
        assert isinstance(own, Epoch)
        assert (mine.number, mine.steps, mine.images) == (own.number, own.steps, own.images)
        assert mine.metrics == pytest.approx(own.metrics, rel=1e-3, abs=1e-4)


DIFFERENT: dict[str, Sequence[TrainSpec]] = {
    "seeds": [BUDGET] * 3,
    "lambdas": [replace(BUDGET, loss_weight=w) for w in (0.05, 0.5, 5.0)],
    "weights": [replace(BUDGET, reconstruction_weight=w) for w in (1.0, 0.0, 2.0)],
    "rates": [replace(BUDGET, lr=lr, weight_decay=d) for lr, d in ((1e-3, 0.1), (3e-3, 0.0), (1e-3, 1e-5))],
    "budgets": [BUDGET, replace(BUDGET, epochs=1), replace(BUDGET, epochs=0, steps=5)],
    "isolated": [replace(BUDGET, loss_weight=0.0, optimizer="sgd")] * 3,
}


@pytest.mark.parametrize("specs", DIFFERENT.values(), ids=DIFFERENT)
def test_together_is_what_each_is_alone(specs: Sequence[TrainSpec]) -> None:
    made = [[replica(n, spec, images=20 + 5 * n) for n, spec in enumerate(specs)] for _ in range(2)]
    for got, one in zip(together(*made[0]), made[1], strict=True):
        check(got, alone(one))


def test_deep_networks_together_are_what_each_is_alone() -> None:
    for n, got in enumerate(together(*(replica(n, model=DEEP) for n in range(2)))):
        check(got, alone(replica(n, model=DEEP)))


def test_without_dropout_nothing_is_drawn() -> None:
    model = replace(SMALL, dropout=0.0)
    for n, got in enumerate(together(*(replica(n, model=model) for n in range(2)))):
        check(got, alone(replica(n, model=model)))
        assert torch.equal(got[0].dropout.rng.get_state(), generator(n, "dropout").get_state())


@pytest.mark.parametrize("network", [SMALL, DEEP], ids=["small", "deep"])
def test_half_precision_together_is_near_half_precision_alone(network: ModelSpec) -> None:
    spec = replace(BUDGET, precision="bfloat16")
    for n, (model, epochs) in enumerate(together(*(replica(n, spec, model=network) for n in range(2)))):
        want, full = alone(replica(n, spec, model=network)), alone(replica(n, model=network))
        assert torch.equal(model.dropout.rng.get_state(), want[0].dropout.rng.get_state())
        for mine, own, exact in zip(epochs, want[1], full[1], strict=True):
            assert isinstance(mine, Epoch)
            assert isinstance(own, Epoch)
            assert isinstance(exact, Epoch)
            assert mine.metrics == pytest.approx(own.metrics, rel=0.05)
            assert mine.metrics != exact.metrics


def test_company_and_its_order_do_not_matter() -> None:
    first, with_others = together(replica(0), replica(1))[0], together(replica(3), replica(2), replica(0))[2]
    check(first, with_others)
    check(together(replica(0))[0], first)


def test_one_that_diverges_ends_alone() -> None:
    wild = replace(BUDGET, lr=1e30, optimizer="sgd")
    tame = replace(BUDGET, lr=1e-3, optimizer="sgd")
    broken, whole = together(replica(0, wild), replica(1, tame))
    assert isinstance(broken[1][-1], Diverged)
    assert len(broken[1]) < 3
    check(whole, alone(replica(1, tame)))


@pytest.mark.parametrize(
    "other",
    [
        replica(1, replace(BUDGET, batch_size=4)),
        replica(1, replace(BUDGET, precision="bfloat16")),
        replica(1, replace(BUDGET, optimizer="adamw")),
        replica(1, replace(BUDGET, decay="cosine")),
        replica(1, replace(BUDGET, loss_weight=0.0)),
        replica(1, model=replace(SMALL, latent_dim=4)),
        replica(1, model=replace(SMALL, activation="tanh")),
        replica(1, model=replace(SMALL, dropout=0.1)),
    ],
    ids=["batch", "precision", "optimizer", "decay", "isolated", "latent", "activation", "dropout"],
)
def test_what_is_not_one_program_is_refused(other: Replica) -> None:
    with pytest.raises(UserError, match="train them apart"):
        next(fit_together([replica(0), other]))


def test_a_pass_that_a_budget_of_steps_cuts_short_is_measured_and_no_more_is_asked_for() -> None:
    asked = []
    spec = replace(BUDGET, epochs=0, steps=4)
    passes = (asked.append(n) or noise(20, f"{n}") for n in itertools.count())  # type: ignore[func-returns-value]
    one = Replica(Autoencoder(SMALL, 2, 0), passes, VALIDATION, spec, 0)
    (ended,) = together(one)
    assert [(e.steps, e.images) for e in ended[1] if isinstance(e, Epoch)] == [(3, 20), (4, 8)]
    assert asked == [0, 1]


def test_cells_trained_together_are_what_each_is_alone(faces: Path, tmp_path: Path) -> None:
    tame = vary(small_spec(faces), {"train.optimizer": "sgd"})
    cells = [(tame, 0), (vary(tame, {"train.lr": 1e30}), 0), (vary(tame, {"train.loss_weight": 2.0}), 1)]
    runs = [FakeRun(tmp_path / f"{n}") for n in range(len(cells) + 1)]
    for run in runs:
        run.folder.mkdir()
    assert {EMOJI.program(spec) for spec, _ in cells} == {EMOJI.program(tame)}
    found = EMOJI.train_together([(*cell, run) for cell, run in zip(cells, runs, strict=False)])
    assert isinstance(found[1], Diverged)
    assert not runs[1].artifacts
    own = EMOJI.train(*cells[2], runs[3])
    assert not isinstance(found[2], Exception)
    assert found[2].keys() == own.keys()
    for name in ("test_mse", "validation_mse", "train_mse", "test_cross_entropy"):
        assert found[2][name] == pytest.approx(own[name], rel=1e-3)
    assert runs[2].artifacts.keys() == runs[3].artifacts.keys()
    steps = [[(name, step) for name, step, _ in run.points] for run in runs[2:]]
    assert steps[0] == steps[1]


def test_what_fails_of_one_cell_stops_no_other(faces: Path, tmp_path: Path) -> None:
    here, nowhere = FakeRun(tmp_path), FakeRun(tmp_path / "gone")
    spec = small_spec(faces)
    lost, found = EMOJI.train_together([(spec, 0, nowhere), (spec, 1, here)])
    assert isinstance(lost, OSError)
    assert not isinstance(found, Exception)


def test_a_cell_that_takes_the_training_of_another_is_not_trained(faces: Path, tmp_path: Path) -> None:
    spec, runs = small_spec(faces), [FakeRun(tmp_path / f"{n}") for n in range(3)]
    for run in runs:
        run.folder.mkdir()
    EMOJI.train(spec, 0, runs[0])
    own = fingerprint(EMOJI, spec, 0, EMOJI.version(spec))
    runs[1].trained = runs[0].left(own, EMOJI.kept_file)
    taken, trained = EMOJI.train_together([(spec, 0, runs[1]), (spec, 1, runs[2])])
    assert not isinstance(taken, Exception)
    assert not isinstance(trained, Exception)
    assert runs[1].points == runs[0].points
    assert EMOJI.kept_file not in runs[1].artifacts
    assert EMOJI.kept_file in runs[2].artifacts
