"""Servers that tests start themselves: PostgreSQL from Debian's package, and MLflow before it."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
USER = "postgres" if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
PASSWORD = "s3cret"


def free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])


class PostgreSQL:
    """A running server with a password; `database` makes an empty one and gives its address."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        shutil.chown(folder, USER) if USER else None
        secret = folder / "secret"
        secret.write_text(PASSWORD)
        shutil.chown(secret, USER) if USER else None
        self._run(
            "initdb", "-D", folder / "data", "-U", "ann", "--auth=scram-sha-256", "--pwfile", secret, "-N"
        )
        self.start()

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
        self._run(
            "pg_ctl", "-D", self.folder / "data", "-w", "-o", options, "-l", self.folder / "log", "start"
        )

    def stop(self) -> None:
        self._run("pg_ctl", "-D", self.folder / "data", "-m", "immediate", "-w", "stop")

    def database(self, name: str) -> str:
        engine = create_engine(self._url("postgres"), poolclass=NullPool, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f'CREATE DATABASE "{name}"'))
        return self._url(name)

    def _url(self, name: str) -> str:
        return f"postgresql+psycopg://ann:{PASSWORD}@127.0.0.1:{self.port}/{name}"

    def _run(self, program: str, *words: object) -> None:
        command = [str(PROGRAMS[-1] / program), *map(str, words)]
        subprocess.run(command, check=True, user=USER, cwd="/", stdout=subprocess.DEVNULL, timeout=60)


@contextmanager
def postgresql() -> Iterator[PostgreSQL]:
    """A server in a folder of its own, ended with the block."""
    folder = Path(tempfile.mkdtemp(prefix="ablation-pg-"))  # pytest's folders are closed to other users
    server = None
    try:
        server = PostgreSQL(folder)
        yield server
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


class MlflowServer:
    """A tracking server that passes artifacts on, before a database; it can be stopped and started."""

    def __init__(self, database: str, artifacts: Path, log: Path) -> None:
        self.database, self.artifacts, self.log, self.port = database, artifacts, log, free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        environment = {**os.environ, "MLFLOW_BACKEND_STORE_URI": self.database}
        environment.pop("MLFLOW_TRACKING_URI", None)
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--artifacts-destination", str(self.artifacts), "--workers", "1"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        for _ in range(240):
            try:
                if requests.get(f"{self.url}/health", timeout=1).ok:
                    return
            except requests.RequestException:
                assert self.process.poll() is None, self.log.read_text()
                time.sleep(0.25)
        raise AssertionError(self.log.read_text())

    def stop(self) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, 9)
            self.process.wait()
            self.process = None
