"""Look a store over, end what died while RUNNING, and say what was found and done."""

from dataclasses import dataclass
from importlib.metadata import version

from optuna.trial import TrialState

from ablation import catalogue
from ablation.errors import Mistake
from ablation.sweep.ledger import Ledger
from ablation.sweep.results import results
from ablation.sweep.tune import settle
from ablation.track.origin import origin
from ablation.track.read import bury_free, running
from ablation.track.store import Store


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
    findings += [Finding(f"store: {store.tracking_shown} and {store.optuna_shown}"), *_dead(store)]
    return [*findings, *(finding for name in catalogue.names() for finding in _study(store, name))]


def _pair() -> Finding:
    """torch and torchvision come in pairs: another pair fails at import."""
    pair = [f"{name} {version(name)}" for name in ("torch", "torchvision")]
    try:
        import torchvision  # noqa: F401
    except (ImportError, RuntimeError) as error:
        return Finding(f"{pair[0]} does not load {pair[1]}: {error}", False)
    return Finding(f"{pair[0]} loads {pair[1]}")


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
    """What the study's cells say, and whether every cell that Optuna calls COMPLETE has its run in MLflow."""
    try:
        study = settle(catalogue.load(name), store)
        ledger = Ledger.open(store, study)
        if ledger is None or ledger.plan is None:
            return []
        with store.free(f"study-{name}") as idle:
            stale = ledger.abandon() if idle else 0
        cells = results(study, store)
        complete = {key for key, state in ledger.states().items() if state == TrialState.COMPLETE}
    except Mistake as mistake:
        return [Finding(str(mistake), False)]
    gone = complete & set(cells.fingerprint[cells.state != "complete"])
    counts = ", ".join(f"{count} {state}" for state, count in cells.state.value_counts().items())
    findings = [Finding(f"{name}: {counts}")]
    if stale:
        findings.append(Finding(f"{name}: {stale} trials of a dead coordinator ended as FAIL"))
    if gone:
        lost = f"{name}: {len(gone)} cells are COMPLETE in Optuna but their runs are gone from MLflow"
        findings.append(Finding(f"{lost}: `ablation run {name}` trains them again", False))
    return findings
