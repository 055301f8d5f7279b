"""Files of a run that were replaced by others: one sentence, and nothing is ever unpickled."""

import ast
import json
import pickle
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load, save

import ablation
from ablation.emoji import weights
from ablation.emoji.model import Autoencoder
from ablation.emoji.protocols import composed
from ablation.emoji.weights import FILE, SETTINGS, model_of, restore
from ablation.errors import UserError
from ablation.runner.scheduler import run_study
from ablation.runner.verify import verify
from ablation.settings import vary
from ablation.study import Study
from ablation.tracking.reuse import trained_run
from ablation.tracking.store import Store
from analogies import draw_shapes
from engines import InlineEngine

PACKAGE = Path(ablation.__file__).parent


class Trap:
    """Unpickled, it makes a file."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (self.place,)


@pytest.fixture(scope="module")
def ran(blank: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, Path]:
    """Two arms of one training, run for one seed: the store's folder."""
    root = tmp_path_factory.mktemp("weights")
    settings = {"data.sources": (str(draw_shapes(root / "shapes.parquet")),), "data.common": ""}
    settings |= {"model.channels": (4, 8), "model.latent_dim": 8, "train.steps": 3}
    base = vary(composed, settings)
    arms = {"as it is": {}, "mean": {"compose.method": "mean"}}
    study = Study(
        name="trunks", question="?", source="a double", baseline=base, arms=arms, seeds=1,
        measures={"test_mse": 0.05},
    )  # fmt: skip
    store = Store(Path(shutil.copytree(blank, root / "store")))
    run_study(study, store, InlineEngine(), 1)
    return study, store.root


def kept(store: Store, name: str = FILE) -> Path:
    """The one file of that name that a run keeps."""
    (found,) = (store.root / "artifacts" / "trunks").glob(f"*/artifacts/{name}")
    return found


def author(data: bytes) -> dict[str, str]:
    return dict(json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"])


def changed(data: bytes, change: Callable[[str, torch.Tensor], torch.Tensor]) -> bytes:
    return save({name: change(name, one) for name, one in load(data).items()}, author(data))


FOREIGN: dict[str, tuple[Callable[[bytes, Path], bytes], str]] = {
    "a pickle": (lambda data, place: pickle.dumps(Trap(place)), "are no safetensors"),
    "cut off": (lambda data, place: data[: len(data) // 2], "are no safetensors"),
    "empty": (lambda data, place: b"", "are no safetensors"),
    "a header of exabytes": (lambda data, place: b"\xff" * 7 + b"\x0f" + data[8:], "are no safetensors"),
    "of another run": (lambda data, place: save(load(data), {"fingerprint": "0" * 16}), "not written by it"),
    "of nobody": (lambda data, place: save(load(data)), "not written by it"),
    "of other names": (
        lambda data, place: save({f"x.{name}": one for name, one in load(data).items()}, author(data)),
        "do not fit its network",
    ),
    "of other shapes": (
        lambda data, place: changed(data, lambda name, one: one.repeat(2, *[1] * (one.dim() - 1))),
        "do not fit its network",
    ),
    "of another type": (
        lambda data, place: changed(data, lambda name, one: one.half()),
        "do not fit its network",
    ),
    "not finite": (
        lambda data, place: changed(data, lambda name, one: one * float("nan")),
        "do not fit its network",
    ),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_weights_from_elsewhere_are_a_sentence(ran: tuple[Study, Path], tmp_path: Path, kind: str) -> None:
    study, root = ran
    store, trap = Store(root), tmp_path / "trap"
    make, problem = FOREIGN[kind]
    place = kept(store)
    own = place.read_bytes()
    run_id = place.parts[-3]
    place.write_bytes(make(own, trap))
    try:
        with pytest.raises(UserError, match=f"the weights that the run {run_id} keeps .*{problem}"):
            model_of(store, run_id)
        key = store.client.get_run(run_id).data.tags["training"]
        taken = trained_run(store, key, study.experiment)
        assert taken is not None
        with pytest.raises(UserError, match="delete the run in MLflow"):
            restore(Autoencoder(study.baseline.model, 0, 0), taken)
        if kind not in ("of another run", "of nobody"):
            assert [one.kept for one in verify(study, store)] == [False, True]
    finally:
        place.write_bytes(own)
    assert not trap.exists()


def test_the_cell_that_would_take_them_fails_and_says_why(ran: tuple[Study, Path], tmp_path: Path) -> None:
    study, root = ran
    store = Store(root)
    place = kept(store)
    own = place.read_bytes()
    more = replace(study, name="more", arms={"as it is": {}, "pca": {"compose.method": "pca"}})
    place.write_bytes(pickle.dumps(Trap(tmp_path / "trap")))
    try:
        progress = run_study(more, store, InlineEngine(), 1)
    finally:
        place.write_bytes(own)
    (reason,) = progress.failed.values()
    assert "are no safetensors: delete the run in MLflow" in reason
    assert not (tmp_path / "trap").exists()
    assert run_study(more, store, InlineEngine(), 1).failed == {}


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"train.epochs": "many", "train.steps": 0}', "\ud800"]
)
def test_settings_from_elsewhere_are_a_sentence(ran: tuple[Study, Path], text: str) -> None:
    store = Store(ran[1])
    place = kept(store).with_name(SETTINGS)
    own = place.read_bytes()
    place.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        with pytest.raises(UserError):
            model_of(store, place.parts[-3])
    finally:
        place.write_bytes(own)


def mutilations(cases: int) -> Callable[[], None]:
    model = Autoencoder(vary(composed, {"model.channels": (2,), "model.latent_dim": 2}).model, 0, 0)
    whole = save({name: one.contiguous() for name, one in model.state_dict().items()}, {"fingerprint": "x"})
    head = 8 + int.from_bytes(whole[:8], "little")

    @settings(max_examples=cases, deadline=None, database=None)
    @given(st.lists(st.tuples(st.integers(0, head), st.integers(0, 255)), max_size=6), st.integers(0, head))
    def one(bytes_: list[tuple[int, int]], cut: int) -> None:
        data = bytearray(whole)
        for place, byte in bytes_:
            data[place] = byte
        found, _ = weights._read(bytes(data[cut:] if cut % 3 == 0 else data))
        assert found is None or all(isinstance(tensor, torch.Tensor) for tensor in found.values())

    return one


def test_mutilated_weights_are_tensors_or_nothing() -> None:
    mutilations(300)()


@pytest.mark.slow
def test_many_mutilated_weights_are_tensors_or_nothing(rounds: Callable[[int, int], int]) -> None:
    mutilations(rounds(10_000, 1_000))()


# What Python has for reading objects, and for running text, a string at a time.
MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "yaml"}
CALLS = {
    *("eval", "exec", "compile", "__import__", "os.system", "os.popen"),
    *("torch.load", "torch.hub.load", "torch.jit.load", "np.load", "numpy.load"),
    *("pd.read_pickle", "pandas.read_pickle", "mlflow.pytorch.load_model"),
}
FLAGS = {"allow_pickle", "shell", "trust_remote_code"}


def readers(text: str) -> list[str]:
    """Every use in the source of what would run what it reads."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.split(".")[0] in MODULES]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found += [name for name in names if name.split(".")[0] in MODULES or name in CALLS]
        elif isinstance(node, ast.Call):
            found += [name for name in [ast.unparse(node.func)] if name in CALLS]
            found += [word.arg for word in node.keywords if word.arg in FLAGS]
    return found


def test_nothing_in_the_package_reads_objects_or_runs_text() -> None:
    """The processes of a study pass their own tasks and outcomes as pickles (pebble, Ray); no file is one."""
    paths = sorted(PACKAGE.rglob("*.py"))
    assert len(paths) > 100
    found = {path.relative_to(PACKAGE).as_posix(): readers(path.read_text()) for path in paths}
    # The functions of a study's file travel to its own workers.
    assert {name: readers for name, readers in found.items() if readers} == {
        "runner/worker.py": ["cloudpickle"]
    }
    assert readers("import pickle\nfrom torch import load\ntorch.load(f)\nrun(x, shell=True)\neval('1')") == [
        *("pickle", "torch.load", "torch.load", "shell", "eval")
    ]
