"""How much better could the joint model of part 2 have been, at the same cost?

Report, part 2 e, which calls the model sensitive to its hyperparameters. The arms are as reported (the
baseline) and twice the rate, the change that one would try first by hand. `ablation tune tune_joint`
searches the ranges below: 30 trials of the report's 10 epochs, each under at most five seeds, since a
validation set has five pictures. They are chosen by the validation error of the reconstruction; lambda stays
the report's 0.5, so that no trial can win by classifying less. The best settings are then compared with the
report's on twenty seeds that no trial had (docs/decisions/0045-tune.md). No trial sees more pictures than
the report's network.
"""

from ablation import Choice, Claim, Difference, Range, Study, Tune
from ablation.emoji import joint

study = Study(
    question="How much better could the joint model have been, at the same cost?",
    source="The model is hyperparameter Sensitive. (part 2 e)",
    part="2 e, tuning",
    cell_seconds=30,
    baseline=joint,
    arms={"as reported": {}, "twice the rate": {"train.lr": 2e-3}},
    # A tenth of the report's own error; one face in ten.
    measures={"test_mse": 0.0017, "mood_balanced_accuracy": 0.1},
    claims=(
        Claim(
            "twice the learning rate reconstructs better", Difference("test_mse", "down", "twice the rate")
        ),
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
        trial_seeds=5,
        seeds=20,
    ),
)
