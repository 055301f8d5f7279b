"""A tidy frame of runs to effects, verdicts and caveats; owns scipy."""

from ablation.stats.analysis import Analysis, Source, analyse
from ablation.stats.effects import Effect
from ablation.stats.power import Outlook, outlook
from ablation.stats.statistics import Estimate
from ablation.stats.verdicts import Verdict

__all__ = ["Analysis", "Effect", "Estimate", "Outlook", "Source", "Verdict", "analyse", "outlook"]
