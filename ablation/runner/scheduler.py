"""The cells in work: handed to an engine, as many at a time as there are workers, and noted as they end."""

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import suppress
from dataclasses import dataclass, field
from statistics import fmean
from time import monotonic

from ablation.errors import UserError
from ablation.runner.engines import Engine
from ablation.runner.ledger import Ledger
from ablation.runner.plan import sources_of
from ablation.runner.worker import Outcome, Task
from ablation.study import Cell, Study
from ablation.tracking.label import Label
from ablation.tracking.read import bury_free, running
from ablation.tracking.retry import ServerUnavailable, away, in_a_sentence
from ablation.tracking.store import Store

COMPOSING = 0.03  # of a training, about: what it takes to compose with its weights
TRIES = 3  # of a cell whose worker was killed


@dataclass
class Progress:
    """Where a run of a study stands. failed[cell name] is the reason; seconds_left is None until known."""

    total: int
    there: int = 0
    trained: int = 0
    reused: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    last: str = ""
    seconds_left: float | None = None

    @property
    def done(self) -> int:
        """Cells that need no more work."""
        return self.there + self.trained + self.reused + len(self.failed)


@dataclass
class _Ticket:
    cell: Cell
    fingerprint: str
    trial: int
    tries: int
    started: float


@dataclass
class Scheduler:
    """The cells in work, and what happens when one comes back.

    composing: how many of the cells, the last ones, take weights that others trained; seconds[whether it did]
    are those of each cell that has run.
    """

    study: Study
    store: Store
    ledger: Ledger
    experiment: str
    data: dict[str, str]
    progress: Progress
    notify: Callable[[Progress], None]
    composing: int = 0
    gone: bool = False
    running: dict["Future[Outcome]", _Ticket] = field(default_factory=dict)
    seconds: dict[bool, list[float]] = field(default_factory=lambda: {False: [], True: []})

    def work(self, cells: Iterable[tuple[str, Cell]], count: int, engine: Engine, workers: int) -> None:
        """Keep `workers` of the `count` cells in work to the last; whatever happens, leave nothing RUNNING.

        Each of `cells`, by fingerprint, is asked for when a worker is free for it, and none once a server
        did not come back: what is in work then still ends.
        """
        waiting, left = iter(cells), count
        try:
            while (left and not self.gone) or self.running:
                while left and not self.gone and len(self.running) < workers:
                    key, cell = next(waiting)
                    left -= 1
                    self._start(engine, _Ticket(cell, key, self.ledger.begin(cell, key), 1, monotonic()))
                for future in wait(self.running, return_when=FIRST_COMPLETED).done:
                    ticket = self.running.pop(future)
                    if not self._again(engine, future, ticket):
                        self._finish(engine, future, ticket)
                        self._tell(ticket, left + len(self.running), workers)
        finally:
            engine.close()
            self._bury([ticket.fingerprint for ticket in self.running.values()])
            with suppress(ServerUnavailable):
                self.ledger.abandon()

    def _start(self, engine: Engine, ticket: _Ticket) -> None:
        data = self.data[sources_of(ticket.cell.spec)]
        label = Label(self.study.name, ticket.cell.arm, ticket.fingerprint, data, self.study.quick)
        place = self.experiment, self.store.root, tuple(self.study.measures)
        self.running[engine.submit(Task(ticket.cell.spec, label, *place))] = ticket

    def _again(self, engine: Engine, future: "Future[Outcome]", ticket: _Ticket) -> bool:
        """Hand in a cell again whose worker was killed, until its tries are spent."""
        error = future.exception()
        if error is None or not engine.lost(error) or ticket.tries == TRIES:
            return False
        ticket.tries += 1
        self._start(engine, ticket)
        return True

    def _finish(self, engine: Engine, future: "Future[Outcome]", ticket: _Ticket) -> None:
        error = future.exception()
        outcome = None if error else future.result()
        if outcome is not None and not outcome.diverged:
            self.ledger.complete(ticket.trial, outcome.metrics)
            self.progress.reused += outcome.reused
            self.progress.trained += not outcome.reused
            if not outcome.reused:
                self.seconds[outcome.built].append(monotonic() - ticket.started)
            return
        self.ledger.fail(ticket.trial)
        if error and engine.lost(error):
            self._bury([ticket.fingerprint])
        self.gone = self.gone or (isinstance(error, ServerUnavailable) and self._is_gone())
        killed = f"its worker was killed {TRIES} times"
        named = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
        reason = killed if error and engine.lost(error) else named
        self.progress.failed[name_of(ticket.cell)] = outcome.error if outcome else reason

    def _is_gone(self) -> bool:
        """Whether a server is away for us, too, and not for one worker's machine alone."""
        try:
            running(self.store)
        except Exception as error:
            return away(error)
        return False

    def _bury(self, fingerprints: list[str]) -> None:
        """End their runs if the servers answer: else who computes the cells next does it."""
        with suppress(ServerUnavailable), in_a_sentence():
            bury_free(self.store, fingerprints)

    def _tell(self, ticket: _Ticket, left: int, workers: int) -> None:
        self.progress.last = name_of(ticket.cell)
        if any(self.seconds.values()):
            composing = min(left, self.composing)
            cost = (left - composing) * self._cost(built=False) + composing * self._cost(built=True)
            self.progress.seconds_left = cost / workers
        self.notify(self.progress)

    def _cost(self, built: bool) -> float:
        """Mean seconds of a cell; before one has run, by what the other kind takes."""
        if self.seconds[built]:
            return fmean(self.seconds[built])
        other = fmean(self.seconds[not built])
        if not self.composing:  # then those that took weights are cells that another study has trained
            return other
        return other * (COMPOSING if built else 1 / COMPOSING)


def name_of(cell: Cell) -> str:
    """The cell in words: "latent 64, seed 3"."""
    return f"{cell.arm}, seed {cell.seed}"
