"""The protocols of the report, leak-free, and one that can answer its questions: what the studies vary."""

from ablation.emoji.spec import AugmentSpec, DataSpec, RunSpec, TrainSpec
from ablation.settings import vary

autoencoder = RunSpec(
    data=DataSpec(keyword="face"),
    augment=AugmentSpec(copies=4),
    train=TrainSpec(epochs=30),
)
"""Part 1: reconstruct faces; 4 augmented copies of each, 30 epochs."""

joint = RunSpec(
    data=DataSpec(keyword="face", classes="happy_sad"),
    augment=AugmentSpec(copies=50),
    train=TrainSpec(epochs=10, loss_weight=0.5),
)
"""Part 2: reconstruct and tell happy from sad; 50 augmented copies of each, 10 epochs, lambda 0.5."""

composed = vary(
    autoencoder,
    {
        "data.keyword": "",
        "data.stratify": "none",
        "augment.copies": 0,
        "train.epochs": 0,
        "train.steps": 2000,
    },
)
"""Part 3: the autoencoder of all emoji, as they are, some 60 passes, so that there are truths to compose."""

VENDORS = {
    "noto": "emoji",
    "twemoji": "emoji:twemoji",
    "openmoji": "emoji:openmoji",
    "fluent": "emoji:fluent",
}
"""The shipped sources, by the vendor whose drawings they hold, as the column `vendor` has it."""

STEPS = 150
"""Optimiser steps of studies that change how much there is to learn from; part 1's 30 epochs are some 360."""

UNCHANGED = {
    f"augment.{name}": 0.0
    for name in ("flip", "rotation_degrees", "brightness", "contrast", "saturation", "hue")
}
"""Copies of the same bytes as their originals: equal batches, and nothing augmented."""

moods = vary(
    joint,
    {
        "data.sources": tuple(VENDORS.values()),
        "data.keyword": "",
        "data.classes": "mood",
        "data.stratify": "mood",
        "data.folds": 5,
        "augment.copies": 10,
        "train.epochs": 0,
        "train.steps": 480,
        "train.batch_size": 16,
        "train.lr": 2e-3,
        "train.decay": "cosine",
    },
)
"""Part 2 with pictures and a budget by which happy and sad are learned: 55 faces of Unicode's subgroups,
drawn by four vendors, every one tested once a run; 480 small batches of a decaying rate, which hold as many
pictures as 120 of the report's. Budget and rate were chosen on seeds 900 to 902, which no study uses
(docs/decisions/0044-confirmation.md)."""
