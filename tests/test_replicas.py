"""Replicas trained as one program are what `fit` makes of each alone, whatever their company."""

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
import psutil
import pytest
import torch

from ablation.emoji.model import Autoencoder
from ablation.emoji.replicas import TOLERANCE, Replica, fit_together
from ablation.emoji.run import identify
from ablation.emoji.spec import ModelSpec, RunSpec, TrainSpec, vary
from ablation.emoji.train import Diverged, Epoch, fit
from ablation.emoji.training_data import Pictures
from ablation.errors import UserError
from ablation.runner import together as together_module
from ablation.runner.coordinate import run_study
from ablation.runner.engines import Engine
from ablation.runner.results import learning_curves, results
from ablation.runner.together import TogetherEngine, by_program, work_together
from ablation.runner.worker import Outcome, Task, work
from ablation.seeds import generator
from ablation.study import Study
from ablation.tracking.label import Label
from ablation.tracking.read import cell_runs
from ablation.tracking.store import Store
from doubles import small_spec, small_study
from engines import InlineEngine

SMALL = ModelSpec(channels=(4, 8), latent_dim=8)
DEEP = ModelSpec(channels=(4, 4, 4, 4), latent_dim=8)  # whose inner maps are those that `layers` treats apart
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
        replica(1, replace(BUDGET, loss_weight=0.0)),
        replica(1, model=replace(SMALL, latent_dim=4)),
        replica(1, model=replace(SMALL, activation="tanh")),
        replica(1, model=replace(SMALL, dropout=0.1)),
    ],
    ids=["batch", "precision", "optimizer", "isolated", "latent", "activation", "dropout"],
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


def swept(study: Study, store: Store, engine: Callable[[int], Engine]) -> pd.DataFrame:
    progress = run_study(study, store, engine, 4, seeds=2)
    assert not progress.failed
    return results(study, store)


def test_a_study_trained_together_is_the_study_trained_apart(faces: Path, tmp_path: Path) -> None:
    study = small_study(faces)
    apart = swept(study, Store(tmp_path / "apart"), InlineEngine())
    both = swept(study, Store(tmp_path / "together"), TogetherEngine)
    assert both.state.tolist() == ["complete"] * len(apart)
    assert both.fingerprint.tolist() == apart.fingerprint.tolist()
    assert both.run_id.is_unique
    for name in ("test_mse", "validation_mse", "train_mse", "test_cross_entropy"):
        assert both[name].to_numpy() == pytest.approx(apart[name].to_numpy(), rel=1e-3)
    stores = [Store(tmp_path / name) for name in ("apart", "together")]
    curves = [learning_curves(frame, store) for frame, store in zip((apart, both), stores, strict=True)]
    pd.testing.assert_frame_equal(*curves, rtol=1e-3, check_exact=False)


def test_the_seeds_of_an_arm_are_handed_out_together(faces: Path, tmp_path: Path) -> None:
    study, store = small_study(faces), Store(tmp_path / "store")
    progress = run_study(study, store, TogetherEngine, 2, order=by_program)
    assert not progress.failed
    runs = [store.client.get_run(run).data.tags for run in results(study, store).run_id]
    assert [tags["together"] for tags in runs] == ["2"] * 4


def task(spec: RunSpec, store: Store, experiment: str) -> Task:
    known = identify(spec)
    return Task(spec, Label("small", "arm", known.fingerprint, known.data), experiment, store.root)


def test_each_of_a_group_ends_as_it_went(faces: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    store.create()
    experiment = store.experiment("small", {})
    tame = vary(small_spec(faces), {"train.optimizer": "sgd"})
    changes = ({}, {"train.lr": 1e30}, {"seed": 1}, {"compose.method": "mean"})
    specs = [vary(tame, change) for change in changes]
    tasks = [task(spec, store, experiment) for spec in specs]
    first = work(tasks[0])
    wrong = replace(tasks[2], label=replace(tasks[2].label, data="other images"))
    unmeasured = replace(tasks[0], measures=("beauty",))
    ended = work_together([unmeasured, tasks[3]])
    assert "lacks beauty" in str(ended[0])
    assert isinstance(ended[1], Outcome)
    ended = work_together([*tasks[:2], wrong, tasks[3]])
    assert isinstance(ended[0], Outcome)
    assert (ended[0].run_id, ended[0].reused) == (first.run_id, True)
    assert isinstance(ended[1], Outcome)
    assert ended[1].diverged
    assert "the images changed" in str(ended[2])
    assert isinstance(ended[3], Outcome)
    assert ended[3].reused
    status = cell_runs(store, "small").set_index("fingerprint").status
    assert status[tasks[1].label.fingerprint] == "FAILED"
    assert status[tasks[3].label.fingerprint] == "FINISHED"
    assert "RUNNING" not in status.tolist()


def test_an_error_of_the_program_fails_every_run_of_the_group(
    faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / "store")
    store.create()
    experiment = store.experiment("small", {})
    tasks = [task(vary(small_spec(faces), {"seed": seed}), store, experiment) for seed in range(2)]

    def broken(specs: object, on_epoch: object, composing: bool) -> None:
        raise MemoryError("no room")

    monkeypatch.setattr(together_module, "run_together", broken)
    with pytest.raises(MemoryError):
        work_together(tasks)
    runs = cell_runs(store, "small")
    assert runs.status.tolist() == ["FAILED", "FAILED"]
    assert runs.error.tolist() == ["MemoryError: no room"] * 2


def test_a_killed_process_is_lost_to_every_task_of_its_group(faces: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    store.create()
    experiment = store.experiment("small", {})
    specs = [vary(small_spec(faces), {"seed": seed, "train.epochs": 500}) for seed in range(2)]
    engine = TogetherEngine(2)
    try:
        futures = [engine.submit(task(spec, store, experiment)) for spec in specs]
        while len(cell_runs(store, "small")) < 2:
            assert not any(future.done() for future in futures)
            time.sleep(0.05)
        # The process that computes is a child of the one that workers are forked from, as is no other.
        for server in psutil.Process().children():
            for worker in server.children():
                worker.kill()
        assert all(engine.lost(future.exception(timeout=60)) for future in futures)  # type: ignore[arg-type]
    finally:
        engine.close()
