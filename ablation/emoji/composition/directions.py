"""Ways to a direction in the code: from training codes and a batch of analogies to offsets.

An edit is c + strength x offset. Each function under `@method` is one way, and the function's name is the
method's name in the settings: to add a method, add a function here. Sources: one pair (the report, part
3 a); means (Larsen et al. 2016, arXiv 1512.09300); means balanced over what goes with the attribute (White
2016, arXiv 1609.04468); matched neighbours (Upchurch et al. 2017, arXiv 1611.05507); a linear boundary,
conditioned (Shen et al. 2020, arXiv 1907.10786); isolation by PCA (the report's proposal, part 3 c, 1).

The settings read the names of the methods from here, in milliseconds: so functions import torch themselves.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

    from ablation.emoji.composition.training_codes import AnalogyBatch, TrainingCodes

NEIGHBOURS = 5
NAMED_DIMS = 11  # at the start of a code that was taught `attributes.ATTRIBUTES`
CONDITIONED = 4  # directions of content that a conditioned boundary leaves alone

Offsets = Callable[["TrainingCodes", "AnalogyBatch", int], "Tensor"]


@dataclass(frozen=True)
class Method:
    """offsets: from training codes, n analogies and a rank to offsets (n, latent_dim).

    rank: "" where the method works in no subspace, "own" where validation chooses the subspace's rank for
    this method, "pca" where it takes the rank that validation chooses for PCA.
    """

    offsets: Offsets
    rank: Literal["", "own", "pca"]


METHODS: dict[str, Method] = {}
"""Every method by its name."""


def method(rank: Literal["", "own", "pca"] = "") -> Callable[[Offsets], Offsets]:
    """Make a function a method of its own name."""

    def add(function: Offsets) -> Offsets:
        METHODS[function.__name__] = Method(function, rank)
        return function

    return add


def offsets(name: str, rank: int, known: "TrainingCodes", batch: "AnalogyBatch") -> "Tensor":
    """The offsets (n, latent_dim) of the method `name`; `rank` is that of its subspace, if it has one."""
    return METHODS[name].offsets(known, batch, rank)


@method()
def pair(known: "TrainingCodes", batch: "AnalogyBatch", rank: int) -> "Tensor":
    """The whole difference of the pair that is given."""
    return batch.b - batch.a


@method()
def mean(known: "TrainingCodes", batch: "AnalogyBatch", rank: int) -> "Tensor":
    """The step's mean difference; the pair's own where training has no pair of the step."""
    before, after = known.pairs(batch.step)
    return (after - before).mean(0).expand_as(batch.a) if len(before) else pair(known, batch, rank)


@method()
def named(known: "TrainingCodes", batch: "AnalogyBatch", rank: int) -> "Tensor":
    """The step's mean difference in the named dimensions alone; the free ones stay as they are in c."""
    import torch

    offset: Tensor = torch.zeros_like(batch.c)
    offset[:, :NAMED_DIMS] = mean(known, batch, rank)[:, :NAMED_DIMS]
    return offset


@method()
def balanced(known: "TrainingCodes", batch: "AnalogyBatch", rank: int) -> "Tensor":
    """The mean over kinds of each kind's mean difference, so that every kind has the same weight."""
    import torch

    contents = known.contents(batch.step)
    if not contents:
        return pair(known, batch, rank)
    before, after = known.pairs(batch.step)
    kinds = [known.kinds[content] for content in contents]
    means = [(after - before)[[k == kind for k in kinds]].mean(0) for kind in dict.fromkeys(kinds)]
    return torch.stack(means).mean(0).expand_as(batch.a)


@method()
def nearest(known: "TrainingCodes", batch: "AnalogyBatch", rank: int) -> "Tensor":
    """The mean difference of the training pairs whose first code is nearest to c."""
    import torch

    before, after = known.pairs(batch.step)
    if not len(before):
        return pair(known, batch, rank)
    near = torch.cdist(batch.c, before).topk(min(NEIGHBOURS, len(before)), largest=False).indices
    matched: Tensor = (after - before)[near].mean(1)
    return matched


@method()
def additive(known: "TrainingCodes", batch: "AnalogyBatch", rank: int) -> "Tensor":
    """To the target's mean, plus a share of what b is above the source's mean: a two-way table, shrunken.

    The means are over the values that training shows of both contents. The share is the slope, not below
    0, of the target's deviations on the source's. Where the two have fewer than two values in common, it is
    the step's mean difference.
    """
    import torch

    found = mean(known, batch, rank).clone()
    for n, (source, target, b, c) in enumerate(
        zip(batch.sources, batch.targets, batch.b, batch.c, strict=True)
    ):
        shared = [
            value
            for content, value in known.codes
            if content == target and value != batch.step[1] and (source, value) in known.codes
        ]
        if len(shared) >= 2:
            ours, theirs = (torch.stack([known.codes[one, v] for v in shared]) for one in (target, source))
            above, deviations = ours - ours.mean(0), theirs - theirs.mean(0)
            share = ((above * deviations).sum() / deviations.square().sum()).clamp(min=0)
            found[n] = ours.mean(0) + share * (b - theirs.mean(0)) - c
    return found


@method()
def boundary(known: "TrainingCodes", batch: "AnalogyBatch", rank: int) -> "Tensor":
    """Along the normal of a logistic boundary, without its part in the leading directions of content.

    It is as long as the mean difference is along this normal.
    """
    import torch
    from sklearn.linear_model import LogisticRegression
    from torch.nn import functional as F

    before, after = known.pairs(batch.step)
    if not known.enough(batch.step):
        return pair(known, batch, rank)
    labels = [0] * len(before) + [1] * len(after)
    fitted = LogisticRegression(C=0.1, max_iter=1000).fit(torch.cat([before, after]).double().numpy(), labels)
    normal = torch.from_numpy(fitted.coef_[0]).to(batch.c)
    content = torch.stack([*known.content_means.values()])
    conditions = _leading(content - content.mean(0), CONDITIONED)
    normal = F.normalize(normal - _within(normal[None], conditions)[0], dim=0)
    along: Tensor = normal * ((after - before).mean(0) @ normal)
    return along.expand_as(batch.a)


@method(rank="own")
def pca(known: "TrainingCodes", batch: "AnalogyBatch", rank: int) -> "Tensor":
    """The pair's difference within the leading principal components of training differences."""
    return _within(pair(known, batch, rank), _leading(known.differences(batch.step), rank))


@method(rank="own")
def scatter(known: "TrainingCodes", batch: "AnalogyBatch", rank: int) -> "Tensor":
    """The pair's difference within the leading components of the scatter of the attribute's values."""
    return _within(pair(known, batch, rank), _leading(known.value_means, rank))


@method(rank="pca")
def random(known: "TrainingCodes", batch: "AnalogyBatch", rank: int) -> "Tensor":
    """Control: the pair's difference within a random subspace, as long as PCA's offset."""
    import torch

    rng = torch.Generator().manual_seed(known.seed)
    basis = torch.linalg.qr(torch.randn(batch.a.shape[1], rank, generator=rng))[0].T
    return _as_long(_within(pair(known, batch, rank), basis), pca(known, batch, rank))


@method(rank="pca")
def variance(known: "TrainingCodes", batch: "AnalogyBatch", rank: int) -> "Tensor":
    """Control: within the components of largest variance of the codes, as long as PCA's offset."""
    basis = _leading(known.every - known.every.mean(0), rank)
    return _as_long(_within(pair(known, batch, rank), basis), pca(known, batch, rank))


@method(rank="pca")
def shortened(known: "TrainingCodes", batch: "AnalogyBatch", rank: int) -> "Tensor":
    """Control: the whole difference, as long as PCA's offset."""
    return _as_long(pair(known, batch, rank), pca(known, batch, rank))


@method()
def centre(known: "TrainingCodes", batch: "AnalogyBatch", rank: int) -> "Tensor":
    """Control: towards a mean that says nothing of the attribute.

    It is the mean of the target's training pictures, or of all the family's where the target has none.
    """
    import torch

    means = [known.content_means.get(target, known.every.mean(0)) for target in batch.targets]
    return torch.stack(means) - batch.c


SUBSPACES = tuple(name for name, one in METHODS.items() if one.rank)
"""Methods that work within a subspace, which has a rank."""


def _leading(rows: "Tensor", rank: int) -> "Tensor":
    """The leading principal components about zero of rows (m, latent_dim), (at most rank, latent_dim)."""
    import torch

    components: Tensor = torch.linalg.svd(rows, full_matrices=False).Vh
    return components[:rank]


def _within(rows: "Tensor", basis: "Tensor") -> "Tensor":
    """The rows, projected on the span of the basis."""
    projected: Tensor = rows @ basis.T @ basis
    return projected


def _as_long(rows: "Tensor", like: "Tensor") -> "Tensor":
    """The rows, each as long as the row of `like`."""
    from torch.nn import functional as F

    scaled: Tensor = F.normalize(rows, dim=1) * like.norm(dim=1, keepdim=True)
    return scaled
