"""Random streams of torch: named, independent, derived from the seed alone."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from ablation.emoji.seeds import generator


@given(st.integers(0, 10_000), st.sampled_from(["init", "order", "augment", "split", "dropout"]))
def test_a_stream_is_a_function_of_its_seed_and_name(seed: int, name: str) -> None:
    first, second = (torch.rand(4, generator=generator(seed, name)) for _ in range(2))
    assert torch.equal(first, second)


def test_drawing_from_one_stream_leaves_the_others_and_torchs_own_alone() -> None:
    before = torch.random.get_rng_state()
    torch.rand(10, generator=generator(0, "order"))
    assert torch.equal(torch.random.get_rng_state(), before)
