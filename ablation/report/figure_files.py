"""The figures of a study as files: PNG and PDF at both widths of a paper, and a caption beside each.

A caption says what the figure shows, n, what the band is, and which runs are behind it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from ablation.errors import UserError
from ablation.files import folder, replace, write
from ablation.formatting import SMOKE, difference_digits, listing, number
from ablation.report import drawing
from ablation.report.drawing import COLUMN, PAGE, Look
from ablation.report.figures import (
    MOST_TOGETHER,
    Curves,
    baseline_words,
    drawn,
    drawn_once,
    mark_of,
    recorded_curves,
    seeds_in_grey,
)
from ablation.report.formats import template
from ablation.stats.analysis import Analysis
from ablation.stats.cells import Seed

WIDTHS = {"": COLUMN, "_page": PAGE}
"""Inches, by what ends the names of the figures of that width."""
MEANING = {
    "significant": "a filled circle is significant (p < {alpha:g} after Holm)",
    "equivalent": "a diamond is equivalent (two one-sided tests, p < {alpha:g} after Holm)",
    "inconclusive": "a hollow circle is inconclusive",
    "not judged": "a bar is not judged, since a gate is not passed",
    "not tested": "a cross is not tested",
}
"""What the form of a point says, by `Mark.words`."""


@dataclass(frozen=True)
class Caption:
    """The sentences of a caption, and a row an arm: its name, its n, and its runs by seed."""

    title: str
    sentences: tuple[str, ...]
    rows: tuple[tuple[str, str, str], ...]


def write_figures(
    analysis: Analysis,
    frame: pd.DataFrame,
    points: pd.DataFrame,
    to: Path,
    own: Mapping[str, Any] | None = None,
) -> list[Path]:
    """Write all figures and their captions into `to`; their paths. Arguments: see `figure_files`."""
    if frame.empty:
        raise UserError(f"study {analysis.study.name!r} has no cells to draw: run it first.")
    writers = figure_files(analysis, frame, points, own)
    folder(to)
    return [replace(to / name, writer) for name, writer in writers.items()]


def figure_files(
    analysis: Analysis, frame: pd.DataFrame, points: pd.DataFrame, own: Mapping[str, Any] | None = None
) -> dict[str, Callable[[Path], None]]:
    """What writes each file, by its name: NAME.png and NAME.pdf, the same as NAME_page, and NAME.md.

    `frame` has a row a cell, and `points` the columns arm, seed, step, metric and value. `own` are the user's
    settings of matplotlib (`drawing.own_style`).
    """
    files: dict[str, Callable[[Path], None]] = {}
    for end, width in WIDTHS.items():
        for name, figure in drawn(analysis, frame, points, Look(width, own or {})).items():
            files |= {f"{name}{end}.{kind}": partial(drawing.save, figure) for kind in ("png", "pdf")}
    panels = recorded_curves(analysis, points)
    for caption in (_effects(analysis), _measures(analysis), _curves(analysis, points, panels)):
        files[f"{caption.title.lower()}.md"] = partial(write, template("caption.md").render(caption=caption))
    return files


def _effects(analysis: Analysis) -> Caption:
    study = analysis.study
    bands = []
    for name, matters in study.measures.items():
        digits = difference_digits(study.measure(name).digits, matters)
        bands.append(f"{study.label(name)} ±{number(matters, digits)}")
    shown = {mark_of(effect).words for effect in analysis.effects}
    forms = [text.format(alpha=study.alpha) for words, text in MEANING.items() if words in shown]
    ns: dict[str, list[int]] = {}
    for effect in analysis.effects:
        ns.setdefault(effect.arm, []).append(effect.estimate.n)
    rows = tuple((arm, _n(ns[arm]) if arm in ns else "", runs) for arm, runs in _runs(analysis).items())
    other = ", or to the arm named below it" if analysis.others else ""
    every = [n for of_arm in ns.values() for n in of_arm]
    return Caption(
        "Effects",
        (
            *_warning(analysis),
            f"Difference of every arm to {baseline_words(study)}{other}, {study.pairing}: mean and "
            f"{analysis.level_words} interval, n = {_n(every)} seeds.",
            f"The band is the smallest effect that matters: {listing(bands)}.",
            *([f"The form of a point is the verdict: {listing(forms)}."] if forms else []),
        ),
        rows,
    )


def _measures(analysis: Analysis) -> Caption:
    study = analysis.study
    ns = {arm: [analysis.means[arm, name].n for name in study.measures] for arm in study.settings}
    every = [n for of_arm in ns.values() for n in of_arm]
    return Caption(
        "Measures",
        (
            *_warning(analysis),
            f"Every arm: mean and {analysis.level_words} interval over n = {_n(every)} seeds.",
            f"Grey: {seeds_in_grey(analysis.seeds)}, joined from arm to arm.",
        ),
        tuple((arm, _n(ns[arm]), runs) for arm, runs in _runs(analysis).items()),
    )


def _curves(analysis: Analysis, points: pd.DataFrame, panels: Sequence[tuple[str, Curves]]) -> Caption:
    study = analysis.study
    shown = {arm for _, lines in panels for arm, _ in lines}
    # A run may have logged one curve and not another.
    by_curve = points.groupby(["arm", "metric"], observed=True)["seed"].nunique()
    ns = {arm: list(of_arm) for arm, of_arm in by_curve.groupby(level="arm", observed=True)}
    once = drawn_once(study, panels)
    apart = (
        f", in grey {baseline_words(study)}" if len(once) > MOST_TOGETHER and study.reference in shown else ""
    )
    same = "; ".join(f"{arm} stands for {listing(others)}, too" for arm, others in once.items() if others)
    labels = listing([label for label, _ in panels]) if panels else "Nothing was recorded"
    return Caption(
        "Curves",
        (
            *_warning(analysis),
            f"{labels} over steps: mean over n = {_n([n for arm in shown for n in ns[arm]])} seeds{apart}."
            if panels
            else f"{labels}.",
            *(["The band goes from the least to the greatest seed; training has none."] if panels else []),
            *([f"Arms with the same curves are drawn once: {same}."] if same else []),
        ),
        tuple((arm, _n(ns[arm]), runs) for arm, runs in _runs(analysis).items() if arm in shown),
    )


def _warning(analysis: Analysis) -> list[str]:
    return [SMOKE] if analysis.study.quick else []


def _n(numbers: Sequence[int]) -> str:
    """ "5", or "4 to 5"; "0" for none."""
    low, high = min(numbers, default=0), max(numbers, default=0)
    return str(low) if low == high else f"{low} to {high}"


def _runs(analysis: Analysis) -> dict[str, str]:
    """The runs behind the means of each arm, as in "0: 033c13c59ca457e3, 1: ..."; by the arm's name."""
    found: dict[str, dict[Seed, str]] = {arm: {} for arm in analysis.study.settings}
    for name in analysis.study.measures:
        for arm, runs in found.items():
            runs |= {one.seed: one.fingerprint for one in analysis.sources[f"{arm}/{name}/mean"]}
    return {arm: ", ".join(f"{seed}: {run}" for seed, run in runs.items()) for arm, runs in found.items()}
