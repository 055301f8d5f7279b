"""Ablation studies: declare a study, run it, and export its tables and verdicts.

What a study file or a notebook imports stands here; what trains or talks to MLflow is loaded when it is used.
"""

from typing import TYPE_CHECKING, Any

from ablation.claims import Claim, Difference, Interaction, Level, Over, Same, Trend
from ablation.command import Command
from ablation.errors import UserError
from ablation.experiment import Diverged, Experiment, Function, Replication, Run
from ablation.gates import Gate
from ablation.measures import Measure
from ablation.study import Study
from ablation.tracked import Tracked
from ablation.tuning import Choice, Range, Search, Tune, Tuned

if TYPE_CHECKING:
    from ablation.catalogue import load
    from ablation.launch import analyse, results, run, tune
    from ablation.report.export import Results
    from ablation.stats.nested import variance_share

__version__ = "0.1.0"
__all__ = [
    "Choice",
    "Claim",
    "Command",
    "Difference",
    "Diverged",
    "Experiment",
    "Function",
    "Gate",
    "Interaction",
    "Level",
    "Measure",
    "Over",
    "Range",
    "Replication",
    "Results",
    "Run",
    "Same",
    "Search",
    "Study",
    "Tracked",
    "Trend",
    "Tune",
    "Tuned",
    "UserError",
    "analyse",
    "load",
    "results",
    "run",
    "tune",
    "variance_share",
]
_LATE = {
    "Results": "ablation.report.export",
    "analyse": "ablation.launch",
    "load": "ablation.catalogue",
    "results": "ablation.launch",
    "run": "ablation.launch",
    "tune": "ablation.launch",
    "variance_share": "ablation.stats.nested",
}


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module 'ablation' has no attribute {name!r}")
    from importlib import import_module
    from warnings import catch_warnings, filterwarnings

    with catch_warnings():
        filterwarnings("ignore", "IProgress not found")  # of tqdm in a notebook, which Optuna imports
        return getattr(import_module(_LATE[name]), name)
