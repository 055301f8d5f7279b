"""One summary run an arm, so that MLflow's own pages compare arms: what a study's table says of it."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from mlflow.entities import Metric, Param

from ablation.tracking.sender import log_all
from ablation.tracking.store import ORDER, ROLE_ARM, Store
from ablation.tracking.views import arm_runs


@dataclass(frozen=True)
class ArmSummary:
    """What is recorded of an arm: its settings, numbers, words by tag, and a note in Markdown."""

    arm: str
    params: Mapping[str, object]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    note: str


def record_arms(
    store: Store, experiment: str, arms: Sequence[ArmSummary], table: str, write: Callable[[], Sequence[Path]]
) -> None:
    """Write the summary run of every arm, in their order, in place of older ones that say something else.

    table: the text on which the files depend that `write` writes, to be kept with each run; it is called only
    where a run is written.
    """
    older = arm_runs(store, [experiment]).get(experiment, [])
    kept: dict[str, str] = {}
    wanted = {_digest(number, arm, table): (number, arm) for number, arm in enumerate(arms)}
    for run in older:
        digest = run.data.tags.get("content", "")
        if digest in wanted and digest not in kept and run.info.status == "FINISHED":
            kept[digest] = run.info.run_id
        else:
            store.client.delete_run(run.info.run_id)
    lacking = {digest: each for digest, each in wanted.items() if digest not in kept}
    files = write() if lacking else ()
    for digest, (number, arm) in lacking.items():
        _record(store, experiment, number, arm, digest, files)


def _digest(number: int, arm: ArmSummary, table: str) -> str:
    content = json.dumps([number, asdict(arm), table], sort_keys=True, default=str)
    return sha256(content.encode()).hexdigest()[:16]


def _record(
    store: Store, experiment: str, number: int, arm: ArmSummary, digest: str, files: Sequence[Path]
) -> None:
    tags = {
        "role": ROLE_ARM,
        "arm": arm.arm,
        ORDER: f"{number:05}",
        "content": digest,
        "mlflow.runName": arm.arm,
        "mlflow.note.content": arm.note,
    }
    run_id = str(store.client.create_run(experiment, tags={**tags, **arm.tags}).info.run_id)
    now = int(time.time() * 1000)
    params = [Param(name, str(value)) for name, value in arm.params.items()]
    log_all(
        store.client, run_id, params, [Metric(name, value, now, 0) for name, value in arm.metrics.items()]
    )
    for file in files:
        store.client.log_artifact(run_id, str(file))
    store.client.set_terminated(run_id, "FINISHED")
