"""How much should classification weigh against reconstruction, where both are learned at one rate?

Report, part 2 e, with pictures and a budget that can answer it (`moods`). The arms are lambda 0, lambda
0.005, lambda 0.5 (the report's, the baseline) and lambda 50. All have the same learning rate: Adam divides by
the size of the gradient, so that lambda changes the direction of a step and not its length. (The study
loss_weight tunes the rate of each arm on five validation pictures; its small lambdas got sixteen times the
rate of the large ones.)
What the code says of happy and sad is judged by a probe that is fitted anew for every arm, on the network's
own training faces: a network that knows these by heart may have codes that say less of others. No gate asks
that a code beats raw pixels: the claims compare codes with codes, and that classification changes the code at
all is a claim itself. Lambda 0.5 was seen under seeds 0 to 4 (confirm_latent_size, confirm_auxiliary_task):
so these are others.
"""

from ablation import Claim, Difference, Same, Study
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
    arms={f"lambda {weight:g}": {"train.loss_weight": weight} for weight in (0.0, 0.005, 0.5, 50.0)},
    # A tenth of the error of `moods`; one face in ten.
    measures={"test_mse": 0.0036, "mood_probe_accuracy": 0.1, "mood_balanced_accuracy": 0.1},
    against={"lambda 0.005": "lambda 0"},
    claims=(
        Claim("too high, and reconstruction quality suffers", Difference("test_mse", "up", "lambda 50")),
        Claim(
            "at the report's lambda classification has an impact on the code",
            Difference("mood_probe_accuracy", "down", "lambda 0"),
        ),
        Claim(
            "too low, and classification has little impact on the code",
            Same("mood_probe_accuracy", "lambda 0.005"),
        ),
    ),
    supported="lambda trades reconstruction for what the code says of happy and sad",
    seeds=10,
    first_seed=5,
)
