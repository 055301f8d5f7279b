"""The normalised gain of composites: 0 is the input, decoded as it is, 1 as good as reconstructing the truth.

Of plain numbers and records, so that what a run kept is read back without the libraries that computed it.
"""

from collections.abc import Hashable, Mapping, Sequence
from statistics import fmean, median
from typing import TypeVar

Target = TypeVar("Target", bound=Hashable)
Row = dict[str, str | float]

ROOM = 0.1  # of the input's error: the least that a perfect composite is taken to be able to save
UNSEEN, SEEN = "unseen", "seen"  # whether training saw the truth of an analogy
NO_TONE = "no skin tone"
DARK = "dark skin tone"


def gains(
    error: Sequence[float], copy: Sequence[float], ceiling: Sequence[float], targets: Sequence[Target]
) -> dict[Target, float]:
    """The normalised gain of each target: errors, n of each, are averaged over the analogies that share it.

    copy: error of the input decoded as it is; ceiling: of the truth's own reconstruction. Where a perfect
    composite could save less than ROOM of the copy's error, it is counted as if it could save that much: so
    that a model which reconstructs nothing gets no large gains by dividing by next to nothing.
    """
    places: dict[Target, list[int]] = {}
    for place, target in enumerate(targets):
        places.setdefault(target, []).append(place)
    found: dict[Target, float] = {}
    for target, here in places.items():
        e, c, best = (fmean(values[place] for place in here) for values in (error, copy, ceiling))
        found[target] = (c - e) / max(c - best, ROOM * c)
    return found


def portions(rows: Sequence[Row]) -> dict[str, dict[str, list[Row]]]:
    """The records behind every gain, by family; it is the mean over families of the median over truths."""
    unseen, seen = by_family(rows, UNSEEN), by_family(rows, SEEN)
    found = {f"gain_{name}": {name: part} for name, part in unseen.items()} | {"gain": unseen}
    if dark := [row for row in unseen.get("tone", []) if (row["from"], row["to"]) == (NO_TONE, DARK)]:
        found["gain_dark_tone"] = {"tone": dark}
    return found | ({"gain_seen": seen} if seen else {})


def by_family(rows: Sequence[Row], side: str) -> dict[str, list[Row]]:
    """The records of that side, by the name of their family."""
    parts: dict[str, list[Row]] = {}
    for row in rows:
        if row["side"] == side:
            parts.setdefault(str(row["family"]), []).append(row)
    return parts


def column(rows: Sequence[Mapping[str, str | float]], name: str) -> list[float]:
    """That number of every record."""
    return [float(row[name]) for row in rows]


def gain(rows: Sequence[Row], name: str = "error") -> float:
    """The median over truths of the normalised gain; `name` says whose error."""
    return median(gain_of_truths(rows, name).values())


def gain_of_truths(rows: Sequence[Row], name: str = "error") -> dict[str, float]:
    """The normalised gain of each truth, by its text."""
    error, copy, ceiling = (column(rows, one) for one in (name, "copy", "ceiling"))
    return gains(error, copy, ceiling, [str(row["d"]) for row in rows])
