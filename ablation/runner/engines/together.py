"""Experimental: one process trains several cells of one program at once (`Experiment.train_together`)."""

import threading
from collections.abc import Hashable, Sequence
from concurrent.futures import Future
from queue import Empty, SimpleQueue

from ablation.errors import UserError
from ablation.experiment import Experiment
from ablation.runner.engines import Cells, Executor, ExecutorConfig
from ablation.runner.engines.local import LocalEngine, warm
from ablation.runner.worker import Ended, Outcome, Task, answer, work_together
from ablation.study import Cell

QUIET_SECONDS = 0.2  # without another task, after which those that wait are taken for all there are
CELLS = 8  # trained at once, if nothing else is said


def prepare(config: ExecutorConfig, experiments: Sequence[Experiment]) -> Executor:
    """One process; `config.workers` cells at once."""
    for one in experiments:
        if type(one).train_together is Experiment.train_together:
            raise UserError(
                f"the engine 'together' wants an experiment that trains several cells as one program, but "
                f"{one.name} does not: take the engine 'local'."
            )
    warm(experiments)
    return Executor(config.workers or CELLS, TogetherEngine)


class TogetherEngine(LocalEngine):
    """One process that trains up to `size` cells of one program at a time, the seeds of an arm, say."""

    def __init__(self, size: int) -> None:
        super().__init__(workers=1)
        self.size = size
        self._waiting: SimpleQueue[tuple[Task, Future[Outcome]] | None] = SimpleQueue()
        threading.Thread(target=self._serve, daemon=True).start()

    def submit(self, task: Task) -> "Future[Outcome]":
        """A future of the task's outcome; its exception is `lost` where the process was killed."""
        future: Future[Outcome] = Future()
        self._waiting.put((task, future))
        return future

    def order(self, experiment: Experiment, cells: Cells) -> Cells:
        """Those that can train together follow on each other; what reuses a training comes last."""
        programs = list(dict.fromkeys(experiment.program(cell.settings) for cell in cells.values()))

        def place(item: tuple[str, Cell]) -> tuple[bool, int]:
            settings = item[1].settings
            return settings != experiment.training(settings), programs.index(experiment.program(settings))

        return dict(sorted(cells.items(), key=place))

    def close(self) -> None:
        """End the process."""
        self._waiting.put(None)
        super().close()

    def _serve(self) -> None:
        while gathered := self._gather():
            groups: dict[Hashable, list[tuple[Task, Future[Outcome]]]] = {}
            for task, future in gathered:
                groups.setdefault(task.experiment.program(task.settings), []).append((task, future))
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
            answer(future, one)
