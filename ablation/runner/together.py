"""Tasks of one program in one process: the engine that gathers them, and what its worker does with them."""

import threading
from collections.abc import Hashable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, ExitStack
from queue import Empty, SimpleQueue

from pebble import ProcessExpired, ProcessPool

from ablation.emoji.run import Result, Trained
from ablation.emoji.spec import trunk
from ablation.emoji.together import accelerator, program, run_together
from ablation.emoji.train import Diverged, Epoch
from ablation.emoji.weights import trunk_of
from ablation.measures import composes
from ablation.runner.processes import context
from ablation.runner.worker import Outcome, Task, check_same_data, recorded, start, work
from ablation.study import Cell
from ablation.tracking.read import cell_lock
from ablation.tracking.record import Recorder, recording
from ablation.tracking.retry import patient, told
from ablation.tracking.store import Store

QUIET_SECONDS = 0.2  # without another task, after which those that wait are taken for all there are
Ended = Outcome | Exception


def by_program(cells: Mapping[str, Cell]) -> dict[str, Cell]:
    """The cells in an order in which those that can train together follow on each other; what only composes
    with the weights of others comes last.
    """
    programs: dict[Hashable, int] = {}
    for cell in cells.values():
        programs.setdefault(program(cell.spec), len(programs))

    def place(item: tuple[str, Cell]) -> tuple[bool, int]:
        spec = item[1].spec
        return spec != trunk(spec), programs[program(spec)]

    return dict(sorted(cells.items(), key=place))


class TogetherEngine:
    """One process that trains up to `size` cells of one program at a time, the seeds of an arm, say."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._pool = ProcessPool(max_workers=1, initializer=start, context=context())
        self._waiting: SimpleQueue[tuple[Task, Future[Outcome]] | None] = SimpleQueue()
        threading.Thread(target=self._serve, daemon=True).start()

    def submit(self, task: Task) -> "Future[Outcome]":
        """A future of the task's outcome; its exception is `lost` where the process was killed."""
        future: Future[Outcome] = Future()
        self._waiting.put((task, future))
        return future

    def lost(self, error: BaseException) -> bool:
        """See `Engine.lost`."""
        return isinstance(error, ProcessExpired)

    def close(self) -> None:
        """End the process."""
        self._waiting.put(None)
        self._pool.stop()
        self._pool.join()

    def _serve(self) -> None:
        while gathered := self._gather():
            groups: dict[Hashable, list[tuple[Task, Future[Outcome]]]] = {}
            for task, future in gathered:
                groups.setdefault(program(task.spec), []).append((task, future))
            for group in groups.values():
                self._compute([task for task, _ in group], [future for _, future in group])

    def _gather(self) -> "list[tuple[Task, Future[Outcome]]]":
        """What was submitted, once it is `size` tasks or nothing more comes; nothing at the end."""
        gathered: list[tuple[Task, Future[Outcome]]] = []
        while len(gathered) < self.size:
            try:
                one = self._waiting.get(timeout=QUIET_SECONDS if gathered else None)
            except Empty:
                break
            if one is None:
                return []
            gathered.append(one)
        return gathered

    def _compute(self, tasks: list[Task], futures: "list[Future[Outcome]]") -> None:
        try:
            ended: list[Ended] = self._pool.schedule(work_together, args=[tasks]).result()
        except Exception as error:
            ended = [error] * len(tasks)
        for future, one in zip(futures, ended, strict=True):
            if isinstance(one, Exception):
                future.set_exception(one)
            else:
                future.set_result(one)


def work_together(tasks: Sequence[Task]) -> list[Ended]:
    """What `work` does with each of the tasks, in their order; those that train do so as one program.

    A task that fails or diverges ends its own run alone. What takes the weights of another run is worked
    off one by one, afterwards.
    """
    ended: dict[int, Ended] = {}
    training = [number for number, task in enumerate(tasks) if task.spec == trunk(task.spec)]
    store, lacking = Store(tasks[0].store), list[int]()
    with ExitStack() as held:
        # In one order whoever asks for them, so that two groups never wait for each other.
        for number in sorted(training, key=lambda n: tasks[n].label.fingerprint):
            task = tasks[number]
            held.enter_context(_cell(store, task))
            try:
                if known := recorded(store, task):
                    ended[number] = known
                elif held.enter_context(_trunk(store, task)) is None:
                    lacking.append(number)
            except Exception as error:
                ended[number] = told(error)
        ended |= zip(lacking, _train(store, [tasks[number] for number in lacking]), strict=True)
    for number, task in enumerate(tasks):
        if number not in ended:
            try:
                ended[number] = work(task)
            except Exception as error:
                ended[number] = error
    return [ended[number] for number in range(len(tasks))]


def _cell(store: Store, task: Task) -> AbstractContextManager[None]:
    return patient(lambda: store.lock(cell_lock(task.label.fingerprint)))


def _trunk(store: Store, task: Task) -> AbstractContextManager[Trained | None]:
    return patient(lambda: trunk_of(store, task.spec, task.label.data))


def _train(store: Store, tasks: Sequence[Task]) -> list[Ended]:
    if not tasks:
        return []
    opened: list[_Open] = []
    try:
        how = {"device": str(accelerator()), "together": str(len(tasks))}
        opened += [_Open(store, task, how) for task in tasks]

        def on_epoch(number: int, epoch: Epoch) -> None:
            opened[number].recorder.epoch(epoch)

        composing = any(composes(task.measures) for task in tasks)
        results = run_together([task.spec for task in tasks], on_epoch, composing)
    except BaseException as error:
        for one in opened:
            one.end(error)
        raise
    # All are written, or kept on the disk, before the first waits for a server.
    ended = [one.take(result) for one, result in zip(opened, results, strict=True)]
    return [one.close(taken) for one, taken in zip(opened, ended, strict=True)]


class _Open:
    """A task's run under way, beside those of other tasks: each ends by itself, as it went."""

    def __init__(self, store: Store, task: Task, how: dict[str, str]) -> None:
        self.task = task
        self._context = recording(store, task.experiment, task.spec, task.label, how=how)
        self.recorder: Recorder = self._context.__enter__()

    def take(self, result: Result | Diverged) -> Result | Exception:
        """Write the result; it, or why it is none."""
        if isinstance(result, Diverged):
            return result
        try:
            check_same_data(result, self.task.label)
            self.recorder.result(result)
        except Exception as error:
            return error
        return result

    def close(self, taken: Result | Exception) -> Ended:
        """End the run; what came of the task."""
        if isinstance(taken, Exception):
            failed = self.end(taken) or taken
            if isinstance(failed, Diverged):
                return Outcome(self.recorder.run_id, {}, diverged=True, error=str(failed))
            return told(failed)
        if failed_late := self.end(None):
            return told(failed_late)
        return Outcome(self.recorder.run_id, taken.history[-1].metrics | taken.metrics)

    def end(self, error: BaseException | None) -> Exception | None:
        """End the run as `recording` does with that error, which is caught here; any other error is given."""
        try:
            self._context.__exit__(type(error) if error else None, error, None)
        except Exception as another:
            return another
        return None
