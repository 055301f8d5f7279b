"""Your own Python function: does dropping pixels help a small network that reads digits?

    ablation plan examples/digits/dropout.py
    ablation run examples/digits/dropout.py

A seed varies the initialisation, the order and the dropped pixels; the 797 test digits are the same for all.
So the result is about training for 40 epochs on these digits, not about other digits.
"""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from ablation import Claim, Difference, Measure, Study, Trend

EPOCHS, BATCH = 40, 50


def train(settings, seed, run):
    """The accuracy on the test digits of a network with one hidden layer."""
    images, labels = load_digits(return_X_y=True)
    split = train_test_split(images / 16, labels, train_size=1000, stratify=labels, random_state=0)
    train_images, test_images, train_labels, test_labels = split
    draw = np.random.default_rng(seed)
    model = MLPClassifier(
        (settings["hidden"],), batch_size=BATCH, learning_rate_init=0.003, random_state=seed
    )
    for epoch in range(1, EPOCHS + 1):
        kept = draw.random(train_images.shape) >= settings["dropout"]  # drawn anew in every epoch
        seen = train_images * kept / (1 - settings["dropout"])  # so that the mean input stays
        model.partial_fit(seen, train_labels, classes=range(10))
        run.log({"train_loss": model.loss_}, epoch)
    return {"accuracy": model.score(test_images, test_labels)}


study = Study(
    question="Does dropping pixels help a small network that reads digits?",
    source="Srivastava et al. (2014): dropout on the inputs",
    train=train,
    baseline={"hidden": 64, "dropout": 0.0},
    arms={
        "dropout 0.2": {"dropout": 0.2},
        "hidden 16": {"hidden": 16},
        "hidden 256": {"hidden": 256},
    },
    # One point of accuracy is eight of the 797 test digits. Fewer would not change which network we use.
    measures={"accuracy": Measure("higher", "Test accuracy", digits=3, matters=0.01)},
    claims=(
        Claim("dropping pixels improves accuracy", Difference("accuracy", "up", "dropout 0.2")),
        Claim("a wider layer improves accuracy", Trend("accuracy", "up", "hidden")),
    ),
    seeds=5,
    replication="training",
)
