"""A tidy frame of runs to effects, verdicts and caveats; owns scipy.

Names are loaded as they are used, so that `ablation.stats.cells` says the states of a cell without pandas.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ablation.stats.analysis import Analysis, Source, analyse
    from ablation.stats.effects import Effect
    from ablation.stats.power import Power, power_of
    from ablation.stats.statistics import Estimate
    from ablation.stats.verdicts import Verdict

__all__ = ["Analysis", "Effect", "Estimate", "Power", "Source", "Verdict", "analyse", "power_of"]
_MODULES = {
    "analysis": ("Analysis", "Source", "analyse"),
    "effects": ("Effect",),
    "power": ("Power", "power_of"),
    "statistics": ("Estimate",),
    "verdicts": ("Verdict",),
}


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"ablation.stats.{module}"), name)
    raise AttributeError(f"module 'ablation.stats' has no attribute {name!r}")
