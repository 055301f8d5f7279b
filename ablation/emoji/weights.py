"""Weights that a run left, so that nobody trains them twice.

They are safetensors, which hold numbers alone: nothing that is read is ever unpickled.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save_file
from torch import Tensor, nn

from ablation.emoji.model import Autoencoder, seeded
from ablation.emoji.refine import Grain, Refiner
from ablation.emoji.spec import RunSpec, parse
from ablation.emoji.train import Epoch
from ablation.errors import UserError
from ablation.experiment import Trained

if TYPE_CHECKING:
    from ablation.tracking import Store

FILE, REFINER = "model.safetensors", "refiner.safetensors"
SETTINGS = "settings.json"  # that every run keeps: the flat form of its settings


def save(network: nn.Module, fingerprint: str, path: Path) -> None:
    """Write the weights by their names, with the fingerprint of the run that trained them.

    Those of an autoencoder are without its refiner's, which are a file of their own: runs of one training
    have different refiners.
    """
    own = {name: one for name, one in network.state_dict().items() if not name.startswith("refiner.")}
    weights = {name: tensor.contiguous() for name, tensor in own.items()}
    save_file(weights, path, metadata={"fingerprint": fingerprint})


def restore(model: Autoencoder, trained: Trained) -> Iterable[Epoch]:
    """Give the model the weights of that run; its learning curves as epochs, whose seconds are 0.

    Raises `UserError` as `load_weights` does.
    """
    load_weights(model, trained)
    return _history(trained)


def load_weights(network: nn.Module, trained: Trained) -> None:
    """Give the network the weights of that run.

    Raises `UserError` where the file is no safetensors, was written by another run, or fits no such network.
    """
    weights, author = _read(trained.content)
    if weights is None:
        problem = "are no safetensors"
    elif author != trained.fingerprint:
        problem = "were not written by it"
    elif not _like(weights, network.state_dict()):
        problem = "do not fit its network"
    else:
        network.load_state_dict(weights)
        return
    raise UserError(
        f"the weights that the run {trained.run_id} keeps {problem}: delete the run in MLflow, and its study "
        "trains it again."
    )


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


def _history(trained: Trained) -> list[Epoch]:
    epochs: dict[int, dict[str, float]] = {}
    for name, points in trained.curves.items():
        for step, value in points:
            epochs.setdefault(step, {})[name] = value
    return [Epoch(number, steps, 0, epochs[steps], 0.0) for number, steps in enumerate(sorted(epochs), 1)]


def best_run(store: "Store") -> str:
    """The id of the finished run with weights whose composition gain is highest; else of least test MSE.

    The gain is that of large families where some run has it. Runs of several networks keep no weights.
    """
    from ablation.tracking import standing

    runs = standing(store)
    if runs.empty and len(smoke := standing(store, quick=True)):
        raise UserError(
            f"{store.root} has finished runs of a smoke budget alone, whose networks have learned next to "
            f"nothing: run a study without --quick, or name one of them, as in --run {smoke.run_id[0]}."
        )
    if "networks" in runs:
        runs = runs[runs["networks"].isna()]
    if runs.empty:
        raise UserError(f"{store.root} has no finished run with weights: run a study first.")
    gains = [name for name in ("gain_large", "gain") if name in runs and runs[name].notna().any()]
    better = [*gains, "test_mse"][0]
    return str(runs.sort_values(better, ascending=not gains, kind="stable").run_id.iloc[0])


def model_of(store: "Store", run_id: str) -> tuple[RunSpec, int, Autoencoder]:
    """Settings, seed and trained network of a finished run; of one that took another's weights, those.

    With its refiner, where it has one.

    Raises `UserError` where there is no such run, or none of its files.
    """
    from ablation.tracking import artifact, tags_of

    tags = tags_of(store, run_id)
    if tags is None:
        raise UserError(
            f"{store.root} has no run {run_id!r}: take an id from MLflow, or leave --run out for the best."
        )
    original = tags.get("reused_from", run_id)
    author = (tags_of(store, original) or tags).get("built_on", original)
    settings, kept = artifact(store, original, SETTINGS), artifact(store, author, FILE)
    if settings is None or kept is None:
        raise UserError(f"the run {run_id!r} keeps no weights: name one that finished, or leave --run out.")
    try:
        spec, seed = parse(json.loads(settings)), int(tags["seed"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"the settings that the run {original} keeps ({SETTINGS}) cannot be read: name another run."
        ) from error
    # As many classes as the weights have: those of a column are known with the images alone.
    classes = len((_read(kept)[0] or {}).get("classifier.weight", ()))
    model = Autoencoder(spec.model, classes, seed)
    restore(model, Trained(author, (tags_of(store, author) or {}).get("fingerprint", ""), kept, {}))
    if spec.refine.kind != "none":
        own = (tags_of(store, original) or {}).get("fingerprint", "")
        grain = spec.refine.kind == "grain"
        refiner = Grain(spec.refine.grain, seed) if grain else seeded(seed, "refiner", Refiner)
        model.refiner = refiner.eval()
        load_weights(model.refiner, Trained(original, own, artifact(store, original, REFINER) or b"", {}))
    return spec, seed, model
