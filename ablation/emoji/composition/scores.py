"""Scores of composites: the normalised gain of records, and numbers of pictures beside their truths.

A gain of 0 is the input c, encoded and decoded as it is; a gain of 1 is as good as the truth's own
reconstruction. Pictures are float32 (n, 3, 64, 64) in [0, 1].
"""

from collections.abc import Hashable, Sequence, Set
from statistics import fmean, median
from typing import TypeVar

import torch
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from torch import Tensor
from torch.nn import functional as F

from ablation.emoji.composition.families import DARK, NO_TONE

Truth = TypeVar("Truth", bound=Hashable)
CHANGE = "gain_changed"
"""How the measures begin whose gain is of the pixels that change alone."""
Row = dict[str, str | float]
"""The record of an analogy: its side, family and step, its four texts and every number."""

ROOM = 0.1  # of the input's error: a perfect composite is taken to save at least this share of it
UNSEEN, SEEN = "unseen", "seen"  # whether training saw the truth of an analogy
CHANGED = 0.1
"""In [0, 1]: a pixel is part of the change from c to d where its largest channel differs by more."""
INSIDE = " inside"
"""How the columns end whose errors are of the pixels that change alone."""
COMPONENTS = 32  # principal components of the pixels that the judge of the attribute sees


def gains(
    error: Sequence[float], copy: Sequence[float], ceiling: Sequence[float], truths: Sequence[Truth]
) -> dict[Truth, float]:
    """The normalised gain of each truth; errors, n of each, are averaged over the analogies that share it.

    copy: the error of the input, encoded and decoded. ceiling: that of the truth's own reconstruction. Where
    a perfect composite could save less than ROOM of the copy's error, the gain is computed as if it could
    save that much. Otherwise a model that reconstructs nothing would get large gains by a tiny divisor.
    """
    places: dict[Truth, list[int]] = {}
    for place, truth in enumerate(truths):
        places.setdefault(truth, []).append(place)
    found: dict[Truth, float] = {}
    for truth, here in places.items():
        e, c, best = (fmean(values[place] for place in here) for values in (error, copy, ceiling))
        found[truth] = (c - e) / max(c - best, ROOM * c)
    return found


def gains_by_measure(rows: Sequence[Row], large: Set[str]) -> dict[str, dict[str, dict[str, float]]]:
    """What every truth gained, by measure and family; `large` are the families that judge methods.

    The measure is the mean over families of the median over truths.
    """
    unseen, seen = by_family(rows, UNSEEN), by_family(rows, SEEN)
    changed = by_family([row for row in rows if row["changed"]], UNSEEN)
    found = {"gain": unseen, "gain_seen": seen}
    found |= {f"gain_{name}": {name: part} for name, part in unseen.items()}
    found |= {f"{CHANGE}_{name}": {name: part} for name, part in changed.items()}
    found["gain_dark_tone"] = {
        "tone": [row for row in unseen.get("tone", []) if (row["from"], row["to"]) == (NO_TONE, DARK)]
    }
    for name, parts in (("gain_large", unseen), (CHANGE, changed), ("gain_seen_large", seen)):
        if large <= parts.keys():  # else it would mean another thing than under another seed
            found[name] = {family: parts[family] for family in sorted(large)}
    return {
        measure: {
            family: gain_of_truths(part, inside=measure.startswith(CHANGE)) for family, part in parts.items()
        }
        for measure, parts in found.items()
        if parts and all(parts.values())
    }


def by_family(rows: Sequence[Row], side: str) -> dict[str, list[Row]]:
    """The records of that side, by family."""
    parts: dict[str, list[Row]] = {}
    for row in rows:
        if row["side"] == side:
            parts.setdefault(str(row["family"]), []).append(row)
    return parts


def gain(rows: Sequence[Row], name: str = "error") -> float:
    """The median over truths of the normalised gain; `name` is the column of the error."""
    return median(gain_of_truths(rows, name).values())


def gain_of_truths(rows: Sequence[Row], name: str = "error", inside: bool = False) -> dict[str, float]:
    """The normalised gain of each truth, by its text; of the pixels that change alone where `inside`."""
    columns = (f"{one}{INSIDE if inside else ''}" for one in (name, "copy", "ceiling"))
    error, copy, ceiling = ([float(row[one]) for row in rows] for one in columns)
    return gains(error, copy, ceiling, [str(row["d"]) for row in rows])


def errors(pictures: Tensor, truths: Tensor, where: Tensor | None = None) -> Tensor:
    """Mean squared error of each picture, (n,); of the pixels `where`, bool (n, 64, 64), is true.

    NaN of a picture without such a pixel.
    """
    squares = (pictures - truths).square()
    if where is None:
        return squares.mean(dim=(1, 2, 3))
    return (squares.mean(1) * where).sum((1, 2)) / where.sum((1, 2))


def changes(c: Tensor, d: Tensor) -> Tensor:
    """Which pixels of the pictures differ by more than CHANGED, bool (n, 64, 64)."""
    return (d - c).abs().amax(1) > CHANGED


def inside(edited: Tensor, untouched: Tensor, c: Tensor, d: Tensor) -> Tensor:
    """Share (n,) of an edit's energy on the pixels in which c and d differ; 1 where nothing was edited."""
    energy = (edited - untouched).square().sum(1)
    mask = changes(c, d).float()
    total = energy.sum((1, 2))
    return torch.where(total > 0, (energy * mask).sum((1, 2)) / total, torch.ones(()))


def hits(codes: Tensor, truths: Tensor, pool: Tensor, given: Tensor, exclude: bool) -> Tensor:
    """Whether the truth is the code of `pool` (m, latent_dim) nearest to each of `codes`, (n,) of 0 and 1.

    truths (n,) and given (n, 3) are places in the pool. With `exclude`, the given a, b and c cannot be the
    answer, which hides that the answer often is the input itself (Rogers et al. 2017).
    """
    distance = torch.cdist(codes, pool)
    if exclude:
        distance = distance.scatter(1, given, torch.inf)
    return (distance.argmin(1) == truths).float()


class Judge:
    """Names an attribute's value from pixels alone, without the codes.

    Logistic regression on principal components of pictures, uint8 (n, 3, 64, 64), reduced to 16 x 16.
    """

    def __init__(self, pictures: Tensor, values: Sequence[str]) -> None:
        """Learn from pictures. Of one value, which a few pictures of shapes can have, it names that one."""
        self._only = values[0] if len({*values}) == 1 else ""
        if self._only:
            return
        rank = min(COMPONENTS, len(pictures) - 1)
        self._fitted = make_pipeline(
            PCA(rank, whiten=True, svd_solver="full"), LogisticRegression(C=1.0, max_iter=1000)
        ).fit(_reduced(pictures / 255), list(values))

    def __call__(self, pictures: Tensor) -> list[str]:
        """The value that each of pictures, float32 (n, 3, 64, 64), seems to have."""
        if self._only:
            return [self._only] * len(pictures)
        return [str(value) for value in self._fitted.predict(_reduced(pictures))]


def _reduced(pictures: Tensor) -> object:
    return F.avg_pool2d(pictures, 4).flatten(1).double().numpy()
