"""Stands for your own script: it has its own arguments, and knows nothing of the study.

Here: ten weights are learned by stochastic gradient descent, and their mean squared error is known.
"""

import argparse
import json
import os
from pathlib import Path

import numpy as np

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.05)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--average", action="store_true")
options = parser.parse_args()

TRUE = np.linspace(-2, 2, 10)
draw = np.random.default_rng(options.seed)
weights = mean = np.zeros(10)
for step in range(1, 401):
    x = draw.normal(size=10)
    y = x @ TRUE + draw.normal()
    weights = weights - options.lr * (x @ weights - y) * x
    mean = mean + (weights - mean) / max(step - 200, 1)  # over the last 200 steps
error = np.mean(((mean if options.average else weights) - TRUE) ** 2)
print("error", error)

# One of two ways to hand the metrics over. The other: log them to MLflow, by hand or by autologging.
if "ABLATION_METRICS" in os.environ:
    Path(os.environ["ABLATION_METRICS"]).write_text(json.dumps({"error": error}), encoding="utf-8")
