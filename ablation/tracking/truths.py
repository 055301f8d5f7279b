"""Read back what every truth gained in the runs of a study."""

from collections.abc import Iterable, Iterator
from io import BytesIO
from typing import Any

import pandas as pd

from ablation.emoji.composition.gains import gain_of_truths, portions
from ablation.tracking.artifacts import COMPOSITION, artifact
from ablation.tracking.store import Store

COLUMNS = ("arm", "seed", "measure", "family", "truth", "gain")


def gains_of_truths(store: Store, cells: pd.DataFrame, measures: Iterable[str]) -> pd.DataFrame:
    """A row for every truth behind every gain among `measures`: arm, seed, measure, family, truth, gain.

    `cells` are those of `sweep.results`. The mean over families of the median over truths is the run's
    number. Cells that are not complete, or keep no record of their composites, have no rows.
    """
    gains = [name for name in measures if name.partition("_")[0] == "gain"]
    good = cells[cells["state"] == "complete"].to_dict("records") if gains else []
    found = [(cell["arm"], cell["seed"], *row) for cell in good for row in _of_run(store, cell, gains)]
    return pd.DataFrame(found, columns=list(COLUMNS))


def _of_run(store: Store, cell: dict[Any, Any], gains: list[str]) -> Iterator[tuple[str, str, str, float]]:
    # A mirrored run keeps no files of its own.
    kept = artifact(store, str(cell.get("reused_from") or cell["run_id"]), COMPOSITION)
    rows: Any = [] if kept is None else pd.read_csv(BytesIO(kept), keep_default_na=False).to_dict("records")
    parts = portions(rows) if rows else {}
    for measure in (name for name in gains if name in parts):
        for family, part in parts[measure].items():
            for truth, gain in gain_of_truths(part).items():
                yield measure, family, truth, gain
