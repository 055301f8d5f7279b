"""Weights that a run left, so that nobody trains them twice."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

from mlflow.exceptions import MlflowException
from safetensors.torch import load

from ablation.data.labels import class_names
from ablation.errors import Mistake
from ablation.learn.model import Autoencoder
from ablation.learn.run import Trained
from ablation.learn.train import Epoch
from ablation.spec import RunSpec, fingerprint, parse, trunk
from ablation.track.artifacts import SPEC, WEIGHTS, artifact
from ablation.track.patience import away
from ablation.track.read import CURVES, finished_with, standing
from ablation.track.store import Store


@contextmanager
def trunk_of(store: Store, spec: RunSpec, data: str) -> Iterator[Trained | None]:
    """What a finished run of the same trunk left, or None: then the trunk's lock is held, to train it once.

    A spec that only trains, and composes as the report did, is its own trunk: it never takes another's.
    """
    key = fingerprint(trunk(spec), data)
    if spec != trunk(spec) and (found := trained(store, key)):
        yield found
        return
    with store.lock(f"trunk-{key}"):
        yield trained(store, key) if spec != trunk(spec) else None


def trained(store: Store, key: str) -> Trained | None:
    """The weights and curves of a finished run whose trunk has the fingerprint `key`, where one kept them."""
    for run_id in finished_with(store, key):
        weights = artifact(store, run_id, WEIGHTS)
        if weights is not None:
            return Trained(load(weights), _history(store, run_id), run_id)
    return None


def same_weights(store: Store, run_id: str, model: Autoencoder) -> bool | None:
    """Whether the model has the weights that the run kept, bit for bit; None where it kept none."""
    kept = artifact(store, run_id, WEIGHTS)
    if kept is None:
        return None
    recorded, own = load(kept), model.state_dict()
    return recorded.keys() == own.keys() and all(bool((recorded[name] == own[name]).all()) for name in own)


def _history(store: Store, run_id: str) -> tuple[Epoch, ...]:
    """The learning curves again; steps, images and seconds of the epochs are 0: nothing is trained."""
    epochs: dict[int, dict[str, float]] = {}
    for name in CURVES:
        try:
            points = store.client.get_metric_history(run_id, name)
        except MlflowException as error:
            if away(error):
                raise
            points = []
        for point in points:
            epochs.setdefault(point.step, {})[name] = point.value
    return tuple(Epoch(number, 0, 0, epochs[number], 0.0) for number in sorted(epochs))


def best_run(store: Store) -> str:
    """The id of the finished run with weights whose composition gain is highest; else of least test MSE."""
    runs = standing(store)
    if runs.empty:
        raise Mistake(f"{store.root} has no finished run with weights: run a study first.")
    better, falls = ("gain", False) if "gain" in runs and runs.gain.notna().any() else ("test_mse", True)
    return str(runs.sort_values(better, ascending=falls, kind="stable").run_id.iloc[0])


def model_of(store: Store, run_id: str) -> tuple[RunSpec, Autoencoder]:
    """The spec and the trained network of a finished run; of one that took another's weights, those.

    Raises `Mistake` where there is no such run, or none of its files.
    """
    try:
        original = store.client.get_run(run_id).data.tags.get("reused_from", run_id)
        kept = store.client.get_run(original).data.tags.get("built_on", original)
    except MlflowException as error:
        if away(error):
            raise
        raise Mistake(
            f"{store.root} has no run {run_id!r}: take an id from MLflow, or leave --run out for the best."
        ) from None
    settings, weights = artifact(store, original, SPEC), artifact(store, kept, WEIGHTS)
    if settings is None or weights is None:
        raise Mistake(f"the run {run_id!r} keeps no weights: name one that finished, or leave --run out.")
    spec = parse(json.loads(settings))
    model = Autoencoder(spec.model, len(class_names(spec.data.classes)), spec.seed)
    model.load_state_dict(load(weights))
    return spec, model
