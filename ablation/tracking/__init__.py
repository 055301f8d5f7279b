"""The only door to MLflow: open a store, record runs, read them back, lay out its pages."""

import logging
import os
import warnings

# Before MLflow is first imported: it reads these then.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
# Alone it tries for minutes, in the middle of a training, too; how long we wait: availability.py.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")
# SQLAlchemy 2.1 announces the end of an option that mlflow 3.17 still uses; nobody here can act on it.
warnings.filterwarnings("ignore", message=".*noload.*", category=DeprecationWarning)
logging.getLogger("alembic").setLevel(logging.WARNING)
# They write a traceback, or a line a try, of what is raised as well and then said in a sentence.
logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)

# A stranger's experiment may use these; they are loaded after the settings above.
from ablation.tracking.artifacts import artifact, keep  # noqa: E402
from ablation.tracking.read import cell_runs, metrics_of, standing, tags_of  # noqa: E402
from ablation.tracking.store import Store  # noqa: E402

__all__ = ["Store", "artifact", "cell_runs", "keep", "metrics_of", "standing", "tags_of"]
