"""The report's network as an experiment of the suite. Light: what trains is imported where it is needed."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ablation.emoji.measures import MEASURES, composing
from ablation.emoji.spec import RunSpec, training
from ablation.errors import UserError
from ablation.experiment import Experiment, Replication, Run

if TYPE_CHECKING:
    from ablation.study import Study

QUICK_STEPS = 20
BUDGET = ("train.epochs", "train.steps")
SECTIONS = {"images_per_second": "speed", "seconds": "speed", "images_": "size", "originals_": "size"}
SECTIONS |= {"parameters": "size"}


class EmojiExperiment(Experiment):
    """Settings are a `RunSpec`."""

    name = "emoji"
    measures = MEASURES
    curves = {"mse": "MSE", "cross_entropy": "Cross-entropy, nats", "accuracy": "Accuracy"}  # noqa: RUF012
    machine_metrics = ("seconds", "images_per_second")
    kept_file = "model.safetensors"
    exact_files = ("model.safetensors",)
    tolerance = {"test_mse": 0.05}  # noqa: RUF012
    packages = ("torch", "torchvision", "datasets", "scikit-learn", "pillow")
    preload = ("ablation.emoji.run", "torch._dynamo")
    sheet = "reconstructions.png"
    outline = {  # noqa: RUF012
        "1": "MSE autoencoder",
        "2": "Encoder-classifier",
        "3": "Composite image generator",
    }

    def train(self, settings: RunSpec, seed: int, run: Run) -> Mapping[str, float]:
        raise NotImplementedError

    def check_study(self, study: "Study") -> None:
        """Every arm has classes where a measure wants them, and the same: to be right among five is not to
        be right between two.
        """
        for name in study.measures:
            if MEASURES[name].needs == "classes":
                _check_classes(study, name)

    def source(self, settings: RunSpec) -> str:
        """The sources, separated by commas."""
        return ", ".join(settings.data.sources)

    def replication(self, settings: RunSpec) -> Replication:
        """Train and test are drawn anew from one pool of images under every seed."""
        parts = settings.data.parts
        words = f"all splits are drawn from one pool of images, {' : '.join(map(str, parts))}"
        return Replication("split", parts[2] / parts[0], words)

    def training(self, settings: RunSpec) -> RunSpec:
        """Composing changes no weight."""
        return training(settings)

    def on_demand(self, metric: str) -> bool:
        """Composing takes time, and is done where a study asks for it."""
        return composing(metric)

    def section(self, metric: str) -> str:
        """What a reader compares comes first, what is only counted or timed further down."""
        if composing(metric) and metric not in MEASURES:
            return "composition"
        return next((section for start, section in SECTIONS.items() if metric.startswith(start)), "")

    def quick(self, changes: Mapping[str, Any], number: int) -> Mapping[str, Any]:
        """A few steps; arms that differ in their budget still differ, by a step."""
        if number == 0:
            return {"train.epochs": 0, "train.steps": QUICK_STEPS}
        kept = {name: value for name, value in changes.items() if name not in BUDGET}
        return kept if len(kept) == len(changes) else kept | {"train.steps": QUICK_STEPS + number}


def _check_classes(study: "Study", name: str) -> None:
    sets: dict[str, str] = {arm: spec.data.classes for arm, spec in study.declared.items()}
    first, own = next(iter(sets.items()))
    for arm, classes in sets.items():
        if classes == "none":
            raise UserError(f"{name} wants classes, but data.classes of the arm {arm!r} is 'none'.")
    for arm, classes in sets.items():
        if classes != own:
            raise UserError(
                f"{name} wants the same classes in every arm, but data.classes is {own!r} in {first!r} and "
                f"{classes!r} in {arm!r}: measure mood_balanced_accuracy, which maps predictions back to "
                "happy and sad."
            )


EMOJI = EmojiExperiment()
