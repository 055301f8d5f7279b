"""Finding runs and curves by MLflow's client: of several experiments, in pages, with odd numbers."""

import json
import math
import sys
from pathlib import Path

import pandas as pd
import pytest
from mlflow.entities import Metric

from ablation.tracking import store as stores
from ablation.tracking.cache import curve_of
from ablation.tracking.read import curves, curves_of, find, metrics_of
from ablation.tracking.store import Store

NAMES = ("mse", "accuracy")


@pytest.fixture
def filled(store: Store) -> tuple[Store, list[str], list[str]]:
    """Runs of three experiments, one of them deleted; of all states, one deleted, with odd numbers."""
    client, ids, started = store.client, [], 1_700_000_000_000
    experiments = [store.experiment(name, {}) for name in ("one", "two", "gone")]
    for number, experiment in enumerate(experiments * 3):
        tags = {"role": "cell" if number % 2 else "arm", "fingerprint": f"a{number % 3}", "seed": str(number)}
        run = client.create_run(experiment, start_time=started - 1000 * (number % 5), tags=tags).info.run_id
        numbers = [Metric("mse", 0.5 / step, number, step) for step in (2, 1, 3)]
        odd = [Metric("speed/odd", value, 0, 0) for value in (math.nan, math.inf, -math.inf)[number % 3 : 3]]
        client.log_batch(run, metrics=[*numbers, *odd, Metric("accuracy", math.nan, 0, number)])
        if number % 4:
            client.set_terminated(run, ("FINISHED", "FAILED", "KILLED")[number % 3])
        ids.append(run)
    client.delete_run(ids[3])
    client.delete_experiment(experiments[2])
    return store, experiments, ids


@pytest.mark.parametrize("page", [1, 1000])
@pytest.mark.parametrize(
    ("tags", "status", "found"),
    [
        ({}, "", [4, 7, 1, 6, 0]),
        ({"role": "cell"}, "", [7, 1]),
        ({"role": "cell", "fingerprint": "a1"}, "", [7, 1]),
        ({"fingerprint": "nowhere"}, "", []),
        ({}, "RUNNING", [4, 0]),
        ({"fingerprint": "a0"}, "FINISHED", [6]),
    ],
    ids=str,
)
def test_runs_are_found_oldest_first_in_pages_of_any_size(
    filled: tuple[Store, list[str], list[str]], tags: dict[str, str], status: str, found: list[int],
    page: int, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    store, experiments, ids = filled
    monkeypatch.setattr(stores, "PAGE", page)  # of runs, and of experiments
    rows = find(store, tags, status=status)
    assert {row.run_id for row in rows} == {ids[number] for number in found}
    assert [row.started for row in rows] == sorted(row.started for row in rows)
    own = [ids[number] for number in found if number % 3 == 0]
    assert [row.run_id for row in find(store, tags, status=status, experiment=experiments[0])] == own


def test_experiments_of_others_are_not_looked_at(filled: tuple[Store, list[str], list[str]]) -> None:
    store, _, _ = filled
    before = [run.run_id for run in find(store, {})]
    stranger = store.client.create_experiment("a stranger's")
    store.client.create_run(stranger, tags={"role": "cell", "fingerprint": "a1"})
    assert [run.run_id for run in find(store, {})] == before


def test_curves_are_read_once_and_then_kept(
    filled: tuple[Store, list[str], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, _, ids = filled
    runs = pd.DataFrame({"run_id": [ids[5], ids[0], ids[1]], "arm": ["b", "a", "a"], "seed": [7, 8, 9]})
    first = curves(store, runs, NAMES)
    assert first[["arm", "seed", "metric"]].drop_duplicates().to_numpy().tolist() == [
        [arm, seed, name] for arm, seed in (("b", 7), ("a", 8), ("a", 9)) for name in NAMES
    ]
    assert first.step.tolist()[:4] == [1, 2, 3, 5]
    assert first.value.tolist()[:3] == [0.5, 0.25, 0.5 / 3]
    assert first.value.isna().sum() == 3
    with monkeypatch.context() as patched:
        patched.setattr(store.client, "get_metric_history", None)
        pd.testing.assert_frame_equal(curves(store, runs, NAMES), first)
        pd.testing.assert_frame_equal(curves(store, runs, NAMES[:1]), first[first.metric == "mse"].pipe(_of))
    assert curves(store, runs[:0], NAMES).empty
    assert curves_of(store, ids[0], ["none"]) == {"none": []}


def _of(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(metric=frame.metric.cat.set_categories(["mse"])).reset_index(drop=True)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"mse": 1}', '{"mse": [["one", 2]]}'])
def test_a_kept_curve_that_cannot_be_read_is_read_anew(
    filled: tuple[Store, list[str], list[str]], text: str
) -> None:
    store, _, ids = filled
    known = curves_of(store, ids[0], ["mse"])
    kept = store.root / "cache" / f"{ids[0]}.json"
    assert json.loads(kept.read_text())
    kept.write_text(text)
    assert curves_of(store, ids[0], ["mse"]) == known


def test_a_disk_that_keeps_no_curve_is_no_error(filled: tuple[Store, list[str], list[str]]) -> None:
    store, _, ids = filled
    Path(store.root / "cache").write_text("a file in its place")
    assert curves_of(store, ids[0], ["mse"]) == curves_of(store, ids[0], ["mse"]) != {"mse": []}


def test_infinity_is_read_as_it_was_logged(filled: tuple[Store, list[str], list[str]]) -> None:
    store, _, ids = filled
    assert metrics_of(store, ids[2])["speed/odd"] == -math.inf  # not the largest float
    for _ in range(2):  # of MLflow, and as it is kept
        assert curves_of(store, ids[2], ["speed/odd"]) == {"speed/odd": [(0, -math.inf)]}
    clipped = curve_of([(1, sys.float_info.max), (2, -math.inf), (3, math.nan)])
    assert [value for _, value in clipped[:2]] == [math.inf, -math.inf]
    assert math.isnan(clipped[2][1])
