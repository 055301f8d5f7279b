"""Numbers as words: every number that a reader sees is formatted here, once."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ablation.stats.statistics import Estimate

ABSENT = "–"
SHOWN = 5  # names in a sentence, before it says how many more there are
SMOKE = "Smoke budget: these numbers mean nothing."
"""Stands in every output of a study on a smoke budget."""


def number(value: float, digits: int, signed: bool = False) -> str:
    """`value` with `digits` decimals and a typographic minus; `ABSENT` for NaN, no sign for a rounded 0."""
    if math.isnan(value):
        return ABSENT
    text = f"{abs(value):.{digits}f}"
    if float(text) == 0:
        return text
    return ("−" if value < 0 else "+" if signed else "") + text


def difference_digits(digits: int, sesoi: float) -> int:
    """Decimals of a difference: those of its measure, or more until the SESOI shows two figures."""
    return max(digits, math.ceil(-math.log10(sesoi)) + 1)


def apart(values: Sequence[float], bound: float, digits: int) -> int:
    """`digits`, or up to three more, so that no value that is not ±`bound` is printed as if it were."""
    near = [abs(one) for one in values if math.isfinite(one) and not math.isclose(abs(one), bound)]
    for more in range(3):
        if all(number(one, digits + more) != number(bound, digits + more) for one in near):
            return digits + more
    return digits + 3


def bracket(low: float, high: float, digits: int, signed: bool = False) -> str:
    """An interval, as in "[−0.0012, +0.0003]"."""
    return f"[{number(low, digits, signed)}, {number(high, digits, signed)}]"


def change(estimate: "Estimate", level: float, digits: int) -> str:
    """A difference with its interval, as in "+0.0012 (95 % interval [+0.0003, +0.0021])"."""
    if estimate.n < 2:
        return f"{number(estimate.mean, digits, signed=True)} (one seed, no interval)"
    spread = bracket(estimate.low, estimate.high, digits, signed=True)
    return f"{number(estimate.mean, digits, signed=True)} ({percent(level)} interval {spread})"


def p_words(p: float | None, in_table: bool = False) -> str:
    """ "p = 0.032" or "p < 0.001"; in a table "0.032" or "<0.001"; `ABSENT` where no test was made."""
    if p is None:
        return ABSENT
    if in_table:
        return "<0.001" if p < 0.001 else f"{p:.3f}"
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def percent(share: float) -> str:
    """0.95 as "95 %"."""
    return f"{100 * share:g} %"


def duration(seconds: float) -> str:
    """Seconds in one or two units: "42 s", "3 min 05 s", "2 h 10 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def plan_size(arms: int, seeds: int, cell_seconds: float = 0.0) -> str:
    """ "4 arms × 5 seeds = 20 cells", and ", about 7 min 00 s on two cores" where a cell's time is known."""
    size = f"{count(arms, 'arm')} × {count(seeds, 'seed')} = {count(arms * seeds, 'cell')}"
    return f"{size}, about {duration(arms * seeds * cell_seconds / 2)} on two cores" if cell_seconds else size


def short_commit(code: str) -> str:
    """A commit in ten characters, with what follows a "+"."""
    commit, plus, rest = code.partition("+")
    return commit[:10] + plus + rest


def heading(name: str) -> str:
    """A study's name as a heading: "step_size" as "Step size"."""
    return name.replace("_", " ").replace("-", " ").capitalize()


def count(n: int, noun: str) -> str:
    """ "1 seed", "5 seeds"."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def a(noun: str) -> str:
    """ "a difference", "an interaction"."""
    return f"{'an' if noun[0] in 'aeio' else 'a'} {noun}"


def listing(items: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def some(names: Sequence[str], total: int = 0) -> str:
    """The first names, and how many more there are of `total`, else of the names."""
    total = total or len(names)
    shown = [*names[:SHOWN], *([f"{total - SHOWN} more"] if total > SHOWN else [])]
    return listing(shown) if shown else "none"
