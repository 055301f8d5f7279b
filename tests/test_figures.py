"""Figures: the numbers on their axes, names shown as they are, and files that are equal byte for byte."""

import dataclasses
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import _pylab_helpers
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ablation.report import drawing, figures
from ablation.report.drawing import Look
from ablation.report.figure_files import figure_files
from ablation.report.figures import recorded_curves
from ablation.stats.analysis import Analysis, analyse
from ablation.study import Study
from frames import ODD, a_frame, a_study, noisy, some_curves

CENTRE = {"small": 0.020, "middle": 0.018, "large": 0.012}
STUDY = a_study(seeds=6)
FRAME = a_frame(STUDY, 6, noisy(CENTRE, 0.001), lambda arm, s: 0.5 + 0.01 * s)
CURVES = some_curves(STUDY, 6)


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    return analyse(STUDY, FRAME, 6)


def odd_analysis() -> tuple[Study, Analysis]:
    arms = {ODD: {"model.latent_dim": 64}, "_b": {"model.latent_dim": 128}, "$x$": {"model.latent_dim": 32}}
    study = a_study(arms=arms, claims=())
    return study, analyse(study, a_frame(study, 5, lambda arm, s: 0.01 * s), 5)


def test_effects_stand_at_their_numbers(analysis: Analysis) -> None:
    (figure,) = figures.effects(analysis)
    assert [axes.get_title("left") for axes in figure.axes] == ["Test MSE", "Test accuracy"]
    _zero, interval, point, *_ = figure.axes[0].lines
    effect = analysis.effect("small", "test_mse")
    assert effect is not None
    assert list(point.get_xdata()) == [effect.estimate.mean]
    assert list(interval.get_xdata()) == [effect.estimate.low, effect.estimate.high]
    band = figure.axes[0].patches[0]
    assert (band.get_x(), band.get_x() + band.get_width()) == pytest.approx((-0.002, 0.002))
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["small", "large"]
    assert "← better" in figure.axes[0].get_xlabel()
    assert "better →" in figure.axes[1].get_xlabel()


def test_of_many_seeds_the_first_hundred_are_in_grey_and_all_in_the_mean() -> None:
    study = dataclasses.replace(a_study(seeds=103), first_seed=7)
    frame = a_frame(a_study(seeds=110), 110, lambda arm, s: 0.01 + 0.001 * s, lambda arm, s: 0.5)
    (figure,) = figures.measures(analyse(study, frame, 103), frame)
    values = [0.01 + 0.001 * seed for seed in range(7, 110)]
    assert lines_of(figure) == pytest.approx(np.tile(values[:100], (3, 1)).T)
    assert [line.get_xdata() for line in figure.axes[0].lines[2::2]] == [[pytest.approx(np.mean(values))]] * 3
    assert key_of(figure) == [
        "mean and 95 % interval",
        "one line for each of the first 100 of 103 seeds",
    ]
    (few,) = figures.measures(analyse(STUDY, FRAME, 6), FRAME)
    assert key_of(few) == ["mean and 95 % interval", "one line per seed"]
    assert lines_of(few).shape == (6, 3)


def lines_of(figure: Figure) -> NDArray[np.float64]:
    """The value of every seed in grey in every arm, in the first panel of measures: (seeds, arms)."""
    (seeds,) = figure.axes[0].collections
    assert isinstance(seeds, LineCollection)
    return np.array([line[:, 0] for line in seeds.get_segments()])


def key_of(figure: Figure) -> list[str]:
    """What the marks mean, in the words of the key."""
    return [text.get_text().replace("\n", " ") for text in figure.legends[0].get_texts()]


def foot_of(figure: Figure) -> str:
    """The words of all horizontal axes."""
    return str(figure.get_supxlabel()).replace("\n", " ")


def test_an_arm_that_is_set_against_another_names_it() -> None:
    study = a_study(against={"large": "small"}, claims=())
    found = analyse(study, FRAME, 6)
    (figure,) = figures.effects(found)
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["small", "large\nto small"]
    assert foot_of(figure) == "difference to middle (the baseline), or to the arm named"
    point = axes.lines[-1].get_xdata()[0]
    assert point == pytest.approx(
        found.means["large", "test_mse"].mean - found.means["small", "test_mse"].mean
    )
    (plain,) = figures.effects(analyse(a_study(claims=()), FRAME, 6))
    assert foot_of(plain) == "difference to middle (the baseline)"


def test_curves_leave_out_seeds_beyond_the_plan() -> None:
    study = a_study(first_seed=3)
    found = analyse(study, a_frame(study, 2, lambda arm, s: 0.1 * s), 2)
    _, lines = recorded_curves(found, CURVES)[0]
    assert list(lines["small", "train"]["min"]) == [3.0, 4.0, 5.0]
    assert list(lines["small", "train"]["max"]) == [4.0, 5.0, 6.0]


def test_seeds_that_logged_at_different_steps_are_lines_between_their_points(analysis: Analysis) -> None:
    logged = {0: (0, 2, 4), 1: (1, 3, 4)}
    uneven = CURVES[CURVES.seed.isin(logged)]
    uneven = pd.concat(
        uneven[(uneven.seed == seed) & (uneven.step == 0)].assign(step=step, value=step + 10.0 * seed)
        for seed, steps in logged.items()
        for step in steps
    )
    for _, lines in recorded_curves(analysis, uneven):
        for table in lines.values():
            assert [*table.index] == [1, 2, 3, 4]
            assert [*table["min"]] == [1, 2, 3, 4]
            assert [*table["mean"]] == [6, 7, 8, 9]
            assert [*table["max"]] == [11, 12, 13, 14]


def test_where_a_seed_ends_the_mean_ends(analysis: Analysis) -> None:
    """What is left would be the mean of the other seeds, as if it had jumped."""
    logged = {0: (0, 1, 2), 1: (0, 1, 3), 2: (0, 1, 2, 3)}
    rows = CURVES.drop_duplicates(["arm", "metric"])
    uneven = pd.concat(
        rows.assign(seed=seed, step=step, value=10.0 * seed)
        for seed, steps in logged.items()
        for step in steps
    )
    for _, lines in recorded_curves(analysis, uneven):
        for table in lines.values():
            assert [*table.index] == [0, 1, 2]
            assert [*table["mean"]] == [10, 10, 10]


@pytest.mark.parametrize(
    ("logged", "index", "mean"),
    [
        pytest.param({0: (0, 2, 4), 1: (1, 3, 5)}, [1, 2, 3, 4], [5, 5, 5, 5], id="in turn"),
        pytest.param({0: (0, 1), 1: (2, 3)}, [0, 1, 2, 3], [0, 0, 10, 10], id="one after the other"),
    ],
)
def test_seeds_that_have_no_step_in_common(
    analysis: Analysis, logged: dict[int, tuple[int, ...]], index: list[int], mean: list[int]
) -> None:
    """One after the other there is no common mean: all that was logged is drawn."""
    rows = CURVES.drop_duplicates(["arm", "metric"])
    apart = pd.concat(
        rows.assign(seed=seed, step=step, value=10.0 * seed)
        for seed, steps in logged.items()
        for step in steps
    )
    for _, lines in recorded_curves(analysis, apart):
        for table in lines.values():
            assert [*table.index] == index
            assert [*table["mean"]] == mean


def test_measures_show_every_seed_and_the_mean(analysis: Analysis) -> None:
    (figure,) = figures.measures(analysis, FRAME)
    axes = figure.axes[0]
    points, *rest = axes.lines
    table = FRAME.pivot(index="seed", columns="arm", values="test_mse")[["small", "middle", "large"]]
    assert lines_of(figure) == pytest.approx(table.to_numpy())
    assert points.get_xdata() == pytest.approx(table.to_numpy().ravel())
    assert [line.get_xdata()[0] for line in rest[1::2]] == [
        analysis.means[a, "test_mse"].mean for a in CENTRE
    ]
    assert axes.get_xlabel() == "← better"
    named = [text.get_text().replace("\n", " ") for text in axes.get_yticklabels()]
    assert named == ["small", "middle (baseline)", "large"]


def test_curves_are_means_in_bands_from_least_to_greatest(analysis: Analysis) -> None:
    panels = recorded_curves(analysis, CURVES)
    assert [label for label, _ in panels] == ["MSE", "Accuracy"]
    (name, first), (other, second) = list(panels[0][1].items())[:2]
    assert (name, list(first.index)) == (("small", "train"), [0, 1, 2])
    assert first.T.to_numpy().tolist() == [[2.5, 3.5, 4.5], [0, 1, 2], [5, 6, 7]]
    assert (other, list(second["mean"])) == (("small", "validation"), [102.5, 103.5, 104.5])
    (figure,) = figures.curves(analysis, panels)
    dashed, solid = figure.axes[0].lines[:2]
    assert (list(dashed.get_ydata()), dashed.get_linestyle()) == ([2.5, 3.5, 4.5], "--")
    assert (list(solid.get_ydata()), solid.get_linestyle()) == ([102.5, 103.5, 104.5], "-")
    assert key_of(figure) == ["train", "validation", "least to greatest seed"]
    beside = {text.get_text(): text.get_position()[1] for text in figure.axes[0].texts}
    assert sorted(beside) == ["large", "middle", "small"]
    assert foot_of(figure) == "step"


def test_a_line_leads_to_the_name_of_an_arm_only_from_where_its_curve_ends(analysis: Analysis) -> None:
    short = CURVES[(CURVES["arm"] != "small") | (CURVES["step"] < 2)]
    for points, led in ((CURVES, 3), (short, 2)):
        (figure,) = figures.curves(analysis, recorded_curves(analysis, points))
        axes = figure.axes[0]
        leads = [line for line in axes.lines if line.get_transform() == axes.transAxes and line.get_lw()]
        assert (len(axes.texts), len(leads)) == (3, led)


def test_arms_that_share_their_training_are_drawn_once(tmp_path: Path) -> None:
    arms = {f"width {n}": {"model.latent_dim": n} for n in (32, 64, 128, 256, 512, 1024)}
    study = a_study(arms=arms, claims=())
    found = analyse(study, a_frame(study, 5, lambda arm, s: 0.01 * s), 5)
    own = some_curves(study, 5)
    shared = own[own["arm"] == "width 64"]
    rest = [shared.assign(arm=f"width {n}") for n in (32, 128, 256, 512)]
    points = pd.concat([shared, own[own["arm"] == "width 1024"], *rest])
    (figure,) = figures.curves(found, recorded_curves(found, points))
    named = sorted(" ".join(text.get_text().split()) for text in figure.axes[0].texts)
    assert study.reference == "width 128"
    assert named == ["width 1024", "width 128 (and 4 with the same curves)"]
    files = figure_files(found, a_frame(study, 5, lambda arm, s: 0.01 * s), points)
    files["curves.md"](tmp_path / "curves.md")
    words = "width 128 stands for width 32, width 64, width 256 and width 512, too"
    assert words in (tmp_path / "curves.md").read_text()
    apart = points.assign(value=points["value"] + points["arm"].eq("width 64"))
    (figure,) = figures.curves(found, recorded_curves(found, apart))
    named = sorted(" ".join(text.get_text().split()) for text in figure.axes[0].texts)
    assert named == ["width 1024", "width 128 (and 3 with the same curves)", "width 64"]


def test_a_curve_without_sides_is_solid_in_a_band_and_has_no_side_in_the_legend(analysis: Analysis) -> None:
    train = CURVES[CURVES["metric"] == "train_mse"]
    panel, *others = recorded_curves(analysis, train.assign(metric="mse"))
    assert not others
    assert list(panel[1]) == [(arm, "") for arm in CENTRE]
    (figure,) = figures.curves(analysis, [panel])
    assert [line.get_linestyle() for line in figure.axes[0].lines[:3]] == ["-"] * 3
    assert len(figure.axes[0].collections) == 3
    assert key_of(figure) == ["least to greatest seed"]
    assert recorded_curves(analysis, train.assign(metric="unknown")) == []


def test_a_missing_arm_leaves_its_place(analysis: Analysis) -> None:
    gone = analyse(STUDY, FRAME[FRAME["arm"] != "large"], 6)
    (figure,) = figures.effects(gone)
    assert len(figure.axes[0].get_yticklabels()) == 2
    assert np.isnan(figure.axes[0].lines[-1].get_xdata()).all()


def test_without_curves_the_figure_says_so(analysis: Analysis) -> None:
    (figure,) = figures.curves(analysis, recorded_curves(analysis, CURVES.head(0)))
    assert [text.get_text() for text in figure.texts] == ["Nothing was recorded."]


def test_names_are_shown_as_they_are(tmp_path: Path) -> None:
    study, analysis = odd_analysis()
    (figure,) = figures.curves(analysis, recorded_curves(analysis, some_curves(study, 5)))
    texts = figure.axes[0].texts
    shown = {"".join(text.get_text().split()) for text in texts}
    assert shown == {"".join(name.split()) for name in (ODD, "_b", "$x$")}
    assert not any(text.get_parse_math() for text in texts)
    (forest,) = figures.effects(analysis)
    drawing.save(forest, tmp_path / "forest.png")
    assert not any(text.get_parse_math() for text in forest.axes[0].get_yticklabels())


@pytest.mark.parametrize("suffix", ["png", "pdf"])
def test_a_figure_is_saved_byte_for_byte_alike(analysis: Analysis, tmp_path: Path, suffix: str) -> None:
    def saved(name: str) -> bytes:
        path = tmp_path / f"{name}.{suffix}"
        drawing.save(*figures.measures(analysis, FRAME), path)
        return path.read_bytes()

    assert saved("one") == saved("two")
    assert b"CreationDate" not in saved("three")


def test_many_measures_wrap_and_nothing_global_is_left() -> None:
    before = dict(mpl.rcParams)
    study = a_study(
        measures=dict.fromkeys(("test_mse", "test_accuracy", "test_macro_f1", "probe_accuracy"), 0.01)
    )
    frame = a_frame(study, 5, noisy(CENTRE, 0.001)).assign(test_macro_f1=0.5, probe_accuracy=0.5)
    (figure,) = figures.effects(analyse(study, frame, 5), look=Look(drawing.PAGE))
    tops = [round(axes.get_position().y1, 6) for axes in figure.axes]
    assert [tops.index(top) for top in tops] == [0, 0, 0, 3]
    assert dict(mpl.rcParams) == before
    assert not _pylab_helpers.Gcf.figs
