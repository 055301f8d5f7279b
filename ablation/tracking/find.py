"""Find runs by their tags, and curves: from MLflow's tables where we reach them, else by its client."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd
from mlflow.entities import Run

from ablation.tracking import tables
from ablation.tracking.rows import Point, RunRow, framed
from ablation.tracking.store import Store

PAGE = 1000  # runs or experiments asked for at once


def find(
    store: Store,
    tags: Mapping[str, str],
    *,
    status: str = "",
    experiment: str = "",
    metrics: bool = False,
    kept: Sequence[str] = (),
) -> list[RunRow]:
    """The active runs with these tags, oldest first; metrics only where they are asked for.

    kept: the tags that are wanted of them, so that no others need be read; any where none is named.
    """
    client = store.client  # says where there is no store, and brings an older database up to date
    if tables.reachable(store.tracking_uri):
        return tables.find(store.tracking_uri, tags, status, experiment, metrics, kept)
    words = [f"tags.`{key}` = '{value}'" for key, value in tags.items()]
    words += [f"attributes.status = '{status}'"] if status else []
    places = [experiment] if experiment else [one.experiment_id for one in _paged(client.search_experiments)]
    search = partial(client.search_runs, places, " and ".join(words), order_by=["attributes.start_time ASC"])
    return [_found(run) for run in _paged(search)]


def points(store: Store, runs: Sequence[str], names: Sequence[str]) -> pd.DataFrame:
    """The points of the curves called `names` of the runs, as `found.framed` has them."""
    client = store.client
    if tables.reachable(store.tracking_uri):
        return framed(tables.points(store.tracking_uri, runs, names), runs, names)
    points: list[Point] = [
        (run, name, point.step, point.value)
        for run in runs
        for name in names
        for point in client.get_metric_history(run, name)
    ]
    return framed(points, runs, names)


def _found(run: Run) -> RunRow:
    info = run.info
    return RunRow(
        info.run_id, info.experiment_id, info.status, info.start_time, run.data.tags, run.data.metrics
    )


def _paged(search: Callable[..., Any]) -> Iterator[Any]:
    """All that MLflow's search finds among what is active, page by page."""
    token = None
    while True:
        page = search(max_results=PAGE, page_token=token)
        yield from page
        token = page.token
        if not token:
            return
