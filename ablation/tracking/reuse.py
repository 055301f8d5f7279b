"""A cell that another study computed: its run is mirrored into this study's experiment, not trained again.

MLflow's pages show one experiment at a time, so a table or chart of a study would have a hole where
its cell is a run of another experiment. The mirror has the same parameters, curves and numbers, says
`reused_from`, and keeps no files of its own.
"""

from mlflow.entities import Metric, Param, RunTag

from ablation.emoji.spec import RunSpec
from ablation.tracking.label import Label
from ablation.tracking.read import CURVES, Settled
from ablation.tracking.store import Store


def mirror(store: Store, experiment: str, spec: RunSpec, label: Label, original: Settled) -> str:
    """Write a mirror of `original` into `experiment`; its run id."""
    source = store.client.get_run(original.run_id)
    run = store.client.create_run(experiment, tags=label.tags(spec.seed) | {"reused_from": original.run_id})
    note = f"Reused: computed once, as run `{original.run_id}` of the study `{source.data.tags['study']}`."
    origin = ("mlflow.source.git.commit", "dirty", "packages", "built_on")
    tags = [RunTag("mlflow.note.content", note)]
    tags += [RunTag(name, source.data.tags[name]) for name in origin if name in source.data.tags]
    if original.diverged:
        tags += [RunTag("outcome", "diverged"), RunTag("error", original.error)]
    curves = [point for name in CURVES for point in store.client.get_metric_history(original.run_id, name)]
    final = {name: value for name, value in source.data.metrics.items() if name not in CURVES}
    moment = source.info.end_time or source.info.start_time
    store.client.log_batch(
        run.info.run_id,
        params=[Param(name, value) for name, value in source.data.params.items()],
        metrics=curves + [Metric(name, value, moment, 0) for name, value in final.items()],
        tags=tags,
    )
    store.client.set_terminated(run.info.run_id, "FAILED" if original.diverged else "FINISHED")
    return str(run.info.run_id)
