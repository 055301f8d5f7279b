"""Weights that a run left, so that nobody trains them twice.

They are safetensors, which hold numbers alone: nothing that is read is ever unpickled.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mlflow.exceptions import MlflowException
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from ablation.emoji.data.labels import class_names
from ablation.emoji.model import Autoencoder
from ablation.emoji.run import Trained
from ablation.emoji.spec import RunSpec, fingerprint, parse, trunk
from ablation.emoji.train import Epoch
from ablation.errors import UserError
from ablation.tracking.artifacts import SPEC, WEIGHTS, artifact
from ablation.tracking.read import CURVES, finished_with, standing
from ablation.tracking.retry import away
from ablation.tracking.store import Store


@contextmanager
def trunk_of(store: Store, spec: RunSpec, data: str) -> Iterator[Trained | None]:
    """What a finished run of the same trunk left, or None: then the trunk's lock is held, to train it once.

    A spec that only trains, and composes as the report did, is its own trunk: it takes the weights of a run
    with its own fingerprint, one that lacks a measure, or its caller would have taken the whole run.
    """
    key = fingerprint(trunk(spec), data)
    if found := trained(store, key, spec):
        yield found
        return
    with store.lock(f"trunk-{key}"):
        yield trained(store, key, spec)


def trained(store: Store, key: str, spec: RunSpec) -> Trained | None:
    """The weights and curves of a finished run whose trunk, that of `spec`, has the fingerprint `key`.

    None where none kept them; a `UserError` where what it kept is not them.
    """
    for run_id in finished_with(store, key):
        weights = weights_of(store, run_id, _untrained(spec))
        if weights is not None:
            return Trained(weights, _history(store, run_id), run_id)
    return None


def weights_of(store: Store, run_id: str, model: Autoencoder) -> dict[str, Tensor] | None:
    """The weights that the run kept, for `model`, by name; None where it kept none.

    Raises `UserError` where the file is no safetensors, was written by another run, or fits no such model.
    """
    kept = artifact(store, run_id, WEIGHTS)
    if kept is None:
        return None
    weights, author = _read(kept)
    if weights is None:
        problem = "are no safetensors"
    elif author != store.client.get_run(run_id).data.tags.get("fingerprint"):
        problem = "were not written by it"
    elif not _like(weights, model.state_dict()):
        problem = "do not fit its network"
    else:
        return weights
    raise UserError(
        f"the weights that the run {run_id} keeps {problem}: delete the run in MLflow, and its study trains "
        "it again."
    )


def _untrained(spec: RunSpec) -> Autoencoder:
    return Autoencoder(spec.model, len(class_names(spec.data.classes)), spec.seed)


def _read(kept: bytes) -> tuple[dict[str, Tensor] | None, str]:
    """The tensors of a file and the fingerprint of the run that wrote it; None and "" where it is broken."""
    try:
        weights = load(kept)
        length = int.from_bytes(kept[:8], "little")
        header = json.loads(kept[8 : 8 + length])
        return weights, str(header.get("__metadata__", {}).get("fingerprint", ""))
    except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError):
        return None, ""


def _like(weights: dict[str, Tensor], own: dict[str, Tensor]) -> bool:
    """Whether names, shapes and types are those of the model, and all numbers finite."""
    return weights.keys() == own.keys() and all(
        weights[name].shape == own[name].shape
        and weights[name].dtype == own[name].dtype
        and bool(torch.isfinite(weights[name]).all())
        for name in own
    )


def same_weights(store: Store, run_id: str, model: Autoencoder) -> bool | None:
    """Whether the model has the weights that the run kept, bit for bit; None where it kept none.

    A file that holds no weights, or others, is not the same.
    """
    kept = artifact(store, run_id, WEIGHTS)
    if kept is None:
        return None
    (recorded, _), own = _read(kept), model.state_dict()
    if recorded is None or recorded.keys() != own.keys():
        return False
    return all(torch.equal(recorded[name], own[name]) for name in own)


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
        raise UserError(f"{store.root} has no finished run with weights: run a study first.")
    better, falls = ("gain", False) if "gain" in runs and runs.gain.notna().any() else ("test_mse", True)
    return str(runs.sort_values(better, ascending=falls, kind="stable").run_id.iloc[0])


def model_of(store: Store, run_id: str) -> tuple[RunSpec, Autoencoder]:
    """The spec and the trained network of a finished run; of one that took another's weights, those.

    Raises `UserError` where there is no such run, or none of its files.
    """
    try:
        original = store.client.get_run(run_id).data.tags.get("reused_from", run_id)
        kept = store.client.get_run(original).data.tags.get("built_on", original)
    except MlflowException as error:
        if away(error):
            raise
        raise UserError(
            f"{store.root} has no run {run_id!r}: take an id from MLflow, or leave --run out for the best."
        ) from None
    spec = _spec_of(store, original)
    model = None if spec is None else _untrained(spec)
    weights = None if model is None else weights_of(store, kept, model)
    if spec is None or model is None or weights is None:
        raise UserError(f"the run {run_id!r} keeps no weights: name one that finished, or leave --run out.")
    model.load_state_dict(weights)
    return spec, model


def _spec_of(store: Store, run_id: str) -> RunSpec | None:
    settings = artifact(store, run_id, SPEC)
    try:
        return None if settings is None else parse(json.loads(settings))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"the settings that the run {run_id} keeps ({SPEC}) cannot be read: name another run."
        ) from error
