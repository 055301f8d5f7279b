"""Did augmentation improve the autoencoder, or the optimiser steps that came with it?

Report, parts 1 h and 2 f, speculation 3. At equal epochs, as in the report, copies bring about four times
the steps: the arms are all, 30 epochs (4 copies, the baseline) and none, 30 epochs. At 150 steps each, the
arms are none, flip only, rotation only, jitter only, all, 4 copies, all, 50 copies and all, fresh (4 copies
drawn anew in every pass); none is compared with
none, 30 epochs, and the others with none. In 150 steps, each of 50 copies is seen little more
than once.
"""

from ablation import Claim, Difference, Study
from ablation.emoji import STEPS, autoencoder

FLIP = {"augment.flip": 0.0}
ROTATION = {"augment.rotation_degrees": 0.0}
JITTER = {f"augment.{name}": 0.0 for name in ("brightness", "contrast", "saturation", "hue")}
EQUAL_STEPS = {"train.epochs": 0, "train.steps": STEPS}

study = Study(
    question="Did augmentation boost the autoencoder, or the steps that came with the copies?",
    source=(
        "Augmentation Boosted Performance: Increased dataset size significantly, improving generalization. "
        "(part 1 h, 1) The extensive data augmentation (horizontal flip, rotation, color jitter) may have "
        "introduced variations that make reconstruction harder. (part 2 f, 3)"
    ),
    part="1 h",
    cell_seconds=44,
    baseline=autoencoder,
    arms={
        "all, 30 epochs": {},
        "none, 30 epochs": {"augment.copies": 0},
        "none": EQUAL_STEPS | {"augment.copies": 0},
        "flip only": EQUAL_STEPS | ROTATION | JITTER,
        "rotation only": EQUAL_STEPS | FLIP | JITTER,
        "jitter only": EQUAL_STEPS | FLIP | ROTATION,
        "all, 4 copies": EQUAL_STEPS,
        "all, 50 copies": EQUAL_STEPS | {"augment.copies": 50},
        "all, fresh": EQUAL_STEPS | {"augment.fresh": True},
    },
    against={"none": "none, 30 epochs"}
    | {f"{name} only": "none" for name in ("flip", "rotation", "jitter")}
    | {f"all, {name}": "none" for name in ("4 copies", "50 copies", "fresh")},
    measures={
        "test_mse": 0.0017,
        "probe_accuracy": 0.02,
    },  # a tenth of the report's error; one emoji in fifty
    claims=(
        Claim(
            "augmentation boosted performance, at equal epochs as the report had it",
            Difference("test_mse", "up", "none, 30 epochs"),
        ),
        Claim(
            "augmentation boosted performance, at equal steps",
            Difference("test_mse", "down", "all, 4 copies"),
        ),
        Claim(
            "augmentation introduced variations that make reconstruction harder",
            Difference("test_mse", "up", "all, 50 copies"),
        ),
    ),
    supported="augmentation helps, and costs",
)
