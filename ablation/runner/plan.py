"""The plan of a study as it is recorded with its first run, and held against the file at every later one."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ablation.emoji.spec import RunSpec, fingerprint, identity, trunk
from ablation.errors import UserError
from ablation.study import Cell, Study


def plan_of(study: Study, data: Mapping[str, str]) -> dict[str, Any]:
    """What must not change once runs exist: arms, what they are set against, claims, measures, test and data.

    data[sources] is the fingerprint of the images of `sources_of` an arm.
    """
    return {
        "data": dict(data),
        "test": study.test,
        "alpha": study.alpha,
        "reference": study.reference,
        "measures": dict(study.measures),
        "claims": {claim.text: asdict(claim.rule) | {"counts": claim.counts} for claim in study.claims},
        "against": dict(study.against),
        "supported": study.supported,
        "arms": {name: _settings(spec) for name, spec in study.specs.items()},
    }


def check_unchanged(study: Study, recorded: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuse a study whose plan differs from that of its runs, naming what differs."""
    before, after = _leaves(recorded), _leaves(now)
    changes = [
        f"{name}: {before.get(name, 'absent')} became {after.get(name, 'absent')}"
        for name in dict.fromkeys([*before, *after])
        if before.get(name, "absent") != after.get(name, "absent")
    ]
    if changes:
        shown = "; ".join(changes[:3]) + (f"; and {len(changes) - 3} more" if len(changes) > 3 else "")
        raise UserError(
            f"{study.name} has runs of another plan ({shown}): undo the change, or give the study's file a "
            "new name, and the cells that stay equal are reused."
        )


def sources_of(spec: RunSpec) -> str:
    """The sources of a spec as one word, the key of their images' fingerprint in a plan."""
    return ", ".join(spec.data.sources)


def fingerprints(cells: list[Cell], data: Mapping[str, str]) -> dict[str, Cell]:
    """The cells by their fingerprint, in order."""
    return {fingerprint(cell.spec, data[sources_of(cell.spec)]): cell for cell in cells}


def trunks_first(cells: Mapping[str, Cell]) -> dict[str, Cell]:
    """One cell of every training before those that only compose with it anew: else workers wait for it."""
    firsts: dict[RunSpec, str] = {}
    for key, cell in cells.items():
        firsts.setdefault(trunk(cell.spec), key)
    first = set(firsts.values())
    return dict(sorted(cells.items(), key=lambda item: item[0] not in first))


def _leaves(plan: Any, prefix: str = "") -> dict[str, Any]:
    if isinstance(plan, Mapping) and plan:
        parts = [_leaves(value, f"{prefix}.{key}" if prefix else key) for key, value in plan.items()]
        return {name: value for part in parts for name, value in part.items()}
    return {prefix: plan}


def _settings(spec: RunSpec) -> dict[str, Any]:
    return {k: list(v) if isinstance(v, tuple) else v for k, v in identity(spec).items()}
