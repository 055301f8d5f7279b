"""Gates: what must be shown of the runs before claims are judged, written down before anything runs.

A model that did not learn its task cannot answer a question about it. A gate says what it must have learned,
as a bound on one measure of one arm; a claim that it guards gets no verdict where that is not shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ablation.errors import UserError, check_known
from ablation.fields import checked
from ablation.measures import RESERVED

if TYPE_CHECKING:
    from ablation.study import Study

DIGITS = 3
"""Decimals of a metric that the experiment declares no measure for."""


@checked
@dataclass(frozen=True)
class Gate:
    """`measure` of an arm lies `above`, or `below`, a bound: what must be shown before claims are judged.

    text: what is shown then, as a clause: "the baseline tells happy from sad". measure: any that the
    experiment has, or of a trainer without measures of its own any metric that it returns; the study need
    not judge it. above, below: the bound, one of the two, in the measure's own unit. of: the measures of the
    study whose claims are guarded; all where none is named. arm: the baseline where it is "". otherwise: what
    a reader is told where it is not shown, as a clause: "the baseline is at chance".
    """

    text: str
    measure: str
    above: float | None = None
    below: float | None = None
    of: Sequence[str] = ()
    arm: str = ""
    otherwise: str = ""

    def __post_init__(self) -> None:
        """Refuse a gate without a bound, or with two."""
        if (self.above is None) == (self.below is None):
            given = "none" if self.above is None else "both"
            raise UserError(f"a gate wants above= or below=, but “{self.text}” has {given}: say one bound.")

    @property
    def bound(self) -> float:
        """The bound, in the unit of the measure."""
        found = self.below if self.above is None else self.above
        assert found is not None
        return found

    def of_arm(self, study: "Study") -> str:
        """The arm that it is about."""
        return self.arm or study.reference

    def guards(self, measure: str) -> bool:
        """Whether claims on the measure are judged only where this is shown."""
        return not self.of or measure in self.of

    def label(self, study: "Study") -> str:
        """The words of its measure."""
        known = study.experiment.measures.get(self.measure)
        return (known.label if known else "") or self.measure

    def digits(self, study: "Study") -> int:
        """The decimals of its measure, or more until the bound shows."""
        known = study.experiment.measures.get(self.measure)
        least = known.digits if known else DIGITS
        return next((n for n in range(least, 15) if float(f"{self.bound:.{n}f}") == self.bound), 15)

    def bound_words(self, study: "Study") -> str:
        """As in "above 0.500"."""
        return f"{'below' if self.above is None else 'above'} {self.bound:.{self.digits(study)}f}"

    def sentence(self, study: "Study") -> str:
        """As in "Before claims are judged, it must be shown that ...: Accuracy of A above 0.500."."""
        labels = [study.label(name) for name in self.of]
        what = f"claims on {', '.join(labels)} are judged" if labels else "claims are judged"
        return (
            f"Before {what}, it must be shown that {self.text}: {self.label(study)} of "
            f"{self.of_arm(study)} {self.bound_words(study)}."
        )

    def check(self, study: "Study") -> None:
        """Raise `UserError` where the study has not what the gate speaks of."""
        known = study.experiment.measures
        if not known.keys() <= study.measures.keys():  # else the study declares the measures itself
            check_known("measure", self.measure, known)
        if self.measure in RESERVED or not self.measure:
            raise UserError(f"a gate wants a measure, but {self.measure!r} is something else: name a metric.")
        for name in self.of:
            check_known("measure in this study", name, study.measures)
        if self.arm:
            check_known("arm", self.arm, study.declared)
