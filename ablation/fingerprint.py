"""What identifies a run everywhere: a hash of all that decides its result."""

import hashlib
import json
from typing import Any

from ablation.experiment import Experiment
from ablation.settings import identity

FINGERPRINT_VERSION = 2


def fingerprint(experiment: Experiment, settings: Any, seed: int, version: str, code: str = "") -> str:
    """16 hexadecimal digits that identify a run: a hash of experiment, versions, every setting and the seed.

    `version` is that of `Experiment.version`, `code` of `Experiment.code`. Settings at their neutral value
    are left out (docs/decisions/0001-fingerprint.md).
    """
    content = [
        FINGERPRINT_VERSION,
        experiment.name,
        version,
        identity(settings),
        seed,
        *([code] if code else []),
    ]
    text = json.dumps(content, sort_keys=True, default=_whole)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _whole(value: Any) -> Any:
    """What JSON has no word for: an array by its elements, since its text leaves most out; else as text."""
    return value.tolist() if getattr(value, "ndim", 0) and hasattr(value, "tolist") else str(value)
