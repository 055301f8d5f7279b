"""On how many truths composition is judged: gains of one run share few pictures, and seeds one pool."""

from collections.abc import Iterator

import pandas as pd

from ablation.analyse.words import listing
from ablation.measures import measure
from ablation.study import Study

TRUTHS, POOL = "truths_", "pool_"
"""How the columns begin that count the unseen truths of a run, and the truths that a family has at all."""


def truth_caveats(study: Study, cells: pd.DataFrame) -> Iterator[str]:
    """What the gains rest on, where the study measures any; columns truths_FAMILY and pool_FAMILY."""
    if not any(measure(name).needs == "analogies" for name in study.measures):
        return
    good = cells[cells["state"] == "complete"]
    families = [str(name).removeprefix(TRUTHS) for name in good.columns if str(name).startswith(TRUTHS)]
    counted = [text for family in families if (text := _counts(good, family))]
    if counted:
        yield (
            "A gain is the median over truths that neither the network nor a direction learned from: "
            f"{listing(counted)} in a run. Seeds draw them from one pool and repeat them: the effective n of "
            "a family is no more than the pictures that it has, whatever the number of seeds."
        )


def _counts(good: pd.DataFrame, family: str) -> str:
    """As in "2 to 3 of 9 faces"; "" where none is recorded."""
    found = good[f"{TRUTHS}{family}"].dropna().astype(int)
    if found.empty:
        return ""
    low, high = found.min(), found.max()
    pool = good.get(f"{POOL}{family}", pd.Series(dtype=float)).dropna()
    of = f" of {int(pool.max())}" if len(pool) else ""
    return f"{low if low == high else f'{low} to {high}'}{of} ({family})"
