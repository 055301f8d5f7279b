"""A study of your own script. It runs as it stands; put your own command, question and numbers in.

ablation plan my_study.py                  # cells, time, and the smallest effect that the seeds can detect
ablation run my_study.py                   # only what is missing; the same command goes on after an interrupt
ablation table my_study.py --format tex    # or md, csv, html; `ablation export` writes all
"""

from pathlib import Path

from ablation import Claim, Command, Difference, Measure, Study

study = Study(
    question="Does averaging the weights lower the error?",
    source="where the question comes from: a paper, a review, an idea",
    # {lr} becomes the setting, {seed} the seed, and {flag:average} becomes --average if the setting is True.
    # The script writes its metrics as JSON to the file $ABLATION_METRICS, or logs them to MLflow: by
    # mlflow.start_run() or autologging, which take up the run that is open for them.
    train=Command(
        "python my_study_train.py --lr {lr} --seed {seed} {flag:average}", folder=Path(__file__).parent
    ),
    # The baseline has every setting; an arm is what it changes of them.
    baseline={"lr": 0.05, "average": False},
    arms={
        "averaged": {"average": True},
        "half the rate": {"lr": 0.025},
    },
    # Which way is better, the words in the table, the digits to print, and the smallest difference that
    # matters in practice, in the unit of the measure. Decide on it before you see a result.
    measures={"error": Measure("lower", "Error", digits=3, matters=0.01)},
    # What you expect, with the rule that decides it: Difference, Trend, Interaction, Level or Same.
    claims=(Claim("averaging lowers the error", Difference("error", "down", "averaged")),),
    # Fewer than 5 are exploratory: nothing is tested. `ablation plan` says what so many can detect.
    seeds=5,
    # What a new seed varies decides what the result is about: "training" is training alone, on one test set.
    # Say Replication("split", test_share=n_test / n_train) if your script also draws the split anew.
    replication="training",
)
