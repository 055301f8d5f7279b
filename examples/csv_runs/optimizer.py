"""Runs in a table, as W&B exports it: does Adam read digits better than SGD with momentum?

    ablation table examples/csv_runs/optimizer.py --format tex

Without a study file, for a first look:

    ablation table examples/csv_runs/wandb.csv --arm optimizer --arm lr --measure test/accuracy:higher:0.01 \\
        --baseline "sgd, 0.1"

The runs are small networks (scikit-learn's MLPClassifier, one hidden layer of 64) on scikit-learn's digits,
1000 for training and 797 for the test. One of them crashed, and was started again under the same seed.
"""

from pathlib import Path

from ablation import Claim, Difference, Measure, Study, Tracked

study = Study(
    question="Does Adam read digits better than SGD with momentum?",
    source="an example of an export of W&B",
    runs=Tracked(Path(__file__).with_name("wandb.csv"), seed="seed"),
    baseline={"optimizer": "sgd", "lr": 0.1},
    arms={"adam": {"optimizer": "adam", "lr": 0.003}},
    # One point of accuracy is eight of the 797 test digits.
    measures={"test/accuracy": Measure("higher", "Test accuracy", digits=3, matters=0.01)},
    claims=(Claim("Adam reads better", Difference("test/accuracy", "up", "adam")),),
    replication="training",
)
