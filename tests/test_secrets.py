"""Passwords of servers are in no error, log, run or export; and nobody but this machine is served."""

import os
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from mlflow.exceptions import MlflowException
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.pool import NullPool
from typer.testing import CliRunner

from ablation.cli import app
from ablation.cli.store import ui
from ablation.errors import UserError
from ablation.runner.ledger import Ledger
from ablation.runner.scheduler import run_study
from ablation.tracking.addresses import hidden, shown, without_credentials
from ablation.tracking.store import Store
from doubles_suite import tiny_study
from engines import InlineEngine
from servers import PASSWORD, MlflowServer, PostgreSQL, free_port
from test_kills import STUDY

SQLITE = "sqlite:////tmp/none/trials.db"


@pytest.fixture(autouse=True)
def own_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment is left as it was: an address with a password changes it."""
    for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")


@contextmanager
def answering(code: list[int]) -> Iterator[tuple[int, list[str]]]:
    """A server that answers everything with the code, an empty object; its port, and who asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.headers.get("Authorization", ""))
            self.send_response(code[0])
            self.end_headers()
            self.wfile.write(b"{}" if code[0] == 200 else b"no")

        do_POST = do_GET

        def log_message(self, *words: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port, asked
        finally:
            server.shutdown()
            thread.join()


def whole(error: BaseException) -> str:
    """The error as a log has it, with all that led to it."""
    return "".join(traceback.format_exception(error))


def test_an_address_is_shown_without_its_secrets() -> None:
    assert shown(f"postgresql://ann:{PASSWORD}@db/x?password={PASSWORD}") == "postgresql://ann:***@db/x"
    address = f"postgresql://db/x?user=ann&password={PASSWORD}"
    assert hidden(f"at db?x={PASSWORD}.\nmore", address) == "at db?x=***"
    assert hidden("no p%40ss, no p@ss", "postgresql://ann:p%40ss@db/x") == "no ***, no ***"


def test_mlflow_is_told_the_password_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert without_credentials("http://ann:p%40ss@host:5000/x") == "http://host:5000/x"
    assert (os.environ["MLFLOW_TRACKING_USERNAME"], os.environ["MLFLOW_TRACKING_PASSWORD"]) == ("ann", "p@ss")
    assert without_credentials(SQLITE) == SQLITE


@pytest.mark.parametrize("code", [401, 404, 500])
def test_a_tracking_server_that_refuses_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    with answering([code]) as (port, asked):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://ann:{PASSWORD}@127.0.0.1:{port}")
        with pytest.raises(
            UserError, match=rf"MLflow's store http://127.0.0.1:{port} cannot be opened"
        ) as raised:
            Store(tmp_path).experiment("x", {})
    assert str(code) in str(raised.value)
    assert PASSWORD not in whole(raised.value)
    assert asked[-1].startswith("Basic ")


def test_nor_is_the_password_in_what_mlflow_says_when_the_server_fails_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = [200]
    with answering(code) as (port, _):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://ann:{PASSWORD}@127.0.0.1:{port}")
        client = Store(tmp_path).client
        code[0] = 500
        with pytest.raises(MlflowException, match="too many 500") as failing:
            client.get_experiment_by_name("x")
    with pytest.raises(MlflowException) as gone:
        client.get_experiment_by_name("x")
    assert PASSWORD not in whole(failing.value) + whole(gone.value)


ADDRESSES = (
    *(f"http://ann:{PASSWORD}@127.0.0.1:1", f"http://ann:x@127.0.0.1:{PASSWORD}", f"ann:{PASSWORD}@host"),
    *(f"postgresql+psycopg://ann:{PASSWORD}@127.0.0.1:1/x", f"mysql+pymysql://ann:{PASSWORD}@127.0.0.1/x"),
    *(f"postgresql+psycopg://127.0.0.1:1/x?user=ann&password={PASSWORD}", f"foo://ann:{PASSWORD}@host/x"),
    *(f"postgresql+psycopg://ann:{PASSWORD}@127.0.0.1:{PASSWORD}/x", f"databricks://ann:{PASSWORD}@host"),
)


@pytest.mark.parametrize("number", range(len(ADDRESSES)))
@pytest.mark.parametrize("variable", ["MLFLOW_TRACKING_URI", "ABLATION_OPTUNA_STORAGE"])
def test_an_address_that_does_not_answer_is_a_sentence_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, number: int
) -> None:
    monkeypatch.setenv(variable, ADDRESSES[number])
    store, study = Store(tmp_path / "store"), tiny_study()
    (tmp_path / "store" / "locks").mkdir(parents=True)
    reach = store.experiment if variable == "MLFLOW_TRACKING_URI" else lambda *_: Ledger.create(store, study)
    with pytest.raises(UserError) as raised:
        reach("x", {})
    assert PASSWORD not in whole(raised.value)


def wrong(address: str) -> str:
    return address.replace(PASSWORD, f"{PASSWORD}-but-wrong")


def missing(address: str) -> str:
    return address.rpartition("/")[0] + "/none"


@pytest.mark.parametrize("mistaken", [wrong, missing])
@pytest.mark.parametrize("variable", ["MLFLOW_TRACKING_URI", "ABLATION_OPTUNA_STORAGE"])
def test_a_wrong_password_and_a_missing_database_are_a_sentence(
    on_postgresql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    variable: str, mistaken: Callable[[str], str],
) -> None:  # fmt: skip
    monkeypatch.setenv(variable, mistaken(os.environ[variable]))
    with pytest.raises(UserError, match=r"(password authentication failed|does not exist)") as raised:
        run_study(tiny_study(), Store(tmp_path / "store"), InlineEngine(), 1)
    assert PASSWORD not in whole(raised.value)


@pytest.mark.slow
def test_no_verb_no_log_no_run_and_no_export_has_a_password(
    database_server: PostgreSQL, tmp_path: Path
) -> None:
    """Worker processes, a tracking server with user and password, and PostgreSQL for the trials."""
    (tmp_path / "small.py").write_text(STUDY)
    server = MlflowServer(f"sqlite:///{tmp_path}/server.db", tmp_path / "artifacts", tmp_path / "server.log")
    trials = database_server.database("secret_trials")
    server.start()
    environment = os.environ | {
        "MLFLOW_TRACKING_URI": server.url.replace("://", f"://ann:{PASSWORD}@"),
        "ABLATION_OPTUNA_STORAGE": trials,
        "PYTHONPATH": str(Path(__file__).parents[1]),
    }
    logs = ""
    try:
        for words in (
            ("run", "small.py", "--workers", "2"), ("status", "small.py"), ("doctor",),
            ("verify", "small.py"), ("export", "small.py", "--to", "out"), ("ui",),
        ):  # fmt: skip
            done = subprocess.run(
                [sys.executable, "-c", "from ablation.cli import main; main()", *words, "--store", "store"],
                cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            logs += done.stdout + done.stderr
    finally:
        server.stop()
    assert PASSWORD not in logs
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    names = {path.name for path in files}
    assert {"provenance.json", "environment.json", "server.db", "weights"} <= names
    assert [path for path in files if PASSWORD.encode() in path.read_bytes()] == []
    assert PASSWORD not in dump(trials)


def dump(address: str) -> str:
    """Every row of every table."""
    engine = create_engine(address, poolclass=NullPool)
    with engine.connect() as connection:
        tables = inspect(engine).get_table_names()
        found = [connection.execute(text(f'SELECT * FROM "{name}"')).all() for name in tables]
    assert any(found)
    return str(found)


def test_the_ui_listens_on_this_machine_alone(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[list[str]] = []
    monkeypatch.setattr(os, "execve", lambda program, words, environment: called.append(words))
    port = free_port()
    ui(store=store.root, port=port)
    (words,) = called
    assert words[:4] == [sys.executable, "-m", "mlflow", "server"]
    assert words.count("--host") == 1
    assert words[words.index("--host") + 1] == "127.0.0.1"
    assert words[words.index("--port") + 1] == str(port)
    assert CliRunner().invoke(app, ["ui", "--host", "0.0.0.0"]).exit_code == 2
