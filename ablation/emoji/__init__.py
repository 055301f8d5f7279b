"""The report's experiment: its data, its network, its training and its composites."""

from pathlib import Path

from ablation.emoji.data.classes import Class as Class
from ablation.emoji.data.classes import class_scheme as class_scheme
from ablation.emoji.protocols import STEPS as STEPS
from ablation.emoji.protocols import UNCHANGED as UNCHANGED
from ablation.emoji.protocols import VENDORS as VENDORS
from ablation.emoji.protocols import autoencoder as autoencoder
from ablation.emoji.protocols import composed as composed
from ablation.emoji.protocols import joint as joint
from ablation.emoji.protocols import moods as moods
from ablation.emoji.spec import RunSpec as RunSpec
from ablation.settings import vary as vary

_INSTALLED = Path(__file__).parent / "studies"
STUDIES = _INSTALLED if _INSTALLED.is_dir() else Path(__file__).parents[2] / "studies"
"""The report's studies: in the installed package, or beside the package in a checkout."""
