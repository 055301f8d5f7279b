"""A front and its hypervolume: the laws of both, and what independent counts say."""

import dataclasses
import io
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import optuna
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import pyplot

from ablation import Range, Search, Study
from ablation.cli.show import show_front
from ablation.emoji.protocols import joint
from ablation.report.search import pareto, search_csv, write_search
from ablation.stats.pareto import front, front_of, hypervolume

LOWER = ["lower", "lower"]
REFERENCE = (8.0, 8.0)


def points_of(least: int = 0, most: int = 12) -> st.SearchStrategy[Any]:
    """Points on a coarse grid, so that ties are common; some lie beyond the reference."""
    value = st.integers(-2, 9).map(float)
    return st.lists(st.tuples(value, value), min_size=least, max_size=most).map(
        lambda rows: np.array(rows, dtype=float).reshape(-1, 2)
    )


def directions() -> st.SearchStrategy[Any]:
    return st.lists(st.sampled_from(["lower", "higher"]), min_size=2, max_size=2)


def dominates(a: Any, b: Any, better: list[str]) -> bool:
    pairs = [(x, y) if way == "lower" else (y, x) for x, y, way in zip(a, b, better, strict=True)]
    return all(x <= y for x, y in pairs) and any(x < y for x, y in pairs)


@given(points_of(), directions())
def test_the_front_is_what_nobody_dominates(points: Any, better: Any) -> None:
    wanted = [not any(dominates(other, one, better) for other in points) for one in points]
    assert front(points, better).tolist() == wanted


@given(points_of(least=1), directions())
def test_a_front_is_never_empty_and_is_its_own_front(points: Any, better: Any) -> None:
    members = front(points, better)
    assert members.any()
    assert front(points[members], better).all()


@given(points_of(least=1))
def test_equal_points_share_their_fate(points: Any) -> None:
    twice = np.concatenate([points, points])
    assert front(twice, LOWER).tolist() == front(points, LOWER).tolist() * 2


@given(points_of(), st.randoms())
def test_the_order_of_the_points_changes_nothing(points: Any, rng: Any) -> None:
    order = list(range(len(points)))
    rng.shuffle(order)
    shuffled = points[order].reshape(-1, 2)
    assert front(shuffled, LOWER).tolist() == front(points, LOWER)[order].tolist()
    assert hypervolume(shuffled, REFERENCE, LOWER) == hypervolume(points, REFERENCE, LOWER)


@given(points_of(least=1), points_of(least=1, most=1))
def test_another_point_never_takes_hypervolume_away(points: Any, other: Any) -> None:
    before = hypervolume(points, REFERENCE, LOWER)
    after = hypervolume(np.concatenate([points, other]), REFERENCE, LOWER)
    assert after >= before
    if any(dominates(point, other[0], LOWER) for point in points):
        assert after == before


@given(points_of())
def test_the_hypervolume_is_that_of_the_front_alone(points: Any) -> None:
    assert hypervolume(points[front(points, LOWER)], REFERENCE, LOWER) == hypervolume(
        points, REFERENCE, LOWER
    )


@given(points_of(), directions())
def test_the_hypervolume_counts_the_unit_squares_that_a_point_dominates(points: Any, better: Any) -> None:
    reference = tuple(8.0 if way == "lower" else -2.0 for way in better)
    squares = 0
    for x in range(-2, 9):
        for y in range(-2, 9):
            middle = (x + 0.5, y + 0.5)  # no point lies there, so a square is dominated or not
            if dominates(middle, reference, better) and all(
                (m < r) == (way == "lower") for m, r, way in zip(middle, reference, better, strict=True)
            ):
                squares += any(dominates(point, middle, better) for point in points)
    assert hypervolume(points, reference, better) == squares


def test_the_hypervolume_of_random_points_agrees_with_a_monte_carlo_count() -> None:
    rng = np.random.default_rng(0)
    points, draws = rng.random((20, 2)), rng.random((200_000, 2))
    hit = (points[:, None] <= draws[None]).all(axis=2).any(axis=0).mean()
    assert hypervolume(points, (1.0, 1.0), LOWER) == pytest.approx(hit, abs=0.005)


@pytest.mark.filterwarnings("ignore:.*plot_hypervolume_history is experimental")
def test_the_hypervolume_agrees_with_optunas() -> None:
    # Its numbers are public in its plot alone.
    mpl.use("Agg")  # what it draws with opens windows where it can
    rng = np.random.default_rng(1)
    points, reference = rng.random((15, 2)) * [0.1, 3.0], (0.08, 2.0)
    study = optuna.create_study(directions=["minimize", "maximize"])
    for first, second in points.tolist():
        study.add_trial(optuna.trial.create_trial(values=[first, -second]))
    with mpl.rc_context():
        axes = optuna.visualization.matplotlib.plot_hypervolume_history(study, [reference[0], -reference[1]])
    pyplot.close(axes.figure)  # type: ignore[arg-type]  # Optuna draws with pyplot, which keeps what it draws
    better = ["lower", "higher"]
    turned = points * [1, -1]
    for number, value in enumerate(axes.lines[0].get_ydata(), start=1):  # type: ignore[arg-type, var-annotated]
        found = hypervolume(turned[:number], (reference[0], -reference[1]), better)  # type: ignore[arg-type]
        assert found == pytest.approx(value)


def test_no_point_gives_no_front_and_no_area() -> None:
    assert front(np.empty((0, 2)), LOWER).tolist() == []
    assert hypervolume(np.empty((0, 2)), REFERENCE, LOWER) == 0


def test_a_value_that_is_not_finite_is_refused() -> None:
    for work in (lambda p: front(p, LOWER), lambda p: hypervolume(p, REFERENCE, LOWER)):
        with pytest.raises(ValueError, match="finite"):
            work(np.array([[1.0, float("nan")]]))
    with pytest.raises(ValueError, match="two objectives"):
        hypervolume(np.ones((1, 3)), (2, 2, 2), ["lower"] * 3)


OBJECTIVES = ("validation_mse", "validation_cross_entropy")


def searched_study(**changes: Any) -> Study:
    arms: dict[str, dict[str, Any]] = {"latent 4": {"model.latent_dim": 4}}
    return Study(
        name="small", question="?", source="a double", baseline=joint, arms=arms,
        measures={"test_mse": 0.01},
        search=Search({"train.loss_weight": Range(0.01, 10.0, log=True)}, trials=4, **changes),
    )  # fmt: skip


def trials(points: list[tuple[float, float]], diverged: int = 0) -> pd.DataFrame:
    rows = [(*point, "complete") for point in points] + [(np.nan, np.nan, "diverged")] * diverged
    frame = pd.DataFrame(rows, columns=[*OBJECTIVES, "state"])
    weights = np.geomspace(0.01, 10, len(frame))
    return frame.assign(
        **{"number": range(len(frame)), "fingerprint": "f", "run_id": "r", "train.loss_weight": weights}
    )


TRIALS = trials([(0.02, 3.0), (0.05, 0.5), (0.06, 0.7), (0.2, 0.1)], diverged=1)


def test_the_front_of_a_search_leaves_out_what_diverged_and_says_what_lies_beyond_the_reference() -> None:
    found = front_of(searched_study(reference=(0.1, 4.0)), TRIALS)
    assert found.members.tolist() == [True, True, False, True, False]
    assert found.hypervolume == pytest.approx(0.08 * 1.0 + 0.05 * 2.5)
    assert (found.reference, found.outside) == ((0.1, 4.0), 1)


def test_a_search_without_a_complete_trial_has_an_empty_front() -> None:
    found = front_of(searched_study(), trials([], diverged=2))
    assert (found.members.tolist(), found.hypervolume, found.outside) == ([False, False], 0.0, 0)


def test_the_csv_has_every_trial_at_full_precision_and_is_read_back() -> None:
    study = searched_study()
    text = search_csv(TRIALS, study)
    read = pd.read_csv(io.StringIO(text))
    for name in (*OBJECTIVES, "train.loss_weight"):
        assert read[name].tolist() == pytest.approx(TRIALS[name].tolist(), rel=0, abs=0, nan_ok=True)
    assert read.front.tolist() == [True, True, False, True, False]
    assert read.columns.tolist()[:5] == ["study", "quick", "number", "state", "fingerprint"]
    assert "run_id" not in read


def test_the_figure_shows_every_complete_trial_and_the_front_as_steps_over_the_worse_corner() -> None:
    study = searched_study()
    figure = pareto(TRIALS, study)
    axes = figure.axes[0]
    shown = [len(points.get_offsets()) for points in axes.collections]  # type: ignore[arg-type]
    assert shown == [1, 3]
    steps = np.asarray(axes.lines[0].get_xydata()).tolist()
    assert steps == [[0.02, 3.0], [0.05, 3.0], [0.05, 0.5], [0.2, 0.5], [0.2, 0.1]]
    assert axes.get_xlabel() == "Validation MSE   ← better"
    assert figure.get_supxlabel().replace("\n", " ") == (
        "4 trials, 3 of them on the front; 1 more diverged; hypervolume 1.885 up to (0.1, 25); 1 beyond it"
    )
    warned = pareto(TRIALS, dataclasses.replace(study, quick=True))
    assert warned._suptitle.get_text().startswith("Smoke budget")  # type: ignore[attr-defined]


@pytest.mark.parametrize("frame", [TRIALS, TRIALS.tail(1), TRIALS.head(1)])
def test_a_search_is_exported_whole_and_twice_alike(frame: pd.DataFrame, tmp_path: Path) -> None:
    first, second = (write_search(searched_study(), frame, tmp_path / name) for name in "ab")
    assert [path.name for path in first] == ["search.csv", "pareto.png", "pareto.pdf"]
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == sorted(path.name for path in first)
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_the_terminal_shows_the_trials_and_marks_the_front(capsys: pytest.CaptureFixture[str]) -> None:
    study = searched_study()
    show_front(study, TRIALS)
    said = capsys.readouterr().out
    assert said.count("front\n") + said.count("front \n") == 3
    assert "Hypervolume of the front: 1.885, up to (0.1, 25); beyond it: 1 of 4 trials." in said
