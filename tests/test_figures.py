"""Figures: the numbers on their axes, names shown as they are, and files that are equal byte for byte."""

import dataclasses
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import _pylab_helpers
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ablation.report import figures
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
    figure = figures.effects(analysis)
    assert [axes.get_title() for axes in figure.axes] == ["Test MSE", "Test accuracy"]
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
    figure = figures.measures(analyse(study, frame, 103), frame)
    values = [0.01 + 0.001 * seed for seed in range(7, 110)]
    assert lines_of(figure) == pytest.approx(np.tile(values[:100], (3, 1)).T)
    assert [line.get_ydata() for line in figure.axes[0].lines[2::2]] == [[pytest.approx(np.mean(values))]] * 3
    assert (
        words_of(figure) == "bars: mean and interval; grey: one line for each of the first 100 of 103 seeds"
    )
    few = figures.measures(analyse(STUDY, FRAME, 6), FRAME)
    assert words_of(few) == "bars: mean and interval; grey: one line per seed"
    assert lines_of(few).shape == (6, 3)


def lines_of(figure: Figure) -> NDArray[np.float64]:
    """The value of every seed in grey in every arm, in the first panel of measures: (seeds, arms)."""
    (seeds,) = figure.axes[0].collections
    assert isinstance(seeds, LineCollection)
    return np.array([line[:, 1] for line in seeds.get_segments()])


def words_of(figure: Figure) -> str:
    """What stands under the panels."""
    return figure._supxlabel.get_text()  # type: ignore[attr-defined, no-any-return]


def test_an_arm_that_is_set_against_another_names_it() -> None:
    study = a_study(against={"large": "small"}, claims=())
    found = analyse(study, FRAME, 6)
    axes = figures.effects(found).axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["small", "large\nto small"]
    assert axes.get_xlabel().startswith("difference to the baseline or the arm named\n")
    point = axes.lines[-1].get_xdata()[0]
    assert point == pytest.approx(
        found.means["large", "test_mse"].mean - found.means["small", "test_mse"].mean
    )
    plain = figures.effects(analyse(a_study(claims=()), FRAME, 6)).axes[0]
    assert plain.get_xlabel().startswith("difference to the baseline\n")


def test_curves_leave_out_seeds_beyond_the_plan() -> None:
    study = a_study(first_seed=3)
    found = analyse(study, a_frame(study, 2, lambda arm, s: 0.1 * s), 2)
    _, lines = recorded_curves(found, CURVES)[0]
    assert list(lines["small", "train"]["min"]) == [3.0, 4.0, 5.0]
    assert list(lines["small", "train"]["max"]) == [4.0, 5.0, 6.0]


def test_measures_show_every_seed_and_the_mean(analysis: Analysis) -> None:
    figure = figures.measures(analysis, FRAME)
    axes = figure.axes[0]
    points, *rest = axes.lines
    table = FRAME.pivot(index="seed", columns="arm", values="test_mse")[["small", "middle", "large"]]
    assert lines_of(figure) == pytest.approx(table.to_numpy())
    assert points.get_ydata() == pytest.approx(table.to_numpy().ravel())
    assert [line.get_ydata()[0] for line in rest[1::2]] == [
        analysis.means[a, "test_mse"].mean for a in CENTRE
    ]
    assert axes.get_ylabel() == "lower is better"


def test_curves_are_means_in_bands_from_least_to_greatest(analysis: Analysis) -> None:
    panels = recorded_curves(analysis, CURVES)
    assert [label for label, _ in panels] == ["MSE", "Accuracy"]
    (name, first), (other, second) = list(panels[0][1].items())[:2]
    assert (name, list(first.index)) == (("small", "train"), [0, 1, 2])
    assert first.T.to_numpy().tolist() == [[2.5, 3.5, 4.5], [0, 1, 2], [5, 6, 7]]
    assert (other, list(second["mean"])) == (("small", "validation"), [102.5, 103.5, 104.5])
    figure = figures.curves(panels)
    dashed, solid = figure.axes[0].lines[:2]
    assert (list(dashed.get_ydata()), dashed.get_linestyle()) == ([2.5, 3.5, 4.5], "--")
    assert (list(solid.get_ydata()), solid.get_linestyle()) == ([102.5, 103.5, 104.5], "-")
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["small", "middle", "large", "train", "validation"]


def test_a_curve_without_sides_is_solid_in_a_band_and_has_no_side_in_the_legend(analysis: Analysis) -> None:
    train = CURVES[CURVES["metric"] == "train_mse"]
    panel, *others = recorded_curves(analysis, train.assign(metric="mse"))
    assert not others
    assert list(panel[1]) == [(arm, "") for arm in CENTRE]
    figure = figures.curves([panel])
    assert [line.get_linestyle() for line in figure.axes[0].lines] == ["-"] * 3
    assert len(figure.axes[0].collections) == 3
    assert [text.get_text() for text in figure.legends[0].get_texts()] == list(CENTRE)
    assert recorded_curves(analysis, train.assign(metric="unknown")) == []


def test_a_missing_arm_leaves_its_place(analysis: Analysis) -> None:
    gone = analyse(STUDY, FRAME[FRAME["arm"] != "large"], 6)
    figure = figures.effects(gone)
    assert len(figure.axes[0].get_yticklabels()) == 2
    assert np.isnan(figure.axes[0].lines[-1].get_xdata()).all()


def test_a_warning_stands_on_top() -> None:
    figure = figures.curves(())
    figures.warn(figure, "Beware")
    assert figure.get_suptitle() == "Beware"


def test_without_curves_the_figure_says_so(analysis: Analysis) -> None:
    figure = figures.curves(recorded_curves(analysis, CURVES.head(0)))
    assert [text.get_text() for text in figure.texts] == ["Nothing was recorded."]


def test_names_are_shown_as_they_are(tmp_path: Path) -> None:
    study, analysis = odd_analysis()
    figure = figures.curves(recorded_curves(analysis, some_curves(study, 5)))
    texts = figure.legends[0].get_texts()
    assert [text.get_text().replace("\n", " ") for text in texts[:3]] == [ODD, "_b", "$x$"]
    assert not any(text.get_parse_math() for text in texts)
    forest = figures.effects(analysis)
    figures.save(forest, tmp_path / "forest.png")
    assert not any(text.get_parse_math() for text in forest.axes[0].get_yticklabels())


@pytest.mark.parametrize("suffix", ["png", "pdf"])
def test_a_figure_is_saved_byte_for_byte_alike(analysis: Analysis, tmp_path: Path, suffix: str) -> None:
    def saved(name: str) -> bytes:
        path = tmp_path / f"{name}.{suffix}"
        figures.save(figures.measures(analysis, FRAME), path)
        return path.read_bytes()

    assert saved("one") == saved("two")
    assert b"CreationDate" not in saved("three")


def test_many_measures_wrap_and_nothing_global_is_left() -> None:
    before = dict(mpl.rcParams)
    study = a_study(
        measures=dict.fromkeys(("test_mse", "test_accuracy", "test_macro_f1", "probe_accuracy"), 0.01)
    )
    frame = a_frame(study, 5, noisy(CENTRE, 0.001)).assign(test_macro_f1=0.5, probe_accuracy=0.5)
    figure = figures.effects(analyse(study, frame, 5))
    assert isinstance(figure, Figure)
    assert [axes.get_subplotspec().rowspan.start for axes in figure.axes] == [0, 0, 0, 1]
    assert dict(mpl.rcParams) == before
    assert not _pylab_helpers.Gcf.figs
