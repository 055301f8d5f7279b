"""The files of an export that programs read: runs, verdicts and items as CSV, provenance as JSON.

Equal runs give equal bytes, wherever and however often the study ran. Only provenance.json, and no CSV, has
the ids that a store draws at random.
"""

import csv
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import pandas as pd

from ablation.settings import flat
from ablation.stats.analysis import Analysis
from ablation.stats.cells import planned
from ablation.stats.verdicts import RULES, Verdict
from ablation.study import Study

KEYS = ("arm", "seed", "state", "fingerprint")
VERDICT_COLUMNS = (
    *("study", "number", "claim", "rule", "measure", "direction", "n", "estimate", "low", "high"),
    *("p", "p_holm", "p_equivalence_holm", "verdict", "detectable", "quick"),
    *("clustered_low", "clustered_high", "items", "effective_n"),
    *("p_ruled_out_holm", "counts", "rules", "gate"),
)
EFFECT_COLUMNS = (
    *("study", "measure", "arm", "reference", "n", "difference", "difference_low", "difference_high"),
    *("p", "p_holm", "p_equivalence_holm", "verdict", "quick", "these_low", "these_high"),
    *("better", "better_low", "better_high"),
)
NUMBERS = {
    *("better", "better_low", "better_high"),
    *("difference", "difference_low", "difference_high", "estimate", "low", "high", "detectable"),
    *(
        "p",
        "p_holm",
        "p_equivalence_holm",
        "p_ruled_out_holm",
        "clustered_low",
        "clustered_high",
        "effective_n",
    ),
    *("these_low", "these_high"),
}
"""The columns that are floats, NaN where there is no number."""
LOCAL = ("run_id", "seconds")
"""What the suite records of one store and one machine."""
FORMULA = r"^(?=[=+\-@\t\r])"
"""How a field begins that spreadsheets take for a formula."""


def runs_csv(study: Study, frame: pd.DataFrame, seeds: int) -> str:
    """One row per planned cell, in the plan's order: its state, what its arm varies, and every metric.

    A tuned setting follows those that the arms vary. The study's measures come first, other metrics in
    alphabetical order; those that tell of the machine are left out.
    """
    cells = planned(study, frame, seeds)
    metrics = _metrics(study, cells)
    settings = {arm: [flat(one)[name] for name in study.columns] for arm, one in study.settings.items()}
    keys, numbers = (cells[names].itertuples(index=False, name=None) for names in ([*KEYS], metrics))
    rows = (
        (*_study(study), *key, *settings[key[0]], *measured)
        for key, measured in zip(keys, numbers, strict=True)
    )
    return as_csv(["study", "quick", *KEYS, *study.columns, *metrics], rows)


def verdicts_csv(analysis: Analysis) -> str:
    """One row per claim, numbered from 1 in the order of the study file; empty where there is no number.

    estimate, low, high and detectable are in the unit of the measure; detectable is as in `Verdict`. A rule
    without a direction has none. clustered_low and clustered_high are the ends of the interval over items
    and seeds, where low and high are not over items themselves. `counts`: whether the conclusion rests on the
    claim, whose p-values are adjusted over the claims that are alike in that. `rules` is `verdicts.RULES`; a
    file without that column was made by rules 1. `gate`: which gates guard the claim and are not passed.
    """
    return as_csv(VERDICT_COLUMNS, _verdict_rows(analysis))


def verdicts_frame(analysis: Analysis) -> pd.DataFrame:
    """What `verdicts_csv` has, as a data frame: NaN or None where there is no number."""
    return _framed(VERDICT_COLUMNS, _verdict_rows(analysis))


def effects_frame(analysis: Analysis) -> pd.DataFrame:
    """One row per effect, measure by measure; the differences are in the unit of the measure.

    NaN, and the verdict "", where nothing is tested. these_low and these_high: where test items are a sample,
    the ends of the interval over seeds alone, which is about these items. better, better_low and better_high:
    `Effect.better`.
    """
    name, quick = _study(analysis.study)
    rows = (
        [
            *(name, e.measure, e.arm, e.reference, e.estimate.n),
            *(e.estimate.mean, e.estimate.low, e.estimate.high),
            *(e.p, e.p_holm, e.p_equivalence_holm, e.verdict if e.p is not None else "", quick),
            *((e.these.low, e.these.high) if e.these else (None, None)),
            *(share.mean, share.low, share.high),
        ]
        for e, share in ((e, e.better(analysis.study)) for e in analysis.effects)
    )
    return _framed(EFFECT_COLUMNS, rows)


def _framed(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=list(columns))
    for name in {"quick", "counts"} & {*columns}:
        frame[name] = frame[name] == "true"
    return frame.astype({name: float for name in columns if name in NUMBERS})


def items_csv(items: pd.DataFrame) -> str:
    """A row per test item: arm, seed, measure, group, item, value; values to six digits.

    Groups and items are texts of the data. One that a spreadsheet would compute gets an apostrophe in front,
    which marks it as text. Names of arms and claims are the author's own words and stay as they are.
    """
    safe = {name: items[name].astype(str).str.replace(FORMULA, "'", regex=True) for name in ("group", "item")}
    # pandas quotes no carriage return by itself, which ends a row.
    ends_rows = any(one.str.contains("\r", regex=False).any() for one in safe.values())
    quoting: Literal[0, 2] = 2 if ends_rows else 0  # as the csv module numbers them: texts, where needed
    table = items.assign(**safe).to_csv(
        index=False, lineterminator="\n", float_format="%.6g", quoting=quoting
    )
    return str(table)


def provenance_json(analysis: Analysis, extra: Mapping[str, Mapping[str, Any]] | None = None) -> str:
    """JSON of "numbers" (key of a number to fingerprints) and "runs" (fingerprint to its run).

    The keys are those of `Analysis.sources`. A run has arm, seed and run_id, and whatever
    extra[fingerprint] adds.
    """
    sources = [source for cells in analysis.sources.values() for source in cells]
    order = {arm: n for n, arm in enumerate(analysis.study.settings)}
    runs: dict[str, dict[str, Any]] = {}
    for source in sorted(sources, key=lambda s: (s.seed, order[s.arm])):
        own = {"arm": source.arm, "seed": source.seed, "run_id": source.run_id}
        runs[source.fingerprint] = own | dict((extra or {}).get(source.fingerprint, {}))
    numbers = {key: [s.fingerprint for s in cells] for key, cells in analysis.sources.items()}
    study = {"study": analysis.study.name, "quick": analysis.study.quick, "seeds": analysis.seeds}
    content = {**study, "numbers": numbers, "runs": runs}
    return json.dumps(content, indent=1, ensure_ascii=False, default=str) + "\n"


def as_csv(columns: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    """CSV at full precision: a float with all of its digits, nothing for NaN and None."""
    text = _Lines()
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows([_field(value) for value in row] for row in rows)
    return "".join(text)


class _Lines(list[str]):
    """Rows that end in a line feed: told to end them so, the csv module does not quote a carriage return."""

    def write(self, row: str) -> None:
        self.append(row.removesuffix("\r\n") + "\n")


def _field(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return "" if math.isnan(value) else repr(float(value))
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _study(study: Study) -> tuple[str, str]:
    return study.name or "study", str(study.quick).lower()


def _metrics(study: Study, cells: pd.DataFrame) -> list[str]:
    known = {*KEYS, *LOCAL, *study.recorded(), *study.varied, *study.experiment.machine_metrics}
    others = {str(name) for name in cells.select_dtypes("number").columns} - known
    on_demand = study.experiment.on_demand
    if not any(map(on_demand, study.recorded())):
        # A run that another study computed may have them all the same.
        others = {name for name in others if not on_demand(name)}
    return [*study.recorded(), *sorted(others)]


def _verdict_rows(analysis: Analysis) -> Iterable[list[object]]:
    return (_row(analysis, number, one) for number, one in enumerate(analysis.verdicts, 1))


def _row(analysis: Analysis, number: int, verdict: Verdict) -> list[object]:
    study, rule, seen = analysis.study, verdict.claim.rule, verdict.estimate
    name, quick = _study(study)
    found = verdict.clustered
    sample = verdict.sample
    items = sample.items if sample and sample.of != "blocks" else None
    clustered = (
        (None, None, items, None)
        if found is None
        else (found.low, found.high, found.items, found.effective_n)
    )
    return [
        *(name, number, verdict.claim.text, rule.kind, rule.measure, rule.direction),
        *(seen.n, seen.mean, seen.low, seen.high),
        *(verdict.p, verdict.p_holm, verdict.p_equivalence_holm),
        *(verdict.word, verdict.detectable, quick),
        *clustered,
        *(verdict.p_ruled_out_holm, str(verdict.claim.counts).lower(), RULES),
        "; ".join(one.gate.text for one in verdict.closed),
    ]
