"""A tidy frame of runs to effects, verdicts and caveats; owns scipy."""

from ablation.analyse.effects import Effect
from ablation.analyse.plan import Outlook, outlook
from ablation.analyse.statistics import Estimate
from ablation.analyse.summary import Analysis, Source, analyse
from ablation.analyse.verdicts import Verdict

__all__ = ["Analysis", "Effect", "Estimate", "Outlook", "Source", "Verdict", "analyse", "outlook"]
