"""Caveats on the splits: what they pair across arms, and what of a test picture training may have seen."""

from collections.abc import Iterator

import pandas as pd

from ablation.analyse.words import count, listing
from ablation.spec import RunSpec
from ablation.study import Study

DEAL = ("data.sources", "data.stratify", "data.split", "data.parts")
"""Settings that decide, with the seed, which image is dealt to which set."""
COPY_DEAL = ("data.keyword", "data.classes", "augment.copies")
"""Settings that decide it too where data.split is "copy"."""
SEEN = {
    "image": "another tone or gender of a test picture may be in its training",
    "copy": "its test pictures are copies of originals that are in its training too",
}


def split_caveats(study: Study, cells: pd.DataFrame) -> Iterator[str]:
    """What the seed pairs across the arms of `study`, and what each run is tested on."""
    yield f"Every arm ran under the same {count(cells['seed'].nunique(), 'seed')}; {_paired(study)}."
    images = cells.get("images_test", pd.Series(dtype=float))[cells["state"] == "complete"].dropna()
    if len(images):
        low, high = int(images.min()), int(images.max())
        size = f"{low}" if low == high else f"{low} to {high}"
        yield f"Each run is tested on {size} images{_unseen(study)}."


def _paired(study: Study) -> str:
    decides = "the seed decides initialisation, data order, augmentation, dropout and the split"
    names = DEAL + (COPY_DEAL if "copy" in map(_protocol, study.specs.values()) else ())
    if differ := [name for name in names if name in study.varied]:
        verb = "varies" if len(differ) == 1 else "vary"
        return (
            f"{decides}, but {listing(differ)} {verb}, so that the arms' splits differ: arms share a seed, "
            "not their test images"
        )
    return f"{decides}, and is paired across arms"


def _unseen(study: Study) -> str:
    """What follows the number of test images: for which arms training saw something of them."""
    arms: dict[str, list[str]] = {}
    for arm, spec in study.specs.items():
        arms.setdefault(_protocol(spec), []).append(arm)
    if set(arms) == {"subject"}:
        return " that its training never saw"
    seen = {kind: some for kind, some in arms.items() if kind in SEEN}
    parts = [
        (f"in {listing(some)} " if len(arms) > 1 else "") + SEEN[kind] for kind, some in sorted(seen.items())
    ]
    return f": {'; '.join(parts)}"


def _protocol(spec: RunSpec) -> str:
    """What is dealt; without copies to part from their originals, "copy" deals images."""
    return "image" if spec.data.split == "copy" and not spec.augment.copies else spec.data.split
