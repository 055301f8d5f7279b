"""How every figure is drawn: its style, its panels laid out in inches, its words measured, its file.

Owns seaborn and matplotlib. A figure is as wide as a paper prints it, so that its text keeps its size, and is
laid out by the measured extent of its words, so that none meets another; what is higher than a page goes on
in a further figure. Figures are made without pyplot, so that nothing global is left open, and are saved byte
for byte alike.
"""

import logging
import warnings
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from io import BytesIO
from itertools import pairwise
from math import floor, log10
from pathlib import Path
from typing import Any, Literal

import matplotlib as mpl
import seaborn as sns
from cycler import cycler
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.style import use as use_style
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator

from ablation.errors import UserError
from ablation.formatting import SMOKE

COLUMN, PAGE = 3.3, 6.9
"""Inches: the width of a column of a two-column paper, and of its page."""
TALLEST = 9.0
"""Inches: the height of such a page."""
INK, SOFT, BAND, ALARM = "#22252a", "#6a6f78", "#e2dccf", "#a8431b"
TEXT = 8.5
"""Points: the size of titles; all other text is "small", which matplotlib makes 0.833 of it."""
DPI = 200
SCREEN_DPI = 96  # of a browser
EDGE, GAP = 0.04, 0.14  # inches: around a figure, and between panels
OVER = GAP / 2 - 0.02  # inches: how far a number may stand out beside its axes
UNDER = 0.17  # inches: what the numbers of an axis take below it
LEGEND: dict[str, Any] = {
    **{"loc": "lower left", "frameon": False, "borderpad": 0, "borderaxespad": 0, "handletextpad": 0.5},
    **{"handlelength": 1.8, "columnspacing": 1.2, "labelspacing": 0.25},
}


@dataclass(frozen=True)
class Look:
    """How wide a figure is, in inches, and the user's own settings of matplotlib (`own_style`)."""

    width: float = COLUMN
    own: Mapping[str, Any] = field(default_factory=dict)


class Drawing(Figure):
    """A figure that a notebook shows, though pyplot knows nothing of it."""

    look = Look()

    def _repr_png_(self) -> bytes:
        return encoded(self, ".png")


class Figures(dict[str, Figure]):
    """Figures by name, which a notebook shows one below the other."""

    def _repr_html_(self) -> str:
        from ablation.report.formats import template

        pngs = {name: b64encode(encoded(one, ".png")).decode() for name, one in self.items()}
        widths = {name: round(one.get_figwidth() * SCREEN_DPI) for name, one in self.items()}
        return template("figures.html").render(pngs=pngs, widths=widths)


@dataclass(frozen=True)
class Panel:
    """One pair of axes: its title, its height in inches, and what draws it; `header` begins rows of its own.

    y: the limits of the vertical axis where it has numbers; the panels below one header share them. right:
    inches beside the axes for words. under: what stands below the numbers of the horizontal axis, which are
    whole numbers where it has `whole` ones.
    """

    title: str
    height: float
    draw: Callable[[Axes], None]
    header: str = ""
    y: tuple[float, float] | None = None
    right: float = 0.0
    under: str = ""
    whole: bool = False


@dataclass(frozen=True)
class Sheet:
    """What all panels of a figure share.

    left: inches for names on the left of every row. foot: the words of all horizontal axes. key: artists and
    what they mean. quick: whether the numbers come from a smoke budget, which the figure then says.
    """

    look: Look
    columns: int
    left: float = 0.0
    foot: str = ""
    key: Sequence[tuple[Artist, str]] = ()
    quick: bool = False


def figures_of(panels: Sequence[Panel], sheet: Sheet) -> tuple[Figure, ...]:
    """The panels in rows, on as many figures as it takes where one is as high as a page; within `style`."""
    if not panels:
        figure = _figure(sheet.look, 0.5)
        figure.text(0.5, 0.5, "Nothing was recorded.", ha="center", va="center", color=SOFT)
        return (figure,)
    return tuple(_Rows(panels, sheet).figures())


class _Rows:
    """The panels in rows of equal panels; all lengths are inches."""

    def __init__(self, panels: Sequence[Panel], sheet: Sheet) -> None:
        self.sheet = sheet
        columns = min(sheet.columns, len(panels))
        self.rows: list[list[Panel]] = []
        for panel in panels:
            if not self.rows or len(self.rows[-1]) == columns or self.rows[-1][0].header != panel.header:
                self.rows.append([])
            self.rows[-1].append(panel)
        # One column of names or numbers for a row, or numbers beside every panel.
        self.shared = bool(sheet.left) or any(panel.header for panel in panels)
        numbers = max(map(_width_of_numbers, panels))
        first, between = sheet.left + numbers, GAP if self.shared else numbers + GAP
        right = max(panel.right for panel in panels)
        inside = sheet.look.width - 2 * EDGE
        self.width = (inside - first - (columns - 1) * between - columns * right) / columns
        self.lefts = [EDGE + first + i * (self.width + right + between) for i in range(columns)]
        size = mpl.rcParams["axes.titlesize"]
        self.titles = [[wrapped(panel.title, self.width + right, size) for panel in row] for row in self.rows]
        self.above = [max(extent(text, size)[1] for text in titles) + 0.06 for titles in self.titles]
        self.head = extent("x", size)[1] + 0.06
        words = any(panel.under for panel in panels)
        below = UNDER + (extent("x", mpl.rcParams["axes.labelsize"])[1] + 0.02) * words + 0.06
        bodies = [max(panel.height for panel in row) for row in self.rows]
        self.heights = [above + body + below for above, body in zip(self.above, bodies, strict=True)]
        self.warning = wrapped(SMOKE, inside, size) if sheet.quick else ""
        self.top = EDGE + (extent(self.warning, size)[1] + 0.06 if self.warning else 0.0)
        self.bottom = _below(_figure(sheet.look, TALLEST), sheet)

    def figures(self) -> Iterator[Figure]:
        """As many rows a figure as have room."""
        start, used = 0, 0.0
        for i, height in enumerate(self.heights):
            more = height + (self.head if self._headed(i, start) else 0)
            if i > start and used + more > TALLEST - self.top - self.bottom:
                yield self._figure(start, i)
                start, used = i, 0.0
                more = height + (self.head if self._headed(i, start) else 0)
            used += more
        yield self._figure(start, len(self.rows))

    def _headed(self, i: int, start: int) -> bool:
        """Whether the header stands above row i of a figure that begins with row `start`."""
        header = self.rows[i][0].header
        return bool(header) and (i == start or self.rows[i - 1][0].header != header)

    def _figure(self, start: int, stop: int) -> Figure:
        heads = {i: self.head if self._headed(i, start) else 0.0 for i in range(start, stop)}
        height = self.top + sum(heads[i] + self.heights[i] for i in heads) + self.bottom
        figure = _figure(self.sheet.look, height)
        size = mpl.rcParams["axes.titlesize"]
        if self.warning:
            place = {"y": 1 - EDGE / height, "va": "top", "fontsize": size}
            figure.suptitle(self.warning, fontweight="bold", color=ALARM, **place)
        _below(figure, self.sheet)
        y = height - self.top
        for i, head in heads.items():
            if head:
                words = {"va": "top", "fontweight": "bold", "fontsize": size}
                x = EDGE / self.sheet.look.width
                literal([figure.text(x, y / height, self.rows[i][0].header, **words)])
            for left, panel, title in zip(self.lefts, self.rows[i], self.titles[i], strict=False):
                bottom = y - head - self.above[i] - panel.height
                self._axes(figure, panel, title, left, bottom)
            y -= head + self.heights[i]
        sns.despine(figure)
        return figure

    def _axes(self, figure: Figure, panel: Panel, title: str, left: float, bottom: float) -> None:
        across, up = figure.get_size_inches()
        axes = figure.add_axes((left / across, bottom / up, self.width / across, panel.height / up))
        panel.draw(axes)
        literal([axes.set_title(title, loc="left", pad=3)])
        _number(axes, "x", self.width, panel.whole)
        if panel.y is not None:
            axes.set_ylim(*panel.y)
            _number(axes, "y", panel.height)
        axes.tick_params(labelleft=left == self.lefts[0] or not self.shared)
        axes.set_xlabel(panel.under, labelpad=1)


def _figure(look: Look, height: float) -> Drawing:
    figure = Drawing(figsize=(look.width, height), dpi=DPI)
    figure.look = look
    FigureCanvasAgg(figure)
    return figure


def _below(figure: Figure, sheet: Sheet) -> float:
    """Write the words of all horizontal axes, and below them the key; the inches that they take."""
    width, height = figure.get_size_inches()
    used, size = EDGE, mpl.rcParams["legend.fontsize"]
    if sheet.key:
        words = [wrapped(text, width - 0.5, size) for _, text in sheet.key]
        handles = [handle for handle, _ in sheet.key]
        place = (EDGE / width, EDGE / height)
        for columns in range(len(handles), 0, -1):
            # Labels are set afterwards: a legend drops those that begin with an underscore.
            legend = figure.legend(
                handles, ["?"] * len(handles), ncols=columns, bbox_to_anchor=place, **LEGEND
            )
            for text, own in zip(legend.get_texts(), words, strict=True):
                text.set_text(own)
            literal(legend.get_texts())
            box = legend.get_window_extent(figure.canvas.get_renderer())  # type: ignore[attr-defined]
            if box.width / DPI <= width - 2 * EDGE or columns == 1:
                break
            legend.remove()
        used += box.height / DPI + 0.06
    if sheet.foot:
        size = mpl.rcParams["axes.labelsize"]
        foot = wrapped(sheet.foot, width - 2 * EDGE, size)
        literal([figure.supxlabel(foot, y=used / height, va="bottom", fontsize=size)])
        used += extent(foot, size)[1] + 0.04
    return used


def warn(figure: Figure, text: str) -> None:
    """Write `text` across the top of `figure`, in the colour of alarm."""
    with style():
        figure.suptitle(text, fontsize="medium", fontweight="bold", color=ALARM)


def save(figure: Figure, path: Path) -> None:
    """Write `figure` as PNG or PDF, by the suffix of `path`."""
    path.write_bytes(encoded(figure, path.suffix))


def encoded(figure: Figure, suffix: str) -> bytes:
    """`figure` as ".png" or ".pdf", without the time of writing."""
    file = BytesIO()
    with style(figure.look.own if isinstance(figure, Drawing) else {}):
        figure.dpi = DPI
        if figure.axes and (engine := figure.get_layout_engine()):
            # Laid out once, not again for every format: half of the time, and the formats agree.
            engine.execute(figure)
            figure.set_layout_engine("none")
        # By the canvas itself: `savefig` draws everything twice, to lay out once more what is laid out.
        if suffix == ".pdf":
            FigureCanvasPdf(figure).print_pdf(file, metadata={"CreationDate": None})
        else:
            FigureCanvasAgg(figure).print_png(file, metadata={"Software": None})
    return file.getvalue()


@contextmanager
def style(own: Mapping[str, Any] | None = None) -> Iterator[None]:
    """What all figures have in common, within it alone; the settings of `own` come before."""
    with mpl.rc_context(), sns.axes_style("ticks"), sns.plotting_context("paper"), warnings.catch_warnings():
        # An arm's name may hold characters that the font lacks; they are drawn as boxes.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        mpl.rcParams.update(
            {
                "font.family": "DejaVu Sans",
                "pdf.fonttype": 42,
                "axes.prop_cycle": cycler(color=sns.color_palette("colorblind")),
                "font.size": TEXT,
                "axes.titlesize": "medium",
                **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor"), INK),
                **dict.fromkeys(("xtick.color", "ytick.color"), INK),
                **dict.fromkeys(("xtick.labelsize", "ytick.labelsize"), "small"),
                **dict.fromkeys(("axes.labelsize", "legend.fontsize"), "small"),
                **dict.fromkeys(("xtick.major.size", "ytick.major.size"), 2.5),
                **dict.fromkeys(("xtick.major.pad", "ytick.major.pad"), 2.0),
                **dict.fromkeys(("axes.linewidth", "xtick.major.width", "ytick.major.width"), 0.7),
            }
        )
        # Names of arms are no LaTeX, and a style may not say where its figures are shown.
        settings: dict[Any, Any] = {**(own or {}), "text.usetex": False}
        mpl.rcParams.update(settings)
        yield


def own_style(file: Path) -> dict[str, Any]:
    """The settings of a style file of matplotlib (.mplstyle)."""
    complaints: list[str] = []
    listener = logging.Handler(logging.WARNING)
    listener.emit = lambda record: complaints.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("matplotlib")
    before, logger.propagate = logger.propagate, False
    logger.addHandler(listener)
    try:
        with mpl.rc_context(), warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            found: dict[Any, Any] = {**mpl.rc_params_from_file(file, use_default_template=False)}
            use_style(found)  # warns of what is no style, such as a backend
        complaints += [str(one.message) for one in warned]
    except (OSError, UnicodeDecodeError) as error:
        complaints.append(str(getattr(error, "strerror", "it is no text")))
    finally:
        logger.removeHandler(listener)
        logger.propagate = before
    if complaints:
        said = " ".join(complaints[0].partition("You probably")[0].split()).rstrip(".")
        raise UserError(f"--style wants a style file of matplotlib, but got {file} ({said}): mend it.")
    return found


def _width_of_numbers(panel: Panel) -> float:
    """Inches that the numbers on the left of a panel take."""
    if panel.y is None:
        return 0.0
    found = ticks(*panel.y, panel.height, False, mpl.rcParams["ytick.labelsize"])
    return max((extent(text, mpl.rcParams["ytick.labelsize"])[0] for text in found), default=0.0) + 0.1


def _number(axes: Axes, which: Literal["x", "y"], length: float, whole: bool = False) -> None:
    """Write as many numbers on the axis as its `length` in inches has room for."""
    low, high = axes.get_xlim() if which == "x" else axes.get_ylim()
    size = mpl.rcParams["xtick.labelsize" if which == "x" else "ytick.labelsize"]
    found = ticks(low, high, length, which == "x", size, whole)
    (axes.set_xticks if which == "x" else axes.set_yticks)([*found.values()], [*found])


def ticks(
    low: float, high: float, length: float, along: bool, size: Any, whole: bool = False
) -> dict[str, float]:
    """Round numbers between `low` and `high` by their words; `along`: that stand beside each other.

    whole: whole numbers, if the axis has two. length: inches. As many as have room, and one if there is room
    for one.
    """
    kept: dict[str, float] = {}
    for most in (5, 4, 3, 2):
        values = [
            value for value in MaxNLocator(most, integer=whole).tick_values(low, high) if low <= value <= high
        ]
        texts = _number_words(values)
        places = [(value - low) / (high - low) * length for value in values]
        halves = [extent(text, size)[0 if along else 1] / 2 for text in texts]
        if along:  # not over the numbers of the next panel
            ends = range(len(values))
            inside = [
                i for i in ends if places[i] - halves[i] > -OVER and places[i] + halves[i] < length + OVER
            ]
        else:
            inside = list(range(len(values)))
        space = 0.06 if along else 0.02
        apart = all(places[j] - places[i] > halves[i] + halves[j] + space for i, j in pairwise(inside))
        if apart and len(inside) > 1:
            return {texts[i]: values[i] for i in inside}
        kept = kept or {texts[i]: values[i] for i in inside[:1]}
    return kept


def _number_words(values: Sequence[float]) -> list[str]:
    """Numbers of an axis, all with as many decimals as their step needs."""
    if not values:
        return []
    step = min((b - a for a, b in pairwise(values)), default=abs(values[0]) or 1.0)
    largest = max(map(abs, values))
    digits = max(-floor(log10(step) + 1e-9), 0)
    if largest >= 1e5 or digits > 4:
        figures = max(floor(log10(largest or 1)) - floor(log10(step)), 0)
        texts = [f"{value:.{min(figures, 6)}e}" if value else "0" for value in values]
        texts = [text.replace("e-0", "e-").replace("e+0", "e") for text in texts]
    else:
        # A step of 2.5 needs one more.
        digits += any(round(value, digits) != round(value, digits + 1) for value in values)
        texts = [f"{value:.{digits}f}" for value in values]
    return [text.replace("-", "−") if float(text) else text.replace("-", "") for text in texts]


def background() -> Any:
    """The colour that everything stands on."""
    return Figure().get_facecolor()


def colors() -> list[Any]:
    """Colours that the colour-blind can tell apart, or those of the user's own style."""
    cycle = [one["color"] for one in mpl.rcParams["axes.prop_cycle"]]
    return cycle * 4


def wrapped(text: str, inches: float, size: Any) -> str:
    """`text` in lines that are no wider than `inches`, at words where there are any."""
    lines = [""]
    for word in text.split(" "):
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if extent(joined, size)[0] <= inches:
            lines[-1] = joined
            continue
        lines += [""] if lines[-1] else []
        for character in word:
            if lines[-1] and extent(lines[-1] + character, size)[0] > inches:
                lines.append("")
            lines[-1] += character
    return "\n".join(lines)


def extent(text: str, size: Any) -> tuple[float, float]:
    """Inches that `text` takes across and down."""
    return _measured(text, FontProperties(size=size).get_size_in_points(), tuple(mpl.rcParams["font.family"]))


@cache
def _renderer() -> RendererAgg:
    return RendererAgg(1, 1, DPI)


def _measured(text: str, points: float, family: tuple[str, ...]) -> tuple[float, float]:
    font = FontProperties(family=list(family), size=points)
    lines = text.split("\n")
    width = max(_renderer().get_text_width_height_descent(line, font, ismath=False)[0] for line in lines)
    return width / DPI, len(lines) * points * 1.2 / 72


def literal(texts: Iterable[Text]) -> None:
    """Show names as they are: a dollar begins no formula."""
    for text in texts:
        text.set_parse_math(False)
