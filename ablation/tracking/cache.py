"""The curves of runs that ended, a file a run in the store's `cache`: they never change, and MLflow's client
reads one curve of one run at a time. Whoever deletes the folder loses time alone.
"""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

import numpy as np

from ablation.tracking.store import Store

Curve = list[tuple[int, float]]
"""(step, value) by step, one a step."""


def curve_of(points: Iterable[tuple[int, float]]) -> Curve:
    """The points as a curve: of several at one step the first. Infinity is what MLflow keeps for it."""
    first: dict[int, float] = {}
    for step, value in points:
        first.setdefault(step, float(np.nan_to_num(value, nan=np.nan)))
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
        return {name: [(int(step), float(value)) for step, value in kept[name]] for name in names}
    except (OSError, ValueError, TypeError, KeyError):
        return None
