"""The plan of a study as it is recorded with its first run, and held against the file at every later one."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from typing import Any, Literal

from ablation.errors import UserError
from ablation.fingerprint import fingerprint
from ablation.settings import identity
from ablation.study import Cell, Study

Versions = Mapping[str, str]
"""`Experiment.version` of the data, by `Experiment.source`; under CODE `Experiment.code`, if it has one."""
CODE = "code of the experiment"
ENTRIES = {"arms": "arm", "claims": "claim", "measures": "measure", "gates": "gate"}
"""The parts of a plan that have entries by name, and what one of them is called."""
ABSENT = "absent"
CodeChange = Literal["", "same", "new"]
"""What to do where the code changed since a study's runs: ask; take it for the same; or start over."""


def plan_of(study: Study, versions: Versions) -> dict[str, Any]:
    """What must not change once runs exist: arms and their references, claims, measures, test and data."""
    return {
        "versions": dict(versions),
        "test": study.test,
        "alpha": study.alpha,
        "reference": study.reference,
        "measures": dict(study.measures),
        "claims": {claim.text: asdict(claim.rule) | {"counts": claim.counts} for claim in study.claims},
        "against": dict(study.against),
        "supported": study.supported,
        "arms": {name: identity(settings) for name, settings in study.settings.items()},
    } | _own(study)


def _own(study: Study) -> dict[str, Any]:
    """What the study declares beside or instead of its experiment."""
    own: dict[str, Any] = {"gates": {gate.text: asdict(gate) for gate in study.gates}} if study.gates else {}
    said, usual = (
        {name: getattr(one, name) for name in ("kind", "test_share")}
        for one in (study.replication, study.experiment.replication(study.baseline))
    )
    if said != usual:
        own["replication"] = said
    if study.looks:
        own["looks"] = list(study.looks)
    if study.experiment.code():  # then it has its measures from the study
        own["better"] = {name: study.measure(name).better for name in study.measures}
    return own


def counted_versions(
    study: Study, recorded: Mapping[str, Any], same: Iterable[str], now: Versions, change: CodeChange = ""
) -> dict[str, str]:
    """The versions under which runs count: with the recorded code, where that of `now` is taken for the same.

    same: versions of the code that were declared to be so. Raises `UserError` where the code changed and
    `change` does not say what to do.
    """
    before, after = recorded.get("versions", {}).get(CODE, ""), now.get(CODE, "")
    if before == after or change == "new" or not before:
        return dict(now)
    if after in same or change == "same":
        return {**now, CODE: before}
    raise UserError(
        f"the code that {study.name} trains with changed since it has runs: add --code same to take them for "
        "runs of the same code, or --code new to start over."
    )


def check_unchanged(study: Study, recorded: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuse a study whose plan differs from that of its runs, naming what differs."""
    changes = [*_changes(recorded, now)]
    if not changes:
        return
    shown = "; ".join(changes[:3]) + (f"; and {len(changes) - 3} more" if len(changes) > 3 else "")
    before = recorded.get("arms", {}).values()
    alike = "arms" not in now or any(one in before for one in now["arms"].values())
    other = "" if alike else ", or of another study of that name"
    raise UserError(
        f"{study.name} has runs of another plan{other} ({shown}): give the study's file a new name (cells "
        "that stay equal are reused), name another --store, or undo the change."
    )


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """What differs, in words: arms, claims and measures that are new or gone, and values that changed."""
    kept = dict(before), dict(after)
    for section, one in ENTRIES.items():
        entries = [dict(plan.get(section) or {}) for plan in (before, after)]
        for name in dict.fromkeys([*entries[0], *entries[1]]):
            if (name in entries[0]) != (name in entries[1]):
                yield f"the {one} {name!r} is {'gone' if name in entries[0] else 'new'}"
        for plan, own, other in zip(kept, entries, reversed(entries), strict=True):
            plan[section] = {name: value for name, value in own.items() if name in other}
    ours, theirs = _leaves(kept[0]), _leaves(kept[1])
    for name in dict.fromkeys([*ours, *theirs]):
        if ours.get(name, ABSENT) != theirs.get(name, ABSENT):
            yield f"{name}: {ours.get(name, ABSENT)} became {theirs.get(name, ABSENT)}"


def checked_versions(study: Study, cells: Iterable[Cell]) -> dict[str, str]:
    """The version of the data by their source, once every cell can be trained and measured as declared.

    Raises `UserError` for the first cell that cannot.
    """
    experiment = study.experiment
    versions = {CODE: code} if (code := experiment.code()) else {}
    for cell in cells:
        try:
            experiment.check(cell.settings, cell.seed, study.recorded(cell.arm))
            if (source := experiment.source(cell.settings)) not in versions:
                versions[source] = experiment.version(cell.settings)
        except UserError as error:
            raise UserError(f"{cell.name}: {error}") from error
    return versions


def fingerprint_of(study: Study, cell: Cell, versions: Versions) -> str:
    """The fingerprint of the cell's run."""
    version = versions[study.experiment.source(cell.settings)]
    return fingerprint(study.experiment, cell.settings, cell.seed, version, versions.get(CODE, ""))


def training_of(study: Study, cell: Cell, versions: Versions) -> str:
    """The fingerprint of the run that trains what the cell needs: its own, or that of another cell."""
    return fingerprint_of(study, replace(cell, settings=study.experiment.training(cell.settings)), versions)


def fingerprints(study: Study, cells: Iterable[Cell], versions: Versions) -> dict[str, Cell]:
    """The cells by their fingerprint, in order."""
    return {fingerprint_of(study, cell, versions): cell for cell in cells}


def _leaves(plan: Any, prefix: str = "") -> dict[str, Any]:
    if isinstance(plan, Mapping):
        parts = [_leaves(value, f"{prefix}.{key}" if prefix else key) for key, value in plan.items()]
        return {name: value for part in parts for name, value in part.items()}
    return {prefix: list(plan) if isinstance(plan, tuple) else plan}
