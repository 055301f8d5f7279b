"""The verb that begins a study: a commented file that runs as it stands, and what it needs beside it."""

import re
import sys
from functools import partial
from importlib.metadata import packages_distributions
from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from ablation.catalogue import DERIVED
from ablation.errors import UserError, check_known
from ablation.files import folder, replace, write
from ablation.study import NAME as STUDY_NAME

TEMPLATES = Path(__file__).parent / "templates"
"""A folder for each kind, with the files of a study that is called `NAME`."""
NAME = "my_study"
TABLE = f"ablation table {NAME}.py --format tex"
PLAN, RUN = f"ablation plan {NAME}.py", f"ablation run {NAME}.py"
FILL = "export MLFLOW_TRACKING_URI=sqlite:///mlflow.db", f"python {NAME}_runs.py"
THEN = {
    "callable": (PLAN, RUN, TABLE),
    "command": (PLAN, RUN, TABLE),
    "mlflow": (*FILL, PLAN, TABLE),
    "csv": (PLAN, TABLE),
}
"""The kinds, and the commands to go on with."""


def new(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The study file to write, as in my_study.py.")],
    source: Annotated[
        str,
        typer.Option(
            "--from",
            help="What gives the numbers: callable (a Python function), command (your own script), mlflow "
            "(runs of an MLflow experiment) or csv (a table of runs).",
        ),
    ] = "callable",
) -> None:
    """Write a commented study to start from, which runs as it stands, and say how to go on."""
    check_known("kind of study for --from", source, THEN)
    name = file.stem
    if file.suffix != ".py" or not re.fullmatch(STUDY_NAME, name) or name.endswith(DERIVED):
        raise UserError(
            "a study's file wants a name of at most 64 letters, digits, _ and -, which ends in .py and not "
            f"in {' or '.join(DERIVED)} before it, but got {file.name!r}: name another."
        )
    if name in sys.stdlib_module_names or name in packages_distributions():
        raise UserError(f"{file.name} would hide the module {name} from what imports it: name another file.")
    texts = {
        file.parent / one.name.replace(NAME, name): one.read_text(encoding="utf-8").replace(NAME, name)
        for one in sorted((TEMPLATES / source).iterdir())
        if one.is_file()
    }
    for path in texts:
        if path.exists():
            raise UserError(f"{path} is there already, and new overwrites nothing: name another file.")
    folder(file.parent)
    for path, text in texts.items():
        replace(path, partial(write, text))
        typer.echo(f"wrote {path}")
    away = () if file.parent == Path() else (f"cd {quote(str(file.parent))}",)
    typer.echo("\nIt runs as it stands. Go on with:\n")
    for command in (*away, *THEN[source]):
        typer.echo(f"  {command.replace(NAME, name)}")
