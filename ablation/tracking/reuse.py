"""What another cell computed is not computed again: a run is mirrored, or its training is handed on.

MLflow's pages show one experiment at a time, so a table or chart of a study would have a hole where
its cell is a run of another experiment. The mirror has the same parameters, curves and numbers, says
`reused_from`, and keeps no files of its own.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from mlflow.entities import Metric, Param, RunTag

from ablation.experiment import Experiment, Trained
from ablation.tracking.artifacts import artifact
from ablation.tracking.origin import COMMIT
from ablation.tracking.read import (
    NOTE,
    REMARKS,
    SECTIONS,
    RunRow,
    curve_names,
    curves_of,
    finished_with,
    tags_of,
)
from ablation.tracking.recording import Label
from ablation.tracking.sender import log_all
from ablation.tracking.store import Store


def mirror(store: Store, place: str, label: Label, original: RunRow, experiment: Experiment) -> str:
    """Write a mirror of `original` into the MLflow experiment `place`; its run id."""
    client = store.client
    source = client.get_run(original.run_id)
    run_id = str(client.create_run(place, tags=label.tags() | {"reused_from": original.run_id}).info.run_id)
    note = f"Reused: computed once, as run `{original.run_id}` of the study `{original.tags['study']}`."
    notes = [name for name in original.tags if name.startswith(NOTE)]
    copied = [*notes, COMMIT, "dirty", "packages", "built_on", "items", REMARKS, SECTIONS]
    copied += ["outcome", "failure"] if original.diverged else []
    tags = {name: original.tags[name] for name in copied if name in original.tags}
    curves = curve_names(experiment) or source.data.metrics  # where none is declared, each may be one
    drawn = [name for name in curves if name in source.data.metrics]
    points = [point for name in drawn for point in client.get_metric_history(original.run_id, name)]
    moment = source.info.end_time or source.info.start_time
    points += [
        Metric(name, value, moment, 0) for name, value in source.data.metrics.items() if name not in drawn
    ]
    log_all(client, run_id, [Param(*item) for item in source.data.params.items()], points)
    client.log_batch(run_id, tags=[RunTag(*item) for item in ({"mlflow.note.content": note} | tags).items()])
    client.set_terminated(run_id, "FAILED" if original.diverged else "FINISHED")
    return run_id


def trained_run(store: Store, training: str, experiment: Experiment) -> Trained | None:
    """What a finished run left that has this fingerprint of training settings; None where none kept a file.

    The first that trained it itself counts.
    """
    for run_id in finished_with(store, training) if experiment.kept_file else ():
        content = artifact(store, run_id, experiment.kept_file)
        if content is not None:
            fingerprint = (tags_of(store, run_id) or {}).get("fingerprint", "")
            curves = curves_of(store, run_id, curve_names(experiment))
            return Trained(run_id, fingerprint, content, {k: v for k, v in curves.items() if v})
    return None


@contextmanager
def training_of(store: Store, training: str, experiment: Experiment) -> Iterator[Trained | None]:
    """What a finished run of the same training left, or None: then its lock is held, to train it once."""
    if found := trained_run(store, training, experiment):
        yield found
        return
    with store.lock(f"training-{training}"):
        yield trained_run(store, training, experiment)
