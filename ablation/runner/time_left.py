"""The time that is left while a study runs, by what its cells have taken so far."""

from dataclasses import dataclass, field
from statistics import fmean


@dataclass
class TimeLeft:
    """reusing: how many of the cells, the last ones, reuse what others trained; share: what such a cell costs
    of one that trains, while none was timed. timed[whether it reused] are the seconds of each cell.
    """

    reusing: int = 0
    share: float = 1.0
    timed: dict[bool, list[float]] = field(default_factory=lambda: {False: [], True: []})

    def add(self, seconds: float, reused: bool) -> None:
        """Note a cell that has run."""
        self.timed[reused].append(seconds)

    def seconds(self, cells: int, workers: int) -> float | None:
        """Seconds until `cells` more have run, `workers` at a time; None before any has."""
        if not any(self.timed.values()):
            return None
        reusing = min(cells, self.reusing)
        return ((cells - reusing) * self._mean(False) + reusing * self._mean(True)) / workers

    def _mean(self, reused: bool) -> float:
        """Mean seconds of a cell; before one has run, by what the other kind takes."""
        if self.timed[reused]:
            return fmean(self.timed[reused])
        other = fmean(self.timed[not reused])
        if not self.reusing:  # then those that reused a training are cells that another study has trained
            return other
        return other * (self.share if reused else 1 / self.share)
