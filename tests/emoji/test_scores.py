"""Numbers of composites: their ends, their order, and what they must not reward."""

import pytest
import torch

from ablation.emoji.composition.scores import ROOM, Judge, errors, gains, hits, inside


def test_the_input_left_alone_gains_nothing_and_the_ceiling_everything() -> None:
    copy, ceiling = [0.5, 0.4], [0.1, 0.2]
    assert list(gains(copy, copy, ceiling, "de").values()) == [0, 0]
    assert list(gains(ceiling, copy, ceiling, "de").values()) == pytest.approx([1, 1])
    assert gains([0.9, 0.1], copy, ceiling, "de")["d"] < 0
    assert gains([0.9, 0.1], copy, ceiling, "de")["e"] > 1


def test_analogies_of_one_truth_count_once() -> None:
    found = gains([0.2, 0.4, 0.1], [0.5, 0.5, 0.3], [0.1] * 3, ["d", "d", "e"])
    assert found == pytest.approx({"d": 0.5, "e": 1.0})


def test_a_model_that_reconstructs_nothing_gets_no_large_gain() -> None:
    found = gains([0.49], [0.5], [0.5], "d")
    assert found["d"] == pytest.approx(0.01 / (ROOM * 0.5))


def test_an_edit_counts_where_the_change_is() -> None:
    c, d = torch.zeros(3, 3, 64, 64), torch.zeros(3, 3, 64, 64)
    d[:, :, :32] = 1
    edited = torch.zeros(3, 3, 64, 64)
    edited[0, :, :32], edited[1, :, 32:] = 0.5, 0.5
    assert inside(edited, c, c, d).tolist() == [1, 0, 1]


def test_a_hit_is_the_nearest_code_and_the_usual_exclusion_hides_the_input() -> None:
    pool = torch.tensor([[0.0, 0.0], [1.0, 0.0], [3.0, 0.0]])
    code, truth, given = torch.tensor([[0.4, 0.0]]), torch.tensor([1]), torch.tensor([[0, 2, 2]])
    assert hits(code, truth, pool, given, exclude=False).tolist() == [0]
    assert hits(code, truth, pool, given, exclude=True).tolist() == [1]


def test_errors_are_means_over_a_picture() -> None:
    assert errors(torch.ones(2, 3, 64, 64), torch.zeros(2, 3, 64, 64)).tolist() == [1, 1]


def test_the_judge_names_what_it_was_shown() -> None:
    rng = torch.Generator().manual_seed(0)
    dark, light = (torch.randint(low, low + 60, (8, 3, 64, 64), generator=rng) for low in (0, 180))
    pictures = torch.cat([dark, light]).to(torch.uint8)
    judge = Judge(pictures, ["dark"] * 8 + ["light"] * 8)
    assert judge(pictures / 255) == ["dark"] * 8 + ["light"] * 8
