"""Ways to a direction in the code, behind one interface: what is known and what is asked to offsets.

An edit is c + strength x offset. Sources: one pair (the report, part 3 a); means (Larsen et al. 2016,
arXiv 1512.09300); means balanced over what goes with the attribute (White 2016, arXiv 1609.04468); matched
neighbours (Upchurch et al. 2017, arXiv 1611.05507); a linear boundary, conditioned (Shen et al. 2020,
arXiv 1907.10786); isolation by PCA (the report's proposal, part 3 c, 1).
"""

from collections.abc import Callable
from statistics import fmean

import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from torch.nn import functional as F

from ablation.emoji.composition.analogies import Step
from ablation.emoji.composition.training_codes import LEAST_PAIRS, AnalogyBatch, Known

NEIGHBOURS = 5
KEPT = 4  # directions of what stays that a conditioned boundary leaves alone


def offsets(method: str, rank: int, known: Known, asked: AnalogyBatch) -> Tensor:
    """The offsets (n, latent_dim) of `method`; `rank` is that of a subspace, and the others ignore it."""
    return METHODS[method](known, asked, rank)


def _pair(known: Known, asked: AnalogyBatch, rank: int) -> Tensor:
    return asked.b - asked.a


def _mean(known: Known, asked: AnalogyBatch, rank: int) -> Tensor:
    """The step's mean difference; the pair's own where training has no pair of the step."""
    before, after = known.pairs(asked.step)
    return (after - before).mean(0).expand_as(asked.a) if len(before) else _pair(known, asked, rank)


def _balanced(known: Known, asked: AnalogyBatch, rank: int) -> Tensor:
    """The mean over kinds of each kind's mean difference: no kind decides it by its number."""
    rows = known.rows(asked.step)
    if not rows:
        return _pair(known, asked, rank)
    before, after = known.pairs(asked.step)
    kinds = [known.kinds[row] for row in rows]
    means = [(after - before)[[k == kind for k in kinds]].mean(0) for kind in dict.fromkeys(kinds)]
    return torch.stack(means).mean(0).expand_as(asked.a)


def _nearest(known: Known, asked: AnalogyBatch, rank: int) -> Tensor:
    """The mean difference of the pairs that begin nearest to c."""
    before, after = known.pairs(asked.step)
    if not len(before):
        return _pair(known, asked, rank)
    near = torch.cdist(asked.c, before).topk(min(NEIGHBOURS, len(before)), largest=False).indices
    matched: Tensor = (after - before)[near].mean(1)
    return matched


def _additive(known: Known, asked: AnalogyBatch, rank: int) -> Tensor:
    """To the taker's mean plus a share of what b is above the giver's mean: a two-way table, shrunken.

    The means are over the values that training shows of both, and so is the share: the slope, not below 0, of
    the taker's deviations on the giver's. Where they share fewer than two, the step's mean difference.
    """
    found = _mean(known, asked, rank).clone()
    for n, (giver, taker, b, c) in enumerate(zip(asked.givers, asked.takers, asked.b, asked.c, strict=True)):
        shared = [
            v for s, v in known.codes if s == taker and v != asked.step[1] and (giver, v) in known.codes
        ]
        if len(shared) >= 2:
            ours, theirs = (torch.stack([known.codes[s, v] for v in shared]) for s in (taker, giver))
            above, deviations = ours - ours.mean(0), theirs - theirs.mean(0)
            share = ((above * deviations).sum() / deviations.square().sum()).clamp(min=0)
            found[n] = ours.mean(0) + share * (b - theirs.mean(0)) - c
    return found


def _boundary(known: Known, asked: AnalogyBatch, rank: int) -> Tensor:
    """Along the normal of a logistic boundary, less its part in the leading directions of what stays.

    As far as the mean difference goes along it.
    """
    before, after = known.pairs(asked.step)
    if len(before) < LEAST_PAIRS:
        return _pair(known, asked, rank)
    sides = [0] * len(before) + [1] * len(after)
    fitted = LogisticRegression(C=0.1, max_iter=1000).fit(torch.cat([before, after]).double().numpy(), sides)
    normal = torch.from_numpy(fitted.coef_[0]).to(asked.c)
    stays = torch.stack([*known.row_means.values()])
    normal = F.normalize(normal - _into(normal[None], _leading(stays - stays.mean(0), KEPT))[0], dim=0)
    along: Tensor = normal * ((after - before).mean(0) @ normal)
    return along.expand_as(asked.a)


def _pca(known: Known, asked: AnalogyBatch, rank: int) -> Tensor:
    """The pair's difference, that part of it in the leading principal components of training differences."""
    return _into(_pair(known, asked, rank), _leading(known.differences(asked.step), rank))


def _scatter(known: Known, asked: AnalogyBatch, rank: int) -> Tensor:
    """The pair's difference within the leading components of the scatter of the attribute's values."""
    return _into(_pair(known, asked, rank), _leading(known.value_means, rank))


def _random(known: Known, asked: AnalogyBatch, rank: int) -> Tensor:
    """Control: the pair's difference within a random subspace, as long as PCA's offset."""
    rng = torch.Generator().manual_seed(known.draws)
    basis = torch.linalg.qr(torch.randn(asked.a.shape[1], rank, generator=rng))[0].T
    return _as_long(_into(_pair(known, asked, rank), basis), _pca(known, asked, rank))


def _variance(known: Known, asked: AnalogyBatch, rank: int) -> Tensor:
    """Control: within the components of largest variance of the codes, as long as PCA's offset."""
    basis = _leading(known.every - known.every.mean(0), rank)
    return _as_long(_into(_pair(known, asked, rank), basis), _pca(known, asked, rank))


def _shortened(known: Known, asked: AnalogyBatch, rank: int) -> Tensor:
    """Control: the whole difference, as long as PCA's offset."""
    return _as_long(_pair(known, asked, rank), _pca(known, asked, rank))


def _centre(known: Known, asked: AnalogyBatch, rank: int) -> Tensor:
    """Control: towards the mean of what is alike, with nothing of the attribute.

    That is the mean of the taker's training pictures, or, where there are none, of the family's.
    """
    return torch.stack([known.row_means.get(taker, known.every.mean(0)) for taker in asked.takers]) - asked.c


METHODS: dict[str, Callable[[Known, AnalogyBatch, int], Tensor]] = {
    "pair": _pair,
    "mean": _mean,
    "balanced": _balanced,
    "nearest": _nearest,
    "additive": _additive,
    "boundary": _boundary,
    "pca": _pca,
    "scatter": _scatter,
    "random": _random,
    "variance": _variance,
    "shortened": _shortened,
    "centre": _centre,
}
RANKED = ("pca", "scatter")
"""Methods whose rank is chosen; the controls below take what PCA chose."""
AS_PCA = ("random", "variance", "shortened")


def _leading(rows: Tensor, rank: int) -> Tensor:
    """The leading principal components about zero of rows (m, latent_dim), (at most rank, latent_dim)."""
    components: Tensor = torch.linalg.svd(rows, full_matrices=False).Vh
    return components[:rank]


def _into(rows: Tensor, basis: Tensor) -> Tensor:
    within: Tensor = rows @ basis.T @ basis
    return within


def _as_long(rows: Tensor, like: Tensor) -> Tensor:
    scaled: Tensor = F.normalize(rows, dim=1) * like.norm(dim=1, keepdim=True)
    return scaled


def coherence(known: Known, steps: tuple[Step, ...]) -> tuple[float, float]:
    """Mean cosine of a step's training offsets to each other, and of offsets of pairs put together at random.

    The second keeps the difference of the means: what the first has above it is due to pairs. NaN where no
    step has two.
    """
    ours, chance = [], []
    rng = torch.Generator().manual_seed(known.draws)
    for step in steps:
        before, after = known.pairs(step)
        if len(before) >= 2:
            shuffled = after[torch.randperm(len(after), generator=rng)]
            ours.append(_mean_cosine(after - before))
            chance.append(_mean_cosine(shuffled - before))
    return (fmean(ours), fmean(chance)) if ours else (float("nan"), float("nan"))


def _mean_cosine(rows: Tensor) -> float:
    unit = F.normalize(rows, dim=1)
    cosines = unit @ unit.T
    count = len(rows)
    return float((cosines.sum() - cosines.trace()) / (count * (count - 1)))
