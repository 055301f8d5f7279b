"""Write one run: parameters as the spec spells them, curves as they come, results and files at the end."""

import json
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import pandas as pd
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from safetensors.torch import save_file

from ablation.learn.run import Result, Trained
from ablation.learn.train import Diverged, Epoch
from ablation.spec import RunSpec, fingerprint, flat, trunk
from ablation.track.artifacts import COMPOSITION, SPEC, WEIGHTS
from ablation.track.origin import origin
from ablation.track.pictures import save_composites, save_learning_curves, save_reconstructions
from ablation.track.store import ROLE_CELL, Store

NAME_LETTERS = 500  # that MLflow has room for in the name of a data set; spec.json has it whole
FLUSH_SECONDS = 2.0  # so that quick epochs cost one write in two seconds, and a crash loses no more


# MLflow draws a chart for every metric, those with a prefix in a section of their own: so what a reader
# compares comes first, and what is only counted or timed further down.
SHELVES = {
    "images_per_second": "speed/",
    "seconds": "speed/",
    "images_": "size/",
    "originals_": "size/",
    "parameters": "size/",
    "gain_of_": "composition/",
    "truths_": "composition/",
    "pool_": "composition/",
    "strength_": "composition/",
    "rank_": "composition/",
    "coherence_": "composition/",
}


def shelved(name: str) -> str:
    """The metric's name in MLflow: with the prefix of its section, if it has one."""
    return next((shelf for start, shelf in SHELVES.items() if name.startswith(start)), "") + name


@dataclass(frozen=True)
class Label:
    """What places a run in its study: the arm's name beside the experiment and the fingerprints."""

    study: str
    arm: str
    fingerprint: str
    data: str
    quick: bool = False

    def tags(self, seed: int) -> dict[str, str]:
        """As MLflow's tags; all of a run's place in its study can be searched by them."""
        return {
            "study": self.study,
            "arm": self.arm,
            "seed": str(seed),
            "role": ROLE_CELL,
            "fingerprint": self.fingerprint,
            "data": self.data,
            "mlflow.runName": f"{self.arm}, seed {seed}" + (" (quick)" if self.quick else ""),
        } | ({"quick": "smoke budget: the numbers mean nothing"} if self.quick else {})


class Recorder:
    """An open run: takes epochs as they end and the result at last."""

    def __init__(self, store: Store, run_id: str, how: Mapping[str, str]) -> None:
        self.client, self.run_id, self.how = store.client, run_id, how
        self._waiting: list[Metric] = []
        self._flushed = time.monotonic()

    def epoch(self, epoch: Epoch) -> None:
        """Keep an epoch's measures; written with others, at most FLUSH_SECONDS later."""
        now = int(time.time() * 1000)
        self._waiting += [Metric(name, value, now, epoch.number) for name, value in epoch.metrics.items()]
        if time.monotonic() - self._flushed > FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        if self._waiting:
            self.client.log_batch(self.run_id, metrics=self._waiting)
            self._waiting = []
        self._flushed = time.monotonic()

    def result(self, result: Result, trained: Trained | None = None) -> None:
        """Write the final numbers and the run's files; the weights stay with the run that trained them."""
        self.flush()
        now = int(time.time() * 1000)
        speed = {"seconds": result.seconds, "images_per_second": result.images_per_second}
        numbers = [Metric(shelved(name), value, now, 0) for name, value in (result.metrics | speed).items()]
        self.client.log_batch(self.run_id, metrics=numbers)
        with tempfile.TemporaryDirectory() as folder:
            _write_files(result, Path(folder), self.how)
            if trained is None:
                _write_weights(result, Path(folder))
            self.client.log_artifacts(self.run_id, folder)


@contextmanager
def recording(
    store: Store,
    experiment: str,
    spec: RunSpec,
    label: Label,
    trained: Trained | None = None,
    how: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Recorder]:
    """A new run that ends FINISHED, FAILED (an error) or KILLED (an interrupt), as its body ends.

    A diverged run is FAILED with the tag outcome=diverged: the spec decides it, so it is a result. The tag
    `trunk` is what it trains, and `built_on` the run whose weights it took, where it took any. `how` it is
    trained, where that is not by one thread of the CPU, is added to the tags and to environment.json.
    """
    tags = (
        label.tags(spec.seed) | _origin_tags() | {"trunk": fingerprint(trunk(spec), label.data)} | dict(how)
    )
    if trained is not None:
        tags["built_on"] = trained.run_id
    run = store.client.create_run(experiment, tags=tags)
    recorder = Recorder(store, run.info.run_id, how)
    status = "KILLED"
    try:
        store.client.log_batch(recorder.run_id, params=[Param(k, _spell(v)) for k, v in flat(spec).items()])
        _log_dataset(store, recorder.run_id, _dataset(spec, label.data))
        yield recorder
        status = "FINISHED"
    except Exception as error:
        status = "FAILED"
        outcome = "diverged" if isinstance(error, Diverged) else "failed"
        recorder.flush()
        why = [RunTag("outcome", outcome), RunTag("error", f"{type(error).__name__}: {error}"[:4000])]
        store.client.log_batch(recorder.run_id, tags=why)
        raise
    finally:
        store.client.set_terminated(recorder.run_id, status)


def _log_dataset(store: Store, run_id: str, dataset: DatasetInput) -> None:
    """Name the run's data. MLflow keeps a data set once an experiment, looks whether it is there and
    then writes it: of two runs that do so at one moment the later fails, and finds it when it looks again.
    """
    try:
        store.client.log_inputs(run_id, datasets=[dataset])
    except MlflowException as race:
        if "IntegrityError" not in str(race):
            raise
        store.client.log_inputs(run_id, datasets=[dataset])


def _write_weights(result: Result, folder: Path) -> None:
    weights = {name: tensor.contiguous() for name, tensor in result.model.state_dict().items()}
    save_file(weights, folder / WEIGHTS, metadata={"fingerprint": result.fingerprint})


def _write_files(result: Result, folder: Path, how: Mapping[str, str]) -> None:
    save_learning_curves(result.history, folder / "learning_curves.png")
    save_reconstructions(result, folder / "reconstructions.png")
    if result.composition.rows:
        save_composites(result.composition, folder / "composites.png")
        pd.DataFrame(result.composition.rows).to_csv(folder / COMPOSITION, index=False)
    (folder / SPEC).write_text(json.dumps(flat(result.spec), indent=1) + "\n")
    here = origin()
    environment = {"packages": here.packages, "hardware": here.hardware | dict(how), "commit": here.commit}
    (folder / "environment.json").write_text(json.dumps(environment, indent=1) + "\n")
    if here.diff:
        (folder / "git.diff").write_text(here.diff)


def _origin_tags() -> dict[str, str]:
    here = origin()
    code = {"mlflow.source.git.commit": here.commit, "dirty": str(bool(here.diff))} if here.commit else {}
    packages = {"packages": ", ".join(f"{name} {number}" for name, number in here.packages.items())}
    source = {"mlflow.source.name": "ablation run", "mlflow.source.type": "LOCAL"}
    return source | here.hardware | packages | code


def _dataset(spec: RunSpec, data: str) -> DatasetInput:
    source = json.dumps({"sources": spec.data.sources})
    profile = json.dumps({"keyword": spec.data.keyword, "classes": spec.data.classes})
    name = ", ".join(spec.data.sources)[:NAME_LETTERS]
    return DatasetInput(
        Dataset(name=name, digest=data, source_type="ablation", source=source, profile=profile),
        [InputTag("mlflow.data.context", "training")],
    )


def _spell(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
