"""What the process that workers are forked from imports, once for all of them; it runs nothing else.

Half a million objects come with it, and stay: to look through them for garbage over and over takes a second.
"""

import gc
from importlib import import_module

NAMES = (
    "ablation.runner.worker",
    "torch._dynamo",  # which the first optimiser of a process imports: two seconds
    "mlflow.store.tracking.sqlalchemy_store",  # which the first run imports
)

gc.set_threshold(100_000)
for name in NAMES:
    import_module(name)
