"""Look a store over, end what died while RUNNING, and say what was found and done."""

from dataclasses import dataclass
from importlib.metadata import version

from optuna.trial import TrialState

from ablation import catalogue
from ablation.errors import UserError
from ablation.runner.ledger import Ledger
from ablation.runner.results import results
from ablation.runner.search_results import search_results
from ablation.runner.trials import searched
from ablation.runner.tune import settle, tuning_of
from ablation.study import Study
from ablation.tracking.delivery import awaited, deliver
from ablation.tracking.origin import origin
from ablation.tracking.outbox import places, waiting
from ablation.tracking.read import bury_free, cell_lock, running
from ablation.tracking.retry import ServerUnavailable
from ablation.tracking.store import Store


@dataclass(frozen=True)
class Finding:
    """fine: nothing is wrong, or it was mended."""

    what: str
    fine: bool = True


def examine(store: Store) -> list[Finding]:
    """Versions, hardware, and, where there is a store, its dead runs and whether MLflow and Optuna agree."""
    here = origin()
    findings = [
        Finding("versions: " + ", ".join(f"{name} {number}" for name, number in here.packages.items())),
        Finding("machine: " + ", ".join(f"{name} {value}" for name, value in here.hardware.items())),
        _pair(),
    ]
    if not store.exists():
        return [*findings, Finding(f"store: {store.root} holds no runs yet")]
    findings += [Finding(f"store: {store.tracking_shown} and {store.optuna_shown}"), *_waiting(store)]
    findings += _dead(store)
    return [*findings, *(finding for name in catalogue.names() for finding in _study(store, name))]


def _pair() -> Finding:
    """torch and torchvision come in pairs: another pair fails at import."""
    pair = [f"{name} {version(name)}" for name in ("torch", "torchvision")]
    try:
        import torchvision  # noqa: F401
    except (ImportError, RuntimeError) as error:
        return Finding(f"{pair[0]} does not load {pair[1]}: {error}", False)
    return Finding(f"{pair[0]} loads {pair[1]}")


def _waiting(store: Store) -> list[Finding]:
    """Deliver the results that wait on the disk for their server."""
    findings = []
    for fingerprint in waiting(store):
        try:
            findings += _delivered(store, fingerprint)
        except ServerUnavailable:
            raise
        except UserError as mistake:
            findings.append(Finding(str(mistake), False))
    return findings


def _delivered(store: Store, fingerprint: str) -> list[Finding]:
    whose = f"result of {fingerprint}:"
    with store.free(cell_lock(fingerprint)) as mine:
        if not mine:
            return [Finding(f"{whose} waits on the disk, and its cell is being computed now")]
        run_id = deliver(store, fingerprint)
        left = [Finding(f"{whose} {awaited(place)}", False) for place in places(store, fingerprint)]
    if run_id:
        return [Finding(f"{whose} waited on the disk; delivered as run {run_id}"), *left]
    gone = Finding(f"{whose} waited on the disk; dropped, since another run of it has finished meanwhile")
    return left or [gone]


def _dead(store: Store) -> list[Finding]:
    """End the RUNNING runs whose process is gone: nobody holds the lock of their fingerprint."""
    findings = []
    for fingerprint, ended in bury_free(store, running(store)).items():
        if ended is None:
            findings.append(Finding(f"run of {fingerprint}: being computed now"))
        else:
            findings += [Finding(f"run {run_id}: its process is gone; ended as KILLED") for run_id in ended]
    return findings or [Finding("runs: none is left RUNNING by a dead process")]


def _study(store: Store, name: str) -> list[Finding]:
    """What there is of the study in `store`: its cells, and those of its tuning and its search."""
    try:
        study = catalogue.load(name)
        found = _cells(store, tuning_of(study), name) if study.tuned else []
        found += _cells(store, settle(study, store), name)
        return found + (_search(store, study) if study.search else [])
    except UserError as mistake:
        return [Finding(str(mistake), False)]


def _cells(store: Store, study: Study, name: str) -> list[Finding]:
    """What the cells say, and whether every cell that Optuna calls COMPLETE has its run in MLflow."""
    ledger = Ledger.open(store, study)
    if ledger is None or ledger.plan is None:
        return []
    findings = _abandoned(store, ledger)
    cells = results(study, store)
    complete = {key for key, state in ledger.states().items() if state == TrialState.COMPLETE}
    gone = complete & set(cells.fingerprint[cells.state != "complete"])
    counts = ", ".join(f"{count} {state}" for state, count in cells.state.value_counts().items())
    findings.insert(0, Finding(f"{study.name}: {counts}"))
    if gone:
        lost = f"{study.name}: {len(gone)} cells are COMPLETE in Optuna but their runs are gone from MLflow"
        findings.append(Finding(f"{lost}: `ablation run {name}` trains them again", False))
    return findings


def _search(store: Store, study: Study) -> list[Finding]:
    ledger = Ledger.open(store, searched(study))
    if ledger is None:
        return []
    found = search_results(study, store)
    settled = 0 if found is None else len(found)
    return [Finding(f"{ledger.study.name}: {settled} trials settled"), *_abandoned(store, ledger)]


def _abandoned(store: Store, ledger: Ledger) -> list[Finding]:
    """End the trials of a coordinator that is dead: nobody holds the study's lock."""
    with store.free(f"study-{ledger.study.name}") as idle:
        stale = ledger.abandon() if idle else 0
    said = f"{ledger.study.name}: {stale} trials of a dead coordinator ended as FAIL"
    return [Finding(said)] if stale else []
