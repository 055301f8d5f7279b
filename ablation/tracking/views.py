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
VIEW = "mlflow.sharedViewState."
VIEWS = ("arms", "cells", "mean over seeds")


@dataclass(frozen=True)
class Page:
    """A page of MLflow's UI; path: its address below the server's root."""

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
        store.client.set_experiment_tag(place, f"{VIEW}{_key(name)}", json.dumps(view))


def study_pages(store: Store) -> dict[str, list[Page]]:
    """The pages of every study of the store, by study name: views, curves, and the comparison of its arms."""
    found: dict[str, list[Page]] = {}
    for experiment in store.experiments():
        if not any(key.startswith(VIEW) for key in experiment.tags):
            continue
        number = experiment.experiment_id
        table = f"/#/experiments/{number}/runs?viewStateShareKey="
        shown = [Page(name, f"{table}{_key(name)}&{CLASSIC}") for name in VIEWS]
        shown.append(Page("curves", f"{shown[-1].path}&compareRunsMode=CHART"))
        arms = [run.info.run_id for run in store.client.search_runs([number], f"tags.role = '{ROLE_ARM}'")]
        if arms:
            runs, place = (quote(json.dumps(ids)) for ids in (arms, [number]))
            shown.append(Page("compare", f"/#/compare-runs?runs={runs}&experiments={place}&{CLASSIC}"))
        found[experiment.name] = shown
    return found


def _key(name: str) -> str:
    return name.replace(" ", "_")


def _state(search: str, columns: list[str], group_by: str = "") -> dict[str, Any]:
    """What differs from the state in which MLflow opens a table."""
    group = {"mode": "tag", "groupByData": group_by}
    return {
        "searchFilter": search,
        "orderByKey": "attributes.start_time",
        "orderByAsc": True,
        "selectedColumns": ["attributes.`Duration`", *columns],
        "runsHiddenMode": "SHOW_ALL",
        "groupBy": {"aggregateFunction": "average", "groupByKeys": [group]} if group_by else None,
    }
