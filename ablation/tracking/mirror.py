"""A cell that another study computed: its run is mirrored into this study's experiment, not computed again.

MLflow's pages show one experiment at a time, so a table or chart of a study would have a hole where
its cell is a run of another experiment. The mirror has the same parameters, curves and numbers, says
`reused_from`, and keeps no files of its own.
"""

from mlflow.entities import Metric, Param, RunTag

from ablation.experiment import Experiment
from ablation.tracking.journal import Label
from ablation.tracking.read import COMMIT, SECTIONS, Settled, curve_names
from ablation.tracking.sender import AT_ONCE, PARAMS_AT_ONCE
from ablation.tracking.store import Store


def mirror(store: Store, place: str, label: Label, original: Settled, experiment: Experiment) -> str:
    """Write a mirror of `original` into the MLflow experiment `place`; its run id."""
    client = store.client
    source = client.get_run(original.run_id)
    run_id = str(client.create_run(place, tags=label.tags() | {"reused_from": original.run_id}).info.run_id)
    note = f"Reused: computed once, as run `{original.run_id}` of the study `{source.data.tags['study']}`."
    tags = [RunTag("mlflow.note.content", note)]
    copied = (COMMIT, "dirty", "packages", "built_on", SECTIONS)
    tags += [RunTag(name, source.data.tags[name]) for name in copied if name in source.data.tags]
    if original.diverged:
        tags += [RunTag("outcome", "diverged"), RunTag("error", original.error)]
    drawn = [name for name in curve_names(experiment) if name in source.data.metrics]
    points = [point for name in drawn for point in client.get_metric_history(original.run_id, name)]
    moment = source.info.end_time or source.info.start_time
    points += [
        Metric(name, value, moment, 0) for name, value in source.data.metrics.items() if name not in drawn
    ]
    params = [Param(name, value) for name, value in source.data.params.items()]
    for first in range(0, len(params), PARAMS_AT_ONCE):
        client.log_batch(run_id, params=params[first : first + PARAMS_AT_ONCE])
    for first in range(0, len(points), AT_ONCE):
        client.log_batch(run_id, metrics=points[first : first + AT_ONCE])
    client.log_batch(run_id, tags=tags)
    client.set_terminated(run_id, "FAILED" if original.diverged else "FINISHED")
    return run_id
