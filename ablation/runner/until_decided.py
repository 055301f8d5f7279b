"""Run a study look by look, and stop the arms that no undecided claim needs any more.

What is stopped follows from the finished runs alone, so that a study which was killed goes on where it was.
"""

from collections.abc import Callable
from dataclasses import replace

from ablation.errors import UserError
from ablation.formatting import count
from ablation.runner.engines import Engine
from ablation.runner.recorded_plan import CodeChange
from ablation.runner.results import opened, results
from ablation.runner.scheduler import Progress, run_study
from ablation.stats.cells import COMPLETE, STOPPED, planned
from ablation.stats.sequential import stopped_arms, stopped_words
from ablation.stats.verdicts import verdicts
from ablation.study import Study
from ablation.tracking.read import items_of
from ablation.tracking.store import Store

OPEN = ("inconclusive", "not judged")
"""The words of claims that later looks may decide."""


def check_until_decided(study: Study, seeds: int | None = None) -> None:
    """Refuse a study whose arms nothing could stop."""
    name = study.name or "the study"
    if study.quick:
        raise UserError(f"--until-decided wants a real budget, but {name} has a smoke budget: leave one out.")
    if not study.looks:
        raise UserError(
            f"--until-decided wants a study that declares looks, but {name} has none: add them to its file "
            "before it runs, as in looks=(5, 10, 15, 20)."
        )
    if not study.claims:
        raise UserError(f"--until-decided wants claims to decide, but {name} has none: add one.")
    if seeds is not None:
        raise UserError("--until-decided runs the looks that the study declares: leave out --seeds.")


def run_until_decided(
    study: Study,
    store: Store,
    make_engine: Callable[[int], Engine],
    workers: int,
    notify: Callable[[Progress], None] = lambda progress: None,
    code: CodeChange = "",
    tell: Callable[[str], None] = lambda sentence: None,
) -> Progress:
    """Train the cells of one look after another, as `run_study` does, for the arms that are still needed.

    `tell` gets a sentence after every look, and one at the end. Errors are as of `run_study`, and one where
    the study has no looks or no claims.
    """
    check_until_decided(study)
    going, stopped = set(study.settings), dict[str, int]()
    whole, before = Progress(total=0), 0
    for look in study.looks:
        seeds = study.first_seeds(look)[before:]
        block = [one for one in study.cells() if one.arm in going and one.seed in seeds]
        progress = run_study(study, store, make_engine, workers, None, notify, code, block)
        whole, before, code = _sum(whole, progress), look, ""
        needed, waiting, decided = _standing(study, store, look)
        stopped |= dict.fromkeys(sorted(going - needed - waiting, key=list(study.settings).index), look)
        opened(study, store).stopped = {arm: n for arm, n in stopped.items() if n < study.seeds}
        going &= needed
        tell(_look_words(study, look, decided, stopped, waiting))
        if not going:
            break
    cells = results(study, store, study.seeds)
    if saved := int(cells["state"].eq(STOPPED).sum()):
        words = stopped_words(stopped_arms(cells))
        tell(f"Stopped: {words}. {saved} of {count(len(cells), 'run')} of the full plan were not needed.")
    return whole


def _standing(study: Study, store: Store, look: int) -> tuple[set[str], set[str], int]:
    """The arms that undecided claims and the gates before them need, those that such claims rest on but that
    lack a cell of the look in one of them, and how many claims are decided.

    A claim that is not judged yet may be, once its gate is passed; not where a gate is shown to be missed.
    """
    frame = results(study, store, look)  # and no further: a study that goes on stops what it stopped before
    items = items_of(store, frame) if study.of_items else None
    cells = planned(study, frame, look)
    broken = set(cells["arm"][cells["state"] != COMPLETE])
    needed, waiting, decided = set[str](), set[str](), 0
    for verdict in verdicts(study, cells, items):
        gates, arms = verdict.closed, {*verdict.arms, *(gate.arm for gate in verdict.closed)}
        if verdict.word not in OPEN or any(gate.missed for gate in gates):
            decided += 1
        elif broken.isdisjoint(arms):
            needed |= arms
        else:
            waiting |= arms
    return needed, waiting, decided


def _look_words(study: Study, look: int, decided: int, stopped: dict[str, int], waiting: set[str]) -> str:
    said = f"Look at {count(look, 'seed')}: {decided} of {count(len(study.claims), 'claim')} decided"
    here = [arm for arm, n in stopped.items() if n == look < study.seeds]
    if here:
        said += f"; no longer needed: {', '.join(here)}"
    if waiting:
        names = [arm for arm in study.settings if arm in waiting]
        said += f"; waiting for a run that is not complete: {', '.join(names)}"
    return f"{said}."


def _sum(one: Progress, other: Progress) -> Progress:
    """What was done in both."""
    return replace(
        one,
        total=one.total + other.total,
        there=one.there + other.there,
        trained=one.trained + other.trained,
        reused=one.reused + other.reused,
        failed=one.failed | other.failed,
    )
