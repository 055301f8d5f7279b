"""MLflow's server with a page of ours beside its own, and how it is started.

`mlflow server --app-name` starts the app that an entry point `mlflow.app` names.
"""

import os
import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any

from ablation.errors import UserError
from ablation.tracking.store import Store

APP = "ablation"
"""The name of the entry point."""
PLACE = "/studies/"
"""Our page. What follows a # opens on MLflow's own, once its settings are made: see landing.html."""
HOST = "127.0.0.1"


def command(store: Store, port: int) -> tuple[list[str], dict[str, str]]:
    """The command that serves the store on this machine alone, and its environment."""
    if not entry_points(group="mlflow.app", name=APP):
        raise UserError(
            "ablation wants to be installed with its page in MLflow, but an older version is: run the same "
            "`pip install` again."
        )
    words = [sys.executable, "-m", "mlflow", "server", "--app-name", APP]
    words += ["--backend-store-uri", store.tracking_uri]
    words += ["--artifacts-destination", str(store.root.absolute() / "artifacts")]
    settings = {
        "ABLATION_STORE": str(store.root.absolute()),
        # The job runner of MLflow's language-model pages takes 220 MB and is of no use here.
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "PYTHONWARNINGS": "ignore",  # of MLflow, about what it imports
    }
    words += [
        "--registry-store-uri",
        store.tracking_uri,
        "--uvicorn-opts",
        "--log-level=warning",
    ]  # else a line a request pushes the links away
    return [*words, "--host", HOST, "--port", str(port), "--workers", "1"], os.environ | settings


def with_page(page: Callable[[], str]) -> Any:
    """MLflow's app, which answers with `page`, an HTML text made anew each time, at `PLACE`."""
    from mlflow.server import app as pages
    from mlflow.server.fastapi_app import app

    pages.add_url_rule(PLACE, APP, page)
    return app
