"""Stands for the runs that you have: plain MLflow calls, as any script makes them.

Here: ten weights are learned by stochastic gradient descent, and their mean squared error is known.
"""

import mlflow
import numpy as np

TRUE = np.linspace(-2, 2, 10)
mlflow.set_experiment("my_study_runs")
for average, lr in ((False, 0.05), (True, 0.05), (False, 0.025)):
    for seed in range(5):
        draw = np.random.default_rng(seed)
        weights = mean = np.zeros(10)
        with mlflow.start_run():
            mlflow.log_params({"lr": lr, "average": average, "seed": seed})
            for step in range(1, 401):
                x = draw.normal(size=10)
                y = x @ TRUE + draw.normal()
                weights = weights - lr * (x @ weights - y) * x
                mean = mean + (weights - mean) / max(step - 200, 1)  # over the last 200 steps
            mlflow.log_metric("error", np.mean(((mean if average else weights) - TRUE) ** 2))
