"""A study of runs that MLflow has already: nothing is trained. Put your own experiment and numbers in.

export MLFLOW_TRACKING_URI=sqlite:///mlflow.db   # or your server
python my_study_runs.py                          # fills an experiment to try it with
ablation table my_study.py --format tex          # or md, csv, html; `ablation export` writes all
"""

from ablation import Claim, Difference, Measure, Study, Tracked

study = Study(
    question="Does averaging the weights lower the error?",
    source="where the question comes from: a paper, a review, an idea",
    # The name of the MLflow experiment, and the parameter of its runs that holds their seed.
    runs=Tracked("mlflow:my_study_runs", seed="seed"),
    # The runs' parameters by these names tell the arms apart. The baseline has each of them; an arm is what
    # it changes.
    baseline={"lr": 0.05, "average": False},
    arms={
        "averaged": {"average": True},
        "half the rate": {"lr": 0.025},
    },
    # Which way is better, the words in the table, the digits to print, and the smallest difference that
    # matters in practice, in the unit of the measure.
    measures={"error": Measure("lower", "Error", digits=3, matters=0.01)},
    # What was expected, with the rule that decides it: Difference, Trend, Interaction, Level or Same.
    claims=(Claim("averaging lowers the error", Difference("error", "down", "averaged")),),
    # What a new seed varied decides what the result is about: "training" is training alone, on one test set.
    # Say Replication("split", test_share=n_test / n_train) if the split was drawn anew, too.
    replication="training",
)
