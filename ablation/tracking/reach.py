"""Whether a store answers, and in a line why it does not."""

import sqlite3
from math import ceil

import requests
from mlflow.environment_variables import (
    MLFLOW_TRACKING_CLIENT_CERT_PATH,
    MLFLOW_TRACKING_INSECURE_TLS,
    MLFLOW_TRACKING_SERVER_CERT_PATH,
)
from mlflow.exceptions import MlflowException
from sqlalchemy import create_engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from ablation.errors import UserError
from ablation.tracking.addresses import hidden
from ablation.tracking.retry import reason

ANSWER_SECONDS = 5.0  # for a server's first answer; MLflow alone tries for minutes
UNREACHABLE = (MlflowException, SQLAlchemyError, requests.RequestException, sqlite3.Error, ImportError)
"""What the libraries raise where a store cannot be opened; an `ImportError` for the driver of a database."""
DATABASES = ("sqlite", "postgresql", "mysql", "mssql")


def knock(address: str, seconds: float) -> None:
    """Ask a server for a sign of life, with MLflow's settings of TLS; it alone would try for minutes."""
    if address.startswith("http"):
        trusted = False if MLFLOW_TRACKING_INSECURE_TLS.get() else MLFLOW_TRACKING_SERVER_CERT_PATH.get()
        try:
            requests.get(
                f"{address.rstrip('/')}/health",
                timeout=seconds,
                verify=True if trusted is None else trusted,
                cert=MLFLOW_TRACKING_CLIENT_CERT_PATH.get(),
            )
        except requests.RequestException:
            raise
        except OSError as error:  # before anything is asked
            raise UserError(
                "MLFLOW_TRACKING_SERVER_CERT_PATH and MLFLOW_TRACKING_CLIENT_CERT_PATH want files, but one "
                f"cannot be read ({error}): correct it."
            ) from None
    elif address.startswith(DATABASES):
        timed = {"connect_timeout": ceil(seconds)} if address.startswith("postgresql") else {}
        engine = create_engine(address, poolclass=NullPool, connect_args=timed)
        engine.connect().close()
        engine.dispose()


def why(error: BaseException, address: str) -> str:
    """Why the address cannot be reached, in a line without its password."""
    said = str(error) if isinstance(error, ImportError | RuntimeError | sqlite3.Error) else reason(error)
    return hidden(said, address) or type(error).__name__
