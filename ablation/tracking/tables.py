"""Runs and curves straight from MLflow's own tables, where its store is a database that we can reach.

MLflow's client builds an object a run, 2 to 8 ms each, and asks for one curve at a time; a study of ten
thousand runs would be read for minutes. The tables are MLflow's declarations, not ours: a version that
renames a column fails at the import of it, not with wrong numbers. Nothing is written here.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import nan
from typing import Any

from mlflow.store.tracking.dbmodels.models import SqlExperiment, SqlLatestMetric, SqlMetric, SqlRun, SqlTag
from sqlalchemy import Connection, Select, case, create_engine, select
from sqlalchemy.pool import NullPool

from ablation.tracking.reach import DATABASES
from ablation.tracking.rows import Point, RunRow

AT_ONCE = 5000  # runs named in one question; SQLite takes 32,766 values


def reachable(uri: str) -> bool:
    """Whether the tracking address is a database, not a server before one."""
    return uri.startswith(DATABASES)


def find(
    uri: str,
    tags: Mapping[str, str],
    status: str,
    experiment: str,
    with_metrics: bool,
    kept: Sequence[str] = (),
) -> list[RunRow]:
    """The active runs with these tags, oldest first; any status or experiment where that is empty, and all
    tags of theirs where none is to be `kept`.
    """
    wanted = _wanted(tags, status, experiment)
    chosen = wanted.with_only_columns(SqlRun.run_uuid)
    with _connection(uri) as connection:
        runs = _rows(connection, wanted.order_by(SqlRun.start_time, SqlRun.run_uuid))
        if not runs:
            return []
        named: dict[str, dict[str, str]] = defaultdict(dict)
        for run, key, value in _rows(connection, _tags(chosen, kept)):
            named[run][key] = value
        numbers: dict[str, dict[str, float]] = defaultdict(dict)
        for run, key, value, is_nan in _rows(connection, _metrics(chosen)) if with_metrics else ():
            numbers[run][key] = nan if is_nan else value
    return [RunRow(run, str(at), status, start, named[run], numbers[run]) for run, at, status, start in runs]


def points(uri: str, runs: Sequence[str], names: Sequence[str]) -> list[Point]:
    """The points of the curves called `names` of the runs, in no order."""
    table = SqlMetric
    value = case((table.is_nan, None), else_=table.value)
    question = select(table.run_uuid, table.key, table.step, value).where(table.key.in_(names))
    found: list[Point] = []
    with _connection(uri) as connection:
        for first in range(0, len(runs), AT_ONCE):
            some = table.run_uuid.in_(runs[first : first + AT_ONCE])
            found += _rows(connection, question.where(some))
    return found


def _wanted(tags: Mapping[str, str], status: str, experiment: str) -> Select[Any]:
    wanted = (
        select(SqlRun.run_uuid, SqlRun.experiment_id, SqlRun.status, SqlRun.start_time)
        .join(SqlExperiment, SqlExperiment.experiment_id == SqlRun.experiment_id)
        .where(SqlRun.lifecycle_stage == "active", SqlExperiment.lifecycle_stage == "active")
    )
    if status:
        wanted = wanted.where(SqlRun.status == status)
    if experiment:
        wanted = wanted.where(SqlRun.experiment_id == int(experiment))
    for key, value in tags.items():
        tagged = select(SqlTag.run_uuid).where(SqlTag.key == key, SqlTag.value == value)
        wanted = wanted.where(SqlRun.run_uuid.in_(tagged))
    return wanted


def _tags(chosen: Select[Any], kept: Sequence[str]) -> Select[Any]:
    named = select(SqlTag.run_uuid, SqlTag.key, SqlTag.value).where(SqlTag.run_uuid.in_(chosen))
    return named.where(SqlTag.key.in_(kept)) if kept else named


def _metrics(chosen: Select[Any]) -> Select[Any]:
    table = SqlLatestMetric
    return select(table.run_uuid, table.key, table.value, table.is_nan).where(table.run_uuid.in_(chosen))


def _rows(connection: Connection, question: Select[Any]) -> list[Any]:
    """All rows as tuples, as the driver has them: SQLAlchemy's own rows take three times as long."""
    return list(connection.execute(question).cursor.fetchall())


@contextmanager
def _connection(uri: str) -> Iterator[Connection]:
    engine = create_engine(uri, poolclass=NullPool)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()
