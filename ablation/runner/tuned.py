"""Tuning: every arm gets the best value of a setting, from the same values, by its own validation measure.

The trials are the cells of a study of their own, so that they are recorded, resumed and kept like any
other. Their seed is that of no cell: what is chosen has seen no number that the study will report.
"""

from dataclasses import replace

import pandas as pd

from ablation.blocks import Blocks
from ablation.errors import UserError
from ablation.experiment import Replication
from ablation.runner.ledger import Ledger
from ablation.runner.results import results
from ablation.settings import vary
from ablation.study import Study
from ablation.tracking.store import Store
from ablation.tuning import TUNING_SEED, Tuned


def tuning_of(study: Study) -> Study:
    """The study whose arms are those of `study` at each value to try."""
    assert study.tuned is not None
    tuned = study.tuned
    arms = {
        _trial(tuned, arm, value): dict(study.arms.get(arm, {})) | {tuned.setting: value}
        for arm in study.declared
        for value in tuned.values
    }
    # A validation measure needs no test items.
    replication = Replication() if study.of_items else study.replication
    return replace(
        study,
        name=f"{study.name}-tuning",
        question=f"Which {tuned.setting} is best for each arm of {study.name}?",
        arms=arms,
        # One of the arms, so that none is added to them.
        baseline=vary(study.baseline, {tuned.setting: tuned.values[0]}),
        measures={tuned.measure: 1.0},
        replication=replication,
        test="t" if study.of_items else study.test,
        claims=(),
        gates=(),
        against={},
        blocks=Blocks(),
        tuned=None,
        search=None,
        tune=None,
        seeds=1,
        looks=(),
        first_seed=TUNING_SEED,
    )


def with_tuned_values(study: Study, store: Store, anew: bool = False) -> Study:
    """`study` with what its tuning chose for every arm; as it is where nothing is tuned, or not yet.

    `anew`: what the study's cells ran with does not count, since they are run again. Raises `UserError` where
    every trial of an arm diverged.
    """
    if study.tuned is None or study.chosen:
        return study
    if not anew and (recorded := _recorded(study, study.tuned, store)):
        return replace(study, chosen=recorded)
    trials = tuning_of(study)
    if Ledger.open(store, trials) is None:
        return study
    frame = results(trials, store)
    if not frame.state.isin(["complete", "diverged"]).all():
        return study
    complete = frame[frame.state == "complete"]
    losses = dict(zip(complete.arm, complete[study.tuned.measure], strict=True)) if len(complete) else {}
    return replace(study, chosen={arm: _best(study, study.tuned, arm, losses) for arm in study.declared})


def wants_tuning(study: Study, store: Store, code: str) -> bool:
    """Whether the tuning must be run, or seen to be whole and of this code, before the study's cells are."""
    return study.tuned is not None and (code == "new" or not _recorded(study, study.tuned, store))


def progress_of(study: Study, store: Store) -> pd.DataFrame | None:
    """The results of a study, those of its tuning while that lasts, or None where it was never run."""
    study = with_tuned_values(study, store)
    if study.tuned and not study.chosen:
        study = tuning_of(study)
    return results(study, store) if study.runs is not None or Ledger.open(store, study) else None


def _recorded(study: Study, tuned: Tuned, store: Store) -> dict[str, float]:
    """What was chosen when the study's cells ran, as its plan has it: then a lost trial changes nothing."""
    ledger = Ledger.open(store, study)
    if ledger is None or not ledger.has_results:
        return {}
    arms = ledger.plan["arms"]
    return {arm: arms[arm][tuned.setting] for arm in study.declared if arm in arms}


def _best(study: Study, tuned: Tuned, arm: str, losses: dict[str, float]) -> float:
    kept = {value: losses[name] for value in tuned.values if (name := _trial(tuned, arm, value)) in losses}
    if not kept:
        raise UserError(
            f"{tuned.setting} of {arm} wants a value at which training holds, but all of "
            f"{', '.join(f'{value:g}' for value in tuned.values)} diverged: lower the range of the study's "
            "`tuned`."
        )
    sign = -1 if study.measure(tuned.measure).better == "higher" else 1
    return min(kept, key=lambda value: sign * kept[value])


def _trial(tuned: Tuned, arm: str, value: float) -> str:
    return f"{arm}, {tuned.setting} {value:g}"
