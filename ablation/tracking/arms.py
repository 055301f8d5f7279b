"""One summary run an arm, so that MLflow's own compare page compares arms: mean, interval, n, difference."""

import json
import time
from collections.abc import Mapping
from hashlib import sha256

from mlflow.entities import Metric, Param

from ablation.tracking.store import ROLE_ARM, Store


def record_arm(
    store: Store,
    experiment: str,
    arm: str,
    params: Mapping[str, object],
    metrics: Mapping[str, float],
    note: str,
) -> None:
    """Write the arm's summary run in place of older ones, unless one of them already says the same."""
    content = json.dumps([arm, {k: str(v) for k, v in params.items()}, metrics, note], sort_keys=True)
    digest = sha256(content.encode()).hexdigest()[:16]
    written = False
    summaries = store.client.search_runs([experiment], f"tags.role = '{ROLE_ARM}'")
    for run in (one for one in summaries if one.data.tags["arm"] == arm):
        same = run.data.tags.get("content") == digest and run.info.status == "FINISHED"
        if written or not same:
            store.client.delete_run(run.info.run_id)
        written = written or same
    if written:
        return
    tags = {
        "role": ROLE_ARM,
        "arm": arm,
        "content": digest,
        "mlflow.runName": arm,
        "mlflow.note.content": note,
    }
    run = store.client.create_run(experiment, tags=tags)
    now = int(time.time() * 1000)
    store.client.log_batch(
        run.info.run_id,
        params=[Param(name, str(value)) for name, value in params.items()],
        metrics=[Metric(name, value, now, 0) for name, value in metrics.items()],
    )
    store.client.set_terminated(run.info.run_id, "FINISHED")
