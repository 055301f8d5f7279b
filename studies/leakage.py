"""How much did splitting after augmentation improve the report's numbers?

The report augments first and then splits at random, so copies of one emoji are on both sides. It does not ask
what this does to its numbers. "joint" is part 2's model on 23 happy and sad faces; "faces" has all faces,
with part 1's 4 copies.

- joint, by subject (the baseline); faces, by subject: all images of an emoji, whatever its tone or gender,
  are on one side.
- joint, by image; faces, by image: each image is on one side with its copies.
- joint, augment then split; faces, augment then split: as the report did it.
- joint, by subject, copies tested; faces, by subject, copies tested: augmented images are harder to
  reconstruct, and only augment then split is tested on them. So it is compared with these arms.
"""

from ablation import Claim, Difference, Study
from ablation.emoji import STEPS, joint

SPLITS = {
    "by subject": {"data.split": "subject"},
    "by image": {"data.split": "image"},
    "augment then split": {"data.split": "copy"},
    "by subject, copies tested": {"augment.held_out": True},
}
# All faces, of which 23 are happy or sad and the others take part without a class.
FACES = {"data.among": "none", "augment.copies": 4, "train.epochs": 0, "train.steps": STEPS}

study = Study(
    question="What was splitting after augmentation worth, in reconstruction and in classification?",
    source=(
        "The dataset is then augmented by generating multiple transformed copies of each image [...] The "
        "final dataset is split into 60% training, 20% validation, and 20% test sets. (part 2 a)"
    ),
    part="2 a",
    cell_seconds=33,
    baseline=joint,
    arms={f"joint, {name}": split for name, split in SPLITS.items()}
    | {f"faces, {name}": FACES | split for name, split in SPLITS.items()},
    against={
        f"{what}, augment then split": f"{what}, by subject, copies tested" for what in ("joint", "faces")
    }
    | {f"faces, {name}": "faces, by subject" for name in ("by image", "by subject, copies tested")}
    | {"faces, by subject": "faces, by subject"},  # other images than the joint model's: a baseline
    # A tenth of the report's own error, and one image in twenty.
    measures={"test_mse": 0.0017, "test_accuracy": 0.05, "test_balanced_accuracy": 0.05},
    claims=(
        Claim(
            "splitting after augmentation makes reconstruction look better",
            Difference("test_mse", "down", "joint, augment then split"),
        ),
        Claim(
            "splitting after augmentation makes classification look better",
            Difference("test_accuracy", "up", "joint, augment then split"),
        ),
        Claim(
            "splitting faces after augmentation makes reconstruction look better",
            Difference("test_mse", "down", "faces, augment then split"),
        ),
        Claim(
            "splitting faces by image, tones and genders apart, makes reconstruction look better",
            Difference("test_mse", "down", "faces, by image"),
        ),
    ),
    supported="the report's numbers say how well it remembers, not how well it generalises",
)
