"""How much should classification weigh against reconstruction, where both are learned at one rate?

Report, part 2 e, with pictures and a budget that can answer it (`moods`). The arms are lambda 0.005, lambda
0.5 (the report's, the baseline) and lambda 50. All have the same learning rate: Adam divides by the size of
the gradient, so that lambda changes the direction of a step and not its length. (The study loss_weight
tunes the rate of each arm on five validation pictures; its small lambdas got sixteen times the rate of the
large ones.) What the code says of happy and sad is judged by a probe that is fitted anew for every arm.
"""

from ablation import Claim, Difference, Gate, Study
from ablation.emoji import moods

study = Study(
    question="How much should the classification weigh against the reconstruction?",
    source=(
        "The weight lambda_classification needs careful tuning—too high, and reconstruction quality "
        "suffers; too low, and classification has little impact. (part 2 e)"
    ),
    part="2 e, lambda",
    cell_seconds=105,
    baseline=moods,
    arms={f"lambda {weight:g}": {"train.loss_weight": weight} for weight in (0.005, 0.5, 50.0)},
    # A tenth of the error of `moods`; one face in ten.
    measures={"test_mse": 0.0036, "mood_probe_accuracy": 0.1, "mood_balanced_accuracy": 0.1},
    gates=(
        Gate(
            "the baseline's code tells happy from sad",
            "mood_probe_accuracy",
            above=0.5,
            of=("mood_probe_accuracy",),
            otherwise="the baseline is at chance",
        ),
    ),
    claims=(
        Claim("too high, and reconstruction quality suffers", Difference("test_mse", "up", "lambda 50")),
        Claim(
            "too low, and classification has little impact on the code",
            Difference("mood_probe_accuracy", "down", "lambda 0.005"),
        ),
    ),
    supported="lambda needs careful tuning",
    seeds=5,
)
