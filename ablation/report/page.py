"""The report page: every study at its place, as one HTML page complete in itself, and as Markdown."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from math import ceil, isfinite
from pathlib import Path
from typing import Any

import pandas as pd

from ablation.errors import UserError
from ablation.files import folder, replace, write
from ablation.formatting import SMOKE, count, listing, short_commit
from ablation.report.chapters import NO_RESULT, NOT_RUN, Chapter, ClaimText, Evidence
from ablation.report.export import Results, read
from ablation.report.formats import Raw, template
from ablation.report.search import pareto
from ablation.report.tune import read_tune
from ablation.runner.ledger import Ledger
from ablation.runner.results import learning_curves
from ablation.runner.search import search_results
from ablation.stats.verdicts import WORDS
from ablation.study import Study
from ablation.tracking.artifacts import artifact
from ablation.tracking.store import Store

PAGES = {"report.md": "report.md", "index.html": "report.html"}
"""The files, and the template of each."""
FIGURES = "figures"
"""The folder of the PNGs that report.md shows, beside it."""
ABOUT = (
    "A verdict follows from a rule that the study's file states before anything runs, unless it says "
    "otherwise. Equivalent: the effect is shown to be smaller than any that matters. Ruled out: an effect "
    "that matters in the direction claimed is shown to be absent. Inconclusive: none of these is shown."
)
GATED = (
    "Not judged: a gate is not passed, such as that the baseline is above chance; a bar across the interval "
    "stands for it."
)
"""What ABOUT and AXIS go on with where a claim is not judged."""
AXIS = (
    "Each effect is divided by the smallest one that matters in its measure, so that all share an axis: the "
    "band is too small to matter, to the right is as claimed, and a claim without a direction holds inside "
    "the band. A filled point is supported or refuted, a diamond equivalent, a square ruled out, a hollow "
    "point inconclusive, a cross not tested; an arrow points to what is beyond the axis."
)
WIDEST = 10
"""Units on either side of the axis that all claims share, at most: what goes on beyond has an arrow."""
FRONT = "The trials of the search, one seed each: a front of candidates, not an effect."


def report(
    studies: Mapping[str, Study | UserError],
    store: Store,
    to: Path,
    seeds: int | None = None,
    whole: bool = True,
) -> list[Path]:
    """Write the page of `studies`, by the name that runs each, into `to`; the files written.

    The page says at its place where a study was never run, its plan has changed, or its file cannot be read
    (a `UserError`). whole: whether these are all studies that there are, so that a part without one is shown
    as such.
    """
    if store.exists():
        _ = store.client  # a store that cannot be opened is no problem of each study
    elif not any(isinstance(one, Study) and one.runs is not None for one in studies.values()):
        raise UserError(f"{store.root} holds no runs yet: run a study first, or name another --store.")
    chapters = [_chapter(name, study, store, seeds) for name, study in studies.items()]
    tuned = (_tuned(name, one, store) for name, one in studies.items() if isinstance(one, Study) and one.tune)
    return write_page([*chapters, *(one for one in tuned if one)], to, whole)


def write_page(chapters: Iterable[Chapter], to: Path, whole: bool = True) -> list[Path]:
    """Write index.html, report.md and the figures of report.md into `to`; return their paths.

    whole: as in `report`. Equal chapters give equal bytes. A file is replaced whole or not at all, the pages
    after the figures.
    """
    content = _content(chapters, whole)
    pages = {name: template(of).render(content) for name, of in PAGES.items()}
    writers: dict[Path, Callable[[Path], None]] = {
        to / FIGURES / f"{chapter.anchor}-{png.file}": partial(write, png.content)
        for own in content["parts"].values()
        for chapter in own
        if chapter.evidence
        for png in chapter.evidence.pngs
    }
    folder(to / FIGURES if writers else to)
    writers |= {to / name: partial(write, text) for name, text in pages.items()}
    return [replace(path, writer) for path, writer in writers.items()]


def _content(chapters: Iterable[Chapter], whole: bool = True) -> dict[str, Any]:
    """What the templates show, both the same."""
    own = parts(chapters, whole)
    ordered = [chapter for part in own.values() for chapter in part]
    claims = [claim for one in ordered for claim in one.claims]
    counts = word_counts(claims)
    return {
        "title": "Claims and verdicts",
        "parts": own,
        "word_counts": counts,
        "finding": _finding(ordered, claims),
        "introductions": list(dict.fromkeys(one.introduction for one in ordered if one.introduction)),
        "about": f"{ABOUT} {GATED}" if counts.get("not judged") else ABOUT,
        "axis": AXIS,
        "spot": partial(_spot, _limit(claims)),
        "limit": _limit(claims),
        "shown": [one for one in ordered if not one.unrun],
        "unrun": [one for one in ordered if one.unrun],
        "nothing": "No study yet: the claims of this part have not been studied.",
        "slug": _slug,
        "count": count,
        "raw": Raw,
        "code": _code,
        "short_commit": short_commit,
        "warning": SMOKE if any(one.study and one.study.quick for one in ordered) else "",
        "figures": FIGURES,
    }


def _finding(chapters: Sequence[Chapter], claims: Sequence[ClaimText]) -> str:
    """What the claims that count say in all, in a sentence; of a study alone its conclusion."""
    if len(chapters) == 1 and (evidence := chapters[0].evidence):
        return evidence.analysis.conclusion
    claims = [claim for claim in claims if claim.counts]
    judged = [claim for claim in claims if claim.word in WORDS]
    tested = sum(claim.tested for claim in judged)
    if not tested:
        return "No claim has been put to the test yet."
    counts = word_counts(claims)
    counts["inconclusive"] -= len(judged) - tested
    others = [f"{counts[word]} {word}" for word in WORDS[1:] if counts.get(word)]
    rest = [
        f"{counts[word]} {words}"
        for word, words in ((NOT_RUN, NOT_RUN), (NO_RESULT, "without a result"))
        if counts.get(word)
    ]
    rest += [f"{len(judged) - tested} not tested"] if len(judged) > tested else []
    found = [f"{counts['supported']} of {count(tested, 'claim')} supported", *others]
    return f"{', '.join(found)}{f'; {listing(rest)}' if rest else ''}."


def _limit(claims: Iterable[ClaimText]) -> int:
    """Where the axis that all claims share ends, on either side, in units of what matters."""
    places = [one.place for one in claims if one.place]
    ends = [abs(x) for one in places for x in (one.low, one.mean, one.high) if isfinite(x)]
    return min(max(ceil(max(ends, default=0)), 2), WIDEST)


def _spot(limit: int, value: float) -> float:
    """The place of a value on that axis, in percent of its length; what is beyond stands at its end."""
    return round(50 + 50 * min(max(value / limit, -1), 1), 2)


def _slug(words: Iterable[str]) -> str:
    """Words as values that a rule of style can name: "not run yet" as "not-run-yet"."""
    return " ".join(word.replace(" ", "-") for word in words)


def _code(text: str) -> Raw:
    """`text` as code in Markdown: between more ticks than it has in a row."""
    ticks = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    return Raw(f"{ticks}{text}{ticks}")


def _chapter(name: str, study: Study | UserError, store: Store, seeds: int | None) -> Chapter:
    if isinstance(study, UserError):
        return Chapter(name, None, problem=str(study))
    count = seeds or study.seeds
    try:
        evidence = _evidence(study, store, seeds)
    except UserError as error:
        return Chapter(name, study, count, problem=str(error))
    return Chapter(name, study, evidence.analysis.seeds if evidence else count, evidence)


def _tuned(name: str, study: Study, store: Store) -> Chapter | None:
    """The best settings of a study that was tuned against its baseline; None where they were not compared."""
    try:
        found = read_tune(study, store)
        if found is None:
            return None
        if found.confirmation is None:
            said = "No trial is better than the baseline, so there is nothing to compare."
            return Chapter(f"{name} tuned", study, problem=said, tunes=name)
        against = found.confirmation.study
        evidence = _evidence_of(found.confirmation, store)
    except UserError as error:
        return Chapter(f"{name} tuned", study, problem=str(error), tunes=name)
    return Chapter(against.name, against, evidence.analysis.seeds, evidence, tunes=name)


def _evidence(study: Study, store: Store, seeds: int | None) -> Evidence | None:
    """What the store holds of the study; None where it was never run."""
    if study.runs is None and ((ledger := Ledger.open(store, study)) is None or ledger.plan is None):
        return None
    return _evidence_of(read(study, store, seeds if study.runs is None else None), store)


def _evidence_of(found: Results, store: Store) -> Evidence:
    study = found.study
    curves = learning_curves(found.study, found.cells, store)
    galleries = study.experiment.gallery(dict(_sheets(study, found.cells, store)))
    trials = search_results(study, store)
    front = {} if trials is None else {FRONT: pareto(trials, study)}
    return Evidence(found.analysis, found.cells, curves, galleries, front)


def _sheets(study: Study, cells: pd.DataFrame, store: Store) -> Iterator[tuple[str, bytes]]:
    """Each arm with the experiment's sheet that its run under the first seed keeps, where it keeps one."""
    if not study.experiment.sheet:
        return
    first = cells[(cells.seed == study.first_seed) & (cells.state == "complete")]
    for row in first.to_dict("records"):
        source = row.get("reused_from")
        run_id = source if isinstance(source, str) and source else row["run_id"]
        sheet = artifact(store, run_id, study.experiment.sheet)
        if sheet is not None:
            yield row["arm"], sheet


def parts(chapters: Iterable[Chapter], whole: bool = True) -> dict[str, tuple[Chapter, ...]]:
    """The chapters of every part by its title, in the order of the outlines; those of no part come last.

    whole: a part without a study is there, too.
    """
    ordered = sorted(chapters, key=lambda chapter: (_place(chapter.part), chapter.name))
    found: dict[str, tuple[Chapter, ...]] = {
        title: () for chapter in ordered for title in chapter.outline.values()
    }
    rest = "Further studies" if found else "Studies"
    for chapter in ordered:
        title = chapter.outline.get(next(iter(_words(chapter.part)), ""), rest)
        # A title that is met first here is that of the rest, and is put last.
        found[title] = (*found.get(title, ()), chapter)
    return {title: own for title, own in found.items() if own or whole}


def word_counts(claims: Iterable[ClaimText]) -> dict[str, int]:
    """How many claims have each word: every word of a verdict, and the others where there are any.

    "not judged" is one of the others: only a study with gates has it.
    """
    counts = Counter(claim.word for claim in claims)
    shown = [*WORDS[:-1], *(word for word in (WORDS[-1], NOT_RUN, NO_RESULT) if counts[word])]
    return {word: counts[word] for word in shown}


def _place(part: str) -> list[tuple[int, str]]:
    """The numbers and letters of a place, so that 10 comes after 9."""
    return [(int(word), "") if word.isdigit() else (0, word) for word in _words(part)]


def _words(part: str) -> list[str]:
    return re.findall(r"\d+|[a-z]+", part.lower())
