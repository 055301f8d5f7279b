"""Did augmentation improve the autoencoder, or the optimiser steps that came with it?

Report, parts 1 h and 2 f, speculation 3, on 220 faces of four vendors (about as many as the report had, 55
emoji), each tested once a run; epochs and batches are the report's. The arms are all, 30 epochs (4 copies,
the baseline), none, 30 epochs (90 steps for the baseline's 330) and, at the steps of the baseline, none (4
copies that change nothing, so that batches are as large as the baseline's and hold as many pictures) and all,
50 copies (each is seen about three times). A gap can shrink because training got worse, so the claim on it is
read with the one on the test error.
"""

from ablation import Claim, Difference, Gate, Study
from ablation.emoji import UNCHANGED, moods, vary

STEPS = 330  # 30 epochs of 132 training pictures and their 4 copies: 10 batches of 64 and one of 20

study = Study(
    question="Did augmentation boost the autoencoder, or the steps that came with the copies?",
    source=(
        "Augmentation Boosted Performance: Increased dataset size significantly, improving generalization. "
        "(part 1 h, 1) The extensive data augmentation (horizontal flip, rotation, color jitter) may have "
        "introduced variations that make reconstruction harder. (part 2 f, 3)"
    ),
    part="1 h",
    cell_seconds=200,
    baseline=vary(
        moods,
        {
            "augment.copies": 4,
            "train.loss_weight": 0.0,
            "train.epochs": 30,
            "train.steps": 0,
            "train.batch_size": 64,
            "train.lr": 1e-3,
            "train.decay": "none",
        },
    ),
    arms={
        "all, 30 epochs": {},
        "none, 30 epochs": {"augment.copies": 0},
        "none": UNCHANGED,
        "all, 50 copies": {"augment.copies": 50, "train.epochs": 0, "train.steps": STEPS},
    },
    against={"all, 50 copies": "none"},
    # A tenth of the baseline's error, and half of its gap, on seeds that no study uses (0.024 and 0.0026).
    measures={"test_mse": 0.0024, "generalisation_gap": 0.0013},
    gates=(
        Gate(
            "the network without augmentation overfits: its test error is above its training error",
            "generalisation_gap",
            above=0.0,
            of=("generalisation_gap",),
            arm="none",
            otherwise="there is no overfitting to prevent",
        ),
    ),
    claims=(
        Claim(
            "augmentation boosted performance, at equal epochs as the report had it",
            Difference("test_mse", "up", "none, 30 epochs"),
        ),
        Claim("augmentation boosted performance, at equal steps", Difference("test_mse", "up", "none")),
        Claim(
            "augmentation improves generalization: a smaller gap, at equal steps",
            Difference("generalisation_gap", "up", "none"),
        ),
        Claim(
            "augmentation introduced variations that make reconstruction harder",
            Difference("test_mse", "up", "all, 50 copies"),
        ),
    ),
    supported="augmentation helps, and costs",
    seeds=5,
)
