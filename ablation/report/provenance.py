"""From every number of the table to the runs behind it, as JSON."""

import json
from collections.abc import Mapping
from typing import Any

from ablation.stats import Analysis


def provenance(analysis: Analysis, extra: Mapping[str, Mapping[str, Any]] | None = None) -> str:
    """JSON of "numbers" (key of a number to fingerprints) and "runs" (fingerprint to its run).

    The keys are those of `Analysis.sources`. A run has arm, seed and run_id, and whatever
    extra[fingerprint] adds.
    """
    sources = [source for cells in analysis.sources.values() for source in cells]
    runs: dict[str, dict[str, Any]] = {}
    for source in sorted(sources, key=lambda s: (s.seed, list(analysis.study.specs).index(s.arm))):
        own = {"arm": source.arm, "seed": source.seed, "run_id": source.run_id}
        runs[source.fingerprint] = own | dict((extra or {}).get(source.fingerprint, {}))
    numbers = {key: [s.fingerprint for s in cells] for key, cells in analysis.sources.items()}
    study = {"study": analysis.study.name, "quick": analysis.study.quick, "seeds": analysis.seeds}
    content = {**study, "numbers": numbers, "runs": runs}
    return json.dumps(content, indent=1, ensure_ascii=False, default=str) + "\n"
