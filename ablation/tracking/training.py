"""A training that cells share: the first of them trains and keeps its file, the others take it."""

from collections.abc import Iterator
from contextlib import contextmanager

from ablation.experiment import Experiment, Trained
from ablation.tracking.artifacts import artifact
from ablation.tracking.read import curve_names, curves_of, finished_with, tags_of
from ablation.tracking.store import Store


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
