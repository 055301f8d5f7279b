"""Numbers for composites beside their truths; pictures are float32 (n, 3, 64, 64) in [0, 1]."""

from collections.abc import Sequence

import torch
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from torch import Tensor
from torch.nn import functional as F

CHANGED = 0.1  # in [0, 1]: a pixel whose largest channel differs by more is part of the change
COMPONENTS = 32  # of the pixels, that the judge of the attribute sees


def errors(pictures: Tensor, truths: Tensor) -> Tensor:
    """Mean squared error of each picture, (n,)."""
    return (pictures - truths).square().mean(dim=(1, 2, 3))


def inside(edited: Tensor, untouched: Tensor, c: Tensor, d: Tensor) -> Tensor:
    """Share (n,) of an edit's energy on the pixels in which c and d differ; 1 where nothing was edited."""
    energy = (edited - untouched).square().sum(1)
    mask = ((d - c).abs().amax(1) > CHANGED).float()
    total = energy.sum((1, 2))
    return torch.where(total > 0, (energy * mask).sum((1, 2)) / total, torch.ones(()))


def hits(codes: Tensor, truths: Tensor, pool: Tensor, given: Tensor, exclude: bool) -> Tensor:
    """Whether the truth is the code of `pool` (m, latent_dim) nearest to each of `codes`, (n,) of 0 and 1.

    truths (n,) and given (n, 3) are places in the pool; the given a, b and c are left out where `exclude`,
    which hides that the answer often is the input itself (Rogers et al. 2017).
    """
    distance = torch.cdist(codes, pool)
    if exclude:
        distance = distance.scatter(1, given, torch.inf)
    return (distance.argmin(1) == truths).float()


class Judge:
    """Names an attribute's value from pixels: it has never heard of the codes.

    Logistic regression on principal components of pictures, uint8 (n, 3, 64, 64), reduced to 16 x 16.
    """

    def __init__(self, pictures: Tensor, values: Sequence[str]) -> None:
        """Learn from pictures of at least two values."""
        rank = min(COMPONENTS, len(pictures) - 1)
        self._fitted = make_pipeline(
            PCA(rank, whiten=True, svd_solver="full"), LogisticRegression(C=1.0, max_iter=1000)
        ).fit(_reduced(pictures / 255), list(values))

    def __call__(self, pictures: Tensor) -> list[str]:
        """The value that each of pictures, float32 (n, 3, 64, 64), seems to have."""
        return [str(value) for value in self._fitted.predict(_reduced(pictures))]


def _reduced(pictures: Tensor) -> object:
    return F.avg_pool2d(pictures, 4).flatten(1).double().numpy()
