"""Look a store over, end what died while RUNNING, and say what was found and done."""

from dataclasses import dataclass

from optuna.trial import TrialState

from ablation import catalogue
from ablation.errors import UserError
from ablation.runner.ledger import Ledger
from ablation.runner.results import results
from ablation.runner.search import search_results, searched
from ablation.runner.tune import check_tune
from ablation.runner.tuned import tuning_of, with_tuned_values
from ablation.study import Study
from ablation.tracking.addresses import shown
from ablation.tracking.availability import ServerUnavailable
from ablation.tracking.journal_on_disk import entries, waiting
from ablation.tracking.origin import origin
from ablation.tracking.read import cell_lock, mark_killed_if_free, running
from ablation.tracking.sender import awaited, deliver
from ablation.tracking.store import Store
from ablation.tuning import Search, Tune


@dataclass(frozen=True)
class Finding:
    """fine: nothing is wrong, or it was mended."""

    what: str
    fine: bool = True


def examine(store: Store) -> list[Finding]:
    """Versions, hardware, and, where there is a store, its dead runs and whether MLflow and Optuna agree."""
    studies = catalogue.load_all()
    found = [one.experiment for one in studies.values() if isinstance(one, Study)]
    experiments = list({one.name: one for one in found}.values())
    here = origin(tuple(dict.fromkeys(package for one in experiments for package in one.packages)))
    findings = [
        Finding("versions: " + ", ".join(f"{name} {number}" for name, number in here.packages.items())),
        Finding("machine: " + ", ".join(f"{name} {value}" for name, value in here.hardware.items())),
        *(Finding(*said) for one in experiments for said in one.examine()),
    ]
    if not store.exists():
        return [*findings, Finding(f"store: {store.root} holds no runs yet")]
    findings += [Finding(f"store: {store.tracking_shown} and {shown(store.optuna_url)}")]
    findings += [*_waiting(store), *_dead(store)]
    return [*findings, *(finding for name, one in studies.items() for finding in _study(store, name, one))]


def _waiting(store: Store) -> list[Finding]:
    """Deliver the results that wait on the disk for their server."""
    findings = []
    for fingerprint in waiting(store):
        try:
            findings += _delivered(store, fingerprint)
        except ServerUnavailable:
            raise
        except UserError as error:
            findings.append(Finding(str(error), False))
    return findings


def _delivered(store: Store, fingerprint: str) -> list[Finding]:
    whose = f"result of {fingerprint}:"
    with store.free(cell_lock(fingerprint)) as mine:
        if not mine:
            return [Finding(f"{whose} waits on the disk, and its cell is being computed now")]
        run_id = deliver(store, fingerprint)
        left = [Finding(f"{whose} {awaited(place)}", False) for place in entries(store, fingerprint)]
    if run_id:
        return [Finding(f"{whose} waited on the disk; delivered as run {run_id}"), *left]
    gone = Finding(f"{whose} waited on the disk; dropped, since another run of it has finished meanwhile")
    return left or [gone]


def _dead(store: Store) -> list[Finding]:
    """End the RUNNING runs whose process is gone: nobody holds the lock of their fingerprint."""
    findings = []
    for fingerprint, ended in mark_killed_if_free(store, running(store)).items():
        if ended is None:
            findings.append(Finding(f"run of {fingerprint}: being computed now"))
        else:
            findings += [Finding(f"run {run_id}: its process is gone; ended as KILLED") for run_id in ended]
    return findings or [Finding("runs: none is left RUNNING by a dead process")]


def _study(store: Store, name: str, study: Study | UserError) -> list[Finding]:
    """What there is of the study in `store`: its cells, and those of its tuning and its search."""
    if isinstance(study, UserError):
        return [Finding(str(study), False)]
    if study.runs is not None:
        return []  # of runs that exist elsewhere the store holds nothing
    try:
        found = _cells(store, tuning_of(study), name) if study.tuned else []
        found += _cells(store, with_tuned_values(study, store), name)
        found += _search(store, study, study.search) if study.search else []
        return found + (_search(store, study, check_tune(study)) if study.tune else [])
    except UserError as error:
        return [Finding(str(error), False)]


def _cells(store: Store, study: Study, name: str) -> list[Finding]:
    """What the cells say, and whether every cell that Optuna calls COMPLETE has its run in MLflow."""
    ledger = Ledger.open(store, study)
    if ledger is None:
        return []
    abandoned = _abandoned(store, ledger)
    cells = results(study, store)
    complete = {key for key, state in ledger.states().items() if state == TrialState.COMPLETE}
    gone = complete & set(cells.fingerprint[cells.state != "complete"])
    counts = ", ".join(f"{count} {state}" for state, count in cells.state.value_counts().items())
    findings = [Finding(f"{study.name}: {counts}"), *abandoned]
    if gone:
        lost = f"{study.name}: {len(gone)} cells are COMPLETE in Optuna but their runs are gone from MLflow"
        findings.append(Finding(f"{lost}: `ablation run {name}` trains them again", False))
    return findings


def _search(store: Store, study: Study, search: Search | Tune) -> list[Finding]:
    ledger = Ledger.open(store, searched(study, search))
    if ledger is None:
        return []
    found = search_results(study, store, search)
    settled = 0 if found is None else len(found)
    return [Finding(f"{ledger.study.name}: {settled} trials settled"), *_abandoned(store, ledger)]


def _abandoned(store: Store, ledger: Ledger) -> list[Finding]:
    """End the trials of a coordinator that is dead: nobody holds the study's lock."""
    with store.free(f"study-{ledger.study.name}") as idle:
        stale = ledger.abandon() if idle else 0
    said = f"{ledger.study.name}: {stale} trials of a dead coordinator ended as FAIL"
    return [Finding(said)] if stale else []
