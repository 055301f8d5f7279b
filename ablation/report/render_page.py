"""The report anew: every study at its place, as one page complete in itself, and as Markdown with figures."""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from ablation.formatting import SMOKE, count
from ablation.report.chapters import Chapter, parts
from ablation.report.claimed import tally
from ablation.report.embed import Picture
from ablation.files import folder, replace, write
from ablation.report.formats import Raw, _environment
from ablation.report.sections import Section, section

FIGURES = "figures"
"""The folder of the pictures that report.md shows, beside it."""
ABOUT = (
    "A verdict follows from a rule that the study's file states before anything runs. Equivalent: the effect "
    "is shown to be smaller than any that matters. Inconclusive: neither shown nor ruled out."
)


def write_report(chapters: Iterable[Chapter], to: Path) -> list[Path]:
    """Write index.html, report.md and the figures of report.md into `to`; return their paths.

    Equal chapters give equal bytes. A file is replaced whole or not at all, the pages after the figures.
    """
    content = _content(chapters)
    pages = {
        "report.md": _environment("md").get_template("report.md").render(content),
        "index.html": _environment("html").get_template("report.html").render(content),
    }
    sections = [one for _, found in content["parts"] for one in found]
    writers: dict[Path, Callable[[Path], object]] = {
        to / FIGURES / picture.file: partial(_draw, picture) for one in sections for picture in _pictures(one)
    }
    writers |= {to / name: partial(write, text) for name, text in pages.items()}
    folder(to / FIGURES if len(writers) > len(pages) else to)
    return [replace(path, writer) for path, writer in writers.items()]  # type: ignore[arg-type]


def _content(chapters: Iterable[Chapter]) -> dict[str, Any]:
    """What the templates show, both the same."""
    found = [(title, [section(one) for one in own]) for title, own in parts(chapters).items()]
    sections = [one for _, own in found for one in own]
    claims = [claim for one in sections for claim in one.claims]
    quick = any(one.chapter.study and one.chapter.study.quick for one in sections)
    return {
        "parts": found,
        "tally": tally(claims),
        "about": f"{count(len(claims), 'claim')}, put to the test. {ABOUT}",
        "nothing": "No study yet: what the report claims here has not been studied.",
        "raw": Raw,
        "code": _code,
        "warning": SMOKE if quick else "",
        "figures": FIGURES,
    }


def _pictures(section: Section) -> Iterator[Picture]:
    for group in section.figures:
        yield from group.pictures
    for rows in section.rows:
        yield rows.inputs
        yield from rows.arms.values()


def _draw(picture: Picture, path: Path) -> None:
    path.write_bytes(picture.png)


def _code(text: str) -> Raw:
    """`text` as code in Markdown: between more ticks than it has in a row."""
    ticks = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    return Raw(f"{ticks}{text}{ticks}")
