"""Your own Lightning script: does batch normalisation help a small network that reads digits?

    pip install lightning
    ablation run examples/lightning_script/batch_norm.py

`train.py` calls `mlflow.pytorch.autolog()`, which records what the module logs, into the run that the study
opened. A seed varies the initialisation and the order; the test digits are the same for all.
"""

from pathlib import Path

from ablation import Claim, Command, Difference, Measure, Study

study = Study(
    question="Does batch normalisation help a small network that reads digits?",
    source="an example of a Lightning script of one's own",
    train=Command("python train.py {flag:batch-norm} --seed {seed}", folder=Path(__file__).parent),
    baseline={"batch-norm": False},
    arms={"batch norm": {"batch-norm": True}},
    # One point of accuracy is eight of the 797 test digits.
    measures={"test_accuracy": Measure("higher", "Test accuracy", digits=3, matters=0.01)},
    claims=(Claim("batch normalisation improves accuracy", Difference("test_accuracy", "up", "batch norm")),),
    seeds=5,
    replication="training",
)
