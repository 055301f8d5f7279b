"""Write one run: parameters as the spec spells them, curves as they come, results and files at the end."""

import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from ablation.emoji.files import write_files, write_weights
from ablation.emoji.run import Result, Trained
from ablation.emoji.spec import RunSpec, fingerprint, flat, trunk
from ablation.emoji.train import Diverged, Epoch
from ablation.tracking.delivery import Undelivered, awaited, deliver
from ablation.tracking.label import Label, dataset_of, origin_tags, shelved, spelt
from ablation.tracking.outbox import keep
from ablation.tracking.read import bury
from ablation.tracking.retry import ServerUnavailable, away, patience, patiently, reason, refused
from ablation.tracking.run_record import Account, Point, begin, describe, end, log
from ablation.tracking.store import Store

FLUSH_SECONDS = 2.0  # so that quick epochs cost one write in two seconds, and a crash loses no more
WORK_A_WAIT = 10  # times as long as we waited for a server that is away, we work before we ask it again


class Recorder:
    """An open run: takes epochs as they end and the result at last.

    A server that is away stops no training: what it was not told waits, and is told when it is back. A result
    that it could not be told, or would not take, is kept on the disk first.
    """

    def __init__(self, store: Store, account: Account, how: Mapping[str, str]) -> None:
        self.store, self.account, self.how = store, account, how
        self._began = self._flushed = time.monotonic()
        self._pause = FLUSH_SECONDS
        self._waiting: list[Point] = []
        self._kept: tuple[float, Path] | None = None  # when and where, if MLflow could not be told

    @property
    def run_id(self) -> str:
        """MLflow's id of the run."""
        return self.account.run_id

    def epoch(self, epoch: Epoch) -> None:
        """Keep an epoch's measures; written with others, FLUSH_SECONDS later if the server answers."""
        self._add(epoch.metrics, epoch.number)
        if time.monotonic() - self._flushed > self._pause:
            self.flush()

    def flush(self) -> None:
        """Write what waits; where the server is away, later: to ask for it takes little of our time."""
        asked = time.monotonic()
        try:
            self.store.probe()
            log(self.store.client, self.run_id, self._waiting)
            self._waiting = []
        except Exception as error:
            if not away(error):
                raise
        self._flushed = time.monotonic()
        self._pause = max(FLUSH_SECONDS, (self._flushed - asked) * WORK_A_WAIT)

    def result(self, result: Result, trained: Trained | None = None) -> None:
        """Write the final numbers and the run's files, and end it as FINISHED; the weights stay with the run
        that trained them. Where the server is away all of it is kept on the disk, and the run's end waits.
        """
        speed = {"seconds": result.seconds, "images_per_second": result.images_per_second}
        self._add({shelved(name): value for name, value in (result.metrics | speed).items()}, 0)
        with tempfile.TemporaryDirectory() as folder:
            write_files(result, Path(folder), self.how)
            if trained is None:
                write_weights(result, Path(folder))
            self._end("FINISHED", Path(folder))

    def close(self, status: str, why: Mapping[str, str] = MappingProxyType({})) -> None:
        """End the run if its result did not, and wait for the server where it is away; else `Undelivered`."""
        if self.account.status == "RUNNING":
            self.account.tags |= why
            self._end(status, None)
        if self._kept is not None:
            self._deliver(*self._kept)

    def give_up(self, error: BaseException) -> None:
        """Say why the run failed, if that can be said: else it is ended by whoever computes its cell next."""
        if self.account.status == "RUNNING":
            self.account.tags |= {"outcome": "failed", "error": _named(error)} if _failed(error) else {}
            self.account.status, self.account.ended = "FAILED" if _failed(error) else "KILLED", self._now()
            with suppress(Exception):
                end(self.store.client, self.run_id, self.account, self._waiting, None)

    def _end(self, status: str, files: Path | None) -> None:
        ended = replace(self.account, status=status, ended=self._now())
        gone = False
        try:
            end(self.store.client, self.run_id, ended, self._waiting, files)
        except Exception as error:
            gone = away(error) or refused(error)
            if not gone:
                raise
        if gone:
            place = keep(self.store, ended, files)
            self._kept = time.monotonic(), place
        self.account = ended

    def _deliver(self, since: float, place: Path) -> None:
        fingerprint = self.account.fingerprint
        try:
            delivered = patiently(lambda: deliver(self.store, fingerprint), until=since + patience())
        except ServerUnavailable as error:
            raise Undelivered(
                f"MLflow did not come back ({reason(error)}): the result is kept in {place}, and `ablation "
                "doctor`, or the next run of the study, delivers it."
            ) from error
        if place.is_dir():
            raise Undelivered(f"MLflow is back, but the result {awaited(place)}.")
        self.account.run_id = delivered or self.account.run_id

    def _add(self, metrics: Mapping[str, float], step: int) -> None:
        points: list[Point] = [(name, value, self._now(), step) for name, value in metrics.items()]
        self.account.points += points
        self._waiting += points

    def _now(self) -> int:
        """Milliseconds since 1970 by the clock as it was when the run began: it may jump in between."""
        return self.account.started + int((time.monotonic() - self._began) * 1000)


@contextmanager
def recording(
    store: Store,
    experiment: str,
    spec: RunSpec,
    label: Label,
    trained: Trained | None = None,
    how: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Recorder]:
    """A new run that ends FINISHED, FAILED (an error) or KILLED (an interrupt), as its body ends.

    A diverged run is FAILED with the tag outcome=diverged: the spec decides it, so it is a result. The tag
    `trunk` is what it trains, and `built_on` the run whose weights it took, where it took any. `how` it is
    trained, where that is not by one thread of the CPU, is added to the tags and to environment.json.
    Raises `ServerUnavailable` where the server is not there to begin it, and `Undelivered` where it is not at its end.
    """
    tags = label.tags(spec.seed) | origin_tags() | {"trunk": fingerprint(trunk(spec), label.data)} | dict(how)
    if trained is not None:
        tags["built_on"] = trained.run_id
    params = {name: spelt(value) for name, value in flat(spec).items()}
    now = int(time.time() * 1000)
    dataset = dataset_of(spec, label.data)
    account = Account(label.fingerprint, experiment, tags, params, dataset, now, server=store.server)
    recorder = Recorder(store, account, how)
    try:
        patiently(lambda: _begin(recorder), lambda: _begin_anew(recorder))
        yield recorder
        recorder.close("FINISHED")
    except Diverged as error:
        recorder.close("FAILED", {"outcome": "diverged", "error": _named(error)})
        raise
    except BaseException as error:
        if not isinstance(error, ServerUnavailable):
            recorder.give_up(error)
        raise


def _begin(recorder: Recorder) -> None:
    client, account = recorder.store.client, recorder.account
    account.run_id = begin(client, account)
    describe(client, account.run_id, account)


def _begin_anew(recorder: Recorder) -> None:
    """Begin again after a try of which nobody knows how far it came; its run is ours to end, by our lock."""
    bury(recorder.store, recorder.account.fingerprint)
    _begin(recorder)


def _failed(error: BaseException) -> bool:
    """Whether it is an error, not an interrupt."""
    return isinstance(error, Exception)


def _named(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:4000]
