"""A running study on the terminal: a line a finished cell, and the time that is left."""

from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from ablation.formatting import count, duration
from ablation.study import Study

if TYPE_CHECKING:
    from ablation.runner.scheduler import Progress as Standing


class Reporter:
    """Shows a running study: a bar where there is a terminal, and a line a finished cell everywhere."""

    def __init__(self, study: Study, workers: int) -> None:
        self.study, self.workers = study, workers
        self.console = Console(highlight=False, soft_wrap=True, markup=False)
        words = "{task.description}", "{task.fields[left]}"
        self._bar = Progress(
            SpinnerColumn(), TextColumn(words[0]), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            TextColumn(words[1]), console=self.console, transient=True,
        )  # fmt: skip

    def __enter__(self) -> "Reporter":
        self.console.print(Text.assemble((self.study.name, "bold"), f": {self.study.question}"))
        self._bar.start()
        self._task = self._bar.add_task(f"{self.workers} workers", total=None, left="")
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def notify(self, standing: "Standing") -> None:
        """Show where the study stands."""
        left = ""
        if standing.cost:  # at the mean speed of the cells that were computed
            seconds = standing.seconds / standing.cost * standing.cost_left / self.workers
            left = f"about {duration(seconds)} left"
        self._bar.update(self._task, total=standing.total, completed=standing.done, left=left)
        if standing.last:
            tail = f"  ·  {left}" if left else ""
            self.console.print(f"  {standing.done:>3}/{standing.total}  {standing.last}{tail}")
        elif standing.there:
            self.console.print(f"  {standing.there} of {standing.total} cells are there already")

    def summary(
        self,
        standing: "Standing",
        noun: str = "cells",
        why_reused: str = "the same fingerprint was in the store",
    ) -> None:
        """Say what was trained, what was reused and what failed."""
        words = [f"{standing.trained} trained", f"{standing.there} there before"]
        if standing.reused:
            words.append(f"{standing.reused} reused: {why_reused}")
        self.console.print(f"  {standing.total} {noun}: {', '.join(words)}, {len(standing.failed)} failed")
        reasons: dict[str, list[str]] = {}
        for cell, reason in standing.failed.items():
            reasons.setdefault(reason, []).append(cell)
        for reason, cells in reasons.items():
            more = f" and {count(len(cells) - 1, 'more cell')}" if len(cells) > 1 else ""
            self.console.print(Text.assemble(("  failed ", "red"), f"{cells[0]}{more}: {reason}"))
