"""What a process that computes runs must be set to: equal bits, and memory that is kept."""

import ctypes
from functools import cache

import torch

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of glibc's malloc.h
MOST = 2**31 - 1


def settle() -> None:
    """Make torch deterministic, and keep the memory that a step frees for the next one; again does nothing.

    Determinism by torch's own switch also fills every tensor as it is made, so that nobody reads what nobody
    wrote. No operation of ours does, and it takes a fiftieth of a step: so that part is off.
    """
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    _keep_memory()


@cache
def _keep_memory() -> None:
    """Have malloc give nothing back to the system while the process lives, where it is glibc's.

    A step frees and asks for some 60 MB in large pieces. Given back, they come again page by page, zeroed by
    the kernel: ten thousand faults a step, a twelfth of its time.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_TRIM_THRESHOLD, MOST)
        mallopt(M_MMAP_MAX, 0)
