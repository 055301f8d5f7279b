"""The page on which `ablation ui` opens: every study with its finding, and links to its pages in MLflow."""

import os
from pathlib import Path
from typing import Any

from ablation.tracking.server import with_page
from ablation.tracking.store import Store
from ablation.tracking.views import study_pages


def landing_page(store: Store) -> str:
    """The page as HTML, complete in itself; its links are relative to MLflow's server."""
    from ablation.report.formats import template  # a second of imports, which the server's start has not

    return template("landing.html").render(studies=study_pages(store), place=store.root)


def app() -> Any:
    """MLflow's server with this page, of the store that ABLATION_STORE names (entry point `mlflow.app`)."""
    store = Store(Path(os.environ["ABLATION_STORE"]))
    _ = store.client  # before MLflow names its own store in the environment, as if it were a server's
    return with_page(lambda: landing_page(store))
