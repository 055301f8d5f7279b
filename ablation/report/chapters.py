"""What a report is made of: a chapter a study, in the order of the report's own parts."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import pandas as pd
from matplotlib.figure import Figure

from ablation.stats import Analysis
from ablation.study import Study

PARTS = {"1": "MSE autoencoder", "2": "Encoder-classifier", "3": "Composite image generator"}
BEYOND = "Beyond the report"


@dataclass(frozen=True)
class Evidence:
    """What the store holds of a study: its cells, a row each, and its learning curves.

    sheets[arm] is the PNG of the first seed's inputs over their reconstructions; extra[caption] is a figure
    of the study's own, shown after those that every study has.
    """

    analysis: Analysis
    cells: pd.DataFrame
    curves: pd.DataFrame
    sheets: Mapping[str, bytes] = field(default_factory=dict)
    extra: Mapping[str, Figure] = field(default_factory=dict)


@dataclass(frozen=True)
class Chapter:
    """One study: how to run it, how many cells that is and how long it takes, and its evidence.

    Without evidence it has not been run yet, or `problem` says why its runs cannot be shown. `study` is
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
        """The place in the report, as in "2 f, 2"; "" for none."""
        return self.study.part if self.study else ""

    @property
    def anchor(self) -> str:
        """The name as a fragment of an address and the beginning of a file's name; no two are alike."""
        return re.sub(r"[^\w-]", lambda odd: f".{ord(odd[0]):x}", self.name, flags=re.ASCII)


def parts(chapters: Iterable[Chapter]) -> dict[str, tuple[Chapter, ...]]:
    """The chapters of every part of the report, in its order, by the part's title; what is beyond it last."""
    ordered = sorted(chapters, key=lambda chapter: (_place(chapter.part), chapter.name))
    found = {
        f"Part {number}: {title}": tuple(c for c in ordered if _number(c.part) == number)
        for number, title in PARTS.items()
    }
    beyond = tuple(c for c in ordered if _number(c.part) not in PARTS)
    return found | ({BEYOND: beyond} if beyond else {})


def _number(part: str) -> str:
    return next(iter(_words(part)), "")


def _place(part: str) -> list[tuple[int, str]]:
    """The numbers and letters of a place, so that 10 comes after 9."""
    return [(int(word), "") if word.isdigit() else (0, word) for word in _words(part)]


def _words(part: str) -> list[str]:
    return re.findall(r"\d+|[a-z]+", part.lower())
