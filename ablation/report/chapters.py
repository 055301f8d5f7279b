"""What the report page is made of: a chapter per study, in the order of the experiment's outline."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd
from matplotlib.figure import Figure

from ablation.report.gallery import Gallery
from ablation.stats.analysis import Analysis
from ablation.study import Study


@dataclass(frozen=True)
class Evidence:
    """What the store holds of a study: its cells, a row each, and its learning curves.

    galleries: what its first seed's runs keep. figures[caption] is a figure of the study's own, shown after
    those that every study has.
    """

    analysis: Analysis
    cells: pd.DataFrame
    curves: pd.DataFrame
    galleries: Sequence[Gallery] = ()
    figures: Mapping[str, Figure] = field(default_factory=dict)


@dataclass(frozen=True)
class Chapter:
    """One study: how to run it, how many cells that is and how long it takes, and its evidence.

    Without evidence the study was not run yet, or `problem` says why its runs cannot be shown. `study` is
    None where its file cannot be read. `time` is "" where it is not known.
    """

    name: str
    study: Study | None
    command: str
    cells: int = 0
    time: str = ""
    evidence: Evidence | None = None
    problem: str = ""

    @property
    def part(self) -> str:
        """The place in the outline, as in "2 f, 2"; "" for none."""
        return self.study.part if self.study else ""

    @property
    def outline(self) -> dict[str, str]:
        """The titles of the parts that its experiment declares, by their numbers."""
        declared = self.study.experiment.outline if self.study else {}
        return {number: f"Part {number}: {title}" for number, title in declared.items()}

    @property
    def anchor(self) -> str:
        """The name as a fragment of an address and the beginning of a file's name; no two are alike."""
        return re.sub(r"[^\w-]", lambda odd: f".{ord(odd[0]):x}", self.name, flags=re.ASCII)


def parts(chapters: Iterable[Chapter]) -> dict[str, tuple[Chapter, ...]]:
    """The chapters of every part by its title, in the order of the outlines; those of no part come last."""
    ordered = sorted(chapters, key=lambda chapter: (_place(chapter.part), chapter.name))
    found: dict[str, tuple[Chapter, ...]] = {
        title: () for chapter in ordered for title in chapter.outline.values()
    }
    rest = "Further studies" if found else "Studies"
    for chapter in ordered:
        title = chapter.outline.get(next(iter(_words(chapter.part)), ""), rest)
        # A title that is met first here is that of the rest, and is put last.
        found[title] = (*found.get(title, ()), chapter)
    return found


def _place(part: str) -> list[tuple[int, str]]:
    """The numbers and letters of a place, so that 10 comes after 9."""
    return [(int(word), "") if word.isdigit() else (0, word) for word in _words(part)]


def _words(part: str) -> list[str]:
    return re.findall(r"\d+|[a-z]+", part.lower())
