"""Figures at the size of a paper: text of 7 to 9 pt, nothing over anything else, readable without colours."""

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import matplotlib as mpl
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from ablation import UserError
from ablation.report import drawing, figures
from ablation.report.drawing import COLUMN, PAGE, TALLEST, Look, own_style, ticks
from ablation.report.figure_files import write_figures
from ablation.report.figures import MARKS, mark_of, recorded_curves
from ablation.stats.analysis import Analysis, analyse
from frames import ODD, a_frame, a_study, noisy, some_curves

LONG = "a learning rate that is warmed up over the first tenth of all steps and then falls as a cosine " * 2
ARMS = {
    "three": ["small", "large"],
    "eighteen": [f"method {n}" for n in range(17)],
    "long": [ODD, LONG.strip(), "x" * 200, "_", "$x$"],
    "few long": [ODD, LONG.strip(), "x" * 200],
}
SCALES = {"plain": 1.0, "tiny": 1e-9, "huge": 3e7}


def a_case(names: list[str], scale: float = 1.0, **changes: object) -> dict[str, tuple[Figure, ...]]:
    """All figures at both widths of a study with these arms beside the baseline."""
    arms = {"middle": {"model.latent_dim": 128}}
    arms |= {name: {"model.latent_dim": 200 + n} for n, name in enumerate(names)}
    study = a_study(
        arms=arms, claims=(), measures={"test_mse": 0.002 * scale, "test_accuracy": 0.05}, **changes
    )
    centre = {arm: 0.02 + 0.001 * n for n, arm in enumerate(study.settings)}
    values = noisy(centre, 0.001)
    frame = a_frame(
        study, 5, lambda arm, seed: scale * values(arm, seed), lambda arm, seed: 0.5 + 0.01 * seed
    )
    points = some_curves(study, 5, steps=8)
    points["value"] *= scale
    found = analyse(study, frame, 5)
    looks = {"": Look(COLUMN), "_page": Look(PAGE)}
    panels = recorded_curves(found, points)
    return {
        f"{name}{end}": drawn
        for end, look in looks.items()
        for name, drawn in (
            ("effects", figures.effects(found, look=look)),
            ("measures", figures.measures(found, frame, look=look)),
            ("curves", figures.curves(found, panels, look)),
        )
    }


def texts_of(figure: Figure) -> Iterator[tuple[Text, Bbox]]:
    """Every text that is drawn, with the box around its ink in inches."""
    drawing.encoded(figure, ".png")
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        axes = text.axes
        ticks_ = {*axes.xaxis.get_ticklabels(), *axes.yaxis.get_ticklabels()} if axes else set()
        hidden = text in ticks_ and not text.get_window_extent(renderer).width
        if text.get_visible() and text.get_text().strip() and not hidden:
            box = text.get_window_extent(renderer)
            yield text, Bbox(box.get_points() / figure.dpi)


@pytest.mark.parametrize("arms", ARMS)
def test_all_text_keeps_its_size_and_its_place(arms: str) -> None:
    for name, sheets in a_case(ARMS[arms]).items():
        for figure in sheets:
            check(figure, name)


@pytest.mark.parametrize("scale", SCALES)
def test_so_do_numbers_of_any_size(scale: str) -> None:
    for name, sheets in a_case(ARMS["three"], SCALES[scale]).items():
        for figure in sheets:
            check(figure, name)


def test_more_arms_than_a_page_has_rows_go_on_in_a_further_figure() -> None:
    arms = {"middle": {"model.latent_dim": 128}} | {
        f"arm {n}": {"model.latent_dim": 200 + n} for n in range(60)
    }
    study = a_study(arms=arms, claims=(), measures={"test_mse": 0.002})
    sheets = figures.effects(analyse(study, a_frame(study, 5, noisy(dict.fromkeys(arms, 0.02), 0.001)), 5))
    names = [text.get_text() for one in sheets for text in one.axes[0].get_yticklabels()]
    assert (len(sheets), names) == (2, list(arms)[1:])
    for figure in sheets:
        check(figure, "effects")


def check(figure: Figure, name: str) -> None:
    """The figure is as wide as it says and no higher than a page; no text is outside or over another."""
    width, height = figure.get_size_inches()
    assert width == (PAGE if name.endswith("_page") else COLUMN)
    assert height <= TALLEST
    found = [(text, box) for text, box in texts_of(figure)]
    assert found
    for text, box in found:
        assert 7 <= text.get_fontsize() <= 9, text
        inside = box.x0 > -0.01 and box.y0 > -0.01 and box.x1 < width + 0.01 and box.y1 < height + 0.01
        assert inside, (name, text, box)
    for (one, first), (other, second) in combinations(found, 2):
        common = Bbox.intersection(first, second)
        assert common is None or min(common.width, common.height) < 0.02, (name, one, other)
    for axes in figure.axes:
        panel = axes.get_position()
        beside = Bbox([[panel.x0 * width, panel.y0 * height], [panel.x1 * width, panel.y1 * height]])
        for text, box in found:
            common = Bbox.intersection(beside, box)
            assert common is None or min(common.width, common.height) < 0.02, (name, text)


def test_eighteen_arms_have_a_panel_each_with_the_baseline_in_grey() -> None:
    found = a_case(ARMS["eighteen"])
    (first, *_) = found["curves"]
    titles = [axes.get_title("left") for figure in found["curves"] for axes in figure.axes]
    assert titles == ARMS["eighteen"] * 2
    lines = [line for line in first.axes[0].lines if len(line.get_xdata())]
    assert [to_hex(line.get_color()) for line in lines] == [drawing.SOFT] * 2 + [to_hex(blue())] * 2
    limits = {axes.get_ylim() for axes in first.axes}
    assert len(limits) == 1
    key = [text.get_text() for text in first.legends[0].get_texts()]
    assert "middle (the baseline)" in key


def blue() -> object:
    with drawing.style():
        return drawing.colors()[0]


def test_arms_in_one_panel_differ_without_colours() -> None:
    (figure,) = a_case(["a", "b", "c"])["curves"]
    lines = [line for line in figure.axes[0].lines if line.get_markevery() is not None]
    solid = [line for line in lines if line.get_linestyle() == "-"]
    assert len({line.get_marker() for line in solid}) == len(solid) == 4
    assert {line.get_linestyle() for line in lines} == {"-", "--"}


def verdicts_study() -> tuple[pd.DataFrame, Analysis]:
    """An arm for each form of a point, and its runs."""
    arms = {"middle": 128, "worse": 1, "same": 2, "open": 3, "lost": 4}
    study = a_study(arms={name: {"model.latent_dim": dim} for name, dim in arms.items()}, claims=())
    sizes = {"worse": 0.01, "open": 0.001}
    noise = noisy(dict.fromkeys(arms, 0.0), 0.0001)

    def mse(arm: str, seed: int) -> float:
        return 0.02 + sizes.get(arm, 0.0) + noise(arm, seed) * (20 if arm == "open" else 1)

    frame = a_frame(study, 6, mse)
    gap = (frame["arm"] == "lost") & (frame["seed"] == 1)
    frame.loc[gap, ["state", "test_mse"]] = ["failed", float("nan")]
    return frame, analyse(study, frame, 6)


def test_the_form_of_a_point_is_its_verdict_and_the_key_says_so() -> None:
    _, found = verdicts_study()
    (figure,) = figures.effects(found, ["test_mse"])
    words = {e.arm: mark_of(e).words for e in found.effects if e.measure == "test_mse"}
    assert words == {
        "worse": "significant", "same": "equivalent", "open": "inconclusive", "lost": "not tested"
    }  # fmt: skip
    points = [line for line in figure.axes[0].lines if line.get_marker() not in ("None", None, "")]
    forms = [(line.get_marker(), to_hex(line.get_markerfacecolor()) != "#ffffff") for line in points]
    assert forms == [("o", True), ("D", True), ("o", False), ("x", True)]
    key = [text.get_text() for text in figure.legends[0].get_texts()]
    assert key == [*words.values(), "95 % interval", "too small to matter"]
    assert {mark.words for mark in MARKS.values()} == {*words.values(), "not judged"}


def test_captions_say_n_the_band_and_the_runs(tmp_path: Path) -> None:
    frame, found = verdicts_study()
    paths = write_figures(found, frame, some_curves(found.study, 6), tmp_path)
    names = {"effects", "measures", "curves"}
    assert {path.name for path in paths} >= {f"{n}{e}" for n in names for e in (".pdf", "_page.png", ".md")}
    text = (tmp_path / "effects.md").read_text(encoding="utf-8")
    assert "n = 5 to 6 seeds" in text
    assert "The band is the smallest effect that matters: Test MSE ±0.0020 and Test accuracy ±0.050." in text
    assert "a hollow circle is inconclusive" in text
    run = frame.fingerprint[frame.arm == "worse"].iloc[3]
    assert f"3: {run}" in text
    lost = next(line for line in text.splitlines() if line.startswith("| lost"))
    assert lost.count(":") == 5
    assert "from the least to the greatest seed" in (tmp_path / "curves.md").read_text(encoding="utf-8")


def test_a_style_of_ones_own_holds_and_no_other_file_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "mine.mplstyle"
    file.write_text("font.family: serif\nfont.serif: DejaVu Serif\naxes.prop_cycle: cycler('color', ['k'])\n")
    look = Look(own=own_style(file))
    _, found = verdicts_study()
    before = dict(mpl.rcParams)
    (figure,) = figures.effects(found, ["test_mse"], look)
    assert figure.axes[0].yaxis.get_ticklabels()[0].get_fontfamily() == ["serif"]
    assert to_hex(figure.axes[0].lines[-1].get_markeredgecolor()) == "#000000"
    assert dict(mpl.rcParams) == before
    check(figure, "effects")
    for text in ("font.sze: 9\n", "backend: Agg\n", "font.size: big\n"):
        file.write_text(text)
        with pytest.raises(UserError, match=r"--style wants a style file of matplotlib, but got .*: mend it"):
            own_style(file)
    with pytest.raises(UserError, match="No such file"):
        own_style(tmp_path / "none.mplstyle")


def test_numbers_of_an_axis_are_round_and_have_room() -> None:
    with drawing.style():
        assert list(ticks(-0.0031, 0.0042, 2.0, True, 7)) == ["−0.002", "0.000", "0.002"]
        assert next(iter(ticks(0, 1e8, 2.0, True, 7))) == "0"
        assert len(ticks(0.123456, 0.123457, 1.0, True, 7)) == 1
        assert list(ticks(0, 24, 2.0, True, 7)) == ["0", "5", "10", "15", "20"]


def test_the_key_is_as_wide_as_the_figure_at_most() -> None:
    for sheets in a_case(ARMS["long"]).values():
        for figure in sheets:
            for legend in figure.findobj(Legend):
                box = legend.get_window_extent()  # type: ignore[attr-defined]
                assert box.width / figure.dpi <= figure.get_figwidth()
