"""Servers that go away and full disks: which errors say so, how long we wait, what is said at last."""

import errno
import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from itertools import chain, repeat
from math import ceil
from time import monotonic
from typing import Literal, TypeVar

import requests
from mlflow import environment_variables as variables
from mlflow.exceptions import MlflowException, RestException
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.pool import NullPool
from tenacity import Retrying, retry_if_exception, wait_exponential

from ablation.errors import UserError
from ablation.tracking.addresses import hidden

PATIENCE_SECONDS = 300.0  # for a server that was there and is gone; ABLATION_PATIENCE sets another
PAUSES = wait_exponential(multiplier=0.25, max=10.0)  # seconds between two attempts
ANSWER_SECONDS = 5.0  # for a server's first answer; MLflow alone tries for minutes
DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
UNREACHABLE = (MlflowException, SQLAlchemyError, requests.RequestException, sqlite3.Error, ImportError)
"""What the libraries raise where a store cannot be opened; an `ImportError` for the driver of a database."""
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}
UNAVAILABLE = {408, 429, 500, 502, 503, 504}  # what a proxy says, too, while the server behind it starts
UNANSWERED = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.RetryError,
    requests.exceptions.ChunkedEncodingError,  # an answer that was cut off
    requests.exceptions.ContentDecodingError,
)
WORDS = re.compile(r"too many \d+ error responses|Connection refused|Name or service not known|timed out")
READ_ONLY = "25006"  # PostgreSQL's code for a write to a server whose place another has taken

T = TypeVar("T")
Kind = Literal["away", "full", ""]


class ServerUnavailable(UserError):
    """A server does not answer, or not now: nothing is wrong with what was asked of it."""


def patience() -> float:
    """How many seconds we wait for a server to come back."""
    named = os.environ.get("ABLATION_PATIENCE", str(PATIENCE_SECONDS))
    try:
        return float(named)
    except ValueError:
        raise UserError(
            f"ABLATION_PATIENCE wants a number of seconds, but is {named!r}: correct it."
        ) from None


def retry(attempt: Callable[[], T], again: Callable[[], T] | None = None, until: float | None = None) -> T:
    """What `attempt` gives, tried until the server answers; `ServerUnavailable` where patience ends first.

    `again` takes its place from the second attempt on, where the first may have been done though its answer
    was lost. until: another end of the patience, in seconds of `time.monotonic`.
    """
    end = monotonic() + patience() if until is None else until
    attempts = chain([attempt], repeat(again or attempt))
    retrying = Retrying(
        retry=retry_if_exception(is_unavailable),
        stop=lambda state: monotonic() >= end,
        wait=PAUSES,
        reraise=True,
    )
    with user_errors():
        return retrying(lambda: next(attempts)())


@contextmanager
def retry_entering(make: Callable[[], AbstractContextManager[T]]) -> Iterator[T]:
    """The context that `make` gives, entered as `retry` tries."""
    with ExitStack() as held:
        yield retry(lambda: held.enter_context(make()))


def is_unavailable(error: BaseException) -> bool:
    """Whether the error says that a server does not answer, or not now."""
    return _kind(error)[0] == "away"


def is_refused(error: BaseException) -> bool:
    """Whether MLflow says no, for a reason that is neither a server's absence nor a full disk.

    Of a file it is the answer of HTTP itself, 413 of a proxy say.
    """
    return isinstance(error, (MlflowException, requests.HTTPError)) and not _kind(error)[0]


def as_user_error(error: Exception) -> Exception:
    """The error as a `UserError` where a server is away or a disk is full, else itself."""
    kind, cause = _kind(error)
    if isinstance(error, UserError) or not kind:
        return error
    if kind == "away":
        return ServerUnavailable(
            f"a server that holds the store does not answer ({reason(cause)}): once it does, run the same "
            "command again, and it goes on from what is recorded."
        )
    return UserError(
        f"the disk cannot be written ({reason(cause)}): make room there, or take another place, and run the "
        "same command again."
    )


@contextmanager
def user_errors() -> Iterator[None]:
    """Raise what the body raises as `as_user_error` has it."""
    try:
        yield
    except Exception as error:
        if (said := as_user_error(error)) is error:
            raise
        raise said from error


def knock(address: str, seconds: float) -> None:
    """Ask a server for a sign of life, with MLflow's settings of TLS; MLflow alone would try for minutes."""
    if address.startswith("http"):
        insecure = variables.MLFLOW_TRACKING_INSECURE_TLS.get()
        trusted = False if insecure else variables.MLFLOW_TRACKING_SERVER_CERT_PATH.get()
        try:
            requests.get(
                f"{address.rstrip('/')}/health",
                timeout=seconds,
                verify=True if trusted is None else trusted,
                cert=variables.MLFLOW_TRACKING_CLIENT_CERT_PATH.get(),
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
    """Why the address cannot be reached, on one line without its password."""
    if "database schema" in str(error):  # MLflow advises to upgrade, in a command that quotes the address
        return "its tables are of another version of MLflow, whose `mlflow db upgrade` mends older ones"
    said = str(error) if isinstance(error, ImportError | RuntimeError | sqlite3.Error) else reason(error)
    return hidden(said, address) or type(error).__name__


def reason(error: BaseException) -> str:
    """Why, on one line and without an address, which may hold a password."""
    cause = next((one for one in _causes(error) if isinstance(one, (DBAPIError, OSError))), error)
    if isinstance(cause, DBAPIError):
        return next(iter(str(cause.orig).strip().splitlines()), type(cause).__name__)
    if words := WORDS.search(str(error)):
        return words[0]
    if "valid JSON" in str(error):
        return "what answers there is not MLflow"
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror + (f": {cause.filename}" if cause.filename else "")
    if isinstance(cause, MlflowException):
        return f"it says {cause.get_http_status_code()} {cause.error_code}"
    return type(cause).__name__


def _kind(error: BaseException) -> tuple[Kind, BaseException]:
    """What the outermost of the error and its causes says that says anything; and that cause."""
    for cause in _causes(error):
        if isinstance(cause, ServerUnavailable) or _unanswered(cause):
            return "away", cause
        if isinstance(cause, (OperationalError, InterfaceError)):
            return _of_database(cause.orig), cause
        if isinstance(cause, DBAPIError) and getattr(cause.orig, "sqlstate", "") == READ_ONLY:
            return "away", cause
        if isinstance(cause, OSError) and (cause.errno in FULL or "No space left" in str(cause)):
            return "full", cause
        if isinstance(cause, UserError):
            break
    return "", error


def _of_database(error: BaseException | None) -> Kind:
    if not isinstance(error, sqlite3.Error) or "locked" in str(error):
        return "away"
    return "full" if re.search("full|readonly|disk|unable to open", str(error)) else ""


def _unanswered(error: BaseException) -> bool:
    if isinstance(error, RestException):
        return error.get_http_status_code() in UNAVAILABLE - {500}
    if isinstance(error, requests.HTTPError):
        return error.response is not None and error.response.status_code in UNAVAILABLE
    return isinstance(error, UNANSWERED)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
