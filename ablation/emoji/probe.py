"""The linear probe: a measure of feature learning that every study can take.

A logistic regression on frozen codes tells Unicode's subgroups apart. It is fitted on the subjects
that the run's split calls train and scored on those it calls test, over the whole source and not the
run's own selection, so that two runs that learn from different images are measured alike.

The regression sees the codes' leading principal components at equal variance. An autoencoder puts
nearly all variance into a few directions, and a penalty on the raw codes would measure their scale;
and with the same number of components a code of 512 values gets no larger probe than one of 64.
"""

import numpy as np
import torch
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

LEAST_SUBJECTS = 5  # of a subgroup, so that a 3 : 1 : 1 split leaves it some on every side
COMPONENTS = 32  # of the codes; all of a shorter code
MOST_SUBJECTS = 10  # of a subgroup, so that no large one decides the score, and encoding stays cheap


def probe_pool(subjects: tuple[str, ...], subgroups: tuple[str, ...], among: Tensor) -> Tensor:
    """Indices, int64 (m,), of one image a subject, from subgroups with at least LEAST_SUBJECTS subjects.

    The first image of a subject that is `among` them, bool (n,), stands for it: tones, genders and vendors
    are not counted as evidence. Of a subgroup the first MOST_SUBJECTS subjects take part.
    """
    first: dict[str, int] = {}
    for index in among.nonzero().flatten().tolist():
        first.setdefault(subjects[index], index)
    members: dict[str, list[int]] = {}
    for index in first.values():
        members.setdefault(subgroups[index], []).append(index)
    kept = [
        index
        for name, indices in members.items()
        if name and len(indices) >= LEAST_SUBJECTS
        for index in indices[:MOST_SUBJECTS]
    ]
    return torch.tensor(kept, dtype=torch.int64)


def effective_rank(codes: Tensor) -> float:
    """How many directions the codes (m, latent_dim) spread over: 1 for one, latent_dim for all alike.

    The exponential of the entropy of their singular values, as shares, once the mean is taken off (Roy and
    Vetterli, The effective rank, EUSIPCO 2007). Codes that are all alike have rank 0.
    """
    singular = torch.linalg.svdvals(codes.double() - codes.double().mean(dim=0))
    if singular.sum() == 0:
        return 0.0
    shares = singular / singular.sum()
    return float(torch.special.entr(shares).sum().exp())


def probed(train: Tensor, train_names: list[str], test: Tensor) -> list[str]:
    """What the probe, fitted on train codes and their names, calls each of the test codes (m, latent_dim).

    Deterministic. Codes that are all alike, or all of one name, tell nothing: the most frequent name is given
    to all.
    """
    if not len(test):
        return []
    rank = int(torch.linalg.matrix_rank(train.double() - train.double().mean(dim=0)))
    if rank == 0 or len(set(train_names)) < 2:
        return [max(sorted(set(train_names)), key=train_names.count)] * len(test)
    classifier = make_pipeline(
        StandardScaler(),
        PCA(min(COMPONENTS, rank), whiten=True, svd_solver="full"),
        LogisticRegression(C=0.1, max_iter=1000),
    )
    classifier.fit(train.double().numpy(), np.asarray(train_names))
    return [str(name) for name in classifier.predict(test.double().numpy())]
