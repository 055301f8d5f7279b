"""The report's network as an experiment of the suite. Light: what trains is imported where it is needed."""

import json
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablation.emoji.extra import ATTACK_LIBRARY, check_attacks, check_installed, missing
from ablation.emoji.measures import COMPOSED, CURVES, GAP, MEASURES, NO_ITEMS, ROBUST, composes, composing
from ablation.emoji.spec import TRAINED_REFINERS, RunSpec, Source, training
from ablation.errors import UserError
from ablation.experiment import Diverged, Experiment, Replication, Run
from ablation.fingerprint import fingerprint

if TYPE_CHECKING:
    import pandas as pd

    from ablation.emoji.data.images import Images
    from ablation.emoji.result import Result
    from ablation.emoji.train import Epoch
    from ablation.report.gallery import Gallery
    from ablation.study import Study

QUICK_STEPS = 20
NOTE = "duplicates"
"""The note of a run that names a test picture and a training picture that look alike."""
BUDGET = ("train.epochs", "train.steps")
SECTIONS = {"images_per_second": "speed", "seconds": "speed"}
SECTIONS |= dict.fromkeys(("images_", "originals_", "duplicates_", "near_duplicates_", "parameters"), "size")
WANTED = {
    "subgroups": "images with subgroups (a column 'subgroup' with two or more of at least 5 subjects)",
    "other": "images of such subgroups that are no faces (whose subgroups begin with 'face-')",
    "common": "held-out texts that contain data.common",
    "mood": "held-out faces of Unicode's happy and sad subgroups, and classes that speak of happy and sad",
    "faces": "faces of Unicode's happy and sad subgroups, of both to learn from and of both held out",
    "worn": "held-out faces with hearts, tears or a tongue, and a plain face of the same vendor",
    "analogies": "families of analogies with truths among the validation and the test images",
    "large": "a family of analogies of whose truths about twenty are tested in a run",
    "vendors": "emoji that several vendors drew, of which some are among the validation and the test images",
}
"""What a measure needs beyond the run's own test set, by `EmojiMeasure.needs`."""
SLOW_BFLOAT16 = 10.0  # times: what bfloat16 takes of float32's time where the processor has no units for it
BFLOAT16_FLAGS = frozenset(("avx512_bf16", "amx_bf16", "bf16"))
"""Of which /proc/cpuinfo names one where there are such units; the last is ARM's."""


class EmojiExperiment(Experiment):
    """Settings are a `RunSpec`."""

    name = "emoji"
    measures = MEASURES
    curves = CURVES
    machine_metrics = ("seconds", "images_per_second")
    kept_file = "model.safetensors"
    strata = COMPOSED
    exact_files = ("model.safetensors", "refiner.safetensors")
    tolerance = {"test_mse": 0.05}  # noqa: RUF012
    packages = ("torch", "torchvision", "datasets", "scikit-learn", "pillow", ATTACK_LIBRARY)
    preload = ("ablation.emoji.run_files", "ablation.emoji.determinism", "torch._dynamo")
    sheet = "reconstructions.png"
    about = (
        "The report is a student's: an autoencoder of emoji at 64x64 pixels, the same network trained "
        "jointly with a classifier, and composites such as a cat with heart-shaped eyes. Its claims and the "
        "experiments that it proposes are quoted, and put to the test."
    )
    outline = {  # noqa: RUF012
        "1": "MSE autoencoder",
        "2": "Encoder-classifier",
        "3": "Composite image generator",
    }

    def train(self, settings: RunSpec, seed: int, run: Run) -> Mapping[str, float]:
        """Train and measure, and compose where the study asks for it; with one thread, deterministic."""
        from ablation.emoji import run as running
        from ablation.emoji.determinism import deterministic

        with deterministic(flush=settings.train.subnormals == "flush"):
            result = running.run(
                settings,
                seed,
                lambda epoch: run.log(epoch.metrics, epoch.steps),
                run.trained,
                run.measures,
            )
            return self._recorded(result, settings, seed, run)

    def _recorded(self, result: "Result", settings: RunSpec, seed: int, run: Run) -> Mapping[str, float]:
        """Keep the run's files and items, and give its numbers."""
        from ablation.emoji.run_files import items_of, write_files
        from ablation.emoji.weights import REFINER, save

        kept = write_files(result, run.folder)
        if not settings.data.folds:  # of several networks none stands for the run
            own = fingerprint(self, settings, seed, self.version(settings))
            if run.trained is None:
                kept.append(run.folder / self.kept_file)
                save(result.model, own, kept[-1])
            if result.model.refiner is not None:
                kept.append(run.folder / REFINER)
                save(result.model.refiner, own, kept[-1])
        for path in kept:
            run.artifact(path)
        if example := result.duplicates.example:
            run.note(NOTE, example)
        if result.composition.rows:
            run.items(items_of(result.composition))
        if len(result.items):
            run.items(result.items)
        return result.numbers

    def check(self, settings: RunSpec, seed: int, measures: Sequence[str]) -> None:
        """The images can be split as declared, and what is held out suffices for every measure."""
        check_installed("this study")
        attacks = {settings.augment.attack} | {ROBUST[name][0] for name in measures if name in ROBUST}
        if attacks - {"none", "noise"}:
            check_attacks()
        from ablation.emoji.run import lacking

        lacks = lacking(settings, seed, {MEASURES[name].needs for name in measures} & WANTED.keys())
        for name in measures:
            if (needed := MEASURES[name].needs) in lacks:
                raise UserError(
                    f"{name} wants {WANTED[needed]}, but the images have none: drop the measure, or take "
                    "other images."
                )

    def check_study(self, study: "Study") -> None:
        """Every arm has classes where a measure wants them, and the same: to be right among five is not to
        be right between two.
        """
        self._check_folds(study)
        sets: dict[str, str] = {arm: spec.data.classes for arm, spec in study.declared.items()}
        first, own = next(iter(sets.items()))
        for gate in study.gates:
            arm = gate.of_arm(study)
            if MEASURES[gate.measure].needs == "classes" and sets[arm] == "none":
                raise UserError(
                    f"{gate.measure} wants classes, but data.classes of the arm {arm!r} is 'none': name "
                    "another measure or arm of the gate."
                )
        for name in (name for name in study.measures if MEASURES[name].needs == "classes"):
            for arm, classes in sets.items():
                if classes == "none":
                    raise UserError(f"{name} wants classes, but data.classes of the arm {arm!r} is 'none'.")
            for arm, classes in sets.items():
                if classes != own:
                    raise UserError(
                        f"{name} wants the same classes in every arm, but data.classes is {own!r} in "
                        f"{first!r} and {classes!r} in {arm!r}: measure mood_balanced_accuracy, which maps "
                        "predictions back to happy and sad."
                    )

    def _check_folds(self, study: "Study") -> None:
        """With folds every measure is one that all networks of a run give together; see `NO_ITEMS`."""
        folds = {arm: spec.data.folds for arm, spec in study.declared.items()}
        if not any(folds.values()):
            return
        if without := [arm for arm, number in folds.items() if not number]:
            raise UserError(
                "data.folds tests every picture, and a single split some, but the study has arms of both "
                f"kinds ({without[0]!r} has no folds): give every arm data.folds, or none."
            )
        for name in study.recorded():
            if composes([name]):
                raise UserError(
                    f"{name} wants one network whose codes are composed, but data.folds trains several: "
                    "leave data.folds at 0, or drop the measure."
                )
        for name in study.measures:
            if study.of_items and (name in NO_ITEMS or MEASURES[name].validation):
                raise UserError(
                    f"{name} is no mean over test pictures, which are a sample here: drop the measure, or "
                    'declare replication="training", whose conclusions are about these pictures alone.'
                )
        for arm, spec in study.declared.items():
            trained, tested = spec.data.train_vendors, spec.data.test_vendors
            if GAP in study.recorded(arm) and trained and tested and not {*trained} & {*tested}:
                raise UserError(
                    f"{GAP} compares pictures that are tested with themselves in training, but no vendor of "
                    f"the arm {arm!r} is in both data.train_vendors and data.test_vendors: drop the "
                    "measure, or name one in both."
                )

    def source(self, settings: RunSpec) -> str:
        """The sources, separated by commas."""
        return ", ".join(settings.data.sources)

    def version(self, settings: RunSpec) -> str:
        """The fingerprint of the images."""
        return _load(settings).fingerprint

    def dataset(self, settings: RunSpec) -> Mapping[str, str]:
        """The sources, and what chooses among their images."""
        data = settings.data
        return {
            "name": self.source(settings),
            "source": json.dumps({"sources": data.sources}),
            "profile": json.dumps({"keyword": data.keyword, "classes": data.classes}),
        }

    def remarks(self, settings: RunSpec) -> Iterable[str]:
        """What of the sources is not among the images."""
        return _load(settings).left_out

    def located(self, settings: Mapping[str, Any], folder: Path) -> Mapping[str, Any]:
        """The sources that are paths."""
        names = settings.get("data.sources", ())
        if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
            return {}  # which is refused in a sentence, wherever the study is
        return {"data.sources": tuple(Source.beside(folder, name) for name in names)} if names else {}

    def replication(self, settings: RunSpec) -> Replication:
        """Train and test are drawn anew from one pool under every seed; with folds all is tested."""
        if folds := settings.data.folds:
            units = "subject" if settings.data.split == "subject" else "picture"
            return Replication(
                "items",
                words=f"every {units} is tested once under each seed, which draws {folds} folds: each of "
                f"{folds} networks is tested on one",
            )
        parts = settings.data.parts
        words = f"all splits are drawn from one pool of images, {' : '.join(map(str, parts))}"
        return Replication("split", parts[2] / parts[0], words)

    def training(self, settings: RunSpec) -> RunSpec:
        """Composing and refining change no weight of the autoencoder."""
        return training(settings)

    def cost(self, settings: RunSpec, seed: int, reuses: bool) -> float:
        """Floating-point operations; more where they are slow here."""
        from ablation.emoji.cost import composing_flops, refining_flops, run_flops
        from ablation.emoji.run import sizes

        if reuses and not settings.data.folds:
            return composing_flops(settings) + refining_flops(settings)
        slow = SLOW_BFLOAT16 if _slow(settings) else 1.0
        return slow * sum(run_flops(settings, *pictures) for pictures in sizes(settings, seed))

    def warnings(self, settings: RunSpec) -> Iterable[str]:
        """What is worth knowing before these settings are trained on this machine, a sentence each."""
        yield from self.remarks(settings)
        if _slow(settings):
            yield (
                "train.precision is bfloat16, but this processor has no units for it: training takes about "
                f"{SLOW_BFLOAT16:.0f} times as long as with float32."
            )

    def on_demand(self, metric: str) -> bool:
        """Composing takes time, and so do some measures: they are taken where a study asks for them."""
        return composing(metric) or (metric in MEASURES and MEASURES[metric].on_demand)

    def section(self, metric: str) -> str:
        """What a reader compares comes first, what is only counted or timed further down."""
        if composing(metric) and metric not in MEASURES:
            return "composition"
        return next((section for start, section in SECTIONS.items() if metric.startswith(start)), "")

    def quick(self, changes: Mapping[str, Any], number: int) -> Mapping[str, Any]:
        """A few steps; arms that differ in their budget still differ, by a step."""
        if number == 0:
            return {"train.epochs": 0, "train.steps": QUICK_STEPS}
        if changes.get("refine.kind") in TRAINED_REFINERS:
            changes = {**changes, "refine.steps": QUICK_STEPS}
        kept = {name: value for name, value in changes.items() if name not in BUDGET}
        return kept if len(kept) == len(changes) else kept | {"train.steps": QUICK_STEPS + number}

    def caveats(self, study: "Study", cells: "pd.DataFrame") -> Iterator[str]:
        """What the splits pair, on how many truths gains rest, and how budgets differ."""
        from ablation.emoji.caveats import caveats

        return caveats(study, cells)

    def resolution(self, study: "Study", cells: "pd.DataFrame", measure: str) -> float:
        """What one picture can move a measure that counts pictures."""
        from ablation.emoji.caveats import one_picture

        return one_picture(study, cells, measure)

    def gallery(self, sheets: Mapping[str, bytes]) -> "Sequence[Gallery]":
        """Inputs over what each arm makes of them."""
        from ablation.emoji.run_files import gallery

        return gallery(sheets)

    def examine(self) -> Iterator[tuple[str, bool]]:
        """torch and torchvision come in pairs: another pair fails at import."""
        if lacking := missing():
            yield f"the extra emoji lacks {', '.join(lacking)}", False
            return
        pair = [f"{name} {version(name)}" for name in ("torch", "torchvision")]
        try:
            import torchvision  # noqa: F401
        except (ImportError, RuntimeError) as error:
            yield f"{pair[0]} does not load {pair[1]}: {error}", False
        else:
            yield f"{pair[0]} loads {pair[1]}", True

    def pack(self, settings: RunSpec) -> "Images":
        """The images."""
        return _load(settings)

    def unpack(self, settings: RunSpec, packed: "Images") -> None:
        """Use these images for the sources of the settings, whose files may not be here."""
        from ablation.emoji.data.sources import provide

        provide(settings.data.sources, packed)

    def program(self, settings: RunSpec) -> Hashable:
        """The network and its classes, and what of its training is no number of a step.

        None with folds, with an attack, which takes gradients of its own in every step, and with what
        `replicas` does not have: a rate that decays, and a term of analogies or attributes.
        """
        train, attack = settings.train, settings.augment.attack
        more = train.decay != "none" or train.analogy_weight or train.attribute_weight
        if settings.data.folds or attack != "none" or more:
            return None
        return settings.model, settings.data.classes, settings.train.kind

    def train_together(
        self, cells: Sequence[tuple[RunSpec, int, Run]]
    ) -> "Sequence[Mapping[str, float] | Exception]":
        """As `train`, to `replicas.TOLERANCE`; a cell that diverges or fails stops no other.

        What takes the training of another run is not trained, and only measured.
        """
        from ablation.emoji.determinism import deterministic
        from ablation.emoji.replicas import run_together

        training = [cell for cell in cells if cell[2].trained is None]
        measures = {name for _, _, run in training for name in run.measures}

        def on_epoch(number: int, epoch: "Epoch") -> None:
            training[number][2].log(epoch.metrics, epoch.steps)

        ended: list[Mapping[str, float] | Exception] = []
        # All cells of a program agree in it (`TrainSpec.kind`).
        with deterministic(flush=cells[0][0].train.subnormals == "flush"):
            results = iter(run_together([(s, seed) for s, seed, _ in training], on_epoch, measures))
            for settings, seed, run in cells:
                try:
                    if run.trained is not None:
                        ended.append(self.train(settings, seed, run))
                    elif isinstance(result := next(results), Diverged):
                        ended.append(result)
                    else:
                        ended.append(self._recorded(result, settings, seed, run))
                except Exception as error:
                    ended.append(error)
        return ended


def _load(settings: RunSpec) -> "Images":
    check_installed("this study")
    from ablation.emoji.data.sources import load

    return load(settings.data.sources)


def _slow(settings: RunSpec) -> bool:
    return settings.train.precision == "bfloat16" and not _bfloat16_units()


@cache
def _bfloat16_units() -> bool:
    """Whether the processor multiplies bfloat16 itself; taken to where it cannot be told."""
    try:
        flags = set(Path("/proc/cpuinfo").read_text(encoding="utf-8").split())
    except OSError:
        return True
    return bool(BFLOAT16_FLAGS & flags)


EMOJI = EmojiExperiment()
