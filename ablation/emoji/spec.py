"""The settings of the report's network: data, augmentation, model, training, refinement, composition."""

import dataclasses
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from ablation.emoji.composition.baselines import BASELINES
from ablation.emoji.composition.directions import METHODS, NAMED_DIMS, SUBSPACES
from ablation.emoji.data.classes import scheme_of
from ablation.emoji.measures import ATTACKS
from ablation.errors import UserError
from ablation.fields import checked
from ablation.settings import Settings, setting, vary

if TYPE_CHECKING:
    from ablation.emoji.experiment import EmojiExperiment

SCHEME = "a class scheme: a name, class_scheme({...}) or 'column:NAME'"
SCHEME_SETTINGS = ("classes", "stratify", "among")
"""The settings of `DataSpec` whose value is a class scheme; `among` may be empty."""
PARTS = (3, 1, 1)
ATTACK_STEPS = 7  # Madry et al. 2018
ATTACK_SHARE = 0.5  # as many attacked pictures as clean ones, as the report had, and Goodfellow et al. 2015
FEWEST_FOLDS = 3
REFINING_STEPS = 1000
REFINING_RATE = 1e-3
ADVERSARIAL_WEIGHT = 1e-2
DISCRIMINATOR_RATE = 2e-4
TRAINED_REFINERS = ("plain", "adversarial")


class Source(str):
    """A source as it is written in a study file, equal to its text; a relative path counts from `folder`."""

    folder: str = ""

    @classmethod
    def beside(cls, folder: Path, name: str) -> "Source":
        """The source `name` of a study file in that folder; one that has a folder already keeps it."""
        found = cls(name)
        found.folder = getattr(name, "folder", str(folder))
        return found


@checked
@dataclass(frozen=True, kw_only=True)
class DataSpec(Settings):
    """Which images, which classes, and how they are split (report, parts 1 a and 2 a)."""

    sources: tuple[str, ...] = setting(
        ("emoji",), "'emoji' and others that are shipped, hub names, Parquet files or folders of images"
    )
    keyword: str = setting("face", "keep the texts that contain it; empty keeps all")
    classes: Annotated[str, SCHEME] = setting("none", "class scheme; images without a class are left out")
    stratify: Annotated[str, SCHEME] = setting(
        "happy_sad", "class scheme that the split balances; the same in every arm"
    )
    split: str = setting(
        "subject", "what is assigned to one of the three sets", choices=("subject", "image", "copy")
    )
    parts: tuple[int, ...] = setting(PARTS, "train : validation : test", at_least=1, length=3)
    folds: int = setting(
        0,
        "networks of a run, each tested on a part of its own, so that every picture is tested; 0 trains one",
        at_least=0,
        neutral=0,
    )
    among: Annotated[str, SCHEME] = setting(
        "",
        "class scheme that chooses the images in place of `classes`: those it names no class for stay out, "
        "those `classes` names none for take part unlabelled",
        neutral="",
    )
    train_most: int = setting(
        0, "training originals kept, drawn by the seed; 0 keeps all", at_least=0, neutral=0
    )
    train_vendors: tuple[str, ...] = setting(
        (), "vendors whose drawings are trained and validated on; empty takes all", neutral=()
    )
    test_vendors: tuple[str, ...] = setting(
        (), "vendors whose drawings are tested on; empty takes all", neutral=()
    )
    common: str = setting(
        "face",
        "texts that contain it and are held out form a second test set, alike in every arm",
        neutral="face",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in SCHEME_SETTINGS:
            if scheme := getattr(self, name):
                scheme_of(scheme)
        if not self.folds:
            return
        if self.folds < FEWEST_FOLDS:
            raise UserError(
                f"data.folds wants 0 for one split, or at least {FEWEST_FOLDS}, since a network has a test "
                f"fold, a validation fold and learns from the others, but got {self.folds}."
            )
        if self.split == "copy":
            raise UserError(
                "data.folds wants pictures that no other fold has, but data.split is 'copy': take another "
                "split."
            )
        if self.parts != PARTS:
            raise UserError(
                f"data.folds decides how large the sets are, but data.parts is {self.parts}: leave one out."
            )


@checked
@dataclass(frozen=True, kw_only=True)
class AugmentSpec(Settings):
    """Augmented copies of the training images (report, parts 1 a and 2 e), made once unless `fresh`.

    With an attack (report, part 1 a), a share of the pictures of every batch is changed anew in each step
    (`adversarial.attack_batch`). The other strengths are those of the report's published script: flip,
    rotation by 10 degrees, jitter of 0.2, 0.2, 0.2 and 0.1, in that order, with black corners.
    """

    copies: int = setting(0, "augmented copies beside each original", at_least=0)
    flip: float = setting(0.5, "probability of a horizontal flip", at_least=0, at_most=1)
    rotation_degrees: float = setting(10.0, "angle drawn from [-this, this]", at_least=0, at_most=180)
    brightness: float = setting(0.2, "factor drawn from [1 - this, 1 + this]", at_least=0, at_most=1)
    contrast: float = setting(0.2, "factor drawn from [1 - this, 1 + this]", at_least=0, at_most=1)
    saturation: float = setting(0.2, "factor drawn from [1 - this, 1 + this]", at_least=0, at_most=1)
    hue: float = setting(0.1, "shift drawn from [-this, this] of the colour circle", at_least=0, at_most=0.5)
    fill: float = setting(0.0, "grey level of the corners that a rotation bares", at_least=0, at_most=1)
    fresh: bool = setting(False, "draw the copies anew in every pass, not once", neutral=False)
    held_out: bool = setting(False, "give validation and test pictures copies, too", neutral=False)
    attack: str = setting(
        "none",
        "change pictures of a batch so that the classifier errs, by one step (fgsm) or several (pgd); noise "
        "changes them as much at random",
        choices=("none", *ATTACKS),
        neutral="none",
    )
    attack_strength: float = setting(
        0.0, "most that an attack changes a value of a picture in [0, 1]", at_least=0, at_most=1, neutral=0.0
    )
    attack_steps: int = setting(ATTACK_STEPS, "steps of the attack pgd", at_least=1, neutral=ATTACK_STEPS)
    attack_share: float = setting(
        ATTACK_SHARE,
        "of the pictures of a batch, which is attacked",
        above=0,
        at_most=1,
        neutral=ATTACK_SHARE,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.attack == "none":
            unused = {
                "attack_strength": self.attack_strength != 0,
                "attack_share": self.attack_share != ATTACK_SHARE,
                "attack_steps": self.attack_steps != ATTACK_STEPS,
            }
            if name := next((name for name, given in unused.items() if given), ""):
                raise UserError(
                    f"augment.{name} is of an attack, but augment.attack is 'none': leave it at its default, "
                    f"or take one of {', '.join(ATTACKS)}."
                )
        elif not self.attack_strength:
            raise UserError(
                f"augment.attack {self.attack!r} wants a strength above 0, but augment.attack_strength is "
                "0: set it, as to 8/255, or leave the attack out."
            )
        elif self.attack != "pgd" and self.attack_steps != ATTACK_STEPS:
            raise UserError(
                f"augment.attack_steps is of the attack 'pgd', but augment.attack is {self.attack!r}: leave "
                f"it at {ATTACK_STEPS}."
            )


@checked
@dataclass(frozen=True, kw_only=True)
class ModelSpec(Settings):
    """The report's network (part 1 b), with every choice that part 1 c defends."""

    channels: tuple[int, ...] = setting((32, 64, 128, 256), "output channels of each convolution", at_least=1)
    latent_dim: int = setting(128, "size of the latent vector", at_least=1)
    dropout: float = setting(0.2, "probability of dropping a latent value", at_least=0, at_most=0.99)
    activation: str = setting("relu", "between layers", choices=("relu", "leaky_relu", "gelu", "tanh"))
    downsample: str = setting("stride", "how the encoder halves the image", choices=("stride", "max_pool"))
    output: str = setting("sigmoid", "last activation", choices=("sigmoid", "linear"))


@checked
@dataclass(frozen=True, kw_only=True)
class TrainSpec(Settings):
    """The optimiser and its budget (report, parts 1 c, 1 d and 2 b).

    A `loss_weight` of 0 still trains the classifier, by a gradient that stops at the code: so an
    autoencoder that never heard of the classes has an accuracy to compare, too.
    """

    epochs: int = setting(0, "budget in passes; 0 when `steps` is given", at_least=0)
    steps: int = setting(0, "budget in optimiser steps; 0 when `epochs` is given", at_least=0)
    batch_size: int = setting(64, "images in a step", at_least=1)
    lr: float = setting(1e-3, "learning rate", above=0)
    weight_decay: float = setting(1e-5, "L2 penalty", at_least=0)
    optimizer: str = setting("adam", "", choices=("adam", "adamw", "sgd"))
    reconstruction_weight: float = setting(1.0, "weight of the mean squared error", at_least=0)
    loss_weight: float = setting(0.0, "lambda: weight of the cross-entropy", at_least=0)
    decay: str = setting(
        "none",
        "of the learning rate over the budget: cosine takes it from lr to 0",
        choices=("none", "cosine"),
        neutral="none",
    )
    precision: str = setting(
        "float32",
        "of the network's products while it learns; it is measured in float32",
        choices=("float32", "bfloat16"),
        neutral="float32",
    )
    subnormals: str = setting(
        "keep",
        "numbers below 1e-38 in size, of which long trainings make many: flush takes them for 0, where the "
        "processor can, and is up to six times faster then",
        choices=("keep", "flush"),
        neutral="keep",
    )
    initialisation: int = setting(
        0,
        "another number draws other weights, order, dropout and augmentation on the same split",
        at_least=0,
        neutral=0,
    )
    analogy_weight: float = setting(
        0.0,
        "weight of the squared error of d from what f(b) - f(a) + f(c) is decoded to, on training quadruples",
        at_least=0,
        neutral=0.0,
    )
    quadruples: str = setting(
        "matched",
        "what the analogy term decodes towards d: f(b) - f(a) + f(c), or, as a control, d's own code, f(d)",
        choices=("matched", "answer"),
        neutral="matched",
    )
    attribute_weight: float = setting(
        0.0,
        "weight of the squared error of the code's first dimensions from the attributes that texts name",
        at_least=0,
        neutral=0.0,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.epochs > 0) == (self.steps > 0):
            raise UserError(
                f"train wants a budget in epochs or in steps, but got epochs={self.epochs} and "
                f"steps={self.steps}: set one of them and leave the other at 0."
            )
        if self.quadruples != "matched" and not self.analogy_weight:
            raise UserError(
                f"train.quadruples is {self.quadruples!r}, but train.analogy_weight is 0: give it a weight, "
                "or leave the quadruples out."
            )

    @property
    def kind(self) -> Hashable:
        """What is no number of a step: runs of one network that agree in it can share their steps."""
        return self.batch_size, self.optimizer, self.precision, self.subnormals, self.loss_weight == 0


@checked
@dataclass(frozen=True, kw_only=True)
class ComposeSpec(Settings):
    """How the trained network's codes are composed, a : b :: c : d (report, parts 3 a and 3 c).

    It changes no weight: runs that differ in it alone are one training. The neutral values are the report's.
    """

    method: str = setting(
        "pair",
        "the way to a direction in the code, or a baseline that composes pixels",
        choices=(*METHODS, *BASELINES),
        neutral="pair",
    )
    rank: int = setting(
        0, "of the subspace, where there is one; 0 chooses on validation", at_least=0, neutral=0
    )
    strength: float = setting(1.0, "of the edit: 1 adds the whole offset", at_least=0, neutral=1.0)
    weigh: bool = setting(False, "choose the strength on validation in place of it", neutral=False)
    redrawn: bool = setting(
        False, "reconstruct a baseline's picture, so that it is blurred as composites are", neutral=False
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.redrawn and self.method not in BASELINES:
            raise UserError(
                "compose.redrawn is for baselines of pixels, but what the method "
                f"{self.method!r} composes is drawn by the network anyway: leave it out, or take one of "
                f"{', '.join(BASELINES)}."
            )
        if self.rank and self.method not in SUBSPACES:
            raise UserError(
                f"compose.rank is {self.rank}, but the method {self.method!r} has no subspace: leave it at 0 "
                f"or take one of {', '.join(SUBSPACES)}."
            )
        if self.weigh and self.strength != 1:
            raise UserError(
                f"compose.weigh chooses the strength, but compose.strength is {self.strength:g}: "
                "leave one out."
            )


@checked
@dataclass(frozen=True, kw_only=True)
class RefineSpec(Settings):
    """A second network that redraws what the trained decoder draws (report, part 3 c, 4): `refine`.

    It is trained after the autoencoder, which stays as it is: runs that differ in it alone share a training.
    The kind grain is its control: noise, which makes pictures as sharp as one likes, and learns nothing.
    """

    kind: str = setting(
        "none",
        "redraw decoded pictures by a network that learned the squared error alone (plain), or to deceive a "
        "discriminator, too (adversarial); or only add noise (grain)",
        choices=("none", *TRAINED_REFINERS, "grain"),
        neutral="none",
    )
    steps: int = setting(
        REFINING_STEPS,
        "optimiser steps of the refiner, each of train.batch_size pictures",
        at_least=1,
        neutral=REFINING_STEPS,
    )
    lr: float = setting(REFINING_RATE, "learning rate of the refiner", above=0, neutral=REFINING_RATE)
    adversarial_weight: float = setting(
        ADVERSARIAL_WEIGHT,
        "weight of the adversarial loss beside the squared error",
        above=0,
        neutral=ADVERSARIAL_WEIGHT,
    )
    discriminator_lr: float = setting(
        DISCRIMINATOR_RATE, "learning rate of the discriminator", above=0, neutral=DISCRIMINATOR_RATE
    )
    grain: float = setting(
        0.0, "standard deviation of the noise, where black is 0 and white is 1", at_least=0, neutral=0.0
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        unused = {
            "none": ("steps", "lr", "adversarial_weight", "discriminator_lr", "grain"),
            "plain": ("adversarial_weight", "discriminator_lr", "grain"),
            "adversarial": ("grain",),
            "grain": ("steps", "lr", "adversarial_weight", "discriminator_lr"),
        }[self.kind]
        fields = RefineSpec.__dataclass_fields__
        if name := next((one for one in unused if getattr(self, one) != fields[one].default), ""):
            takes = {"steps": "plain", "lr": "plain", "grain": "grain"}.get(name, "adversarial")
            raise UserError(
                f"refine.{name} is of another refiner, but refine.kind is {self.kind!r}: leave it at "
                f"{fields[name].default:g}, or take the kind {takes!r}."
            )
        if self.kind == "grain" and not self.grain:
            raise UserError(
                "refine.kind 'grain' wants noise, but refine.grain is 0: set its standard deviation, as to "
                "0.03, or take another kind."
            )


@checked
@dataclass(frozen=True, kw_only=True)
class RunSpec(Settings):
    """One training run, whole: equal specs give equal weights on the same machine."""

    data: DataSpec = DataSpec()
    augment: AugmentSpec = AugmentSpec()
    model: ModelSpec = ModelSpec()
    train: TrainSpec
    compose: ComposeSpec = ComposeSpec()
    refine: RefineSpec = RefineSpec()

    @property
    def experiment(self) -> "EmojiExperiment":
        """What turns these settings and a seed into metrics."""
        from ablation.emoji.experiment import EMOJI

        return EMOJI

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.train.loss_weight > 0 and self.data.classes == "none":
            raise UserError(
                f"train.loss_weight is {self.train.loss_weight:g} but data.classes is 'none': "
                "name a class scheme or set the weight to 0."
            )
        if self.augment.attack in ("fgsm", "pgd") and self.data.classes == "none":
            raise UserError(
                f"augment.attack {self.augment.attack!r} attacks the classifier, but data.classes is 'none': "
                "name a class scheme, or take the attack 'noise'."
            )
        if self.train.attribute_weight and self.model.latent_dim <= NAMED_DIMS:
            raise UserError(
                f"train.attribute_weight names {NAMED_DIMS} dimensions of the code, but model.latent_dim is "
                f"{self.model.latent_dim}: take a larger code."
            )
        if self.train.analogy_weight and self.data.split == "copy":
            raise UserError(
                "train.analogy_weight wants training pictures that no other set has, but data.split is "
                "'copy': take another split."
            )
        if self.data.folds and self.augment.held_out:
            raise UserError(
                "augment.held_out gives test pictures copies, but with data.folds every picture is tested "
                "once: leave one out."
            )


def parse(settings: Mapping[str, Any]) -> RunSpec:
    """The spec whose `flat` form, as JSON gives it back, is `settings`; later settings are at default."""
    budget = {name: settings[f"train.{name}"] for name in ("epochs", "steps")}
    return vary(RunSpec(train=TrainSpec(**budget)), settings)


def training(spec: RunSpec) -> RunSpec:
    """The autoencoder that `spec` trains, whatever is composed with it and whoever refines what it draws.

    Runs that agree in it have equal weights.
    """
    return dataclasses.replace(spec, compose=ComposeSpec(), refine=RefineSpec())
