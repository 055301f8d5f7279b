"""Stands for runs that you have in MLflow: random forests that read digits, by plain MLflow calls.

export MLFLOW_TRACKING_URI=sqlite:///mlflow.db
python examples/mlflow_runs/fill.py
"""

import mlflow
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

images, labels = load_digits(return_X_y=True)
split = train_test_split(images, labels, train_size=1000, stratify=labels, random_state=0)
train_images, test_images, train_labels, test_labels = split

mlflow.set_experiment("forests")
for trees, depth in ((50, 10), (200, 10), (50, 4)):
    for seed in range(5):
        with mlflow.start_run():
            mlflow.log_params({"trees": trees, "depth": depth, "random_state": seed})
            forest = RandomForestClassifier(trees, max_depth=depth, random_state=seed)
            forest.fit(train_images, train_labels)
            mlflow.log_metric("accuracy", forest.score(test_images, test_labels))
