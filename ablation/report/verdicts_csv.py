"""The verdict on every claim of a study as a row of CSV, at full precision; and what every truth gained."""

import csv
import io

import pandas as pd

from ablation.claims import Difference, Interaction, Level, Same, Trend, Undirected
from ablation.report.runs_csv import text
from ablation.stats import Analysis, Verdict

COLUMNS = (
    *("study", "number", "claim", "rule", "measure", "direction", "n", "estimate", "low", "high"),
    *("p", "p_holm", "p_equivalence_holm", "verdict", "detectable", "quick"),
    *("crossed_low", "crossed_high", "truths", "effective_n"),
)
FORMULA = r"^(?=[=+\-@\t\r])"
"""How a field begins that spreadsheets take for a formula."""
KINDS = {
    **{Trend: "trend", Difference: "difference", Interaction: "interaction"},
    **{Level: "level", Same: "same"},
}


def verdicts_csv(analysis: Analysis) -> str:
    """One row per claim, numbered from 1 in the order of the study file; empty where there is no number.

    estimate, low, high and detectable are in the unit of the measure, the last as in `Verdict`; a level
    and a sameness have no direction. crossed_low and crossed_high are the ends of the interval over truths
    and seeds.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for number, verdict in enumerate(analysis.verdicts, start=1):
        writer.writerow([text(value) for value in _row(analysis, number, verdict)])
    return out.getvalue()


def truths_csv(truths: pd.DataFrame) -> str:
    """A row a truth: arm, seed, measure, family, truth, gain, to six digits.

    What stands under the gain of its own family is not written once more under that over all families.
    A truth is a text of the data: one that a spreadsheet would compute has an apostrophe before it, which
    says that it is text. Arms and claims are their author's own words, and stay as they are in every CSV.
    """
    twice = (truths["measure"] == "gain") & ("gain_" + truths["family"]).isin(truths["measure"].unique())
    safe = truths.assign(truth=truths["truth"].str.replace(FORMULA, "'", regex=True))[~twice]
    return str(safe.to_csv(index=False, lineterminator="\n", float_format="%.6g"))


def _row(analysis: Analysis, number: int, verdict: Verdict) -> list[object]:
    study, rule, seen = analysis.study, verdict.claim.rule, verdict.estimate
    direction = "" if isinstance(rule, Undirected) else rule.direction
    over = analysis.crossed[number - 1] if analysis.crossed else None
    twice = ("", "", "", "") if over is None else (over.low, over.high, over.truths, over.effective)
    return [
        *(study.name or "study", number, verdict.claim.text, KINDS[type(rule)], rule.measure, direction),
        *(seen.n, seen.mean, seen.low, seen.high),
        *(verdict.p, verdict.p_holm, verdict.p_equivalence_holm),
        *(verdict.word, verdict.detectable, str(study.quick).lower()),
        *twice,
    ]
