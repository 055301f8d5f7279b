"""The linear probe: fair pool, right answers where codes tell subgroups apart, chance where they do not."""

import pytest
import torch
from torch import Tensor

from ablation.emoji.probe import LEAST_SUBJECTS, MOST_SUBJECTS, probe_pool, probed
from ablation.emoji.seeds import generator


def test_the_pool_has_one_image_a_subject_from_subgroups_that_are_large_enough() -> None:
    subjects = ("a", "a", "b", "c", "d", "e", "f", *(f"g{i}" for i in range(20)))
    subgroups = ("x",) * 6 + ("y",) + ("z",) * 20
    pool = probe_pool(subjects, subgroups, torch.ones(27) > 0)
    assert pool.tolist() == [0, 2, 3, 4, 5, *range(7, 7 + MOST_SUBJECTS)]
    assert len(set(subjects[:6])) == LEAST_SUBJECTS
    first = torch.arange(27) > 0
    assert probe_pool(subjects, subgroups, first).tolist() == [1, *pool[1:].tolist()]


def test_nameless_subgroups_are_no_evidence() -> None:
    assert len(probe_pool(tuple("abcdef"), ("",) * 6, torch.ones(6) > 0)) == 0


def accuracy(train: Tensor, train_names: list[str], test: Tensor, test_names: list[str]) -> float:
    said = probed(train, train_names, test)
    return sum(one == name for one, name in zip(said, test_names, strict=True)) / len(test_names)


def test_separable_codes_are_told_apart_and_noise_is_not() -> None:
    names = [str(i % 4) for i in range(400)]
    noise = torch.randn(400, 8, generator=generator(0, "noise"))
    centres = torch.tensor([[10.0 * (i % 4 == k) for k in range(8)] for i in range(400)])
    clear = noise + centres
    assert accuracy(clear[:200], names[:200], clear[200:], names[200:]) == 1
    assert accuracy(noise[:200], names[:200], noise[200:], names[200:]) == pytest.approx(0.25, abs=0.12)


def test_a_collapsed_code_names_the_most_frequent_subgroup() -> None:
    same = torch.full((5, 8), 0.3)
    assert accuracy(same, ["a", "b", "b", "b", "a"], same[:4], ["b", "a", "b", "c"]) == 0.5


def test_a_code_on_a_line_is_no_error() -> None:
    line = torch.arange(20.0)[:, None] * torch.ones(1, 8)
    names = ["low"] * 10 + ["high"] * 10
    assert accuracy(line, names, line[[0, 1, 18, 19]], ["low", "low", "high", "high"]) == 1


def test_a_probe_of_one_name_gives_it_to_all() -> None:
    codes = torch.eye(3)
    assert probed(codes, ["a"] * 3, codes[:2]) == ["a", "a"]
    assert probed(codes, ["a", "b", "a"], codes[:0]) == []
