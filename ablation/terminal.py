"""What a person sees at a terminal: text that wraps at words, a running study, and that something goes on."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table
from rich.text import Text

from ablation.formatting import count, duration
from ablation.study import Study

if TYPE_CHECKING:
    from ablation.runner.scheduler import Progress as Standing


class _Screen(Console):
    """Shows texts as they are: names and errors are the user's, and may have brackets and colons."""

    def __init__(self, stderr: bool = False) -> None:
        super().__init__(highlight=False, markup=False, emoji=False, stderr=stderr)

    def on_broken_pipe(self) -> None:
        """Let the command line end as it does for every reader that has gone."""
        raise BrokenPipeError


console, errors = _Screen(), _Screen(stderr=True)


def say(
    text: "Text | str" = "", style: str = "", indent: int = 0, lead: str = "", to: Console = console
) -> None:
    """Print `text`, indented: wrapped at words on a terminal, on one line in a file or a pipe.

    lead: what stands before its first line alone, as in a list.
    """
    if to.is_terminal and text:
        lines, margin = Table.grid(), " " * indent + lead
        lines.add_row(*([margin] if margin else []), text, style=style)  # an empty column is one space wide
        to.print(lines)
    else:
        to.print(" " * indent * bool(text), lead, text, sep="", style=style, soft_wrap=True)


def whole(text: str, to: Console = console) -> None:
    """Print what is copied as it is, an address or a command: it is never broken by us."""
    to.print(text, soft_wrap=True)


@contextmanager
def busy(what: str) -> Iterator[None]:
    """Show on a terminal that `what` goes on; nothing elsewhere."""
    if errors.is_terminal:
        with errors.status(f"{what} …"):
            yield
    else:
        yield


class Reporter:
    """Shows a running study: one bar on a terminal, with the cells that fail above it; else a line a cell."""

    def __init__(self, study: Study, workers: int, noun: str = "cells") -> None:
        self.study, self.workers, self.noun = study, workers, noun
        words = "{task.fields[cells]}", "{task.fields[left]}"
        self._bar = Progress(
            SpinnerColumn(), BarColumn(bar_width=None), TextColumn(words[0]), TextColumn(words[1]),
            console=console, transient=True, expand=True,
        )  # fmt: skip
        self._failed: set[str] = set()

    def __enter__(self) -> "Reporter":
        say(Text.assemble((self.study.name, "bold"), f": {self.study.question}"))
        self._bar.start()
        begins = f"{count(self.workers, 'worker')} at most; nothing has ended yet"
        self._task = self._bar.add_task("", total=None, cells=begins, left="")
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def notify(self, standing: "Standing") -> None:
        """Show where the study stands."""
        left = ""
        if standing.cost:  # at the mean speed of the cells that were computed
            seconds = standing.seconds / standing.cost * standing.cost_left / self.workers
            left = f"about {duration(seconds)} left" if seconds >= 1 else ""
        words = [f"{standing.done}/{standing.total} {self.noun}"]
        cached = standing.there + standing.reused
        words += [f"{cached} cached"] if cached else []
        words += [f"{len(standing.failed)} failed"] if standing.failed else []
        self._bar.update(
            self._task, total=standing.total, completed=standing.done, cells=", ".join(words), left=left
        )
        if console.is_terminal:
            for cell in standing.failed.keys() - self._failed:
                say(Text.assemble(("failed ", "red"), f"{cell}: {standing.failed[cell]}"), indent=2)
            self._failed |= standing.failed.keys()
        elif standing.last:
            tail = f"  ·  {left}" if left else ""
            say(f"{standing.done:>3}/{standing.total}  {standing.last}{tail}", indent=2)
        elif standing.there:
            say(f"{standing.there} of {standing.total} {self.noun} are there already", indent=2)

    def summary(
        self,
        standing: "Standing",
        why_reused: str = "the same fingerprint was in the store",
    ) -> None:
        """Say what was trained, what was reused and what failed."""
        words = [f"{standing.trained} trained", f"{standing.there} there before"]
        if standing.reused:
            words.append(f"{standing.reused} reused: {why_reused}")
        say(f"{standing.total} {self.noun}: {', '.join(words)}, {len(standing.failed)} failed", indent=2)
        reasons: dict[str, list[str]] = {}
        for cell, reason in standing.failed.items():
            reasons.setdefault(reason, []).append(cell)
        for reason, cells in reasons.items():
            more = f" and {count(len(cells) - 1, 'more cell')}" if len(cells) > 1 else ""
            say(Text.assemble(("failed ", "red"), f"{cells[0]}{more}: {reason}"), indent=2)
