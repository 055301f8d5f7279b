"""Saved views of MLflow's run table, and links that open on them.

The format of a saved view is MLflow's own and undocumented (seen in 3.17): a view that a later MLflow
cannot read leaves a plain run table, and the links still work.
"""

import base64
import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from ablation.tracking.store import ROLE_ARM, ROLE_CELL, Store

CLASSIC = "workflowType=machine_learning"  # else MLflow opens its page for language models
VIEWS = ("arms", "cells", "mean over seeds")


@dataclass(frozen=True)
class Page:
    """A page of MLflow's UI: what it shows, and its address below the server's root."""

    title: str
    path: str


def save_views(
    store: Store, place: str, columns: Iterable[str], measures: Iterable[str], curves: Iterable[str] = ()
) -> None:
    """Write the views of a study in the MLflow experiment `place`: arms, cells, and means over seeds.

    columns: the settings that vary; curves: those shown beside the measures.
    """
    columns = [f"params.`{name}`" for name in columns]
    measures = list(measures)
    metrics = [f"metrics.`{name}`" for name in measures]
    curves = [f"metrics.`{name}`" for name in curves]
    cells = f"tags.role = '{ROLE_CELL}' and attributes.status = 'FINISHED'"
    arms = [f"metrics.`{name}{tail}`" for name in measures for tail in ("", " low", " high", " difference")]
    states = {
        "arms": _state(f"tags.role = '{ROLE_ARM}'", [*columns, "metrics.`n`", *arms]),
        "cells": _state(cells, ["tags.`arm`", "tags.`seed`", *columns, *metrics, *curves]),
        "mean over seeds": _state(cells, [*columns, *metrics, *curves], group_by="arm"),
    }
    for name, state in states.items():
        text = base64.b64encode(zlib.compress(json.dumps(state, sort_keys=True).encode())).decode()
        # A fixed moment: the view is a function of the study, not of when it was written.
        view = {"name": name, "createdAt": 0, "updatedAt": 0, "state": f"deflate;{text}"}
        store.client.set_experiment_tag(place, f"mlflow.sharedViewState.{_key(name)}", json.dumps(view))


def pages(experiment: str) -> list[Page]:
    """The study's views as pages, in the order in which a reader wants them."""
    runs = f"/#/experiments/{experiment}/runs?viewStateShareKey="
    tables = [Page(name, f"{runs}{_key(name)}&{CLASSIC}") for name in VIEWS]
    return [*tables, Page("curves", f"{runs}{_key(VIEWS[-1])}&{CLASSIC}&compareRunsMode=CHART")]


def study_pages(store: Store) -> dict[str, list[Page]]:
    """The pages of every study of the store, by study name; with the compare page of its arms, if any."""
    found: dict[str, list[Page]] = {}
    for experiment in store.experiments():
        number = experiment.experiment_id
        arms = [run.info.run_id for run in store.client.search_runs([number], f"tags.role = '{ROLE_ARM}'")]
        views = [key for key in experiment.tags if key.startswith("mlflow.sharedViewState.")]
        if views:
            found[experiment.name] = pages(number) + ([compare_page(number, arms)] if arms else [])
    return found


def compare_page(experiment: str, run_ids: Iterable[str]) -> Page:
    """MLflow's compare page of the runs, such as a study's arms."""
    runs = quote(json.dumps(list(run_ids)))
    return Page(
        "compare", f"/#/compare-runs?runs={runs}&experiments={quote(json.dumps([experiment]))}&{CLASSIC}"
    )


def _key(name: str) -> str:
    return name.replace(" ", "_")


def _state(search: str, columns: list[str], group_by: str = "") -> dict[str, Any]:
    group = {"mode": "tag", "groupByData": group_by}
    return {
        "searchFilter": search,
        "orderByKey": "attributes.start_time",
        "orderByAsc": True,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": ["attributes.`Duration`", *columns],
        "columnOrder": [],
        "columnWidths": {},
        "runsPinned": [],
        "runsHidden": [],
        "runsHiddenMode": "SHOWALL",
        "viewMaximized": False,
        "runListHidden": False,
        "isAccordionReordered": False,
        "useGroupedValuesInCharts": True,
        "hideEmptyCharts": True,
        "groupBy": {"aggregateFunction": "average", "groupByKeys": [group]} if group_by else None,
        "groupsExpanded": {},
        "globalLineChartConfig": {"xAxisKey": "step", "lineSmoothness": 0, "selectedXAxisMetricKey": ""},
    }
