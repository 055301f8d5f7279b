"""The words under which a run is recorded: its place in its study, its origin, data and metrics."""

import json
from dataclasses import dataclass

from ablation.emoji.spec import RunSpec
from ablation.measures import COMPOSING
from ablation.tracking.origin import origin
from ablation.tracking.store import ROLE_CELL

NAME_LETTERS = 500  # that MLflow has room for in the name of a data set; spec.json has it whole

# MLflow draws a chart for every metric, those with a prefix in a section of their own: so what a reader
# compares comes first, and what is only counted or timed further down.
SHELVES = {
    "images_per_second": "speed/",
    "seconds": "speed/",
    "images_": "size/",
    "originals_": "size/",
    "parameters": "size/",
} | dict.fromkeys(COMPOSING, "composition/")


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


def origin_tags() -> dict[str, str]:
    """What computed a run: code, machine and packages, as MLflow's tags."""
    here = origin()
    code = {"mlflow.source.git.commit": here.commit, "dirty": str(bool(here.diff))} if here.commit else {}
    packages = {"packages": ", ".join(f"{name} {number}" for name, number in here.packages.items())}
    source = {"mlflow.source.name": "ablation run", "mlflow.source.type": "LOCAL"}
    return source | here.hardware | packages | code


def dataset_of(spec: RunSpec, data: str) -> dict[str, str]:
    """What MLflow is told of the images, whose fingerprint is `data`."""
    return {
        "name": ", ".join(spec.data.sources)[:NAME_LETTERS],
        "digest": data,
        "source": json.dumps({"sources": spec.data.sources}),
        "profile": json.dumps({"keyword": spec.data.keyword, "classes": spec.data.classes}),
    }


def spelt(value: object) -> str:
    """A setting as MLflow's parameters have it."""
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
