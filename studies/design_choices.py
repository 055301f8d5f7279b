"""Which of part 1's design choices matter?

Report, part 1 c. Each arm leaves one choice out, at 150 steps: the arms are as reported (the baseline), max
pooling, latent 32, no dropout, tanh, linear output, no weight decay and SGD (with its own learning rate). Two
more arms leave out a pair: no dropout or decay, and latent 32, no dropout. They show whether choices that do
the same work depend on each other.
"""

from ablation import Claim, Difference, Interaction, Study
from ablation.emoji import STEPS, autoencoder, vary

LATENT, DROPOUT, DECAY = {"model.latent_dim": 32}, {"model.dropout": 0.0}, {"train.weight_decay": 0.0}

study = Study(
    question="Which of the design choices of part 1 matter, and which depend on each other?",
    source=(
        "Conv Layers with Strided Convolutions: Reduce spatial dimensions without max-pooling, preventing "
        "information loss. Latent Dimension = 128: Balances compression and expressiveness. Dropout (0.2) in "
        "Latent Layer: Prevents overfitting in feature representation (regularisation). ReLU Activation: "
        "Used in the encoder and decoder (except last layer) for non-linearity. Sigmoid in Final Layer: "
        "Ensures pixel values remain in a valid image range. Adam Optimizer (LR = 1e-3, Weight Decay = "
        "1e-5): Provides stable convergence with L2 regularization. (part 1 c)"
    ),
    part="1 c",
    cell_seconds=43,
    baseline=vary(autoencoder, {"train.epochs": 0, "train.steps": STEPS}),
    arms={
        "as reported": {},
        "max pooling": {"model.downsample": "max_pool"},
        "latent 32": LATENT,
        "no dropout": DROPOUT,
        "tanh": {"model.activation": "tanh"},
        "linear output": {"model.output": "linear"},
        "no weight decay": DECAY,
        # None of five rates from 0.1 to 30 leaves the plateau on validation (benchmarks/sgd_rates.py).
        "SGD": {"train.optimizer": "sgd", "train.lr": 10.0},
        "no dropout or decay": DROPOUT | DECAY,
        "latent 32, no dropout": LATENT | DROPOUT,
    },
    measures={
        "test_mse": 0.0017,
        "probe_accuracy": 0.02,
    },  # a tenth of the report's error; one emoji in fifty
    claims=(
        Claim("strides lose less than max pooling", Difference("test_mse", "up", "max pooling")),
        Claim("a latent of 128 is needed", Difference("test_mse", "up", "latent 32")),
        Claim("dropout prevents overfitting", Difference("test_mse", "up", "no dropout")),
        Claim("ReLU serves better than tanh", Difference("test_mse", "up", "tanh")),
        Claim("a sigmoid serves better than no bound", Difference("test_mse", "up", "linear output")),
        Claim("weight decay helps", Difference("test_mse", "up", "no weight decay")),
        Claim("Adam converges better than SGD", Difference("test_mse", "up", "SGD")),
        Claim(
            "without dropout, weight decay matters more",
            Interaction("test_mse", "up", "no dropout", "no weight decay", "no dropout or decay"),
            counts=False,
        ),
        Claim(
            "dropout costs a narrow code more",
            Interaction("test_mse", "down", "latent 32", "no dropout", "latent 32, no dropout"),
            counts=False,
        ),
    ),
    supported="each of the choices earns its place",
)
