"""What a measure is: a number of a finished run, which way is better, how it is printed."""

from dataclasses import dataclass
from typing import Literal

from ablation.fields import checked

Better = Literal["lower", "higher", "neither"]
RESERVED = frozenset(
    [
        *("arm", "seed", "state", "fingerprint", "run_id", "status", "experiment", "started"),
        *("code", "packages", "outcome", "failure", "reused_from", "built_on", "items", "remarks"),
    ]
)
"""What a row of a run has beside its metrics: no metric is called so."""


@checked
@dataclass(frozen=True)
class Measure:
    """A number of a finished run, declared by what computes it; its name is the key under which it stands.

    label: its words in tables and figures; the name where it is "". digits: decimals that are printed.
    matters: the smallest effect that matters (SESOI), in its own unit, where a study declares the measure
    itself. validation: it is taken on validation data, so that a search may choose settings by it.
    """

    better: Better
    label: str = ""
    digits: int = 3
    matters: float | None = None
    validation: bool = False
