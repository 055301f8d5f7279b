"""On how many truths composition is judged: gains of one run share few pictures, and seeds one pool."""

from collections.abc import Iterator, Sequence

import pandas as pd

from ablation.formatting import listing
from ablation.measures import measure
from ablation.stats.two_way_bootstrap import DRAWS, Crossed
from ablation.stats.verdicts import Verdict
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


def crossed_caveats(judged: Sequence[Verdict], over: Sequence[Crossed | None]) -> Iterator[str]:
    """What becomes of the claims on gains when truths are drawn anew like seeds; `over` has one a claim."""
    drawn = [(n, v, c) for n, (v, c) in enumerate(zip(judged, over, strict=True), 1) if c is not None]
    if not drawn:
        return
    each = [
        f"claim {n} {c.estimate:+.2f} [{c.low:+.2f}, {c.high:+.2f}] ({c.truths} truths, effective n "
        f"{c.effective:.0f})"
        for n, _, c in drawn
    ]
    yield (
        f"Clustered by truth and seed (both drawn anew, {DRAWS:,} times), the effects are: {listing(each)}. "
        "The effective n says how many truths would tell as much if none came back and no seed moved several."
    )
    if weak := [f"claim {n}" for n, v, c in drawn if _decided(v) and c.low <= 0 <= c.high]:
        yield f"Clustered by truth and seed {listing(weak)} may be 0: not shown for new truths."


def _decided(verdict: Verdict) -> bool:
    return verdict.word in ("supported", "refuted") and verdict.p_holm is not None
