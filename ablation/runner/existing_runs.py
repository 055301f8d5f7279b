"""Runs that exist, as the cells of a study: the arm of each, which count, and what a reader must know."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import nan
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ablation.errors import UserError, check_known, unknown
from ablation.formatting import SHOWN, count, listing, some
from ablation.measures import RESERVED
from ablation.runner.tables import (
    FAILED,
    FINISHED,
    LEADING_ZERO,
    NEVER,
    RUNNING,
    Runs,
    as_text,
    read_table,
)
from ablation.settings import MISSING, exact, flat, matches
from ablation.stats.cells import COMPLETE, common
from ablation.stats.items import ITEM_COLUMNS, as_items
from ablation.study import FEWEST_SEEDS, MOST_LETTERS, Study
from ablation.texts import one_line, twins, unfit
from ablation.tracked import AFTER, Tracked
from ablation.tracking.foreign_runs import ForeignRuns
from ablation.tracking.store import Store

MOST_ARMS = 100
STATES = {FINISHED: COMPLETE, RUNNING: "running", FAILED: "failed", NEVER: "missing"}
MLFLOW_STATES = {"FINISHED": FINISHED, "RUNNING": RUNNING, "SCHEDULED": RUNNING}

VERSION = re.compile(r"[0-9]+\.[0-9]+0")
WHOLE = re.compile(r"[+-]?(0|[1-9][0-9]*)(\.0*)?([eE]\+?[0-9]+)?")
"""How a whole number is written; "007" is a label."""
LOGGED_LETTERS = 6000
"""Of a parameter: where it is longer, MLflow's client cuts it without an error."""

Texts = npt.NDArray[np.object_]


@dataclass(frozen=True)
class ExistingRuns:
    """cells: a row a run that counts, as `results` has them. remarks: sentences on the runs."""

    cells: pd.DataFrame
    remarks: tuple[str, ...]


def declared_runs(study: Study) -> Tracked:
    """The study's `Tracked`."""
    if not isinstance(study.runs, Tracked):
        raise UserError(f"runs= wants a Tracked, but got {type(study.runs).__name__}: give train= instead.")
    return study.runs


def all_runs(tracked: Tracked, store: Store) -> Runs:
    """Every run that `tracked` names, whatever arm it belongs to."""
    if not tracked.mlflow:
        return read_table(tracked.where)
    every = ForeignRuns(tracked.mlflow, store.root).runs()
    found = [run for run in every if not run.deleted]
    if not found:
        raise UserError(f"{tracked.words} wants runs, but has none: name another MLflow experiment.")
    params = dict.fromkeys(name for run in found for name in run.params)
    metrics = dict.fromkeys(name for run in found for name in run.metrics)
    cut = {name for run in found for name, text in run.params.items() if len(text) >= LOGGED_LETTERS}
    return Runs(
        np.array([run.run_id for run in found], dtype=object),
        np.array([MLFLOW_STATES.get(run.status, FAILED) for run in found], dtype=object),
        {name: np.array([run.params.get(name, "") for run in found], dtype=object) for name in params},
        {name: np.array([run.metrics.get(name, nan) for run in found]) for name in metrics},
        table=False,
        parents=frozenset(run.parent for run in found if run.parent),
        codes=np.array([run.code for run in found], dtype=object),
        remarks=(*_deleted(len(every) - len(found)), *_cut(sorted(cut))),
    )


def _deleted(runs: int) -> Iterator[str]:
    if runs:
        yield (
            f"{count(runs, 'run')} of the experiment {_were(runs)} deleted in MLflow and {_be(runs)} left "
            "out."
        )


def _cut(names: Sequence[str]) -> Iterator[str]:
    if names:
        yield (
            f"MLflow keeps {LOGGED_LETTERS} characters of a parameter, and {some(names)} may have had more: "
            "how the runs differ beyond them is not known."
        )


def existing(study: Study, store: Store, runs: Runs | None = None) -> ExistingRuns:
    """The runs that the study names, as its cells; `runs` are all of them, if they are read already.

    Columns of the cells: arm, seed, state, fingerprint and run_id (what the run is called where it is kept),
    the study's measures, and every other number of the runs. Raises `UserError` where they cannot be read,
    where an arm has no run, where two finished runs are of one arm and seed, and where arms differ in what
    the study neither declares nor allows.
    """
    tracked = declared_runs(study)
    runs = all_runs(tracked, store) if runs is None else runs
    measures = {name: runs.measured(name) for name in study.recorded()}
    arms, reasons = _arms(study, tracked, runs, measures)
    seeds, wanting = _seeds(tracked, runs, arms)
    frame = pd.DataFrame({"arm": arms, "seed": seeds, "state": runs.states, "row": range(len(arms))})
    frame = frame[(arms != "") & ~wanting]
    cells = _counted(frame, runs)
    rows = cells["row"].to_numpy()
    own = {name: column[rows] for name, column in _numbers(study, tracked, runs, measures).items()}
    for name in tracked.best:
        own[name] = _best(study, tracked, store, runs.ids[rows], name)
    about = {"fingerprint": runs.ids[rows], "run_id": runs.ids[rows]}
    if runs.codes is not None:
        about["code"] = runs.codes[rows]
    table = cells.drop(columns="row").assign(state=cells["state"].map(STATES), **about)
    table = pd.concat([table.reset_index(drop=True), pd.DataFrame(own)], axis=1)
    differing, alone = _undeclared(study, tracked, runs, cells[cells["state"] == FINISHED])
    remarks = [
        AFTER,
        *_allowed(tracked, differing),
        *runs.remarks,
        *_left_out(reasons, wanting, runs, tracked),
        *_beside(frame, cells, runs),
        *_gaps(study, table),
        *_partners(study, table),
        *_choices(study, tracked, runs, cells, alone),
    ]
    return ExistingRuns(table, tuple(one_line(said, 1000) for said in remarks))


def existing_items(study: Study, store: Store, cells: pd.DataFrame) -> pd.DataFrame | None:
    """The results on single test items of the complete cells, as `tracking.read.items_of` has them."""
    tracked = declared_runs(study)
    if not tracked.items:
        return None
    place, found = ForeignRuns(tracked.mlflow, store.root), []
    for cell in cells[cells["state"] == COMPLETE].to_dict("records"):
        rows = place.parquet(cell["run_id"], tracked.items)
        if "group" in rows:
            rows["group"] = [as_text(one) for one in rows["group"]]
        where = f"{tracked.items} of the run {cell['run_id']}"
        items = as_items(rows, study.recorded(), where)
        items = items[items["measure"].isin(study.recorded())]
        twice = items[items.duplicated(["measure", "group", "item"])]
        if len(twice):
            raise UserError(
                f"{where} wants one value for each measure, group and item, but has several for the item "
                f"{twice['item'].iloc[0]!r}: leave one."
            )
        found.append(items.assign(arm=cell["arm"], seed=cell["seed"]))
    columns = ["arm", "seed", *ITEM_COLUMNS]
    if not found:
        return pd.DataFrame(columns=columns)
    return pd.concat(found, ignore_index=True)[columns]


def arms_by_value(runs: Runs, columns: Sequence[str]) -> dict[str, dict[str, int | float | str]]:
    """An arm for each combination of values of the columns, in order; it is named by its values.

    A run that lacks one of them is of no arm. Raises `UserError` for a column that is not there, where a
    number is written in two ways, and where the arms are too many to compare.
    """
    for name in columns:
        check_known("column or parameter for the arms called", name, runs.params)
    rows = list(dict.fromkeys(zip(*(runs.params[name] for name in columns), strict=True)))
    numeric = [_numeric(name, runs.params[name]) for name in columns]
    arms: dict[tuple[int | float | str, ...], str] = {}
    for row in rows:
        if not any(
            text in MISSING if of_number else not text for text, of_number in zip(row, numeric, strict=True)
        ):
            values = tuple(_value(text) if kind else text for text, kind in zip(row, numeric, strict=True))
            arms.setdefault(values, ", ".join(row))
    if len(arms) > MOST_ARMS:
        raise UserError(
            f"arms by {listing(list(columns))} are {len(arms)}, more than {MOST_ARMS}: name a column with "
            "fewer values."
        )
    return {arm: dict(zip(columns, values, strict=True)) for values, arm in arms.items()}


def _numeric(name: str, texts: Texts) -> bool:
    """Whether the column is of numbers, each of which is written in one way, as any other value is."""
    different = list(dict.fromkeys(texts))
    known = [text for text in different if text not in MISSING]
    numeric = bool(known) and all(exact(text) is not None for text in known)
    pair = twins(different)
    if numeric:
        pair = _spelt_twice(known, _value)
    elif {text.casefold() for text in known} <= {"true", "false"}:
        pair = _spelt_twice(known, str.casefold)
    if pair:  # two versions, or one number
        shown = " and ".join(f"{text!a}" for text in pair)
        raise UserError(
            f"the column {name} for the arms has {shown}, which say the same: write them alike, or declare "
            "the arms in a study file."
        )
    return numeric and not any(map(LEADING_ZERO.match, known))


def _spelt_twice(texts: Iterable[str], meaning: Callable[[str], object]) -> tuple[str, str] | None:
    """The first two texts of one meaning."""
    spelt: dict[object, str] = {}
    for text in texts:
        if (other := spelt.setdefault(meaning(text), text)) != text:
            return other, text
    return None


def arm_called(arms: Mapping[str, Mapping[str, object]], name: object) -> str:
    """The arm of that name, or the only one whose first setting has that value."""
    text = as_text(name)
    if text in arms:
        return text
    found = [arm for arm, own in arms.items() if matches(text, next(iter(own.values())))]
    if len(found) > 1:
        raise UserError(f"the baseline wants one arm, but {text!r} is {listing(found)}: name it in full.")
    if not found:
        raise unknown("arm for the baseline called", text, arms)
    return found[0]


def paired_seeds(study: Study, cells: pd.DataFrame) -> int:
    """How many seeds every arm at least shares with the arm that it is compared to."""
    pairs = ([arm, study.reference_of(arm)] for arm in study.settings)
    return min(len(common(cells, pair)) for pair in pairs)


def _arms(
    study: Study, tracked: Tracked, runs: Runs, measures: Mapping[str, npt.NDArray[np.float64]]
) -> tuple[Texts, Counter[str]]:
    """The arm of each run, "" where it is of none; and why runs are of none, with how many."""
    settings = {arm: flat(one) for arm, one in study.settings.items()}
    names = list(flat(study.baseline))
    for name in names:
        if any(own[name] is not None for own in settings.values()):
            check_known(f"parameter of the runs of {tracked.words} called", name, runs.params)
    absent = np.full(len(runs.ids), "", dtype=object)
    columns = {name: pd.Series(runs.params.get(name, absent)) for name in names}
    # A run in which others are nested has often their parameters, and nothing measured.
    empty = np.all([np.isnan(one) for one in measures.values()], axis=0)
    idle = empty & np.isin(runs.ids, list(runs.parents)) if runs.parents else np.zeros(len(empty), bool)
    found = absent.copy()
    wanted: dict[str, set[str]] = {name: set() for name in names}
    for arm, own in settings.items():
        here = ~idle
        for name, value in own.items():
            says = {text: matches(text, value) for text in columns[name].unique()}
            wanted[name] |= {text for text, so in says.items() if so}
            here = here & columns[name].map(says).to_numpy(dtype=bool)
        if not here.any():
            raise _nobody(study, tracked, arm, own, columns)
        if (twice := here & (found != "")).any():
            one = int(np.argmax(twice))
            raise UserError(
                f"{runs.ids[one]} is a run of the arms {found[one]!r} and {arm!r}: give them settings that "
                "tell them apart."
            )
        found[here] = arm
    reasons: Counter[str] = Counter()
    for row in np.flatnonzero(found == ""):
        own = {name: columns[name][row] for name in names}
        strange = [name for name, text in own.items() if text not in wanted[name]] or list(study.varied)
        said = ", ".join(f"{name} = {own[name]!r}" for name in strange[:SHOWN])
        reasons["other runs are nested in it" if idle[row] else said] += 1
    return found, reasons


def _nobody(
    study: Study, tracked: Tracked, arm: str, own: Mapping[str, Any], columns: Mapping[str, pd.Series]
) -> UserError:
    """That no run is of the arm, with what there is."""
    absent = [n for n, value in own.items() if not any(matches(text, value) for text in columns[n].unique())]
    named = absent or list(study.varied)
    wanted = ", ".join(f"{name} = {own[name]!r}" for name in named)
    rows = dict.fromkeys(zip(*(columns[name] for name in named), strict=True))
    there = some([", ".join(f"{text!r}" for text in row) for row in rows])
    return UserError(
        f"the arm {arm!r} wants runs with {wanted}, but {tracked.words} has none: {', '.join(named)} there "
        f"{'is' if len(named) == 1 else 'are'} {there}."
    )


def _seeds(tracked: Tracked, runs: Runs, arms: Texts) -> tuple[Texts, npt.NDArray[np.bool_]]:
    """The seed of each run, and whether it has none: whole numbers where all are, else text as it stands."""
    check_known("column or parameter for the seeds called", tracked.seed, runs.params)
    texts = runs.params[tracked.seed]
    whole = {text: _whole(text) for text in set(texts[arms != ""]) - MISSING if WHOLE.fullmatch(text)}
    numbers = None not in whole.values() and set(texts[arms != ""]) <= whole.keys() | MISSING
    # Beside labels "NA" is one, too.
    wanting = np.isin(texts, list(MISSING) if numbers else [""]) & (arms != "")
    used = (arms != "") & ~wanting
    if not used.any():
        raise UserError(
            f"the seed of a run wants a column or parameter {tracked.seed}, but no run of an arm has it: "
            "name another with seed."
        )
    seeds = np.full(len(texts), None, dtype=object)
    if numbers:
        seeds[used] = [whole[text] for text in texts[used]]
        return seeds, wanting
    labels = dict.fromkeys(texts[used])
    for text in labels:
        if len(text) > MOST_LETTERS or unfit(text) or not text.isprintable():
            raise UserError(
                f"a seed wants a label of at most {MOST_LETTERS} characters that can be seen, but one is "
                f"{text[:MOST_LETTERS]!r}: name another column with seed."
            )
    spelt = ((text, exact(text)) for text in labels)
    if pair := twins(labels) or _spelt_twice((text for text, number in spelt if number is not None), exact):
        raise UserError(f"the seeds {pair[0]!a} and {pair[1]!a} say the same: write them alike.")
    seeds[used] = texts[used]
    return seeds, wanting


def _value(text: str) -> int | float:
    """The number that a text says."""
    whole = _whole(text)
    return float(text) if whole is None else whole


def _whole(text: str) -> int | None:
    try:
        return int(text) if "_" not in text else None
    except ValueError:  # "3.0", or more digits than Python reads
        number = exact(text)
        return int(number) if number is not None and abs(number) < 2**53 and number == int(number) else None


def _counted(frame: pd.DataFrame, runs: Runs) -> pd.DataFrame:
    """One run of each arm and seed: that which finished, else the first that got furthest."""
    done = frame[frame["state"] == FINISHED]
    twice = done[done.duplicated(["arm", "seed"], keep=False)]
    if len(twice):
        cell = twice.iloc[0]
        same = twice[(twice["arm"] == cell["arm"]) & (twice["seed"] == cell["seed"])]
        raise UserError(
            f"a cell is one run, but arm {cell['arm']!r}, seed {cell['seed']} has {len(same)} that finished "
            f"({some([str(runs.ids[row]) for row in same['row']])}): leave out all but one, or name the "
            "column that tells them apart."
        )
    order = frame.assign(rank=frame["state"].map({FINISHED: 0, RUNNING: 1, FAILED: 2, NEVER: 3}))
    one = order.sort_values("rank", kind="stable").drop_duplicates(["arm", "seed"]).sort_values("row")
    return one.drop(columns="rank")


def _numbers(
    study: Study, tracked: Tracked, runs: Runs, measures: Mapping[str, npt.NDArray[np.float64]]
) -> dict[str, npt.NDArray[np.float64]]:
    """The measures, and what else is a number, no identifier, and has a name of its own."""
    taken = {*RESERVED, *flat(study.baseline), tracked.seed, *measures}
    names = [one for one in runs.candidates if not runs.identifies(one)] if runs.table else runs.metrics
    others = {name: runs.metrics[name] for name in names if name in runs.metrics and name not in taken}
    return {**measures, **{name: column for name, column in others.items() if not np.isnan(column).all()}}


def _best(
    study: Study, tracked: Tracked, store: Store, ids: Iterable[str], name: str
) -> npt.NDArray[np.float64]:
    place, better = ForeignRuns(tracked.mlflow, store.root), study.measure(name).better
    return np.array([place.best(run_id, name, better) for run_id in ids], dtype=np.float64)


def _undeclared(
    study: Study, tracked: Tracked, runs: Runs, cells: pd.DataFrame
) -> tuple[list[str], list[str]]:
    """The parameters that differ between arms and are no settings; and those that differ in every run.

    A number of a table may be a result. So it counts only where it is the same in all runs of each arm.
    Raises `UserError` for what differs and is not allowed.
    """
    rows = cells["row"].to_numpy()
    arms, seeds = (pd.factorize(cells[name])[0] for name in ("arm", "seed"))
    several = bool(len(arms)) and int(np.bincount(arms).max()) > 1
    declared = {*flat(study.baseline), tracked.seed, *(study.recorded() if runs.table else ())}
    differing, alone = [], []
    for name in runs.candidates:
        if name in declared or not len(rows):
            continue
        texts = runs.params[name][rows]
        codes = pd.factorize(np.array([_said(text) for text in texts], dtype=object))[0]
        if runs.table and name in runs.metrics:
            if several and _pairs(arms, codes) == arms.max() + 1 and codes.max() > 0:
                differing.append(name)
        elif several and codes.max() + 1 == len(codes):
            alone.append(name)
        elif _pairs(seeds, codes) > seeds.max() + 1:
            differing.append(name)
    if strange := [name for name in differing if name not in tracked.allow]:
        raise UserError(
            f"the arms differ in {some(strange)}, too, which the study does not declare "
            f"({_example(strange[0], runs.params[strange[0]][rows], cells)}): make it a setting of the arms, "
            f"leave such runs out, or allow it with allow={strange[:SHOWN]!r} (--allow on the command line)."
        )
    return differing, alone


def _said(text: str) -> str | Decimal:
    """The text, by its value where it is a number, "" where it says that there is none.

    "1.10" remains text, since it may be a version, which is not 1.1: no float is printed so, only "1.0". So
    does "007".
    """
    if text in MISSING:
        return ""
    number = None if VERSION.fullmatch(text) or LEADING_ZERO.match(text) else exact(text)
    return text if number is None else number


def _pairs(one: npt.NDArray[np.intp], other: npt.NDArray[np.intp]) -> int:
    """How many different pairs there are."""
    return len(np.unique(one * (other.max() + 1) + other))


def _example(name: str, texts: Texts, cells: pd.DataFrame) -> str:
    """Two arms that differ in the parameter, under one seed where there is one."""
    said = pd.Series([_said(text) for text in texts], index=cells.index, dtype=object)
    known = cells.assign(text=texts, said=said).sort_values("seed", kind="stable")
    for _, own in known.groupby("seed", sort=False):
        if own["said"].nunique() > 1:
            known = own
            break
    two = known.drop_duplicates("said").head(2)
    shown = [f"{text!r} for {arm}" for text, arm in zip(two["text"], two["arm"], strict=True)]
    return f"{name} is {listing(shown)}"


def _allowed(tracked: Tracked, differing: list[str]) -> Iterator[str]:
    if differing:
        yield (
            f"The arms also differ in {some(differing)}, which is no setting of theirs: what is said of an "
            "arm may be due to it."
        )
    if tracked.best:
        yield (
            f"Of {listing(list(tracked.best))} the best value along each run counts, not the last: a best "
            "value that is chosen on the data it is measured on is optimistic."
        )


def _left_out(
    reasons: Counter[str], wanting: npt.NDArray[np.bool_], runs: Runs, tracked: Tracked
) -> Iterator[str]:
    if others := reasons.total():
        shown = [f"{why} ({count(n, 'run')})" for why, n in reasons.most_common()]
        yield (
            f"{others} of {count(len(runs.ids), 'run')} {_be(others)} of no arm of the study and left out: "
            f"{some(shown)}."
        )
    if lost := int(wanting.sum()):
        yield (
            f"{count(lost, 'run')} of an arm {'has' if lost == 1 else 'have'} no {tracked.seed} and "
            f"{_be(lost)} left out: {some([str(one) for one in runs.ids[wanting]])}."
        )


def _beside(frame: pd.DataFrame, cells: pd.DataFrame, runs: Runs) -> Iterator[str]:
    """The runs of a cell that another run of it stands for: none of them finished, or they were refused."""
    states = dict(zip(zip(cells["arm"], cells["seed"], strict=True), cells["state"], strict=True))
    others = frame[~frame["row"].isin(cells["row"])]
    finished = np.array(
        [states[cell] == FINISHED for cell in zip(others["arm"], others["seed"], strict=True)], dtype=bool
    )
    for chosen, which in ((finished, "a finished run"), (~finished, "another run")):
        if rows := others["row"].to_numpy()[chosen].tolist():
            yield (
                f"{count(len(rows), 'run')} did not finish beside {which} of the same arm and seed, which "
                f"counts: {some([str(one) for one in runs.ids[rows]])}."
            )


def _gaps(study: Study, table: pd.DataFrame) -> Iterator[str]:
    open_ = table[table["state"] != COMPLETE]
    if len(open_):
        yield f"Did not finish: {_cells(open_, 'state')}."
    for name in study.measures:
        lacking = table[(table["state"] == COMPLETE) & ~np.isfinite(table[name])]
        if len(lacking):
            yield f"Finished, but without a finite {study.label(name)}: {_cells(lacking)}."


def _partners(study: Study, table: pd.DataFrame) -> Iterator[str]:
    """Which seeds are of one arm alone, and where too few are left."""
    seeds = {arm: set(table["seed"][table["arm"] == arm]) for arm in study.settings}
    for arm in study.settings:
        other = study.reference_of(arm)
        if arm == other:
            continue
        alone = [(one, seeds[one] - seeds[two]) for one, two in ((arm, other), (other, arm))]
        if said := [f"{_labels(own)} of {one}" for one, own in alone if own]:
            yield f"{arm} and {other} are compared on the seeds of both, without {listing(said)}."
        shared = len(seeds[arm] & seeds[other])
        if shared < FEWEST_SEEDS <= table["seed"].nunique():
            yield (
                f"{arm} and {other} share {count(shared, 'seed')}, fewer than {FEWEST_SEEDS}: they are not "
                "tested."
            )


def _choices(
    study: Study, tracked: Tracked, runs: Runs, cells: pd.DataFrame, alone: list[str]
) -> Iterator[str]:
    if alone:
        yield (
            f"{some(alone)} differ{'s' if len(alone) == 1 else ''} in every run, as an identifier does, and "
            f"{_be(len(alone))} not taken for what tells arms apart."
        )
    if not runs.table:
        return
    declared = [*flat(study.baseline), tracked.seed, *study.recorded()]
    rows = cells["row"].to_numpy()
    about = {
        name: len(set(runs.params[name][rows])) for name in runs.params.keys() - {*runs.candidates, *declared}
    }
    if shown := [name or "a column without a name" for name, n in sorted(about.items()) if 1 < n < len(rows)]:
        yield f"What describes a run is not compared between the arms: {some(shown)}."
    if again := [name for name in declared if f"{name}.1" in runs.params]:
        yield (
            f"{again[0]}.1 stands beside {again[0]}, as pandas calls the second of two columns of one name: "
            "the first counts."
        )


def _cells(table: pd.DataFrame, also: str = "") -> str:
    shown = [
        f"{row['arm']}, seed {row['seed']} ({f'{row[also]}, ' if also else ''}{row['run_id']})"
        for row in table.head(SHOWN + 1).to_dict("records")
    ]
    return some(shown, len(table))


def _labels(seeds: Iterable[Any]) -> str:
    ordered = sorted(seeds)
    return f"{'seed' if len(ordered) == 1 else 'seeds'} {some([str(one) for one in ordered])}"


def _were(n: int) -> str:
    return "was" if n == 1 else "were"


def _be(n: int) -> str:
    return "is" if n == 1 else "are"
