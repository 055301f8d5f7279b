"""Record one run: on the disk first, in MLflow as soon as it can be.

A server that is away stops no training: what it was not told is in the journal, and is sent when it is back.
"""

import json
import shutil
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd

from ablation.errors import UserError
from ablation.experiment import Diverged, Experiment, Trained
from ablation.files import write
from ablation.measures import RESERVED
from ablation.settings import flat
from ablation.stats.items import ITEM_COLUMNS, as_items
from ablation.texts import one_line
from ablation.tracking import child
from ablation.tracking import journal_on_disk as disk
from ablation.tracking.availability import (
    ServerUnavailable,
    is_refused,
    is_unavailable,
    patience,
    reason,
    retry,
)
from ablation.tracking.journal_on_disk import FAILED, FILES, FINISHED, KILLED, RUNNING, SCRATCH, Point, Record
from ablation.tracking.origin import Origin, origin
from ablation.tracking.read import ITEMS, NOTE, OPEN, REMARKS, SAME_CODE, SECTIONS, end_running
from ablation.tracking.sender import Undelivered, awaited, begin, deliver, end, send_points
from ablation.tracking.store import ORDER, ROLE_CELL, Store

FLUSH_SECONDS = 2.0  # so that quick steps cost one request in two seconds
WORK_A_WAIT = 10  # times as long as we waited for a server that is away, we work before we ask it again
NAME_LETTERS = 500  # that MLflow has room for in the name of a data set
PARAM_LETTERS = 6000  # and in a parameter; settings.json has it whole
NOTE_LETTERS = 500  # of a note, which stands in a sentence
TAG_LETTERS, REMARK_LETTERS = 4000, 1000  # of the remarks on the data, and of each
TRACEBACK = "traceback.txt"
KEPT_OF_FAILED = TRACEBACK, "output.txt"
SOURCE = {"mlflow.source.name": "ablation run", "mlflow.source.type": "LOCAL"}


@dataclass(frozen=True)
class Label:
    """What places a run in its study. version: of its data; training: the fingerprint of what it trains.

    order: the number of its arm in the study.
    """

    study: str
    arm: str
    seed: int
    fingerprint: str
    version: str
    training: str
    quick: bool = False
    same_code: bool = False
    order: int = 0

    def tags(self) -> dict[str, str]:
        """As MLflow's tags; all of a run's place in its study can be searched by them."""
        return (
            {
                "study": self.study,
                "arm": self.arm,
                "seed": str(self.seed),
                ORDER: f"{self.seed:010}.{self.order:05}",
                "role": ROLE_CELL,
                "fingerprint": self.fingerprint,
                "data": self.version,
                "training": self.training,
                "mlflow.runName": f"{self.arm}, seed {self.seed}" + (" (quick)" if self.quick else ""),
            }
            | ({"quick": "smoke budget: the numbers mean nothing"} if self.quick else {})
            | ({SAME_CODE: "by its study"} if self.same_code else {})
        )


def metric_key(experiment: Experiment, name: str) -> str:
    """The metric's name in MLflow, which draws a chart for each, those with a prefix in a section."""
    section = experiment.section(name)
    return f"{section}/{name}" if section else name


@dataclass
class Journal:
    """The open record of a run, as `ablation.experiment.Run` describes it; `finish` takes its metrics."""

    store: Store
    place: str
    record: Record
    experiment: Experiment
    measures: tuple[str, ...]
    trained: Trained | None
    accelerator: bool

    def __post_init__(self) -> None:
        self.entry = disk.make_entry(self.store, self.record.fingerprint)
        self.folder = self.entry / SCRATCH
        self.kept = pd.DataFrame(columns=list(ITEM_COLUMNS))
        self._began = self._sent = time.monotonic()
        self._logged = 0
        self._pause = FLUSH_SECONDS
        self.record.write(self.entry)

    @property
    def run_id(self) -> str:
        """MLflow's id of the run."""
        return self.record.run_id

    @property
    def environment(self) -> Mapping[str, str]:
        """MLflow's variables, by which another process writes into this run."""
        return child.variables(self.store.tracking_uri, self.place, self.run_id)

    def logged(self) -> tuple[Mapping[str, float], Mapping[str, str]]:
        """The last value of each metric that MLflow has of the run, and its parameters."""
        data = retry(lambda: self.store.client.get_run(self.run_id)).data
        return dict(data.metrics), dict(data.params)

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Record points of curves; MLflow has them FLUSH_SECONDS later, if the server answers."""
        if int(step) != step:
            raise UserError(
                f"run.log wants a whole number as the step, but got {step!r}: count in whole ones."
            )
        # Of two points in one millisecond MLflow takes the larger value for the last.
        self._logged = max(self._now(), self._logged + 1)
        points: list[Point] = [
            (name, float(value), self._logged, int(step)) for name, value in metrics.items()
        ]
        disk.append(self.entry, points)
        self.record.points += points
        if time.monotonic() - self._sent > self._pause:
            self.flush()

    def flush(self) -> None:
        """Send what MLflow does not have; later where the server is away: to ask takes little of our time."""
        asked = time.monotonic()
        try:
            self.store.probe()
            send_points(self.store.client, self.record)
        except Exception as error:
            if not is_unavailable(error):
                raise
        self._sent = time.monotonic()
        self._pause = max(FLUSH_SECONDS, (self._sent - asked) * WORK_A_WAIT)

    def artifact(self, path: Path) -> None:
        """Keep a copy of the file with the run."""
        if not path.is_file():
            raise UserError(f"run.artifact wants a file, but {path} is none: write it first.")
        shutil.copyfile(path, self.entry / FILES / path.name)

    def note(self, name: str, text: str) -> None:
        """Keep a short text with the run."""
        self.record.tags[f"{NOTE}{name}"] = one_line(text, NOTE_LETTERS)

    def items(self, frame: pd.DataFrame) -> None:
        """Keep the values of single test items, beside those that are kept already."""
        given = as_items(frame, self.measures)
        kept = pd.concat([self.kept, given], ignore_index=True) if len(self.kept) else given
        if kept.duplicated(["measure", "group", "item"]).any():
            raise UserError("run.items wants one value for each measure, group and item: drop the second.")
        path = self.entry / FILES / ITEMS
        self.record.tags["items"] = ITEMS
        # Texts in quotes (2): pandas quotes no carriage return by itself, which ends a row.
        given.to_csv(path, mode="a", header=not path.exists(), index=False, na_rep="nan", quoting=2)
        self.kept = kept

    def finish(self, metrics: Mapping[str, float]) -> None:
        """End the run as FINISHED with its final metrics: whole on the disk, then in MLflow if it answers."""
        if taken := sorted(RESERVED & metrics.keys()):
            raise UserError(
                f"a metric wants a name of its own, but {', '.join(taken)} is something else of a run: "
                "rename it."
            )
        named = {metric_key(self.experiment, name): float(value) for name, value in metrics.items()}
        sections = sorted({self.experiment.section(name) for name in metrics} - {""})
        self.record.metrics = named
        self.record.tags |= {SECTIONS: ", ".join(sections)} if sections else {}
        self.record.tags |= {"outcome": "finished"} if self.record.logs_itself else {}
        self._end(FINISHED)

    def close(self, status: str, why: Mapping[str, str] = MappingProxyType({})) -> None:
        """End the run if it did not, and wait for the server where it is away; else `Undelivered`."""
        if self.record.status == RUNNING:
            self.record.tags |= why
            self._end(status)
        if self.entry.is_dir():
            self._wait()

    def give_up(self, error: BaseException) -> None:
        """Say why the run failed, if that can be said: else it is ended by whoever computes its cell next.

        Of its files it keeps the output of a command, and the traceback of an error that is no sentence.
        """
        if self.record.status == RUNNING:
            with suppress(Exception):
                if self.run_id and not isinstance(error, ServerUnavailable):
                    failed = isinstance(error, Exception)  # no interrupt
                    why = {"outcome": "failed", "failure": _named(error)} if failed else {"outcome": "killed"}
                    self.record.tags |= why
                    self.record.status, self.record.ended = FAILED if failed else KILLED, self._now()
                    shutil.rmtree(self.folder, ignore_errors=True)  # which may fill the disk
                    self._drop_files(but=KEPT_OF_FAILED if failed else ())
                    if failed and not isinstance(error, UserError):
                        with suppress(OSError):
                            lines = traceback.format_exception(error)
                            kept = self.entry / FILES / TRACEBACK
                            kept.write_text("".join(lines), encoding="utf-8", errors="replace")
                    try:
                        end(self.store, self.record, self.entry)
                    except Exception as refused:
                        if is_unavailable(refused):
                            raise
                        self._drop_files()  # a full disk takes no copy of them
                        end(self.store, self.record, self.entry)
            with suppress(OSError):
                disk.remove(self.entry)

    def _drop_files(self, but: Sequence[str] = ()) -> None:
        for path in (self.entry / FILES).iterdir():
            if path.name not in but:
                path.unlink()

    def _end(self, status: str) -> None:
        ended = replace(self.record, status=status, ended=self._now())
        shutil.rmtree(self.folder, ignore_errors=True)
        ended.write(self.entry)
        self.record = ended
        try:
            end(self.store, ended, self.entry)
        except Exception as error:
            if not (is_unavailable(error) or is_refused(error)):
                raise

    def _wait(self) -> None:
        """Deliver what could not be sent at once."""
        ended = self._began + (self.record.ended - self.record.started) / 1000  # seconds of monotonic time
        try:
            fingerprint = self.record.fingerprint
            delivered = retry(lambda: deliver(self.store, fingerprint), until=ended + patience())
        except ServerUnavailable as error:
            raise Undelivered(
                f"MLflow did not come back ({reason(error)}): the result is kept in {self.entry}, and "
                "`ablation doctor`, or the next run of the study, delivers it."
            ) from error
        if self.entry.is_dir():
            raise Undelivered(f"MLflow is back, but the result {awaited(self.entry)}.")
        self.record.run_id = delivered or self.record.run_id

    def _now(self) -> int:
        """Milliseconds since 1970 by the clock as it was when the run began: it may jump in between."""
        return self.record.started + int((time.monotonic() - self._began) * 1000)


@contextmanager
def recording(
    store: Store,
    place: str,
    label: Label,
    experiment: Experiment,
    settings: Any,
    *,
    measures: Sequence[str] = (),
    trained: Trained | None = None,
    accelerator: bool = False,
    how: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Journal]:
    """A new run in the MLflow experiment `place`; ends FINISHED, FAILED (an error) or KILLED (an interrupt).

    A diverged run is FAILED with the tag outcome=diverged: the settings decide it, so it is a result. The tag
    `built_on` names the run of `trained`. `how` it is computed, where that is not by the CPU alone, is added
    to the tags and to environment.json. Raises `ServerUnavailable` where the server is not there to begin it,
    and `Undelivered` where it is not at its end.
    """
    here = origin(tuple(experiment.packages))
    tags = label.tags() | SOURCE | here.tags() | dict(how)
    if said := remarks(experiment, settings):
        tags[REMARKS] = said
    if trained is not None:
        tags["built_on"] = trained.run_id
    data = experiment.dataset(settings)
    record = Record(
        label.fingerprint,
        label.study,
        store.server,
        tags,
        {name: _spelt(value) for name, value in (flat(settings) | {"seed": label.seed}).items()},
        {**data, "name": data["name"][:NAME_LETTERS], "digest": label.version} if data else {},
        int(time.time() * 1000),
        logs_itself=experiment.logs_itself,
    )
    record.tags |= {"outcome": OPEN} if record.logs_itself else {}
    journal = Journal(store, place, record, experiment, tuple(measures), trained, accelerator)
    try:
        _write_files(journal.entry / FILES, settings, here, how)
        retry(lambda: begin(store.client, record, place), lambda: _begin_anew(store, record, place))
        yield journal
        journal.close(FINISHED)
    except Diverged as error:
        journal.close(FAILED, {"outcome": "diverged", "failure": _named(error)})
        raise
    except BaseException as error:
        journal.give_up(error)
        raise


def remarks(experiment: Experiment, settings: Any) -> str:
    """What the experiment remarks of the data, a line each, as long as a tag can be."""
    lines = [one_line(sentence, REMARK_LETTERS) for sentence in experiment.remarks(settings)]
    kept = [line for line, end in zip(lines, accumulate(map(len, lines)), strict=True) if end < TAG_LETTERS]
    if len(kept) < len(lines):
        kept.append(f"{len(lines) - len(kept)} more remarks on the data are too long to be recorded here.")
    return "\n".join(kept)


def _begin_anew(store: Store, record: Record, place: str) -> None:
    """Begin again after an attempt that may have come half-way; its run is ours to end, by our lock."""
    end_running(store, record.fingerprint)
    begin(store.client, record, place)


def _write_files(to: Path, settings: Any, here: Origin, how: Mapping[str, str]) -> None:
    environment = {"packages": here.packages, "hardware": here.hardware | dict(how), "commit": here.commit}
    write(json.dumps(flat(settings), indent=1, default=str) + "\n", to / "settings.json")
    write(json.dumps(environment, indent=1) + "\n", to / "environment.json")
    if here.diff:
        write(here.diff, to / "git.diff")


def _spelt(value: object) -> str:
    """A setting as MLflow's parameters have it."""
    return (", ".join(map(str, value)) if isinstance(value, tuple) else str(value))[:PARAM_LETTERS]


def _named(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:4000]
