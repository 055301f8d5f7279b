"""Directions in a small world whose codes are known: sums of what stays and of the attribute."""

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from ablation.emoji.composition.directions import AS_PCA, METHODS, coherence, offsets
from ablation.emoji.composition.training_codes import AnalogyBatch, Known
from ablation.emoji.spec import METHODS as NAMES

WIDTH, ROWS = 16, 20
STEP = ("plain", "hearts")
VALUES = (*STEP, "tears")


def world(noise: float = 0.0, seed: int = 0) -> tuple[Known, AnalogyBatch, Tensor]:
    """What is known, three analogies onto rows that are not, and the codes of their truths."""
    rng = torch.Generator().manual_seed(seed)
    stays = torch.randn(ROWS, WIDTH, generator=rng)
    values = dict(zip(VALUES, torch.randn(len(VALUES), WIDTH, generator=rng), strict=True))

    def code(row: int, value: str) -> Tensor:
        return stays[row] + values[value] + noise * torch.randn(WIDTH, generator=rng)

    known = {(f"row {n}", value): code(n, value) for n in range(ROWS - 3) for value in VALUES}
    kinds = {f"row {n}": f"kind {n % 2}" for n in range(ROWS)}
    asked = AnalogyBatch(
        STEP,
        tuple(f"row {n}" for n in range(3)),
        tuple(f"row {n}" for n in range(ROWS - 3, ROWS)),
        torch.stack([known[f"row {n}", "plain"] for n in range(3)]),
        torch.stack([known[f"row {n}", "hearts"] for n in range(3)]),
        torch.stack([code(n, "plain") for n in range(ROWS - 3, ROWS)]),
    )
    truths = torch.stack([stays[n] + values["hearts"] for n in range(ROWS - 3, ROWS)])
    return Known(known, kinds, draws=7), asked, truths


def test_the_spec_names_every_method() -> None:
    assert tuple(METHODS) == NAMES


@pytest.mark.parametrize("method", ["pair", "mean", "balanced", "nearest", "additive", "pca", "scatter"])
def test_where_codes_are_sums_the_truth_is_found_exactly(method: str) -> None:
    known, asked, truths = world()
    torch.testing.assert_close(asked.c + offsets(method, 2, known, asked), truths, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("method", list(METHODS))
def test_offsets_are_finite_and_the_same_again(method: str) -> None:
    known, asked, _ = world(noise=0.3)
    once, again = (offsets(method, 4, known, asked) for _ in range(2))
    assert once.shape == asked.c.shape
    assert once.isfinite().all()
    assert torch.equal(once, again)


def test_turning_the_pair_round_turns_its_offset_round() -> None:
    known, asked, _ = world(noise=0.3)
    back = AnalogyBatch(STEP, asked.givers, asked.takers, asked.b, asked.a, asked.c)
    assert torch.equal(offsets("pair", 0, known, asked), -offsets("pair", 0, known, back))
    torch.testing.assert_close(offsets("pca", 4, known, asked), -offsets("pca", 4, known, back))


def test_pca_of_full_rank_is_the_whole_difference_and_lower_ranks_are_shorter() -> None:
    known, asked, _ = world(noise=0.3)
    lengths = [offsets("pca", rank, known, asked).norm(dim=1) for rank in (1, 2, 4, 8, WIDTH)]
    assert all((low <= high + 1e-5).all() for low, high in pairwise(lengths))
    torch.testing.assert_close(
        offsets("pca", WIDTH, known, asked), offsets("pair", 0, known, asked), atol=1e-4, rtol=1e-4
    )


@pytest.mark.parametrize("control", AS_PCA)
def test_controls_are_as_long_as_pca(control: str) -> None:
    known, asked, _ = world(noise=0.3)
    lengths = (offsets(method, 2, known, asked).norm(dim=1) for method in (control, "pca"))
    torch.testing.assert_close(*lengths)


def test_pca_takes_noise_off_that_a_random_subspace_keeps() -> None:
    known, asked, truths = world(noise=0.5)
    errors = {
        method: float((asked.c + offsets(method, 2, known, asked) - truths).norm(dim=1).mean())
        for method in ("pair", "pca", "random", "mean")
    }
    assert errors["mean"] < errors["pca"] < errors["pair"] < errors["random"]


def test_the_control_that_knows_nothing_of_the_attribute_ignores_it() -> None:
    known, asked, _ = world(noise=0.3)
    other = AnalogyBatch(STEP, asked.givers, asked.takers, -asked.a, 2 * asked.b, asked.c)
    assert torch.equal(offsets("centre", 0, known, asked), offsets("centre", 0, known, other))


def test_additive_takes_no_share_of_what_training_shows_not_to_carry_over() -> None:
    """The taker's values vary, and none of it goes with the giver's: its mean is the best there is."""
    axes = torch.eye(WIDTH)
    known = {("human", f"v{n}"): axes[n] for n in range(4)}
    known |= {("cat", f"v{n}"): 10 + axes[n + 8] for n in range(4)}
    asked = AnalogyBatch(("v0", "new"), ("human",), ("cat",), axes[:1], axes[5:6], known["cat", "v0"][None])
    offset = offsets("additive", 0, Known(known, {}, 0), asked)
    mean = torch.stack([known["cat", f"v{n}"] for n in range(4)]).mean(0)
    torch.testing.assert_close(asked.c + offset, mean[None])


def test_without_a_pair_of_the_step_a_mean_is_the_pair_given() -> None:
    known, asked, _ = world()
    bare = Known({key: code for key, code in known.codes.items() if key[1] != "hearts"}, known.kinds, 7)
    for method in ("mean", "balanced", "nearest", "boundary"):
        assert torch.equal(offsets(method, 0, bare, asked), asked.b - asked.a)


def test_offsets_agree_where_there_is_a_direction_and_less_where_pairs_are_shuffled() -> None:
    ours, shuffled = coherence(world(noise=0.1)[0], (STEP,))
    assert ours > 0.9
    assert shuffled < ours
