"""Runs that MLflow has already: do more trees, or shallower ones, change how well a forest reads digits?

    export MLFLOW_TRACKING_URI=sqlite:///mlflow.db      # or your server
    python examples/mlflow_runs/fill.py                 # once: fills the experiment "forests"
    ablation table examples/mlflow_runs/forest.py --format tex

Without a study file, for a first look:

    ablation table mlflow:forests --arm trees --arm depth --seed random_state --baseline "50, 10" \\
        --measure accuracy:higher:0.01
"""

from ablation import Claim, Difference, Measure, Study, Tracked

study = Study(
    question="Do more trees, or shallower ones, change how well a forest reads digits?",
    source="an example of runs that exist in MLflow",
    runs=Tracked("mlflow:forests", seed="random_state"),
    baseline={"trees": 50, "depth": 10},
    arms={"200 trees": {"trees": 200}, "depth 4": {"depth": 4}},
    # One point of accuracy is eight of the 797 test digits.
    measures={"accuracy": Measure("higher", "Test accuracy", digits=3, matters=0.01)},
    claims=(
        Claim("more trees read better", Difference("accuracy", "up", "200 trees")),
        Claim("shallow trees read worse", Difference("accuracy", "down", "depth 4")),
    ),
    replication="training",  # random_state varied the training; the split was the same for all
)
