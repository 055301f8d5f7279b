"""Does half precision learn the same?

This question is not the report's. It is about a default of the emoji experiment: on a processor that can
multiply bfloat16, an epoch in bfloat16 takes two thirds of the time of one in float32. The arms are float32
(the baseline) and bfloat16, both with part 2's joint model; weights, optimiser, losses and every measure stay
float32. The claims say that no measure of the report differs by as much as matters.
"""

from ablation import Claim, Same, Study
from ablation.emoji import joint

study = Study(
    question="Does training in half precision change what part 2 measures?",
    source="Training epochs: 10 (originally planned for 20) (part 2 b)",
    part="2 b",
    cell_seconds=21,
    seeds=20,
    baseline=joint,
    arms={name: {"train.precision": name} for name in ("float32", "bfloat16")},
    # A tenth of the report's own error; one face in ten; one emoji in fifty.
    measures={
        "test_mse": 0.0017,
        "common_mse": 0.0017,
        "mood_balanced_accuracy": 0.1,
        "probe_accuracy": 0.02,
    },
    claims=(
        Claim("reconstruction is the same", Same("test_mse", "bfloat16")),
        Claim("reconstruction of held-out faces is the same", Same("common_mse", "bfloat16")),
        Claim("happy and sad are told apart as well", Same("mood_balanced_accuracy", "bfloat16")),
        Claim("the code says as much of what is drawn", Same("probe_accuracy", "bfloat16")),
    ),
    supported="bfloat16 may stand in for float32",
)
