"""The processor that a figure was measured on, and its units, which decide how fast it is.

Needs the standard library alone, for machines with little installed.
"""

import platform
from functools import cache
from pathlib import Path

WIDE = ("avx2", "avx512f")
BFLOAT16 = ("avx512_bf16", "amx_bf16", "bf16")
"""What /proc/cpuinfo calls units that multiply bfloat16; the last is ARM's."""


@cache
def cpuinfo() -> str:
    """What Linux says of the processor; empty elsewhere."""
    table = Path("/proc/cpuinfo")
    return table.read_text() if table.exists() else ""


def processor(text: str | None = None) -> str:
    """Its name."""
    lines = (cpuinfo() if text is None else text).splitlines()
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def flags(text: str | None = None) -> tuple[str, ...]:
    """Which of `WIDE` and `BFLOAT16` it has."""
    words = set((cpuinfo() if text is None else text).split())
    return tuple(flag for flag in (*WIDE, *BFLOAT16) if flag in words)


def units(text: str | None = None) -> str:
    """Its units for bfloat16 in words, without which bfloat16 is some ten times slower than float32."""
    text = cpuinfo() if text is None else text
    if not text:
        return "bfloat16 units unknown"
    return " and ".join(flag for flag in flags(text) if flag in BFLOAT16) or "no bfloat16 units"


def here() -> str:
    """The processor and its units, as it stands beside every figure."""
    return f"{processor()} with {units()}"
