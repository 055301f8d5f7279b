"""The verbs on the store: ui, doctor."""

import os
import sys
from socket import socket
from typing import Annotated

import typer

from ablation.cli.options import DEFAULT_STORE, StoreFolder


def ui(
    store: StoreFolder = DEFAULT_STORE,
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port on this machine.")] = 5000,
) -> None:
    """Serve MLflow's UI on this machine alone, and print a link to every study's arms, cells and curves."""
    from ablation.cli.show import show_pages
    from ablation.errors import UserError
    from ablation.tracking.store import Store
    from ablation.tracking.views import study_pages

    place = Store(store)
    if not place.embedded:
        raise UserError(f"runs are kept on {place.tracking_shown}: open its own pages in a browser.")
    with socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise UserError(f"port {port} is in use on this machine: name another with --port.")
    pages = study_pages(place)
    show_pages(f"http://127.0.0.1:{port}", pages)
    sys.stdout.flush()
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", place.tracking_uri]
    command += ["--artifacts-destination", str(place.root.absolute() / "artifacts")]
    # The job runner of MLflow's language-model pages takes 220 MB and is of no use here.
    settings = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    os.execve(
        sys.executable,
        [*command, "--host", "127.0.0.1", "--port", str(port), "--workers", "1"],
        os.environ | settings,
    )


def doctor(store: StoreFolder = DEFAULT_STORE) -> None:
    """Check versions, data and store, deliver results that wait for a server, end what died while RUNNING."""
    from ablation.cli.show import show_findings
    from ablation.runner.doctor import examine
    from ablation.tracking.store import Store

    show_findings(examine(Store(store)))
