"""The verbs on the store: ui, doctor."""

import os
import subprocess
import sys
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING, Annotated

import typer

from ablation.cli.options import DEFAULT_STORE, StoreFolder, names_like
from ablation.errors import UserError, unknown
from ablation.terminal import busy

if TYPE_CHECKING:
    from ablation.tracking.store import Store
    from ablation.tracking.views import StudyPages

# The server replaces this process, so that it alone is to be ended: another waits for it.
OPEN_WHEN_READY = """
import socket, sys, time, webbrowser
for port in sys.argv[2:]:
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", int(port))).close()
            break
        except OSError:
            time.sleep(0.1)
webbrowser.open(sys.argv[1])
"""


def ui(
    study: Annotated[
        str | None,
        typer.Argument(
            metavar="[STUDY]",
            help="Open this study's pages; those of all if not given.",
            autocompletion=names_like,
        ),
    ] = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="Open the page that compares the arms of STUDY.")
    ] = False,
    optuna: Annotated[
        bool, typer.Option("--optuna", help="Optuna's dashboard of all trials instead (the extra dashboard).")
    ] = False,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the browser, if this is a terminal.")
    ] = True,
    store: StoreFolder = DEFAULT_STORE,
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port on this machine.")] = 5000,
) -> None:
    """Serve the runs in MLflow on this machine alone, print links to each study, and open the browser."""
    from ablation.cli.show import show_pages
    from ablation.tracking.server import HOST, PLACE, command
    from ablation.tracking.store import Store
    from ablation.tracking.views import study_pages

    if compare and study is None:
        raise UserError("--compare wants the study whose arms it compares, as in `ui STUDY --compare`.")
    place = Store(store)
    if optuna:
        _dashboard(place, port, browser)
        return
    if not (place.embedded or place.served):
        raise UserError(
            f"runs are kept in {place.tracking_shown}, which has no pages of its own: start `mlflow server` "
            "for it, and name that server in MLFLOW_TRACKING_URI."
        )
    if place.embedded:
        _check_free(port)
        words, environment = command(place, port)
    server = f"http://{HOST}:{port}{PLACE}".rstrip("/") if place.embedded else place.tracking_shown
    with busy("Reading the studies"):
        pages = _chosen(study_pages(place), study)
    opened = _page_of(server, pages, study, compare)
    show_pages(f"{server}/ (end it with Ctrl-C)" if place.embedded else server, server, pages)
    sys.stdout.flush()
    open_browser(opened, browser, port if place.embedded else None)
    if place.embedded:
        os.execve(words[0], words, environment)


def _chosen(pages: "dict[str, StudyPages]", study: str | None) -> "dict[str, StudyPages]":
    """The pages of the study that is asked for, by name or by file, or of all."""
    if study is None:
        return pages
    name = Path(study).stem if study.endswith(".py") else study
    if name not in pages:
        raise unknown("study with runs in this store", name, pages)
    return {name: pages[name]}


def _page_of(server: str, pages: "dict[str, StudyPages]", study: str | None, compare: bool) -> str:
    """The address to open: of all studies, or of the one that is asked for."""
    from ablation.tracking.views import COMPARE

    if study is None:
        return f"{server}/"
    (one,) = pages.values()
    page = one.page(COMPARE) if compare else one.pages[0]
    if page is None:
        raise UserError(f"the arms of {study} are not summarised yet: run it to its end, then compare them.")
    return server + page.path


def _check_free(port: int) -> None:
    with socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise UserError(f"port {port} is in use on this machine: name another with --port.")


def open_browser(address: str, wanted: bool, port: int | None = None) -> "subprocess.Popen[bytes] | None":
    """Open the address if this is a terminal: as soon as the port answers, where one is named; what waits."""
    if not (wanted and sys.stdout.isatty()):
        return None
    waited = [] if port is None else [str(port)]
    return subprocess.Popen([sys.executable, "-I", "-c", OPEN_WHEN_READY, address, *waited])


def _dashboard(store: "Store", port: int, browser: bool) -> None:
    """Serve the pages of Optuna's trials, until Ctrl-C."""
    try:
        from optuna_dashboard import run_server
    except ImportError:
        raise UserError(
            "--optuna wants Optuna's dashboard, which is not installed: "
            "`pip install 'ablation-suite[dashboard]'`."
        ) from None
    if not (store.exists() and store.has_ledger):
        raise UserError(f"{store.root} holds no trials yet: run a study first, or name another --store.")
    _check_free(port)
    address = f"http://127.0.0.1:{port}/dashboard"
    typer.echo(f"Optuna's dashboard at {address} (end it with Ctrl-C)")
    typer.echo("To delete or rename a study there changes the store itself.")
    sys.stdout.flush()
    open_browser(address, browser, port)
    run_server(store.optuna_url, host="127.0.0.1", port=port)


def doctor(store: StoreFolder = DEFAULT_STORE) -> None:
    """Check versions, data and store, deliver results that wait for a server, end what died while RUNNING."""
    from ablation.cli.show import show_findings
    from ablation.runner.doctor import examine
    from ablation.tracking.store import Store

    with busy("Looking at the store"):
        findings = examine(Store(store))
    show_findings(findings)
