"""Saved views of MLflow's run table and charts, and links that open on them.

The format of a saved view is MLflow's own and undocumented (seen in 3.17): a view that a later MLflow
cannot read leaves a plain run table, and the links still work.
"""

import base64
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any
from urllib.parse import quote

from ablation.experiment import SIDES, panel_of
from ablation.study import Study
from ablation.tracking.recording import metric_key
from ablation.tracking.store import ORDER, ROLE_ARM, ROLE_CELL, Store, paged

CLASSIC = "workflowType=machine_learning"  # else MLflow opens its page for language models
VIEW = "mlflow.sharedViewState."
ARMS, MEANS, CELLS = "arms", "mean over seeds", "cells"
CURVES, COMPARE = "mean curves", "compare arms"
NOTE, QUESTION, FINDING = "mlflow.note.content", "ablation.question", "ablation.finding"
"""Tags of a study's experiment: its description on MLflow's page, and what our own page says of it."""
NOTE_LETTERS = 5000  # that MLflow's tables have room for
DESCRIBED = ("mean", "difference", "p", "verdict")
"""What a tag of an arm's run says of each measure, as in `verdict.MEASURE`."""
MODEL, SYSTEM = "Model metrics", "System metrics"
"""What MLflow calls the sections of charts of the metrics without a section, and of those of the machine."""
LOADED = 100  # runs, at once
MORE = (
    f"Charts and means of MLflow begin with the first {LOADED} of {{}} runs, the first seeds of every arm: "
    "press “Load more” there for the others."
)
LETTER, PADDING = 7, 36  # px: of a column's head
WIDTHS = {"mean": 165, "difference": 195, "p": 80, "verdict": 120, "against": 110}
SETTING, METRIC = 100, 90
FIRST = {"attributes.`Run Name`": 190, "runDateAndNestInfo": 70}
"""MLflow's own columns, the name and the age of a run, which stand first; their widths in px."""
GROUP = {"attributes.`Run Name`": 280}
"""The first of them, with room for "Group: " and how many runs it has."""


LINE = {
    "lineSmoothness": 0,
    "scaleType": "linear",
    "xAxisScaleType": "linear",
    "xAxisKey": "step",
    "selectedXAxisMetricKey": "",
    "yAxisKey": "metric",
    "yAxisExpressions": [],
    "range": {},
    "ignoreOutliers": False,
    "useGlobalXaxisKey": True,
    "useGlobalLineSmoothing": True,
}
"""What a chart over steps has beside; MLflow draws none that lacks it."""


@dataclass(frozen=True)
class Page:
    """A page of MLflow's UI; path: its address below the server's root."""

    title: str
    path: str


@dataclass(frozen=True)
class StudyPages:
    """What MLflow has of a study: the page that answers stands first.

    finding: a sentence or two; "" where its arms have no summary yet. note: what its charts lack at first.
    """

    question: str
    finding: str
    pages: tuple[Page, ...]
    note: str = ""

    def page(self, title: str) -> Page | None:
        """The page with this title."""
        return next((page for page in self.pages if page.title == title), None)


def described(study: Study, finding: str = "") -> dict[str, str]:
    """The tags of the study's experiment: its description, which opens with the finding, and its parts."""
    note = f"**{study.question}**\n\n> {study.source}"
    if study.claims:
        note += "\n\nClaims:" + "".join(f"\n- {claim.text}" for claim in study.claims)
    tags = {QUESTION: study.question, "mlflow.experimentKind": "custom_model_development"}
    if finding:
        note = f"{finding}\n\n{note}"
        tags[FINDING] = finding[:NOTE_LETTERS]
    return tags | {NOTE: note[:NOTE_LETTERS]}


def describe(store: Store, place: str, study: Study, finding: str) -> None:
    """Write the study's finding into its MLflow experiment `place`."""
    for tag, text in described(study, finding).items():
        store.client.set_experiment_tag(place, tag, text)


def save_views(store: Store, place: str, study: Study, curves: Iterable[str]) -> None:
    """Write the views of a study in the MLflow experiment `place`: arms, means over seeds, and cells.

    curves: the metrics that are logged over steps.
    """
    panels = list(study.experiment.curves)
    ordered = sorted(curves, key=partial(_rank, panels))
    measures = {name: metric_key(study.experiment, name) for name in study.measures}
    for name, state in _states(study, measures, ordered).items():
        text = base64.b64encode(zlib.compress(json.dumps(state, sort_keys=True).encode())).decode()
        # A fixed moment: the view is a function of the study, not of when it was written.
        view = {"name": name, "createdAt": 0, "updatedAt": 0, "state": f"deflate;{text}"}
        store.client.set_experiment_tag(place, f"{VIEW}{_key(name)}", json.dumps(view))


def _rank(panels: list[str], curve: str) -> tuple[int, str, int]:
    """Panels in the order in which the experiment declares them, validation before training."""
    panel = panel_of(curve)
    side = curve.removesuffix(panel).rstrip("_")
    place = panels.index(panel) if panel in panels else len(panels)
    return place, panel, -SIDES.index(side) if side else 1


def _states(study: Study, measures: Mapping[str, str], curves: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The state of each view by its name. measures: the metric's name in MLflow of each measure."""
    settings = {f"params.`{name}`": _width(name, SETTING) for name in study.columns}
    metrics = {f"metrics.`{name}`": _width(name, METRIC) for name in measures.values()}
    against = {"tags.`against`": WIDTHS["against"]} if len(study.settings) > 1 else {}
    words = {
        f"tags.`{what}.{name}`": _width(f"{what}.{name}", WIDTHS[what])
        for name in measures
        for what in DESCRIBED
    }
    finished = f"tags.role = '{ROLE_CELL}' and attributes.status = 'FINISHED'"
    of_cell = {"tags.`arm`": 130, "tags.`seed`": 70}
    means = _state(finished, GROUP | settings | metrics, group_by="arm")
    means["groupsExpanded"] = {f"tag.arm.{arm}": False for arm in study.settings}
    means |= _charts(measures.values(), curves)
    return {
        ARMS: _state(f"tags.role = '{ROLE_ARM}'", settings | {"metrics.`n`": 60} | against | words),
        MEANS: means,
        CELLS: _state(finished, of_cell | settings | metrics),
    }


def _width(head: str, least: int) -> int:
    """The width (px) of a column in which its head can be read."""
    return max(least, LETTER * len(head) + PADDING)


def _charts(measures: Iterable[str], curves: Sequence[str]) -> dict[str, Any]:
    """The charts over steps first, then a bar for each measure; what else there is stands folded below.

    measures, curves: names of metrics in MLflow, which draws the least and the greatest value of a group's
    runs as a band around their mean.
    """
    sections = {"Mean curves": list(curves)} if curves else {}
    sections["Measures"] = [name for name in measures if name not in curves]
    charts = [
        {
            "uuid": f"chart {metric}",
            "type": "LINE" if metric in curves else "BAR",
            "metricSectionId": f"section {title}",
            "metricKey": metric,
            "runsCountToCompare": 100,
            "deleted": False,
            "isGenerated": False,
            **(LINE if metric in curves else {}),
        }
        for title, metrics in sections.items()
        for metric in metrics
    ]
    rest = [name.rpartition("/")[0] for name in measures]
    titles = dict.fromkeys(sections, True) | dict.fromkeys(filter(None, rest), False)
    titles |= {MODEL: not curves, SYSTEM: False}
    return {
        "compareRunCharts": charts,
        "compareRunSections": [
            {
                "uuid": f"section {title}",
                "name": title,
                "display": shown,
                "isReordered": True,
                "deleted": False,
                "isGenerated": False,
            }
            for title, shown in titles.items()
        ],
        "isAccordionReordered": True,  # else MLflow sorts the sections by their names
    }


def _state(search: str, columns: dict[str, int], group_by: str = "") -> dict[str, Any]:
    """What differs from the state in which MLflow opens a table. columns: their widths in px."""
    group = {"mode": "tag", "groupByData": group_by}
    return {
        "searchFilter": search,
        "orderByKey": f"tags.`{ORDER}`",
        "orderByAsc": True,
        "selectedColumns": [name for name in columns if name not in FIRST],
        "columnOrder": list(FIRST | columns),
        "columnWidths": FIRST | columns,
        "runsHiddenMode": "SHOW_ALL",
        "groupBy": {"aggregateFunction": "average", "groupByKeys": [group]} if group_by else None,
    }


def study_pages(store: Store) -> dict[str, StudyPages]:
    """The pages of every study of the store, by study name."""
    studies = [one for one in store.experiments() if any(key.startswith(VIEW) for key in one.tags)]
    summaries = arm_runs(store, [one.experiment_id for one in studies])
    return {one.name: _pages(one, summaries.get(one.experiment_id, [])) for one in studies}


def arm_runs(store: Store, places: Sequence[str]) -> dict[str, list[Any]]:
    """The summary runs of the arms in these MLflow experiments, by experiment, in the study's order."""
    if not places:
        return {}

    def search(**page: Any) -> Any:
        return store.client.search_runs(list(places), f"tags.role = '{ROLE_ARM}'", **page)

    def key(run: Any) -> tuple[str, str]:
        return run.info.experiment_id, run.data.tags.get(ORDER, "")

    found = sorted(paged(search), key=key)
    return {place: list(runs) for place, runs in groupby(found, key=lambda run: run.info.experiment_id)}


def _pages(experiment: Any, arms: Sequence[Any]) -> StudyPages:
    """The pages of a study's experiment whose arms have these summary runs."""
    number = experiment.experiment_id
    table = f"/#/experiments/{number}/runs?viewStateShareKey="
    means = Page(MEANS, f"{table}{_key(MEANS)}&{CLASSIC}")
    pages = [
        Page(CURVES, f"{means.path}&compareRunsMode=CHART"),
        means,
        Page(CELLS, f"{table}{_key(CELLS)}&{CLASSIC}"),
    ]
    if arms:
        ids = [run.info.run_id for run in arms]
        runs, place = (quote(json.dumps(numbers)) for numbers in (ids, [number]))
        pages.insert(0, Page(ARMS, f"{table}{_key(ARMS)}&{CLASSIC}"))
        pages.append(Page(COMPARE, f"/#/compare-runs?runs={runs}&experiments={place}&{CLASSIC}"))
    # Known once the arms are summarised: each says how many runs it has.
    cells = sum(int(run.data.metrics.get("n", 0)) for run in arms)
    note = MORE.format(cells) if cells > LOADED else ""
    tags = experiment.tags
    return StudyPages(tags.get(QUESTION, ""), tags.get(FINDING, ""), tuple(pages), note)


def _key(name: str) -> str:
    return name.replace(" ", "_")
