"""A study of runs in a table, such as an export of W&B: nothing is trained. Put your own file and numbers in.

ablation table my_study.py --format tex    # or md, csv, html; `ablation export` writes all
"""

from pathlib import Path

from ablation import Claim, Difference, Measure, Study, Tracked

study = Study(
    question="Does averaging the weights lower the error?",
    source="where the question comes from: a paper, a review, an idea",
    # A row is a run; one column holds its seed.
    runs=Tracked(Path(__file__).with_name("my_study_runs.csv"), seed="seed"),
    # The table's columns by these names tell the arms apart. The baseline has each of them; an arm is what
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
