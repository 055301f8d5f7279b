"""A table as LaTeX's floats that fit: which columns stand in one line, which rows on one page.

Widths are in em and heights in lines of the table's own font, so that they hold in any document. A column
has two widths: a roomy one, in which a mean and its interval stand in one line, and a narrow one, in which
they stand in two. LaTeX takes the roomy ones where the column of the document has the space.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil

from ablation.formatting import ABSENT
from ablation.report.latex import SPACE, breakable, latex, lines, width
from ablation.report.table import Entry, Interval, Table

COLUMN, PAGE = 20.0, 38.5
"""Em of \\footnotesize in a column of a two-column page, and on a page, of `article` at 10 to 12 pt."""
CAPTIONS = {COLUMN: 17.0, PAGE: 33.0}
"""The same widths in em of \\normalsize, in which captions are set."""
HEIGHT = 44.0
"""Lines of \\footnotesize on a page."""
CAPTION_LINE = 1.3
"""A line of the caption, in lines of \\footnotesize."""
FONTS = {
    "scriptsize": (1.06, 0.85),
    "footnotesize": (1.0, 1.0),
    "small": (0.91, 1.17),
    "normalsize": (0.83, 1.28),
}
"""Em of each font where one of \\footnotesize fits, and a line of it in lines of \\footnotesize."""
ONE_COLUMN = 3
"""Most measures of a table that stands in one column of a two-column page."""
GAP, MARK = 0.8, 0.65
"""Between two columns, where a mark has its place, and what a second mark takes."""
BOLD = 1.17
MOST_NAME, MOST_NUMBER = 34.0, 11.0
"""A name that is wider is cut, and is whole in the notes; a number that is wider is broken."""
MOST_STUB = 0.36
"""Of the width, for the names of the rows."""
MOST_WORD = 6.0
"""Of a column's head; a longer word is broken."""
MOST_QUESTION = 90.0
WAITING = 12
"""Floats in a row, of which LaTeX keeps 18 at least."""


@dataclass(frozen=True)
class Head:
    """What names a row or a column: its text, and what stands smaller below it."""

    text: str
    below: str = ""

    def lines(self, em: float) -> int:
        """Lines that it takes in a column of `em`."""
        return lines(self.text, em) + (lines(self.below, em) if self.below else 0)

    def latex(self, em: float) -> str:
        """As LaTeX, to be broken at `em`."""
        below = rf" \par {{\scriptsize {breakable(self.below, em)}}}" if self.below else ""
        return breakable(self.text, em) + below


@dataclass(frozen=True)
class Column:
    """A column of a block: its head, and an entry per row; `whole` are those of all rows of the table."""

    head: Head
    entries: tuple[Entry, ...]
    whole: tuple[Entry, ...]
    interval: Interval

    @cached_property
    def narrow(self) -> float:
        """Em of the widest of means, intervals and words of the head."""
        wide = max(max(_mean_width(e), width(_spread(self, e))) for e in self.whole)
        word = BOLD * max(map(width, self.head.text.split(" ")))
        return min(max(wide, min(word, MOST_WORD)), MOST_NUMBER)

    @cached_property
    def roomy(self) -> float:
        """Em of a mean and its interval in one line."""
        return max(*(_mean_width(e) + SPACE + width(_spread(self, e)) for e in self.whole), self.narrow)

    def cell(self, row: int, between: str) -> str:
        """The entry of a row; `between`: what stands between its mean and its interval."""
        e = self.entries[row]
        mean = breakable(e.mean, self.narrow)
        found = rf"\textbf{{{mean}}}" if e.best else mean
        if spread := _spread(self, e):
            found += between + breakable(spread, self.narrow)
        return found + _superscript(e.mark + e.seeds_mark)


def _mean_width(entry: Entry) -> float:
    return width(entry.mean) * (BOLD if entry.best else 1)


def _spread(column: Column, entry: Entry) -> str:
    return entry.spread(column.interval).replace("± ", "±").replace(", ", ",\u00a0")


def _superscript(marks: str) -> str:
    """The marks as LaTeX; they take no width, so that numbers stay below each other."""
    signs = "".join(f"$^{{{latex(mark).strip('$')}}}$" for mark in marks)
    return rf"\rlap{{{signs}}}" if marks else ""


@dataclass(frozen=True)
class Block:
    """Rows and columns that stand in one tabular; `stub` is the width of the rows' names."""

    rows: tuple[Head, ...]
    columns: tuple[Column, ...]
    stub: float
    gap: float
    most: float

    @property
    def fits_roomy(self) -> bool:
        """Whether means and intervals stand in one line wherever the table may stand."""
        return self.roomy <= self.most

    @property
    def roomy(self) -> float:
        """Em of the block with its roomy columns."""
        return self.stub + sum(self.gap + column.roomy for column in self.columns)

    @property
    def head_lines(self) -> int:
        """Lines of the heads of the columns."""
        return max(column.head.lines(column.narrow / BOLD) for column in self.columns)

    @property
    def row_lines(self) -> list[int]:
        """Lines of every row."""
        least = [
            1
            if self.fits_roomy
            else max(
                lines(c.entries[n].mean, c.narrow / BOLD) + lines(_spread(c, c.entries[n]), c.narrow)
                for c in self.columns
            )
            for n in range(len(self.rows))
        ]
        return [max(row.lines(self.stub), few) for row, few in zip(self.rows, least, strict=True)]

    @property
    def lines(self) -> float:
        """Lines of the whole, with its rules."""
        return self.head_lines + sum(self.row_lines) + 2

    @property
    def preamble(self) -> str:
        """The columns as LaTeX declares them."""
        left = rf">{{\raggedright\arraybackslash}}p{{{self.stub:.1f}em}}"
        right = (rf">{{\raggedleft\arraybackslash}}p{{{self._width(column)}}}" for column in self.columns)
        return f"@{{}}{left}{''.join(right)}@{{}}"

    def _width(self, column: Column) -> str:
        if self.fits_roomy:
            return f"{column.roomy:.1f}em"
        return rf"\fit{{{column.narrow:.1f}em}}{{{column.roomy:.1f}em}}"

    @property
    def heads(self) -> str:
        """The row of the columns' heads."""
        return " & ".join(["", *(column.head.latex(column.narrow / BOLD) for column in self.columns)])

    @property
    def body(self) -> list[str]:
        """The rows."""
        between = " " if self.fits_roomy else r"\fit{\endgraf}{ }"
        return [
            " & ".join([row.latex(self.stub), *(column.cell(n, between) for column in self.columns)])
            for n, row in enumerate(self.rows)
        ]

    def cut(self, start: int, end: int) -> "Block":
        """Some of the rows."""
        columns = tuple(replace(column, entries=column.entries[start:end]) for column in self.columns)
        return replace(self, rows=self.rows[start:end], columns=columns)


@dataclass(frozen=True)
class Float:
    """One of LaTeX's floats."""

    environment: str
    caption: str
    blocks: tuple[Block, ...]
    flush: bool = False

    @property
    def gap(self) -> float:
        """Em between two columns."""
        return self.blocks[0].gap

    @property
    def switch(self) -> float:
        """Em of the line from which its columns are roomy; 0 where they are wherever it stands."""
        return max((block.roomy for block in self.blocks if not block.fits_roomy), default=0)


def floats(table: Table) -> list[Float]:
    """The floats of a table: in one column where it has few measures and fits, else over both."""
    wide = _floats(table, PAGE)
    if len(table.panels) > ONE_COLUMN:
        return wide
    narrow = _floats(table, COLUMN)
    return wide if len(wide) < len(narrow) else narrow


def caption(table: Table) -> str:
    """The question, where it is short enough for one, and what the numbers are."""
    question, reference = table.study.question, table.study.reference
    first = question if width(question) <= MOST_QUESTION else f"{table.title}."
    return f"{first} {table.legend(table.spread('pm'), _names(table).get(reference, reference))}"


def name(text: str, number: int) -> str:
    """A name as it is, or cut, with the number under which the notes have it."""
    if width(text) <= MOST_NAME:
        return text
    kept = ""
    for c in text:
        if width(kept + c) > MOST_NAME - 4:
            break
        kept += c
    return f"{kept.rstrip()}… [{number}]"


def cut_names(table: Table) -> list[tuple[str, str]]:
    """The names that are cut, as they stand in the table, and whole."""
    study = table.study
    whole = dict.fromkeys([*study.settings, *(study.label(one) for one in study.measures)])
    shown = [(name(text, number), text) for number, text in enumerate(whole, 1)]
    return [(short, text) for short, text in shown if short != text]


def _names(table: Table) -> dict[str, str]:
    return {text: short for short, text in cut_names(table)}


def _floats(table: Table, most: float) -> list[Float]:
    """The floats in a place that is `most` em wide: of one or two lines a cell, whichever takes fewer."""
    em, high = FONTS[table.layout.font]
    said = caption(table)
    # What is left for the rows below a caption, with "Table 1:" and the space around it.
    room = (HEIGHT - CAPTION_LINE * (lines(f"Table 100: {table.warning} {said}", CAPTIONS[most]) + 1)) / high
    ways = [_packed(_blocks(table, most * em, roomy), room) for roomy in (False, True)]
    groups = min(ways, key=lambda way: (len(way), sum(map(len, way))))
    environment = "table" if most == COLUMN else "table*"
    captions = [said, *[f"{table.title} (continued)."] * (len(groups) - 1)]
    return [
        Float(environment, text, tuple(blocks), flush=n % WAITING == 0)
        for n, (text, blocks) in enumerate(zip(captions, groups, strict=True), 1)
    ]


def _packed(blocks: Sequence[Block], room: float) -> list[list[Block]]:
    """The blocks, cut where they are too high, in groups of at most `room` lines."""
    groups: list[list[Block]] = []
    used = room
    for part in (part for block in blocks for part in _parts(block, room)):
        if used + part.lines + 1 > room:
            groups.append([])
            used = 0.0
        groups[-1].append(part)
        used += part.lines + 1
    return groups


def _blocks(table: Table, most: float, roomy: bool) -> list[Block]:
    """The columns in as few blocks as fit, of about the same number of columns each."""
    rows, columns = _grid(table)
    marks = max(len(e.mark + e.seeds_mark) for column in columns for e in column.entries)
    gap = GAP + MARK * max(marks - 1, 0)
    stub = max(min(max(width(row.text) for row in rows), MOST_STUB * most), 3.0)
    wide = [gap + (column.roomy if roomy else column.narrow) for column in columns]
    parts = min(ceil(sum(wide) / (most - stub)), len(columns))
    while True:
        each = ceil(len(columns) / parts)
        starts = range(0, len(columns), each)
        if each == 1 or all(sum(wide[n : n + each]) <= most - stub for n in starts):
            return [Block(rows, tuple(columns[n : n + each]), stub, gap, most) for n in starts]
        parts += 1


def _parts(block: Block, room: float) -> list[Block]:
    """The block, or its rows in parts that fit, of about the same height each."""
    free = room - block.head_lines - 3
    high = block.row_lines
    wanted = sum(high) / ceil(sum(high) / free)
    starts, used = [0], 0.0
    for n, one in enumerate(high):
        if used and (used + one > free or used >= wanted):
            starts.append(n)
            used = 0.0
        used += one
    return [block.cut(*ends) for ends in zip(starts, [*starts[1:], len(high)], strict=True)]


def _grid(table: Table) -> tuple[tuple[Head, ...], tuple[Column, ...]]:
    """The heads of the rows, and the columns: arms and measures, or the other way round."""
    short, interval = _names(table), table.spread("pm")
    arrows = {"lower": "\u00a0↓", "higher": "\u00a0↑", "neither": ""}
    arms = tuple(
        Head(short.get(e.arm, e.arm) + (f" ({e.tag})" if e.tag else ""), _to(short, e))
        for e in table.panels[0].rows
    )
    measures = tuple(Head(short.get(p.label, p.label) + arrows[p.better]) for p in table.panels)
    by_measure = [panel.rows for panel in table.panels]
    rows, heads, entries = arms, measures, by_measure
    if table.layout.transpose:
        rows, heads, entries = measures, arms, list(zip(*by_measure, strict=True))
    return rows, tuple(Column(head, own, own, interval) for head, own in zip(heads, entries, strict=True))


def _to(short: dict[str, str], entry: Entry) -> str:
    whole = entry.to.removeprefix("to ")
    return f"to {short.get(whole, whole)}" if whole else ""


@dataclass(frozen=True)
class Appendix:
    """The whole table for a `longtable`: widths of its columns, and its rows as LaTeX."""

    table: Table

    @cached_property
    def widths(self) -> tuple[float, ...]:
        """Em of arm, n, mean, difference and verdict; together no wider than a page."""
        entries = [entry for panel in self.table.panels for entry in panel.rows]
        spreads = (
            max(max(width(e.mean) * BOLD, width(self._spread(e))) for e in entries),
            max(max(width(e.difference), width(self._gap(e))) for e in entries),
        )
        n = max(2.0, max(width(e.n + e.seeds_mark) for e in entries))
        verdict = max(max(width(e.verdict), width(_p(e))) for e in entries)
        others = [n, *(min(one, MOST_NUMBER) for one in spreads), max(verdict, 4.5)]
        # LaTeX's first run takes a gap more.
        return (max(PAGE - GAP - sum(others) - GAP * len(others), 5.0), *others)

    @property
    def preamble(self) -> str:
        """The columns as LaTeX declares them."""
        stub, *others, last = self.widths
        left = rf"@{{}}>{{\raggedright\arraybackslash}}p{{{stub:.1f}em}}"
        right = "".join(rf">{{\raggedleft\arraybackslash}}p{{{one:.1f}em}}" for one in others)
        return rf"{left}{right}>{{\raggedright\arraybackslash}}p{{{last:.1f}em}}@{{}}"

    @property
    def wide(self) -> float:
        """Em of the whole."""
        return sum(self.widths) + GAP * (len(self.widths) - 1)

    def row(self, e: Entry) -> str:
        """The row of an arm: below each number its interval, below the verdict its p-values and seeds."""
        short = _names(self.table)
        stub, n, mean, gap, verdict = self.widths
        best = r"\textbf{%s}" if e.best else "%s"
        cells = [
            Head(short.get(e.arm, e.arm) + (f" ({e.tag})" if e.tag else ""), _to(short, e)).latex(stub),
            breakable(e.n, n) + _superscript(e.seeds_mark),
            _stacked(best % breakable(e.mean, mean / BOLD), breakable(self._spread(e), mean)),
        ]
        if e.baseline:
            return " & ".join([*cells, "", ""])
        cells.append(_stacked(breakable(e.difference, gap), breakable(self._gap(e), gap)))
        said = _stacked(breakable(e.verdict, verdict), breakable(_p(e), verdict))
        cells.append(_stacked(said, breakable(e.wins, verdict)))
        return " & ".join(cells)

    def _spread(self, e: Entry) -> str:
        return e.spread(self.table.spread("range")).replace(", ", ",\u00a0")

    def _gap(self, e: Entry) -> str:
        return e.difference_spread(self.table.spread("range")).replace(", ", ",\u00a0")


def _stacked(first: str, second: str) -> str:
    return rf"{first} \par {second}" if second else first


def _p(e: Entry) -> str:
    return "" if e.p == ABSENT else f"{e.p}; {e.p_equivalence}".replace("; ", ";\u00a0")
