"""The command line: `main` turns a user's mistake into one sentence and exit code 2.

The verbs import what they need when they are called, so that `--help` and `list` answer at once.
"""

import atexit
import gc
import os
import signal
import sys
from contextlib import suppress
from functools import cache
from importlib.metadata import entry_points
from io import TextIOWrapper
from typing import cast

import typer
from typer.core import TyperGroup

from ablation.cli import new, store, studies, tables
from ablation.errors import UserError
from ablation.texts import PLAIN

INTERRUPTED = 130  # what typer makes of a KeyboardInterrupt
OBJECTS = 100_000  # new ones, after which the garbage collector looks for cycles

app = typer.Typer(
    help="Run ablation studies, compare their runs in MLflow, and export tables with intervals and verdicts.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for verb in (
    *(
        new.new,
        studies.list_,
        studies.plan,
        studies.run,
        studies.tune,
        studies.status,
        studies.verify,
        tables.table,
    ),
    *(tables.export, tables.figures, store.ui, store.doctor, studies.report),
):
    app.command(verb.__name__.rstrip("_"))(verb)


@cache
def command_line() -> TyperGroup:
    """All verbs, with those of experiments that bring their own (entry points `ablation.commands`)."""
    for found in entry_points(group="ablation.commands"):
        app.add_typer(found.load(), name=found.name)
    return cast(TyperGroup, typer.main.get_command(app))


def main() -> None:
    """The verb that is asked for; exit code 0 done, 1 some cells failed, 2 a mistake, 130 interrupted."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    _set_encoding()
    gc.set_threshold(OBJECTS)  # a verb imports half a million that stay: looking through them takes a second
    try:
        code = command_line()(standalone_mode=False)
    except UserError as error:
        code = _say(str(error))
    except typer.TyperException as usage:
        code = _say(f"{usage.format_message()} Try `ablation --help`.")
    except (typer.Abort, KeyboardInterrupt):  # the second before typer's own begins
        code = INTERRUPTED
    except SystemExit as ended:  # typer's own where whoever read it has gone
        if not isinstance(ended.__context__, BrokenPipeError):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:
        from ablation.tracking.availability import as_user_error

        said = as_user_error(error)  # of a server that went away or a disk that is full
        if not isinstance(said, UserError):
            raise
        code = _say(str(said))
    if code == INTERRUPTED:
        print("\nStopped: what is finished is kept, and the same command goes on from here.", file=sys.stderr)
    sys.exit(code or 0)


def command() -> None:
    """The console command: `main`, and then the end of the process without Python's own.

    That would free what the libraries have made, object by object: one to four seconds for nothing.
    """
    try:
        main()
    except SystemExit as ended:
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError):  # whoever read it has gone
                stream.flush()
        os._exit(ended.code if isinstance(ended.code, int) else 1)


def _set_encoding() -> None:
    """A file or a pipe gets UTF-8; a terminal keeps its encoding, and plain characters for those it lacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            if stream.isatty():
                stream.reconfigure(errors=PLAIN)
            else:
                stream.reconfigure(encoding="utf-8", errors="surrogateescape")


def _say(sentence: str) -> int:
    from ablation.terminal import errors, say

    say(sentence, to=errors)
    return 2
