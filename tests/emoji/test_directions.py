"""Directions in a small world whose codes are known: sums of a content and of the attribute."""

import subprocess
import sys
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from ablation.emoji.composition.directions import METHODS, SUBSPACES, offsets
from ablation.emoji.composition.training_codes import AnalogyBatch, TrainingCodes, coherence
from ablation.emoji.spec import ComposeSpec
from ablation.errors import UserError

WIDTH, ROWS = 16, 20
STEP = ("plain", "hearts")
VALUES = (*STEP, "tears")


def world(noise: float = 0.0, seed: int = 0) -> tuple[TrainingCodes, AnalogyBatch, Tensor]:
    """Training codes, three analogies whose targets they lack, and the codes of their truths."""
    rng = torch.Generator().manual_seed(seed)
    contents = torch.randn(ROWS, WIDTH, generator=rng)
    values = dict(zip(VALUES, torch.randn(len(VALUES), WIDTH, generator=rng), strict=True))

    def code(row: int, value: str) -> Tensor:
        return contents[row] + values[value] + noise * torch.randn(WIDTH, generator=rng)

    known = {(f"row {n}", value): code(n, value) for n in range(ROWS - 3) for value in VALUES}
    kinds = {f"row {n}": f"kind {n % 2}" for n in range(ROWS)}
    batch = AnalogyBatch(
        STEP,
        tuple(f"row {n}" for n in range(3)),
        tuple(f"row {n}" for n in range(ROWS - 3, ROWS)),
        torch.stack([known[f"row {n}", "plain"] for n in range(3)]),
        torch.stack([known[f"row {n}", "hearts"] for n in range(3)]),
        torch.stack([code(n, "plain") for n in range(ROWS - 3, ROWS)]),
    )
    truths = torch.stack([contents[n] + values["hearts"] for n in range(ROWS - 3, ROWS)])
    return TrainingCodes(known, kinds, seed=7), batch, truths


def test_the_settings_offer_every_method_and_a_rank_where_there_is_a_subspace() -> None:
    for name in METHODS:
        assert ComposeSpec(method=name).method == name
        if name in SUBSPACES:
            assert ComposeSpec(method=name, rank=2).rank == 2
        else:
            with pytest.raises(UserError, match="has no subspace"):
                ComposeSpec(method=name, rank=2)


def test_the_settings_load_without_torch() -> None:
    script = "import sys, ablation.emoji; print(sorted({'torch', 'sklearn'} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", script], text=True).strip() == "[]"


@pytest.mark.parametrize("method", ["pair", "mean", "balanced", "nearest", "additive", "pca", "scatter"])
def test_where_codes_are_sums_the_truth_is_found_exactly(method: str) -> None:
    known, batch, truths = world()
    torch.testing.assert_close(batch.c + offsets(method, 2, known, batch), truths, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("method", list(METHODS))
def test_offsets_are_finite_and_the_same_again(method: str) -> None:
    known, batch, _ = world(noise=0.3)
    once, again = (offsets(method, 4, known, batch) for _ in range(2))
    assert once.shape == batch.c.shape
    assert once.isfinite().all()
    assert torch.equal(once, again)


def test_turning_the_pair_round_turns_its_offset_round() -> None:
    known, batch, _ = world(noise=0.3)
    back = AnalogyBatch(STEP, batch.sources, batch.targets, batch.b, batch.a, batch.c)
    assert torch.equal(offsets("pair", 0, known, batch), -offsets("pair", 0, known, back))
    torch.testing.assert_close(offsets("pca", 4, known, batch), -offsets("pca", 4, known, back))


def test_pca_of_full_rank_is_the_whole_difference_and_lower_ranks_are_shorter() -> None:
    known, batch, _ = world(noise=0.3)
    lengths = [offsets("pca", rank, known, batch).norm(dim=1) for rank in (1, 2, 4, 8, WIDTH)]
    assert all((low <= high + 1e-5).all() for low, high in pairwise(lengths))
    torch.testing.assert_close(
        offsets("pca", WIDTH, known, batch), offsets("pair", 0, known, batch), atol=1e-4, rtol=1e-4
    )


@pytest.mark.parametrize("control", [name for name, one in METHODS.items() if one.rank == "pca"])
def test_controls_are_as_long_as_pca(control: str) -> None:
    known, batch, _ = world(noise=0.3)
    lengths = (offsets(method, 2, known, batch).norm(dim=1) for method in (control, "pca"))
    torch.testing.assert_close(*lengths)


def test_pca_takes_noise_off_that_a_random_subspace_keeps() -> None:
    known, batch, truths = world(noise=0.5)
    errors = {
        method: float((batch.c + offsets(method, 2, known, batch) - truths).norm(dim=1).mean())
        for method in ("pair", "pca", "random", "mean")
    }
    assert errors["mean"] < errors["pca"] < errors["pair"] < errors["random"]


def test_the_control_that_knows_nothing_of_the_attribute_ignores_it() -> None:
    known, batch, _ = world(noise=0.3)
    other = AnalogyBatch(STEP, batch.sources, batch.targets, -batch.a, 2 * batch.b, batch.c)
    assert torch.equal(offsets("centre", 0, known, batch), offsets("centre", 0, known, other))


def test_additive_takes_no_share_of_what_training_shows_not_to_carry_over() -> None:
    """The target's values vary independently of the source's: the target's mean is the best there is."""
    axes = torch.eye(WIDTH)
    known = {("human", f"v{n}"): axes[n] for n in range(4)}
    known |= {("cat", f"v{n}"): 10 + axes[n + 8] for n in range(4)}
    batch = AnalogyBatch(("v0", "new"), ("human",), ("cat",), axes[:1], axes[5:6], known["cat", "v0"][None])
    offset = offsets("additive", 0, TrainingCodes(known, {}, 0), batch)
    mean = torch.stack([known["cat", f"v{n}"] for n in range(4)]).mean(0)
    torch.testing.assert_close(batch.c + offset, mean[None])


def test_without_a_pair_of_the_step_a_mean_is_the_pair_given() -> None:
    known, batch, _ = world()
    bare = TrainingCodes(
        {key: code for key, code in known.codes.items() if key[1] != "hearts"}, known.kinds, 7
    )
    for method in ("mean", "balanced", "nearest", "boundary"):
        assert torch.equal(offsets(method, 0, bare, batch), batch.b - batch.a)


def test_offsets_agree_where_there_is_a_direction_and_less_where_pairs_are_shuffled() -> None:
    ours, shuffled = coherence(world(noise=0.1)[0], (STEP,))
    assert ours > 0.9
    assert shuffled < ours
