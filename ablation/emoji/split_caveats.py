"""Caveats on the splits: what they pair across arms, and what of a test picture training may have seen."""

from collections.abc import Iterator

import pandas as pd

from ablation.emoji.spec import RunSpec
from ablation.formatting import count, listing
from ablation.measures import measure
from ablation.study import Study

DEAL = ("data.sources", "data.stratify", "data.split", "data.parts")
"""Settings that decide, with the seed, which image is dealt to which set."""
COPY_DEAL = ("data.keyword", "data.classes", "data.among", "augment.copies")
"""Settings that decide it too where data.split is "copy"."""
SEEN = {
    "image": "another tone or gender of a test picture may be in its training",
    "copy": "its test pictures are copies of originals that are in its training too",
}

SHARED = {
    "images_common": ("common_mse", "{} held-out images"),
    "images_mood_rarest": ("mood_balanced_accuracy", "held-out faces, {} of the rarer mood"),
    "images_probe": ("probe_accuracy", "codes of {} held-out emoji"),
}
"""The column with the number of pictures behind a measure that all arms share, and what they are."""


def split_caveats(study: Study, cells: pd.DataFrame) -> Iterator[str]:
    """What the seed pairs across the arms of `study`, and what each run is tested on."""
    yield f"Every arm ran under the same {count(cells['seed'].nunique(), 'seed')}; {_paired(study)}."
    own = [name for name in study.measures if name.startswith("test_")]
    if own and (size := _sizes(cells, "images_test")):
        yield f"Each run is tested on {size} images{_unseen(study)}."
    for column, (name, words) in SHARED.items():
        if name in study.measures and (size := _sizes(cells, column)):
            yield f"{measure(name).label} is taken on {words.format(size)}{_alike(study)}."


def _alike(study: Study) -> str:
    """What holds of pictures that every arm is measured on, as long as none deals images otherwise."""
    alike = "" if any(name in study.varied for name in DEAL) else ", the same in every arm under a seed"
    unseen = all(_protocol(spec) == "subject" for spec in study.specs.values())
    return alike + (", that no training saw" if unseen else "")


def _sizes(cells: pd.DataFrame, column: str) -> str:
    """The least to the largest number in `column` of the complete cells; "" where there is none."""
    if column not in cells:
        return ""
    found = cells.loc[cells["state"] == "complete", column].dropna()
    if not len(found):
        return ""
    low, high = int(found.min()), int(found.max())
    return f"{low}" if low == high else f"{low} to {high}"


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
