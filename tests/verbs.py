"""The command line in processes of their own, forked from one that has its libraries, which takes seconds."""

import atexit
import json
import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

SERVER = """
import atexit, json, os, sys, traceback
import alembic.command, mlflow.store.tracking.sqlalchemy_store, optuna.storages, pandas, scipy.stats
import ablation.cli.show, ablation.report.export, ablation.runner.engines.local, ablation.runner.scheduler
from ablation.cli import command

for line in sys.stdin:
    words, folder, environment, out, err = json.loads(line)
    child = os.fork()
    if not child:
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        for number, path in enumerate((os.devnull, out, err)):
            os.dup2(os.open(path, os.O_RDWR | os.O_CREAT), number)
        sys.argv = ["ablation", *words]
        atexit.register(lambda: print("torch" in sys.modules, file=sys.stderr))
        try:
            command()
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@cache
def _server() -> "subprocess.Popen[str]":
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    atexit.register(server.communicate)
    return server


def call(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """`ablation WORDS` in the folder; the last line of its errors says whether torch was imported there."""
    server = _server()
    assert server.stdin is not None
    assert server.stdout is not None
    with tempfile.TemporaryDirectory() as scratch:
        out, err = (Path(scratch) / name for name in ("out", "err"))
        server.stdin.write(json.dumps([words, str(folder), dict(os.environ), str(out), str(err)]) + "\n")
        server.stdin.flush()
        code = int(server.stdout.readline())
        return subprocess.CompletedProcess(words, code, out.read_text(), err.read_text())
