"""Whether a store answers, and in a line why it does not."""

import sqlite3

import requests
from mlflow.exceptions import MlflowException
from sqlalchemy import create_engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from ablation.track.addresses import hidden

PATIENCE_SECONDS = 5.0  # for a tracking server's first answer; MLflow alone tries for minutes
UNREACHABLE = (MlflowException, SQLAlchemyError, requests.RequestException, sqlite3.Error, ImportError)
"""What the libraries raise where a store cannot be opened; an `ImportError` for the driver of a database."""
DATABASES = ("sqlite", "postgresql", "mysql", "mssql")


def knock(address: str) -> None:
    """Ask a server for its first answer: MLflow alone would try again for minutes."""
    if address.startswith("http"):
        requests.get(address, timeout=PATIENCE_SECONDS)
    elif address.startswith(DATABASES):
        engine = create_engine(address, poolclass=NullPool)
        engine.connect().close()
        engine.dispose()


def why(error: BaseException, address: str) -> str:
    """Why the address cannot be reached, in a line without its password."""
    said = getattr(error, "orig", None) or error
    if isinstance(said, requests.RequestException | SQLAlchemyError):
        return type(said).__name__
    return hidden(str(said), address) or type(said).__name__
