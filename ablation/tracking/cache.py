"""The curves of runs that ended, a file a run in the store's `cache`: they never change, and MLflow's client
reads one curve of one run at a time. Whoever deletes the folder loses time alone.
"""

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from math import copysign, inf

from ablation.tracking.store import Store

Curve = list[tuple[int, float]]
"""(step, value) by step, one a step."""


def as_logged(value: float) -> float:
    """A value of MLflow's as it was logged: its database keeps the largest float in place of infinity."""
    return copysign(inf, value) if abs(value) >= sys.float_info.max else float(value)


def curve_of(points: Iterable[tuple[int, float]]) -> Curve:
    """The points as a curve: of several at one step the first."""
    first: dict[int, float] = {}
    for step, value in points:
        first.setdefault(step, as_logged(value))
    return sorted(first.items())


def remember(store: Store, run_id: str, curves: Mapping[str, Curve]) -> None:
    """Keep all curves of a run that ended; a disk that takes them not is no error."""
    place = store.root / "cache" / f"{run_id}.json"
    with suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        draft = place.with_name(f".{place.name}.{os.getpid()}")
        draft.write_text(json.dumps(curves), encoding="utf-8")
        draft.replace(place)


def recall(store: Store, run_id: str, names: Sequence[str]) -> dict[str, Curve] | None:
    """The curves of these names that were kept of the run; None where one was not, or cannot be read."""
    try:
        kept = json.loads((store.root / "cache" / f"{run_id}.json").read_text(encoding="utf-8"))
        return {name: [(int(step), as_logged(float(value))) for step, value in kept[name]] for name in names}
    except (OSError, ValueError, TypeError, KeyError):
        return None
