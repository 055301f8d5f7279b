"""Do ReLU and a sigmoid serve better than tanh and no bound, each at a rate that suits it?

Report, part 1 c, on 220 faces of four vendors, each tested once a run, with the budget of `moods`. The arms
are ReLU and sigmoid (as reported, the baseline), tanh and linear output. They change the scale of the
gradients, so that the learning rate of every arm is chosen by its validation error, among the same five. A
linear output leaves the valid range, which the report's sigmoid is to ensure, and anybody would clip it: so
it is also judged with clipped pixels, on held-out faces of all kinds (common_mse). (SGD, whose rates are of
another size, stays with the study design_choices, where none of five rates left the plateau.)
"""

from ablation import Claim, Difference, Study, Tuned
from ablation.emoji import moods, vary

study = Study(
    question="Do ReLU and a sigmoid serve better than what could stand in their place?",
    source=(
        "ReLU Activation: Used in the encoder and decoder (except last layer) for non-linearity. Sigmoid in "
        "Final Layer: Ensures pixel values remain in a valid image range. (part 1 c)"
    ),
    part="1 c",
    cell_seconds=105,
    baseline=vary(moods, {"train.loss_weight": 0.0}),
    arms={
        "ReLU and sigmoid": {},
        "tanh": {"model.activation": "tanh"},
        "linear output": {"model.output": "linear"},
    },
    tuned=Tuned("train.lr", least=5e-4, largest=8e-3, trials=5, measure="validation_mse"),
    # A tenth of the errors without classes, 0.027 and 0.055 on seeds that no study uses.
    measures={"test_mse": 0.0027, "common_mse": 0.0055},
    claims=(
        Claim("ReLU serves better than tanh", Difference("test_mse", "up", "tanh")),
        Claim("a sigmoid serves better than no bound", Difference("test_mse", "up", "linear output")),
        Claim(
            "a sigmoid serves better than no bound and clipped pixels",
            Difference("common_mse", "up", "linear output"),
        ),
    ),
    supported="ReLU and a sigmoid earn their place",
    seeds=5,
)
