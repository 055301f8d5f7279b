"""Do PCA and a weight improve on the whole difference of two codes, judged where there are enough truths?

Report, part 3 c, 1 and 3, on emoji of four vendors. One autoencoder for each seed, composed by many methods,
on analogies a : b :: c : d whose truth d, and whose subject, was not used in any training. Methods are judged
on the families with at least twenty truths a run (skin tones, genders, vendors); cats and shapes stand apart.

- one pair (the baseline): the whole difference b - a at strength 1, the report's method.
- one pair, weighted: the same, its strength chosen on validation.
- PCA: that difference within the leading components of training differences; rank and strength are chosen on
  validation.
- random subspace and shortened: controls with PCA's rank, length and strength.
- mean: the mean of many differences. kind's mean: a control that uses nothing of the attribute.
- pixel arithmetic and nearest picture: controls without a code, redrawn by the network, so that they are as
  blurred.
- strength 0.5 and strength 1.5: for the trend.
"""

from ablation import Claim, Difference, Study, Trend
from ablation.emoji import VENDORS, composed, vary

METHODS = {
    "one pair, weighted": "pair",
    "PCA": "pca",
    "random subspace": "random",
    "shortened": "shortened",
    "mean": "mean",
    "kind's mean": "centre",
}
PIXELS = {"pixel arithmetic": "pixel_arithmetic", "nearest picture": "nearest_picture"}

study = Study(
    question="Do PCA and a weight improve on the whole difference of two codes?",
    source=(
        "Instead of directly subtracting the entire latent vector of the baseline from the featured image, "
        "consider using Principal Component Analysis (PCA) to isolate the heart-shaped eye feature more "
        "precisely. [...] Instead of direct vector subtraction and addition, try a weighted interpolation, "
        "that can be tuned to control the strength of the attribute. (part 3 c, 1 and 3)"
    ),
    part="3 c, 1 and 3",
    cell_seconds=20,
    baseline=vary(
        composed,
        {
            "data.sources": tuple(VENDORS.values()),
            "train.steps": 2000,
            "train.batch_size": 16,
            "train.lr": 2e-3,
            "train.decay": "cosine",
            "train.subnormals": "flush",
        },
    ),
    arms={
        "one pair": {},
        "strength 0.5": {"compose.strength": 0.5},
        "strength 1.5": {"compose.strength": 1.5},
        **{arm: {"compose.method": method, "compose.weigh": True} for arm, method in METHODS.items()},
        **{
            arm: {"compose.method": method, "compose.weigh": True, "compose.redrawn": True}
            for arm, method in PIXELS.items()
        },
    },
    # A tenth of what there is to gain, one composite in ten, a tenth of an edit.
    measures={
        "gain_large": 0.1,
        "gain_changed": 0.1,
        "gain_faces": 0.1,
        "gain_shape": 0.1,
        "attribute_gained_large": 0.1,
        "inside_the_change_large": 0.1,
    },
    claims=(
        Claim(
            "PCA isolates the attribute more precisely than the whole difference",
            Difference("gain_large", "up", "PCA", to="one pair, weighted"),
        ),
        Claim(
            "more precisely than a random subspace of the same rank and the same size of edit",
            Difference("gain_large", "up", "PCA", to="random subspace"),
        ),
        Claim(
            "with PCA more of the edit is where the attribute is",
            Difference("inside_the_change_large", "up", "PCA", to="one pair, weighted"),
        ),
        Claim(
            "a weighted interpolation gains more than the whole difference",
            Difference("gain_large", "up", "one pair, weighted"),
        ),
        Claim(
            "the weight controls the strength of the attribute",
            Trend("attribute_gained_large", "up", "compose.strength", scale="linear"),
        ),
        Claim(
            "PCA gains more than the whole difference at the same size of edit",
            Difference("gain_large", "up", "PCA", to="shortened"),
            counts=False,
        ),
        Claim(
            "PCA gains more where the pixels change",
            Difference("gain_changed", "up", "PCA", to="one pair, weighted"),
            counts=False,
        ),
        Claim(
            "the mean of many differences gains more than PCA",
            Difference("gain_large", "up", "mean", to="PCA"),
            counts=False,
        ),
        Claim(
            "the mean of many differences gains more than pixel arithmetic",
            Difference("gain_large", "up", "mean", to="pixel arithmetic"),
            counts=False,
        ),
        Claim(
            "on cats it gains more than the mean of the cats",
            Difference("gain_faces", "up", "mean", to="kind's mean"),
            counts=False,
        ),
    ),
    supported="PCA and a weight improve the composite",
    seeds=10,
)
