"""What a process must be set to for equal bits: one thread, and torch's deterministic algorithms."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from threadpoolctl import threadpool_limits

THREADS = 1  # of every run, whoever computes it: the number of workers changes no result


@contextmanager
def deterministic(threads: int = THREADS, flush: bool = False) -> Iterator[None]:
    """Compute with so many threads and deterministic algorithms; what the process had before comes back.

    flush: take subnormal numbers for 0, where the processor can. A channel that has died has a gradient from
    the weight decay alone, which takes its weights below 1e-38, where arithmetic is many times slower.

    Determinism by torch's own switch also fills every tensor as it is made, in case somebody reads it before
    it is written. No operation of ours does, and it takes a fiftieth of a step: that part is off.
    """
    before, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    memory: Any = torch.utils.deterministic
    filled = memory.fill_uninitialized_memory
    flushed = _flushes()
    torch.set_flush_denormal(flush)
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    memory.fill_uninitialized_memory = False
    try:
        with threadpool_limits(threads):
            yield
    finally:
        torch.set_flush_denormal(flushed)
        torch.set_num_threads(before)
        torch.use_deterministic_algorithms(strict)
        memory.fill_uninitialized_memory = filled


def _flushes() -> bool:
    """Whether this thread takes subnormal numbers for 0; torch tells it by its results alone."""
    return not (torch.full((1,), 1e-30) * 1e-10).any()
