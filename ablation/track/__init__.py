"""The only door to MLflow: open a store, record runs, read them back, lay out its pages."""

import logging
import os
import warnings

# Before MLflow is first imported: it reads these then.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
# SQLAlchemy 2.1 announces the end of an option that mlflow 3.17 still uses; nobody here can act on it.
warnings.filterwarnings("ignore", message=".*noload.*", category=DeprecationWarning)
for _name in ("mlflow.store.db.utils", "alembic"):
    logging.getLogger(_name).setLevel(logging.WARNING)
