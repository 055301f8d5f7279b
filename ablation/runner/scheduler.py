"""Run what a study still lacks: check it, find the lacking cells, keep workers busy, note how each ends."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import TypeVar

from ablation.errors import UserError
from ablation.runner.engines import Engine
from ablation.runner.ledger import Ledger
from ablation.runner.recorded_plan import (
    CODE,
    CodeChange,
    Versions,
    check_unchanged,
    checked_versions,
    counted_versions,
    fingerprints,
    plan_of,
    training_of,
)
from ablation.runner.results import results
from ablation.runner.worker import Outcome, Task, packed
from ablation.study import Cell, Study
from ablation.tracking.availability import ServerUnavailable, is_unavailable, user_errors
from ablation.tracking.read import curve_names, mark_killed_if_free, running
from ablation.tracking.recording import Label
from ablation.tracking.store import Store
from ablation.tracking.views import described, save_views

TRIES = 3  # of a cell whose worker was killed

AnyLedger = TypeVar("AnyLedger", bound=Ledger)


@dataclass
class Progress:
    """Where a run of a study stands. failed[cell name] is the reason.

    seconds, cost: of the cells that were computed; cost_left: of those that have not ended, where a cell that
    trains costs 1.
    """

    total: int
    there: int = 0
    trained: int = 0
    reused: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    last: str = ""
    seconds: float = 0.0
    cost: float = 0.0
    cost_left: float = 0.0

    @property
    def done(self) -> int:
        """Cells that need no more work."""
        return self.there + self.trained + self.reused + len(self.failed)


def run_study(
    study: Study,
    store: Store,
    make_engine: Callable[[int], Engine],
    workers: int,
    seeds: int | None = None,
    notify: Callable[[Progress], None] = lambda progress: None,
    code: CodeChange = "",
    block: Sequence[Cell] = (),
) -> Progress:
    """Train every cell that has no finished run, `workers` at a time, seed by seed or as the engine wants.

    block: those of the study's cells that are meant; all of them if empty.
    `code` says what becomes of earlier runs where the code changed since. The study and its data are checked
    before anything is written. A cell that diverges or fails does not stop the others. Raises `UserError`
    where another process runs this study, the plan has changed, or a setting is tuned and nothing was chosen
    yet (`runner.tuned`).
    """
    if study.tuned and study.chosen.keys() != study.declared.keys():
        raise UserError(
            f"{study.name} wants {study.tuned.setting} tuned for every arm, but trials are lacking: run it "
            "again, once what they failed of is mended."
        )
    seeds = seeds or study.seeds
    now = checked_versions(study, study.cells(seeds))

    def check(ledger: Ledger) -> None:
        if ledger.has_results:
            counted = counted_versions(study, ledger.plan, ledger.same_code, now, code)
            if counted.get(CODE) == ledger.plan["versions"].get(CODE):
                check_unchanged(study, ledger.plan, plan_of(study, counted))

    with running_alone(study, store, Ledger, check, f"the study {study.name}") as (ledger, place):
        ledger.add_seed_count(seeds)
        versions = counted_versions(
            study, ledger.plan, ledger.same_code, now, code if ledger.has_results else "new"
        )
        if not ledger.has_results or versions.get(CODE) != ledger.plan["versions"].get(CODE):
            ledger.plan, ledger.stopped = plan_of(study, versions), {}
        elif versions != now:
            ledger.add_same_code(now.get(CODE, ""))
        cells = block or study.cells(seeds)
        if not block:
            ledger.stopped = {}
        progress = Progress(total=len(cells))
        lacking = _lacking(study, store, seeds, cells, versions, progress)
        notify(progress)
        if lacking:
            workers = min(workers, len(lacking))
            engine = make_engine(workers)
            lacking, costs = _trainings_first(study, lacking, versions)
            scheduler = Scheduler(
                study, store, ledger, place, versions, progress, notify, costs, versions != now
            )
            ordered = engine.order(study.experiment, lacking)
            begun = ((key, cell, ledger.begin(cell, key)) for key, cell in ordered.items())
            scheduler.work(begun, engine, workers)
        return progress


@contextmanager
def running_alone(
    study: Study, store: Store, kind: type[AnyLedger], check: Callable[[AnyLedger], None], what: str
) -> Iterator[tuple[AnyLedger, str]]:
    """The study's ledger and the id of its MLflow experiment, while no other process may run `what`.

    `check` raises `UserError` where the plan of the ledger has changed: then nothing is written.
    """
    if known := kind.open(store, study):
        check(known)
    store.create()
    with store.sole(f"study-{study.name}", what):
        ledger = kind.create(store, study)
        check(ledger)  # another process may have run it meanwhile
        place = store.experiment(study.name, described(study))
        save_views(store, place, study, curve_names(study.experiment))
        ledger.abandon()
        yield ledger, place


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

    costs: of every cell that has not ended, by arm and seed; a cell that trains costs 1.
    """

    study: Study
    store: Store
    ledger: Ledger
    place: str
    versions: Versions
    progress: Progress
    notify: Callable[[Progress], None]
    costs: dict[tuple[str, int], float]
    same_code: bool = False
    gone: bool = False
    running: dict["Future[Outcome]", _Ticket] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.order = {arm: number for number, arm in enumerate(self.study.settings)}

    def work(self, cells: Iterable[tuple[str, Cell, int] | None], engine: Engine, workers: int) -> None:
        """Keep `workers` of the cells in work to the last; whatever happens, leave nothing RUNNING.

        Each of `cells`, with its fingerprint and the number of its trial, is asked for when a worker is free,
        and none once a server did not come back: what is in work then still ends. None says that the next one
        waits for what is in work.
        """
        waiting = iter(cells)
        self.progress.cost_left = sum(self.costs.values())
        try:
            while (self.costs and not self.gone) or self.running:
                while not self.gone and len(self.running) < min(workers, len(self.costs)):
                    if (begun := next(waiting)) is None:
                        break
                    key, cell, trial = begun
                    self._start(engine, _Ticket(cell, key, trial, 1, monotonic()))
                for future in wait(self.running, return_when=FIRST_COMPLETED).done:
                    ticket = self.running.pop(future)
                    if not self._again(engine, future, ticket):
                        self._finish(engine, future, ticket)
                        self._tell(ticket)
        finally:
            engine.close()
            self._mark_killed([ticket.fingerprint for ticket in self.running.values()])
            with suppress(ServerUnavailable):
                self.ledger.abandon()

    def _start(self, engine: Engine, ticket: _Ticket) -> None:
        study, cell = self.study, ticket.cell
        version = self.versions[study.experiment.source(cell.settings)]
        training = training_of(study, cell, self.versions)
        key = ticket.fingerprint
        order = self.order.get(cell.arm, ticket.trial)  # the trials of a search are no arms of its study
        label = Label(
            study.name, cell.arm, cell.seed, key, version, training, study.quick, self.same_code, order
        )
        work = packed(study.experiment, cell.settings)
        of_items = tuple(study.measures) if study.of_items else ()
        task = Task(work, label, self.place, self.store.root, study.recorded(cell.arm), of_items=of_items)
        self.running[engine.submit(task)] = ticket

    def _again(self, engine: Engine, future: "Future[Outcome]", ticket: _Ticket) -> bool:
        """Hand in a cell again whose worker was killed, until its tries are spent."""
        error = future.exception()
        if error is None or not engine.lost(error) or ticket.tries == TRIES:
            return False
        ticket.tries += 1
        self._start(engine, ticket)
        return True

    def _finish(self, engine: Engine, future: "Future[Outcome]", ticket: _Ticket) -> None:
        error, cost = future.exception(), self.costs.pop((ticket.cell.arm, ticket.cell.seed))
        self.progress.cost_left -= cost
        outcome = None if error else future.result()
        if outcome is not None and not outcome.diverged:
            self.ledger.complete(ticket.trial, outcome.metrics)
            if outcome.reused:
                self.progress.reused += 1
            else:
                self.progress.trained += 1
                self.progress.seconds += monotonic() - ticket.started
                self.progress.cost += cost
            return
        self.ledger.fail(ticket.trial)
        if outcome is not None:
            reason = outcome.error
        elif error and engine.lost(error):
            self._mark_killed([ticket.fingerprint])
            reason = f"its worker was killed {TRIES} times"
        else:
            self.gone = self.gone or (isinstance(error, ServerUnavailable) and self._is_gone())
            reason = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
        self.progress.failed[ticket.cell.name] = reason

    def leave_out(self, arm: str, seed: int) -> None:
        """Count a cell no more that will not run: another one of its arm has decided that."""
        self.progress.cost_left -= self.costs.pop((arm, seed))
        self.progress.total -= 1

    def _is_gone(self) -> bool:
        """Whether a server is away for us, too, and not for one worker's machine alone."""
        try:
            running(self.store)
        except Exception as error:
            return is_unavailable(error)
        return False

    def _mark_killed(self, fingerprints: list[str]) -> None:
        """End their runs if the servers answer: else who computes the cells next does it."""
        with suppress(ServerUnavailable), user_errors():
            mark_killed_if_free(self.store, fingerprints)

    def _tell(self, ticket: _Ticket) -> None:
        self.progress.last = ticket.cell.name
        self.notify(self.progress)


def _lacking(
    study: Study,
    store: Store,
    seeds: int,
    cells: Sequence[Cell],
    versions: Versions,
    progress: Progress,
) -> dict[str, Cell]:
    """Those of `cells` without a finished run; `progress` counts those that have one, or that diverged."""
    found = results(study, store, seeds).set_index("fingerprint")
    lacking: dict[str, Cell] = {}
    for key, cell in fingerprints(study, cells, versions).items():
        if found.state[key] == "complete":
            progress.there += 1
        elif found.state[key] == "diverged":
            progress.failed[cell.name] = str(found.failure[key])
        else:
            lacking[key] = cell
    return lacking


def _trainings_first(
    study: Study, cells: Mapping[str, Cell], versions: Versions
) -> tuple[dict[str, Cell], dict[tuple[str, int], float]]:
    """The cells and their costs; one of every training comes first: workers would wait for it."""
    first: dict[str, Cell] = {}
    rest: dict[str, Cell] = {}
    trained: set[str] = set()
    for key, cell in cells.items():
        training = training_of(study, cell, versions)
        (rest if training in trained else first)[key] = cell
        trained.add(training)
    costs = {(cell.arm, cell.seed): 1.0 for cell in first.values()}
    costs |= {(cell.arm, cell.seed): study.experiment.reused_cost for cell in rest.values()}
    return first | rest, costs
