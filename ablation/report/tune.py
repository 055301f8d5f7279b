"""What tuning a study found: the best settings, how much each matters, and whether they are better."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from ablation.fields import checked
from ablation.files import folder, replace, write
from ablation.formatting import ABSENT, SMOKE, count, listing, number
from ablation.report.data_files import as_csv
from ablation.report.export import Results, read, summarise
from ablation.runner.ledger import Ledger
from ablation.runner.search import PRUNED, seeds_of
from ablation.runner.tune import (
    GOOD,
    TELLING,
    TUNED,
    all_settled,
    best_of,
    check_tune,
    confirmation,
    importances,
    tune_results,
)
from ablation.settings import flat
from ablation.stats.cells import DIVERGED
from ablation.study import Study
from ablation.tracking.store import Store


@checked
@dataclass(frozen=True, repr=False)
class TuneResults:
    """The trials of a study that was tuned, and the comparison of the best settings with its baseline.

    trials: a row a trial, by its number: state ("complete", "pruned" or "diverged"), seeds (how many it had),
    its settings and the mean objective. importances[setting]: its share in how good a trial is; empty where
    there are too few trials. confirmation: the results of "<study>-tuned"; None where the baseline is best.
    """

    study: Study
    trials: pd.DataFrame
    importances: Mapping[str, float]
    confirmation: Results | None

    @cached_property
    def best(self) -> dict[str, Any]:
        """The best value of every setting that was searched."""
        row = best_of(self.study, self.trials)
        return {name: row[name] for name in check_tune(self.study).ranges}

    @property
    def settings(self) -> pd.DataFrame:
        """A row a setting that was searched: setting, searched, baseline, best and importance (NaN for none).

        The most important one comes first.
        """
        baseline = flat(self.study.baseline)
        rows = [
            (name, one.words, baseline[name], self.best[name], self.importances.get(name, float("nan")))
            for name, one in check_tune(self.study).ranges.items()
        ]
        frame = pd.DataFrame(rows, columns=["setting", "searched", "baseline", "best", "importance"])
        return frame.sort_values("importance", ascending=False, kind="stable", ignore_index=True)

    @property
    def grid(self) -> tuple[list[str], list[list[str]]]:
        """`settings` as text: its head and its rows."""
        rows = [
            [
                *(str(name), str(searched)),
                *(f"{one:.3g}" if isinstance(one, float) else str(one) for one in (own, best)),
                number(float(share), 2),
            ]
            for name, searched, own, best, share in self.settings.to_numpy(dtype=object)
        ]
        return ["setting", "searched", "baseline", "best", "importance"], rows

    @property
    def sentences(self) -> Iterator[str]:
        """What the trials say, and what they do not."""
        study, tune, trials = self.study, check_tune(self.study), self.trials
        best, digits = best_of(study, trials), study.measure(tune.objective).digits
        states = trials.state.value_counts()
        odd = [f"{states[state]} of them {state}" for state in (PRUNED, DIVERGED) if state in states]
        said = f"{count(len(trials), 'trial')}{', ' if odd else ''}{listing(odd) if odd else ''}."
        chose = f"{study.label(tune.objective)} {number(best[tune.objective], digits)}"
        yield (
            f"{said} The best is trial {best['number']}, with a mean of {chose} over "
            f"{count(tune.trial_seeds, 'seed')} on validation data: it was chosen for this number, which is "
            "therefore too good."
        )
        yield (
            "Importance is the share of a setting in how good a trial is, with the seed averaged out "
            f"(PED-ANOVA, the best tenth of the trials, but at least {GOOD}, against all): exploratory, it "
            "says where to look and proves nothing."
            if self.importances
            else f"Importances want at least {TELLING} trials that did not diverge."
        )
        if self.confirmation is None:
            yield "No trial is better than the baseline, so there is nothing to confirm."
        if study.quick:
            yield SMOKE

    def __str__(self) -> str:
        head, rows = self.grid
        lines = [head, ["---"] * len(head), *rows]
        grid = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        own = f"\n\n{self.confirmation}" if self.confirmation else ""
        return "\n\n".join([*self.sentences, grid]) + own

    def __repr__(self) -> str:
        return f"<TuneResults of {self.study.name}: {count(len(self.trials), 'trial')}>"

    def _repr_html_(self) -> str:
        words = "".join(f"<p>{escape(sentence)}</p>" for sentence in self.sentences)
        own = self.confirmation._repr_html_() if self.confirmation else ""
        return f"{words}{self.settings.to_html(index=False, na_rep=ABSENT)}{own}"

    @checked
    def export(self, to: Path | str) -> list[Path]:
        """Write tune_trials.csv, tune_settings.csv and the confirmation's files into `to`; their paths."""
        paths = write_tune(self, Path(to))
        return paths if self.confirmation is None else paths + self.confirmation.export(Path(to))


def write_tune(found: TuneResults, to: Path) -> list[Path]:
    """Write the trials and the searched settings as CSV into `to`; their paths."""
    tune, first = check_tune(found.study), (found.study.name, str(found.study.quick).lower())
    columns = ["number", "state", "seeds", "fingerprint", *tune.ranges, tune.objective]
    trials = ((*first, *row) for row in found.trials[columns].itertuples(index=False))
    settings = ((*first, *row) for row in found.settings.itertuples(index=False))
    texts = {
        "tune_trials.csv": as_csv(["study", "quick", *columns], trials),
        "tune_settings.csv": as_csv(["study", "quick", *found.settings.columns], settings),
    }
    folder(to)
    return [replace(to / name, partial(write, text)) for name, text in texts.items()]


def read_tune(
    study: Study, store: Store, *, write_summary: bool = False, seeds: int | None = None
) -> TuneResults | None:
    """What tuning the study found; None where a trial is lacking, or the best was not compared yet.

    write_summary: write what the comparison says into MLflow, too. seeds: of the comparison, as it was last
    run if None.
    """
    if not all_settled(study, store):
        return None
    trials = tune_results(study, store)
    assert trials is not None
    found = TuneResults(study, trials, importances(study, store), None)
    against = confirmation(study, trials)
    if against is None:
        return found
    if Ledger.open(store, against) is None:
        return None
    said = [*_remarks(found, against)]
    compared = (summarise if write_summary else read)(against, store, seeds, said)
    return TuneResults(study, trials, found.importances, compared)


def _remarks(found: TuneResults, against: Study) -> Iterator[str]:
    """What a reader of the comparison must know of where the settings come from."""
    study, tune = found.study, check_tune(found.study)
    seeds, (_, rows) = seeds_of(tune), found.grid
    under = f"the seeds {seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else f"the seed {seeds[0]}"
    yield (
        f"The arm {TUNED} has the settings that were best in {tune.trials} trials by "
        f"{study.label(tune.objective)} under {under}, which this table does not have: "
        f"{', '.join(f'{name} {best} (baseline {own})' for name, _, own, best, _ in rows)}."
    )
    if edge := [name for name, searched in tune.ranges.items() if found.best[name] in searched.edges]:
        yield (
            f"The best value of {listing(edge)} is at an end of what was tried: a better one may lie "
            "beyond it, so the baseline may lack more than this comparison shows."
        )
    if found.importances:
        shares = listing([f"{name} {share}" for name, _, _, _, share in rows])
        yield f"Importance in the search (PED-ANOVA, exploratory): {shares}."
    if against.replication.kind == "split":
        yield (
            "Every seed draws its split from one pool, so what validated the choice under one seed may be "
            "tested here: the effect may be somewhat too large."
        )
