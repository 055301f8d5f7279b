"""The verb report: every study on one page."""

from pathlib import Path
from typing import Annotated

import typer

from ablation import catalogue
from ablation.cli.options import DEFAULT_STORE, Quick, Seeds, StoreFolder
from ablation.cli.progress_bar import duration
from ablation.errors import UserError
from ablation.study import Study


def add_to(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command()(report)


def report(
    to: Annotated[Path, typer.Option("--to", help="Folder for the page; made where it is missing.")],
    seeds: Seeds = None,
    store: StoreFolder = DEFAULT_STORE,
    quick: Quick = False,
) -> None:
    """Write all studies, run or not, as one page (index.html) and as report.md with its figures."""
    from ablation.report.page import report as write
    from ablation.tracking.store import Store

    studies = {name: _load(name, quick) for name in catalogue.names()}
    for path in write(studies, Store(store), to, duration, seeds=seeds):
        if path.suffix != ".png":
            typer.echo(path)


def _load(name: str, quick: bool) -> Study | UserError:
    try:
        study = catalogue.load(name)
        return study.smoke() if quick else study
    except UserError as error:
        return error
