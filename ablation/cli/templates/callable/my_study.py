"""A study of a Python function. It runs as it stands; put your own question, function and numbers in.

ablation plan my_study.py                  # cells, time, and the smallest effect that the seeds can detect
ablation run my_study.py                   # only what is missing; the same command goes on after an interrupt
ablation table my_study.py --format tex    # or md, csv, html; `ablation export` writes all
"""

import numpy as np

from ablation import Claim, Difference, Measure, Study

TRUE = np.linspace(-2, 2, 10)


def train(settings, seed, run):
    """One training run: settings and a seed go in, metrics by name come out.

    Here: ten weights are learned by stochastic gradient descent, and their mean squared error is known.
    """
    draw = np.random.default_rng(seed)  # all arms of a seed see the same examples, and are compared within it
    weights = mean = np.zeros(10)
    for step in range(1, 401):
        x = draw.normal(size=10)
        y = x @ TRUE + draw.normal()
        weights = weights - settings["lr"] * (x @ weights - y) * x
        mean = mean + (weights - mean) / max(step - 200, 1)  # over the last 200 steps
        error = np.mean(((mean if settings["average"] else weights) - TRUE) ** 2)
        if step % 10 == 0:
            run.log({"error": error}, step)  # a learning curve; leave it out if you need none
    return {"error": error}


study = Study(
    question="Does averaging the weights lower the error?",
    source="where the question comes from: a paper, a review, an idea",
    train=train,
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
    # Say Replication("split", test_share=n_test / n_train) if your function also draws the split anew.
    replication="training",
)
