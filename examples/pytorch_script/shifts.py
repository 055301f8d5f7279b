"""Your own script: do shifted copies, or batch normalisation, help a small network that reads digits?

    ablation run examples/pytorch_script/shifts.py

`train.py` has its own arguments and logs to MLflow by itself. Its `mlflow.start_run()` takes up the run that
the study opened for it. A seed varies the initialisation, the order and the shifts; the test digits are the
same for all.
"""

from pathlib import Path

from ablation import Claim, Command, Difference, Interaction, Measure, Study

study = Study(
    question="Do shifted copies, or batch normalisation, help a small network that reads digits?",
    source="an example of a script of one's own",
    train=Command(
        "python train.py --lr {lr} --shift {shift} {flag:batch-norm} --seed {seed}",
        folder=Path(__file__).parent,
    ),
    baseline={"lr": 0.003, "shift": 0, "batch-norm": False},
    arms={
        "shifts": {"shift": 1},
        "batch norm": {"batch-norm": True},
        "both": {"shift": 1, "batch-norm": True},
    },
    # Half a point is four of the 797 test digits: less would not decide between the networks.
    measures={"test_accuracy": Measure("higher", "Test accuracy", digits=3, matters=0.005)},
    claims=(
        Claim("shifted copies improve accuracy", Difference("test_accuracy", "up", "shifts")),
        Claim("batch normalisation improves accuracy", Difference("test_accuracy", "up", "batch norm")),
        Claim(
            "with shifted copies, batch normalisation helps less",
            Interaction("test_accuracy", "down", "shifts", "batch norm", "both"),
        ),
    ),
    seeds=5,
    replication="training",
)
