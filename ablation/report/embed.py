"""The figures of a study as PNG, one a panel, so that they stand in a row or, on a phone, in a column."""

import base64
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from ablation.formatting import SMOKE
from ablation.report import figures
from ablation.report.chapters import Evidence
from ablation.report.panels import curve_panels, effect_panels, measure_panels, seeds_in_grey

LEGEND_ROW = 0.17
"""Inches: what a row of a legend takes from the axes above it."""


@dataclass(frozen=True)
class Picture:
    """A PNG: its file's name, and its text for whoever cannot see it."""

    file: str
    alt: str
    png: bytes

    @property
    def uri(self) -> str:
        """The picture itself as an address."""
        return "data:image/png;base64," + base64.b64encode(self.png).decode()


@dataclass(frozen=True)
class Group:
    """Pictures that answer one question, under one caption; `own` are a study's, of any width."""

    title: str
    caption: str
    pictures: tuple[Picture, ...]
    own: bool = False


def groups(anchor: str, evidence: Evidence) -> tuple[Group, ...]:
    """Effects, measures and curves, a picture a panel, then the study's own figures."""
    analysis = evidence.analysis
    band = "the band is the smallest effect that matters"
    drawn = {
        ("effects", "Effects"): (
            f"Difference to the baseline, mean and {analysis.level_words} interval; {band}.",
            _each(effect_panels(analysis), _effects),
        ),
        ("measures", "Measures"): (
            f"Mean and {analysis.level_words} interval of every arm; grey: {seeds_in_grey(analysis.seeds)}.",
            _each(measure_panels(analysis, evidence.cells), figures.measures),
        ),
        ("curves", "Learning curves"): (
            "Mean over seeds; the band goes from the least to the greatest seed in validation.",
            _each(curve_panels(analysis, evidence.curves), _curves),
        ),
    }
    quick = analysis.study.quick
    found = [
        Group(title, caption, tuple(_pictures(f"{anchor}-{kind}", title, panels, quick)))
        for (kind, title), (caption, panels) in drawn.items()
    ]
    if evidence.extra:
        own = list(evidence.extra.items())
        found.append(
            Group(
                "Further",
                " ".join(evidence.extra),
                tuple(_pictures(f"{anchor}-figure", "", own, quick)),
                True,
            )
        )
    return tuple(group for group in found if group.pictures)


def png(figure: Figure) -> bytes:
    """The figure as a PNG, byte for byte alike."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "figure.png"
        figures.save(figure, path)
        return path.read_bytes()


def _each(panels: Sequence[Any], draw: Callable[[Sequence[Any]], Figure]) -> list[tuple[str, Figure]]:
    return [(panel.label, draw([panel])) for panel in panels]


def _effects(panels: Sequence[Any]) -> Figure:
    figure = figures.effects(panels)
    for axes in figure.axes:
        # One panel alone has no room for the longer of its labels in a line.
        axes.set_xlabel(axes.get_xlabel().replace(" or ", "\nor "))
    return figure


def _curves(panels: Sequence[Any]) -> Figure:
    figure = figures.curves(panels)
    rows = len(figure.legends[0].get_texts()) / 2
    figure.set_figheight(figure.get_figheight() + LEGEND_ROW * rows)
    return figure


def _pictures(name: str, kind: str, drawn: Sequence[tuple[str, Figure]], quick: bool) -> Iterator[Picture]:
    for number, (label, figure) in enumerate(drawn, 1):
        if quick:
            figures.warn(figure, SMOKE.replace(": ", ":\n"))
        yield Picture(f"{name}-{number}.png", f"{kind}: {label}" if kind else label, png(figure))
