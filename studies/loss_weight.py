"""How much should classification weigh against reconstruction?

Report, part 2 e. The arms are lambda 0, lambda 0.005, lambda 0.05, lambda 0.5 (the report's, the baseline),
lambda 5 and lambda 50. Lambda scales the gradient, so a single learning rate would favour some arms. The
learning rate is therefore tuned for each arm, with the same number of trials. `--search` looks for the best
compromises between the two losses.
"""

from ablation import Claim, Difference, Range, Search, Study, Trend, Tuned
from ablation.emoji import joint

study = Study(
    question="How much should the classification weigh against the reconstruction?",
    source=(
        "The weight lambda_classification needs careful tuning—too high, and reconstruction quality "
        "suffers; too low, and classification has little impact. (part 2 e)"
    ),
    part="2 e, lambda",
    cell_seconds=29,
    baseline=joint,
    arms={
        f"lambda {weight:g}": {"train.loss_weight": weight} for weight in (0.0, 0.005, 0.05, 0.5, 5.0, 50.0)
    },
    tuned=Tuned("train.lr", least=2.5e-4, largest=4e-3, trials=3),
    search=Search(
        {"train.loss_weight": Range(1e-3, 100.0, log=True), "train.lr": Range(2.5e-4, 4e-3, log=True)},
        trials=12,
    ),
    # A tenth of the report's own error; one face in ten; one emoji in fifty.
    measures={
        "test_mse": 0.0017,
        "common_mse": 0.0017,
        "mood_balanced_accuracy": 0.1,
        "probe_accuracy": 0.02,
    },
    claims=(
        Claim("too high, and reconstruction quality suffers", Difference("test_mse", "up", "lambda 50")),
        Claim(
            "too low, and classification has little impact",
            Difference("mood_balanced_accuracy", "down", "lambda 0.005"),
        ),
        Claim(
            "reconstruction gets worse as the weight grows",
            Trend("test_mse", "up", "train.loss_weight", scale="rank"),
            counts=False,
        ),
    ),
    supported="lambda needs careful tuning",
)
