"""Finding runs: MLflow's tables and MLflow's client say the same, of runs and of curves."""

import math
from pathlib import Path

import pandas as pd
import pytest
from mlflow.entities import Metric

from ablation.tracking import tables
from ablation.tracking.find import find, points
from ablation.tracking.rows import RunRow
from ablation.tracking.store import Store

QUESTIONS: list[dict[str, str]] = [
    {},
    {"role": "cell"},
    {"role": "cell", "fingerprint": "a1"},
    {"fingerprint": "nowhere"},
]
CURVES = ("mse", "accuracy")


@pytest.fixture
def filled(tmp_path: Path) -> tuple[Store, str, list[str]]:
    """Runs of three experiments, one of them deleted; of all states, one deleted, with odd numbers."""
    store = Store(tmp_path / "store")
    store.create()
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
    client.set_tag(ids[4], "mlflow.note.content", 'many "words"\nof 2 lines')
    client.delete_run(ids[3])
    client.delete_experiment(experiments[2])
    return store, experiments[0], ids


def by_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "reachable", lambda uri: False)
    monkeypatch.setattr("ablation.tracking.find.PAGE", 1)  # of runs, and of experiments


def alike(runs: list[RunRow]) -> list[RunRow]:
    """With what nothing equals written as a word, and runs that began at one moment in one order."""
    plain = [
        RunRow(r.run_id, r.experiment, r.status, r.started, r.tags,
              {k: v if v == v else "nan" for k, v in r.metrics.items()})  # type: ignore[misc]
        for r in runs
    ]  # fmt: skip
    return sorted(plain, key=lambda run: (run.started, run.run_id))


@pytest.mark.parametrize("status", ["", "FINISHED", "RUNNING"])
@pytest.mark.parametrize("tags", QUESTIONS, ids=str)
def test_tables_and_client_find_the_same_runs(
    filled: tuple[Store, str, list[str]], tags: dict[str, str], status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, experiment, _ = filled
    ours = [find(store, tags, status=status, experiment=e, metrics=True) for e in ("", experiment)]
    by_client(monkeypatch)
    theirs = [find(store, tags, status=status, experiment=e, metrics=True) for e in ("", experiment)]
    assert [alike(runs) for runs in ours] == [alike(runs) for runs in theirs]
    assert all(run.started <= later.started for run, later in zip(ours[0], ours[0][1:], strict=False))


def test_numbers_are_left_out_where_nobody_asked(filled: tuple[Store, str, list[str]]) -> None:
    found = find(filled[0], {})
    assert found
    assert not any(run.metrics for run in found)


def test_tables_and_client_give_the_same_curves(
    filled: tuple[Store, str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, _, ids = filled
    asked = [ids[5], ids[0], ids[1]]
    ours = points(store, asked, CURVES)
    by_client(monkeypatch)
    theirs = points(store, asked, CURVES)
    pd.testing.assert_frame_equal(ours, theirs, check_dtype=False)
    assert [tuple(row)[:3] for row in ours.to_numpy().tolist()][:3] == [
        (ids[5], "mse", step) for step in (1, 2, 3)
    ]
    assert points(store, [], CURVES).empty


def test_more_runs_than_one_question_names_are_asked_for_in_parts(
    filled: tuple[Store, str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, _, ids = filled
    whole = points(store, ids, CURVES[:1])
    monkeypatch.setattr(tables, "AT_ONCE", 2)
    pd.testing.assert_frame_equal(points(store, ids, CURVES[:1]), whole)
