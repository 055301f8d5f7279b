"""Servers that go away, at the start, in the middle, for good: one sentence, nothing lost or doubled."""

import math
import os
import shutil
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import count
from pathlib import Path

import mlflow
import optuna
import pytest
import requests
from mlflow.entities import RunTag
from mlflow.exceptions import RestException
from mlflow.store.artifact.http_artifact_repo import HttpArtifactRepository
from optuna.trial import TrialState
from sqlalchemy.exc import OperationalError

from ablation import Command, Measure
from ablation.cli import main
from ablation.errors import UserError
from ablation.experiment import Diverged, Run
from ablation.report.export import publish
from ablation.runner.doctor import examine
from ablation.runner.ledger import Ledger
from ablation.runner.scheduler import run_study
from ablation.runner.worker import Task, work_together
from ablation.study import Study
from ablation.tracking import journal_on_disk as disk
from ablation.tracking import recording as journal
from ablation.tracking.artifacts import artifact
from ablation.tracking.availability import ServerUnavailable, is_unavailable, knock
from ablation.tracking.journal_on_disk import read, waiting
from ablation.tracking.read import cell_runs, mark_killed, running
from ablation.tracking.recording import Journal, Label, recording
from ablation.tracking.sender import Undelivered, deliver
from ablation.tracking.store import Store
from doubles_suite import BASELINE, KEPT, STEPS, Tiny, tiny_study
from engines import InlineEngine
from gates import Gate, gate
from servers import PASSWORD, MlflowServer, PostgreSQL
from test_kills import check_whole, start, wait_for
from test_kills import study_file as study_file
from test_kills import undisturbed as undisturbed

NUMBERS = count()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    folder = tmp_path_factory.mktemp("server")
    made = MlflowServer(f"sqlite:///{folder / 'runs.db'}", folder / "artifacts", folder / "log")
    made.start()
    yield made
    made.stop()


@pytest.fixture
def tracking(server: MlflowServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """The tracking server that the environment names, behind a gate; a run writes after every epoch."""
    with gate(server.port) as before:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{before.port}")
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        monkeypatch.setenv("ABLATION_PATIENCE", "20")
        monkeypatch.setattr(journal, "FLUSH_SECONDS", 0.0)
        monkeypatch.setattr(journal, "WORK_A_WAIT", 0)
        yield before


@pytest.fixture
def study() -> Study:
    """Two cells, in an experiment of the test's own."""
    # Fingerprints, too: a store that has a cell of another test would not train it.
    number = next(NUMBERS)
    return tiny_study(name=f"outage-{number}", seeds=1, baseline={**BASELINE, "note": f"outage {number}"})


def finished_whole(store: Store, study: Study) -> None:
    """Each of two cells has one finished run, whole curves, its file and a COMPLETE trial; nothing waits."""
    runs = cell_runs(store, study.name)
    good = runs[runs.status == "FINISHED"]
    assert len(good) == good.fingerprint.nunique() == 2
    for run_id in good.run_id:
        for name in ("train_loss", "validation_loss"):
            points = store.client.get_metric_history(run_id, name)
            assert [point.step for point in points] == list(range(1, STEPS + 1))
        assert len(store.client.get_metric_history(run_id, "miss")) == 1
        assert artifact(store, run_id, KEPT)
    assert waiting(store) == []
    ledger = Ledger.open(store, study)
    assert ledger is not None
    assert [trial.state for trial in ledger._trials()].count(TrialState.COMPLETE) == 2
    assert TrialState.RUNNING not in {trial.state for trial in ledger._trials()}


def on_step(monkeypatch: pytest.MonkeyPatch, act: Callable[[int], None]) -> None:
    """Do something before each step is recorded, by its number."""
    real = Journal.log

    def log(self: Journal, metrics: Mapping[str, float], step: int) -> None:
        act(step)
        real(self, metrics, step)

    monkeypatch.setattr(Journal, "log", log)


def on_finish(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Do something before the first result is recorded."""
    real, done = Journal.finish, []

    def finish(self: Journal, metrics: Mapping[str, float]) -> None:
        if not done:
            done.append(act())
        real(self, metrics)

    monkeypatch.setattr(Journal, "finish", finish)


def recorded(store: Store, study: Study, fingerprint: str = "") -> AbstractContextManager[Journal]:
    """A run of the study's baseline, without the runner."""
    label = Label(study.name, "slow", 0, fingerprint or f"{next(NUMBERS):016x}", "1", "2")
    return recording(store, store.experiment(study.name, {}), label, study.experiment, study.baseline)


# At the start.


class _Strange(BaseHTTPRequestHandler):
    answer = 200, b"<html>another program</html>"
    announced = 0  # bytes more than it sends

    def do_GET(self) -> None:
        self.send_response(self.answer[0])
        self.send_header("Content-Length", str(len(self.answer[1]) + self.announced))
        self.end_headers()
        self.wfile.write(self.answer[1])

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, *words: object) -> None: ...


@pytest.fixture
def strange(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a server that is not MLflow, or one in trouble."""
    handler = type("Handler", (_Strange,), {"answer": request.param})
    with HTTPServer(("127.0.0.1", 0), handler) as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{made.server_port}"
        made.shutdown()


def said(words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """What the command line says of a mistake, once it is one sentence with exit code 2 and no password."""
    monkeypatch.setattr("sys.argv", ["ablation", *words])
    monkeypatch.setattr("signal.signal", lambda *_: None)
    with pytest.raises(SystemExit) as ended:
        main()
    text = capsys.readouterr().err
    assert ended.value.code == 2, text
    assert text.count("\n") == 1, text
    assert "Traceback" not in text
    assert PASSWORD not in text
    return text


@pytest.mark.parametrize(
    ("variable", "address", "why"),
    [
        ("MLFLOW_TRACKING_URI", f"http://ann:{PASSWORD}@127.0.0.1:1", "Connection refused"),
        ("MLFLOW_TRACKING_URI", f"postgresql+psycopg://ann:{PASSWORD}@127.0.0.1:1/runs", "onnection refused"),
        (
            "ABLATION_OPTUNA_STORAGE",
            f"postgresql+psycopg://ann:{PASSWORD}@127.0.0.1:1/t",
            "onnection refused",
        ),
    ],
)
def test_a_server_that_is_not_there_is_one_sentence(
    variable: str, address: str, why: str, store: Store, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv(variable, address)
    store.root.joinpath("optuna.db").unlink(missing_ok=True)
    verb = ["doctor"] if variable.startswith("MLFLOW") else ["status", "latent_size"]
    text = said([*verb, "--store", str(store.root)], monkeypatch, capsys)
    assert why in text
    assert variable in text


@pytest.mark.parametrize(
    ("strange", "why"),
    [
        ((200, b"<html>another program</html>"), "what answers there is not MLflow"),
        ((404, b"nothing here"), "it says 404 ENDPOINT_NOT_FOUND"),
        ((500, b"trouble"), "too many 500 error responses"),
        ((503, b'{"error_code": "TEMPORARILY_UNAVAILABLE"}'), "too many 503 error responses"),
    ],
    indirect=["strange"],
)
def test_a_server_that_is_not_mlflow_or_in_trouble_is_one_sentence(
    strange: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("MLFLOW_TRACKING_URI", strange)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    text = said(["doctor", "--store", str(tmp_path)], monkeypatch, capsys)
    assert why in text
    assert "check --store or MLFLOW_TRACKING_URI" in text


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate of 127.0.0.1 that nobody vouches for, with its key."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    made = tmp_path / "own.pem"
    words = "openssl req -x509 -nodes -newkey rsa:2048 -days 1 -subj /CN=127.0.0.1"
    words += f" -addext subjectAltName=IP:127.0.0.1 -keyout {made} -out {tmp_path / 'certificate'}"
    subprocess.run(words.split(), check=True, capture_output=True)
    made.write_text(made.read_text() + (tmp_path / "certificate").read_text())
    return made


def test_a_server_is_asked_with_mlflows_own_settings_of_tls(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with HTTPServer(("127.0.0.1", 0), _Strange) as made:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
        made.socket = tls.wrap_socket(made.socket, server_side=True)
        threading.Thread(target=made.serve_forever, daemon=True).start()
        address = f"https://127.0.0.1:{made.server_port}"
        with pytest.raises(requests.exceptions.SSLError):
            knock(address, 5.0)
        monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(certificate))
        knock(address, 5.0)
        monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(certificate / "nowhere"))
        with pytest.raises(UserError, match=r"MLFLOW_TRACKING_SERVER_CERT_PATH .* cannot be read"):
            knock(address, 5.0)
        made.shutdown()


@pytest.mark.parametrize("strange", [(200, b"{")], indirect=True)
def test_an_answer_that_is_cut_off_says_that_the_server_is_away(
    strange: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setattr(_Strange, "announced", 1)
    with pytest.raises(mlflow.MlflowException) as cut:
        mlflow.MlflowClient(strange).log_batch("0" * 32, tags=[RunTag("name", "value")])
    assert is_unavailable(cut.value)


# In the middle.


def test_training_goes_on_while_the_tracking_server_is_away(
    study: Study, tmp_path: Path, tracking: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)

    def act(number: int) -> None:
        {2: tracking.shut, STEPS: tracking.open}.get(number, lambda: None)()

    on_step(monkeypatch, act)
    # Who waited for the server in an epoch would wait for ever: a later epoch brings it back.
    progress = run_study(study, store, InlineEngine(), workers=1)
    assert progress.failed == {}
    assert set(cell_runs(store, study.name).status) == {"FINISHED"}
    finished_whole(store, study)


def test_a_server_that_says_nothing_takes_little_of_the_training(
    study: Study, tmp_path: Path, tracking: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    store.create()
    with recorded(store, study) as run:
        run.log({"train_loss": 1.0}, 1)
        monkeypatch.setattr(journal, "WORK_A_WAIT", 10)
        tracking.shut()
        tracking.dumb = True
        tracking.open()
        with monkeypatch.context() as counting:
            asked, probe = [], Store.probe
            counting.setattr(Store, "probe", lambda self, *s: (asked.append(s), probe(self, *s)))
            for step in range(2, 50):
                run.log({"train_loss": 1 / step}, step)
        assert len(asked) == 1  # it says nothing for two seconds; then we work for twenty
        tracking.shut()
        tracking.dumb = False
        tracking.open()
    points = store.client.get_metric_history(run.run_id, "train_loss")
    assert [(point.step, point.value) for point in points] == [(n, 1 / n) for n in range(1, 50)]


def test_a_result_waits_for_the_tracking_server(
    study: Study, tmp_path: Path, tracking: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, timers, kept = Store(tmp_path), [], []

    def waits(self: Journal) -> None:
        kept.extend(waiting(store))
        timers.append(tracking.open_in(1.5))
        wait(self)

    wait = Journal._wait
    on_finish(monkeypatch, tracking.shut)
    monkeypatch.setattr(Journal, "_wait", waits)
    assert run_study(study, store, InlineEngine(), workers=1).failed == {}
    timers[0].join()
    assert len(kept) == 1  # before the wait: who is killed in it loses nothing
    assert set(cell_runs(store, study.name).status) == {"FINISHED"}
    finished_whole(store, study)


def test_a_cell_that_cannot_begin_waits_for_the_tracking_server(
    study: Study, tmp_path: Path, tracking: Gate
) -> None:
    store, timers = Store(tmp_path), []

    def act(task: Task) -> None:
        if not timers:
            tracking.shut()
            timers.append(tracking.open_in(1.5))

    assert run_study(study, store, InlineEngine(act), workers=1).failed == {}
    timers[0].join()
    finished_whole(store, study)


WAITS = 'touch "$BEGAN"; while [ ! -e "$GO" ]; do sleep 0.02; done; '
LOGS = WAITS + f"exec {sys.executable} -c \"import mlflow; mlflow.log_metric('miss', 0.5)\""
LEAVES = WAITS + 'echo "{\\"miss\\": 0.5}" > "$ABLATION_METRICS"'


@pytest.fixture
def away(tracking: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Shut the gate as soon as a command trains, and only then let that command go on."""
    began, go = tmp_path / "began", tmp_path / "go"
    monkeypatch.setenv("BEGAN", str(began))
    monkeypatch.setenv("GO", str(go))

    def shut() -> None:
        wait_for(began.exists)
        tracking.shut()
        go.touch()

    return shut


def commanded(script: str) -> Study:
    """The study `tiny_study` trained by a command of one line."""
    number = next(NUMBERS)
    command = Command(["sh", "-c", script.replace("{", "{{").replace("}", "}}")], reads_environment=True)
    measures = {"miss": Measure("lower", matters=0.1)}
    return Study(
        name=f"outage-{number}", question="?", source="?", train=command, measures=measures, seeds=1,
        baseline={"rate": 0.1, "number": number}, arms={"fast": {"rate": 0.2}},
    )  # fmt: skip


def test_a_command_that_needs_no_server_trains_on_and_its_result_waits(
    tmp_path: Path, tracking: Gate, away: Callable[[], None]
) -> None:
    store, study = Store(tmp_path / "store"), commanded(LEAVES)

    def comes_and_goes() -> None:
        away()
        tracking.open_in(1.5)

    thread = threading.Thread(target=comes_and_goes)
    thread.start()
    progress = run_study(study, store, InlineEngine(), workers=1)
    thread.join()
    assert progress.failed == {}
    runs = cell_runs(store, study.name)
    assert (runs.status.tolist(), runs.miss.tolist()) == (["FINISHED"] * 2, [0.5] * 2)
    assert waiting(store) == []


def test_a_command_that_cannot_log_fails_with_its_own_words_and_is_trained_by_the_next_run(
    tmp_path: Path, tracking: Gate, away: Callable[[], None]
) -> None:
    store, study = Store(tmp_path / "store"), commanded(LOGS)

    def comes_back(task: Task) -> None:
        if len(engine.tasks) == 2:  # the script of the first cell has given up
            tracking.open()

    thread, engine = threading.Thread(target=away), InlineEngine(comes_back)
    thread.start()
    progress = run_study(study, store, engine, workers=1)
    thread.join()
    assert len(progress.failed) == 1
    (reason,) = progress.failed.values()
    assert "ended with exit code 1; the last lines of output.txt are" in reason
    again = run_study(study, store, InlineEngine(), workers=1)
    assert (again.failed, again.trained, again.there) == ({}, 1, 1)
    # The server did not hear of the failure, and the next run ended that run as one that died.
    assert sorted(cell_runs(store, study.name).status) == ["FINISHED", "FINISHED", "KILLED"]


def test_a_file_that_does_not_come_is_not_taken_for_one_that_is_not_kept(
    study: Study, tmp_path: Path, tracking: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    run_study(study, store, InlineEngine(), workers=1)
    run_id = cell_runs(store, study.name).run_id[0]

    def unavailable(*_: object) -> None:
        raise requests.HTTPError("503 Server Error: Service Unavailable")

    with monkeypatch.context() as patched:
        patched.setattr(HttpArtifactRepository, "_download_file", unavailable)
        with pytest.raises(ServerUnavailable, match=f"the run {run_id} keeps {KEPT}, but it cannot be read"):
            artifact(store, run_id, KEPT)
        assert artifact(store, run_id, "another.csv") is None
    assert artifact(store, run_id, KEPT)


@pytest.mark.parametrize("verb", ["create_run", "log_batch", "log_artifacts", "set_terminated"])
def test_what_was_written_though_the_answer_was_lost_is_not_doubled(
    verb: str, study: Study, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "FLUSH_SECONDS", 0.0)
    real, calls = getattr(mlflow.MlflowClient, verb), []

    def lost(*words: object, **named: object) -> object:
        done = real(*words, **named)
        calls.append(verb)
        if len(calls) in (1, 4):
            raise requests.ConnectionError("the answer was lost")
        return done

    monkeypatch.setattr(mlflow.MlflowClient, verb, lost)
    assert run_study(study, store, InlineEngine(), workers=1).failed == {}
    finished_whole(store, study)
    assert running(store) == []


def test_databases_that_are_away_for_a_moment_are_waited_for(
    study: Study, tmp_path: Path, on_postgresql: str, database_server: PostgreSQL,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    with gate(database_server.port) as before:
        for name in ("MLFLOW_TRACKING_URI", "ABLATION_OPTUNA_STORAGE"):
            here = os.environ[name].replace(str(database_server.port), str(before.port))
            monkeypatch.setenv(name, here)
        monkeypatch.setenv("ABLATION_PATIENCE", "20")
        monkeypatch.setattr(journal, "FLUSH_SECONDS", 0.0)
        store, timers = Store(tmp_path), []

        def away_for_a_moment(*_: object) -> None:
            before.shut()
            timers.append(before.open_in(1.0))

        on_finish(monkeypatch, away_for_a_moment)
        complete = Ledger.complete

        def completes(self: Ledger, number: int, metrics: dict[str, float]) -> None:
            away_for_a_moment()
            complete(self, number, metrics)

        monkeypatch.setattr(Ledger, "complete", completes)
        # The study's own lock, too, is gone with its connection.
        engine = InlineEngine(away_for_a_moment)
        assert run_study(study, store, engine, workers=1).failed == {}
        for timer in timers:
            timer.join()
        finished_whole(store, study)
        ledger = Ledger.open(store, study)
        assert ledger is not None
        assert len(ledger._trials()) == 2


@pytest.mark.parametrize("verb", ["add_trial", "tell"])
def test_a_trial_whose_answer_was_lost_is_told_once(
    verb: str, study: Study, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = getattr(optuna.Study, verb), []

    def lost(*words: object, **named: object) -> object:
        done = real(*words, **named)
        calls.append(verb)
        if len(calls) == 1:
            raise OperationalError("", {}, Exception("the answer was lost"))
        return done

    monkeypatch.setattr(optuna.Study, verb, lost)
    assert run_study(study, store, InlineEngine(), workers=1).failed == {}
    finished_whole(store, study)
    ledger = Ledger.open(store, study)
    assert ledger is not None
    assert [trial.number for trial in ledger._trials()] == [0, 1]


TROUBLE = RestException({"error_code": "INTERNAL_ERROR", "message": "trouble"})
TOO_LARGE = requests.Response()
TOO_LARGE.status_code = 413


def refusing(times: float, error: Exception) -> Callable[..., None]:
    """`log_artifacts` of a server that refuses so many times: MLflow, or the proxy before it."""
    real, asked = mlflow.MlflowClient.log_artifacts, count(1)

    def log_artifacts(*words: str) -> None:
        if next(asked) <= times:
            raise error
        real(*words)

    return log_artifacts


def test_a_result_that_the_server_takes_when_asked_again_is_there(
    study: Study, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mlflow.MlflowClient, "log_artifacts", refusing(1, TROUBLE))
    assert run_study(study, store, InlineEngine(), workers=1).failed == {}
    finished_whole(store, study)


@pytest.mark.parametrize("error", [TROUBLE, requests.HTTPError("too large", response=TOO_LARGE)], ids=str)
def test_a_result_that_the_server_does_not_take_is_kept(
    error: Exception, study: Study, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = InlineEngine()
    monkeypatch.chdir(store.root)  # where no study has findings of its own
    with monkeypatch.context() as patched:
        patched.setattr(mlflow.MlflowClient, "log_artifacts", refusing(math.inf, error))
        first, again = (run_study(study, store, engine, workers=1).failed.values() for _ in range(2))
        findings = [finding for finding in examine(store) if not finding.fine]
    assert len(waiting(store)) == len(first) == 2  # the server is there: the second cell is tried
    for said in (*first, *again, *(finding.what for finding in findings)):
        assert "MLflow does not take the result that is kept in " in said
        assert "mend that, or delete the folder" in said
    assert len(findings) == 2
    assert running(store) == []
    progress = run_study(study, store, InlineEngine(), workers=1)
    assert (progress.failed, progress.reused, progress.trained) == ({}, 2, 0)
    finished_whole(store, study)


# For good.


@pytest.fixture
def kept(study: Study, tmp_path: Path, tracking: Gate, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store whose tracking server went away for good as the first of two cells ended, and is back now."""
    store = Store(tmp_path / "kept")
    monkeypatch.setenv("ABLATION_PATIENCE", "0.5")
    with monkeypatch.context() as patched:
        on_finish(patched, tracking.shut)
        engine = InlineEngine()
        progress = run_study(study, store, engine, workers=1)
    assert len(engine.tasks) == 1  # the other cell is not handed out to wait for nothing
    (sentence,) = progress.failed.values()
    (fingerprint,) = waiting(store)
    place = store.root / "journal" / fingerprint
    assert f"the result is kept in {place}, and `ablation doctor`, or the next run" in sentence
    assert read(place).fingerprint == fingerprint
    assert len(read(place).points) == 3 * STEPS
    assert (place / "files" / KEPT).exists()
    assert {path.suffix for path in place.rglob("*.*")} <= {".json", ".jsonl", ".csv", ".diff"}
    tracking.open()
    monkeypatch.setenv("ABLATION_PATIENCE", "20")
    return store


def rerun(study: Study, store: Store) -> InlineEngine:
    """Run the study; one cell of two is found, since its result was kept, and the other trained."""
    engine = InlineEngine()
    progress = run_study(study, store, engine, workers=1)
    assert (progress.failed, progress.reused, progress.trained) == ({}, 1, 1)
    finished_whole(store, study)
    return engine


def test_doctor_delivers_what_was_kept_and_nothing_is_trained_twice(
    study: Study, kept: Store, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (fingerprint,) = waiting(kept)
    (begun,) = running(kept) and cell_runs(kept, study.name).run_id
    assert f"result of {fingerprint}: waited on the disk; delivered as run {begun}" in {
        finding.what for finding in examine(kept)
    }
    assert waiting(kept) == []
    rerun(study, kept)
    publish(study, kept, tmp_path / "out")
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    run_study(study, store, InlineEngine(), workers=1)
    publish(study, store, tmp_path / "undisturbed")
    for name in ("table.csv", "table.html", "verdicts.csv"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "undisturbed" / name).read_bytes()


def test_the_next_run_delivers_what_was_kept(study: Study, kept: Store) -> None:
    rerun(study, kept)


def test_what_was_kept_of_a_run_that_was_ended_meanwhile_becomes_a_new_run(study: Study, kept: Store) -> None:
    (fingerprint,) = waiting(kept)
    (ended,) = mark_killed(kept, fingerprint)
    run_id = deliver(kept, fingerprint)
    assert run_id not in ("", ended)
    one, other = (kept.client.get_run(number).data for number in (run_id, ended))
    assert one.params == other.params
    late = {"outcome": "", "sections": "speed", "items": "items.csv"}  # which are not known as a run begins
    assert other.tags | late == one.tags | late
    rerun(study, kept)


def test_what_was_kept_is_dropped_where_another_run_finished_meanwhile(study: Study, kept: Store) -> None:
    (fingerprint,) = waiting(kept)
    place = kept.root / "journal"
    shutil.copytree(place / fingerprint, kept.root / "elsewhere")
    assert deliver(kept, fingerprint)
    replace(read(kept.root / "elsewhere"), run_id="f" * 32).write(kept.root / "elsewhere")
    (kept.root / "elsewhere").rename(place / fingerprint)
    assert f"result of {fingerprint}: waited on the disk; dropped, since another run of it" in " ".join(
        finding.what for finding in examine(kept)
    )
    rerun(study, kept)


def test_what_was_kept_is_delivered_though_another_study_has_a_run_that_measures_less(
    study: Study, kept: Store
) -> None:
    (fingerprint,) = waiting(kept)
    record = read(kept.root / "journal" / fingerprint)
    with recorded(kept, replace(study, name="less"), fingerprint):
        pass  # finished, without a number
    assert deliver(kept, fingerprint) == record.run_id
    assert waiting(kept) == []
    rerun(study, kept)


@pytest.mark.parametrize("lose", ["delete_experiment", "rename_experiment"])
def test_a_result_whose_experiment_goes_while_it_waits_is_not_called_complete(
    lose: str, study: Study, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def loses(self: Journal) -> None:
        experiment = store.client.get_experiment_by_name(study.name)
        if experiment is not None and experiment.lifecycle_stage == "active":
            getattr(store.client, lose)(experiment.experiment_id, *["lost"][: lose.startswith("rename")])
        wait(self)

    wait = Journal._wait
    monkeypatch.setattr(mlflow.MlflowClient, "log_artifacts", refusing(1, TROUBLE))
    monkeypatch.setattr(Journal, "_wait", loses)
    failed = run_study(study, store, InlineEngine(), workers=1).failed
    (fingerprint,) = waiting(store)
    place = store.root / "journal" / fingerprint
    sentence = next(iter(failed.values()))
    assert f"MLflow is back, but the result waits in {place} for the experiment {study.name}" in sentence
    ledger = Ledger.open(store, study)
    assert ledger is not None
    assert ledger.states()[fingerprint] == TrialState.FAIL


def test_what_another_server_waits_for_is_not_replaced(study: Study, kept: Store) -> None:
    (fingerprint,) = waiting(kept)
    folder = kept.root / "journal"
    stranger = replace(read(folder / fingerprint), server="http://elsewhere:5000")
    stranger.write(folder / fingerprint)
    with recorded(kept, replace(study, name=f"{study.name}-again"), fingerprint) as run:
        assert run.entry == folder / f"{fingerprint}-2"
    assert waiting(kept) == [fingerprint]
    assert [path.name for path in folder.iterdir()] == [fingerprint]
    assert read(folder / fingerprint) == stranger


def test_what_another_server_computes_is_not_taken_for_dead(study: Study, kept: Store) -> None:
    (fingerprint,) = waiting(kept)
    folder = kept.root / "journal"
    record = replace(read(folder / fingerprint), status="RUNNING")
    for server, left in (("http://elsewhere:5000", [fingerprint]), (record.server, [])):
        replace(record, server=server).write(folder / fingerprint)
        mark_killed(kept, fingerprint)
        assert [path.name for path in folder.iterdir()] == left


@pytest.mark.parametrize("spelt", ["http://ann:pw@TRACKING:5000/", "http://tracking:5000"])
def test_a_server_is_the_same_however_it_is_spelt(
    spelt: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.setenv(name, "")  # so that what the address holds is forgotten afterwards
    monkeypatch.setenv("MLFLOW_TRACKING_URI", spelt)
    assert Store(tmp_path).server == "http://tracking:5000"


def test_what_was_kept_goes_to_no_other_server_and_no_other_study(
    study: Study, kept: Store, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    (fingerprint,) = waiting(kept)
    address = os.environ["MLFLOW_TRACKING_URI"]
    folder = kept.root / "journal" / fingerprint
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{store.root / 'mlflow.db'}")
    elsewhere = Store(kept.root)
    strangers = [elsewhere.client.create_experiment(f"another {number}") for number in range(9)]
    (said,) = [finding.what for finding in examine(elsewhere) if fingerprint in finding.what]
    assert f"waits in {folder} for the experiment {study.name} on {address}: name that server" in said
    assert elsewhere.client.search_runs(strangers) == []
    progress = run_study(study, elsewhere, InlineEngine(), workers=1)  # which holds up no cell
    assert (progress.failed, progress.trained) == ({}, 2)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    assert waiting(kept) == [fingerprint]
    assert deliver(kept, fingerprint)


def test_what_was_kept_of_a_study_whose_experiment_was_deleted_waits(study: Study, kept: Store) -> None:
    (fingerprint,) = waiting(kept)
    experiment = kept.client.get_experiment_by_name(study.name).experiment_id
    kept.client.delete_experiment(experiment)
    renamed = replace(study, name=f"{study.name}-renamed")
    assert run_study(renamed, kept, InlineEngine(), workers=1).failed == {}
    assert waiting(kept) == [fingerprint]
    kept.client.restore_experiment(experiment)
    assert deliver(kept, fingerprint) == ""  # the renamed study has finished it meanwhile
    assert waiting(kept) == []


def test_a_delivery_that_is_cut_off_is_taken_up_again(
    study: Study, kept: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    (fingerprint,) = waiting(kept)
    with monkeypatch.context() as patched:

        def die(*words: object) -> None:
            raise KeyboardInterrupt

        patched.setattr(mlflow.MlflowClient, "set_terminated", die)
        with pytest.raises(KeyboardInterrupt):
            deliver(kept, fingerprint)
    assert waiting(kept) == [fingerprint]
    rerun(study, kept)


@pytest.mark.parametrize("name", [disk.RECORD, disk.POINTS])
def test_what_cannot_be_read_is_named_and_not_trained_over(study: Study, kept: Store, name: str) -> None:
    (fingerprint,) = waiting(kept)
    (kept.root / "journal" / fingerprint / name).write_text("{")
    progress = run_study(study, kept, InlineEngine(), workers=1)
    assert "cannot be read" in next(iter(progress.failed.values()))


@pytest.mark.slow
def test_a_run_that_diverged_is_delivered_as_diverged(
    study: Study, tmp_path: Path, tracking: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    monkeypatch.setenv("ABLATION_PATIENCE", "0.5")

    def diverges(self: Tiny, settings: object, seed: int, run: Run) -> Mapping[str, float]:
        tracking.shut()
        raise Diverged("train_loss is nan")

    with monkeypatch.context() as patched:
        patched.setattr(Tiny, "train", diverges)
        run_study(study, store, InlineEngine(), workers=1)
    assert len(waiting(store)) == 1
    tracking.open()
    again = InlineEngine()
    monkeypatch.setenv("ABLATION_PATIENCE", "20")
    progress = run_study(study, store, again, workers=1)
    assert list(progress.failed.values()) == ["Diverged: train_loss is nan"]
    runs = cell_runs(store, study.name)
    assert sorted(runs.outcome) == ["", "diverged"]
    assert waiting(store) == []


@pytest.mark.slow
def test_cells_that_trained_together_are_all_kept(
    study: Study, tmp_path: Path, tracking: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, tasks, study = Store(tmp_path), [], replace(study, seeds=2)
    monkeypatch.setenv("ABLATION_PATIENCE", "1.5")

    def stop(task: Task) -> None:
        tasks.extend([task] if task.label.arm == "slow" else [])  # those of one arm
        raise ValueError

    run_study(study, store, InlineEngine(stop), workers=1)
    with monkeypatch.context() as patched:
        on_finish(patched, tracking.shut)
        ended = work_together(tasks)
    assert [type(one) for one in ended] == [Undelivered, Undelivered]
    assert len(waiting(store)) == 2
    tracking.open()
    assert [finding.what.split()[0] for finding in examine(store)].count("result") == 2
    assert waiting(store) == []
    assert list(cell_runs(store, study.name).status) == ["FINISHED"] * 2


def test_a_database_that_is_gone_for_good_ends_the_run_in_a_sentence_and_the_next_goes_on(
    study: Study, tmp_path: Path, on_postgresql: str, database_server: PostgreSQL,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    with gate(database_server.port) as before:
        address = os.environ["ABLATION_OPTUNA_STORAGE"]
        monkeypatch.setenv(
            "ABLATION_OPTUNA_STORAGE", address.replace(str(database_server.port), str(before.port))
        )
        monkeypatch.setenv("ABLATION_PATIENCE", "0.5")
        store = Store(tmp_path)
        with monkeypatch.context() as patched:
            on_finish(patched, before.shut)
            with pytest.raises(
                ServerUnavailable, match=r"does not answer .*run the same command again"
            ) as raised:
                run_study(study, store, InlineEngine(), workers=1)
        assert PASSWORD not in str(raised.value)
        before.open()
        rerun(study, store)


@pytest.mark.slow
def test_a_tracking_server_that_is_killed_and_started_again_costs_a_running_study_nothing(
    server: MlflowServer, study_file: Path, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.url)
    monkeypatch.delenv("ABLATION_PATIENCE", raising=False)
    store = tmp_path / "store"
    process = start(study_file, store)
    wait_for(lambda: list(cell_runs(Store(store), study_file.stem).status).count("FINISHED") >= 1)
    server.stop()
    time.sleep(10)
    server.start()
    output, _ = process.communicate(timeout=200)
    assert process.returncode == 0, output
    assert "Traceback" not in output
    assert "failed 0" in output or "0 failed" in output
    check_whole(study_file, store, undisturbed, tmp_path / "out")
