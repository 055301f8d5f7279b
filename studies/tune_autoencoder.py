"""How much better could the autoencoder of part 1 have been, with as many pictures?

Report, parts 1 c and 1 d: Adam at 0.001, batches of 64, 128 numbers a code, dropout of 0.2, none of which
was searched for. The arms are as reported (the baseline), twice the rate and batches of 16, the changes that
one would try first by hand. `ablation tune tune_autoencoder` searches the ranges below: 30 trials of the
report's 30 epochs, each under at most three seeds, chosen by the validation error. The best settings are then
compared with the report's under ten seeds that no trial had (docs/decisions/0045-tune.md). All seeds draw
their test sets from one pool, so some pictures that are tested also helped to choose.

No trial sees more pictures than the report's network; smaller batches take more optimiser steps of them, and
a larger code is a larger network.
"""

from ablation import Choice, Claim, Difference, Range, Study, Tune
from ablation.emoji import autoencoder, vary

study = Study(
    question="How much better could the autoencoder have been, with as many pictures?",
    source="Adam Optimizer (LR = 1e-3, Weight Decay = 1e-5): Provides stable convergence [...] (part 1 c)",
    part="1 c, tuning",
    cell_seconds=88,
    # 0 to 4 are published.
    first_seed=5,
    seeds=10,
    # Numbers too small for the processor's fast path are taken as 0 (docs/decisions/0049-subnormals.md).
    baseline=vary(autoencoder, {"train.subnormals": "flush"}),
    arms={
        "as reported": {},
        "twice the rate": {"train.lr": 2e-3},
        "batches of 16": {"train.batch_size": 16},
    },
    # A tenth of this network's error on unseen faces, which is 0.027; one emoji in fifty.
    measures={"test_mse": 0.0027, "probe_accuracy": 0.02},
    claims=(
        Claim(
            "twice the learning rate reconstructs better", Difference("test_mse", "down", "twice the rate")
        ),
        Claim("smaller batches reconstruct better", Difference("test_mse", "down", "batches of 16")),
    ),
    tune=Tune(
        "test_mse",
        {
            "train.lr": Range(2.5e-4, 1e-2, log=True),
            "train.decay": Choice(["none", "cosine"]),
            "train.weight_decay": Range(1e-7, 1e-3, log=True),
            "train.batch_size": Choice([16, 32, 64]),
            "model.latent_dim": Choice([64, 128, 256, 512]),
            "model.dropout": Range(0.0, 0.5),
        },
        trials=30,
        objective="validation_mse",
    ),
)
