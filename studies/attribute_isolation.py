"""Does PCA isolate an attribute more precisely than the whole difference of two codes?

Report, part 3 c, 1. One autoencoder for each seed, composed by many methods, on analogies a : b :: c : d
whose truth d was not used in any training.

- one pair (the baseline): the whole difference b - a at strength 1, the report's method.
- one pair, weighted: the same, its strength chosen on validation.
- PCA: that difference within the leading components of training differences; rank and strength are chosen on
  validation.
- PCA, rank 1; PCA, rank 2; PCA, rank 4; PCA, rank 8; PCA, rank 16: with that rank.
- class scatter: within the components of the attribute's class means.
- random subspace, top variance and shortened: controls with PCA's rank, length and strength.
- mean, balanced mean, nearest, boundary and additive: other methods.
- kind's mean: a control that uses nothing of the attribute.
"""

from ablation import Claim, Difference, Study
from ablation.emoji import composed

RANKS = (1, 2, 4, 8, 16)
FAMILIES = {
    "gain_faces": "on cat faces",
    "gain_tone": "on skin tones",
    "gain_gender": "on genders",
    "gain_shape": "on shapes",
    "gain_clock": "on clocks",
}


def weighted(method: str, **more: int) -> dict[str, object]:
    """The arm of a method whose strength, and rank where it has one, is chosen on validation."""
    return {"compose.method": method, "compose.weigh": True} | {f"compose.{k}": v for k, v in more.items()}


study = Study(
    question="Does PCA isolate the attribute more precisely than the whole difference?",
    source=(
        "Instead of directly subtracting the entire latent vector of the baseline from the featured image, "
        "consider using Principal Component Analysis (PCA) to isolate the heart-shaped eye feature more "
        "precisely. (part 3 c, 1)"
    ),
    part="3 c, 1",
    cell_seconds=40,
    baseline=composed,
    arms={
        "one pair": {},
        "one pair, weighted": weighted("pair"),
        "PCA": weighted("pca"),
        **{f"PCA, rank {k}": weighted("pca", rank=k) for k in RANKS},
        "class scatter": weighted("scatter"),
        "random subspace": weighted("random"),
        "top variance": weighted("variance"),
        "shortened": weighted("shortened"),
        "mean": weighted("mean"),
        "balanced mean": weighted("balanced"),
        "nearest": weighted("nearest"),
        "boundary": weighted("boundary"),
        "additive": weighted("additive"),
        "kind's mean": weighted("centre"),
    },
    # A twentieth of what there is to gain; one composite in ten; a tenth of an edit.
    measures={"gain": 0.05}
    | dict.fromkeys(FAMILIES, 0.05)
    | {"gain_dark_tone": 0.05, "attribute_gained": 0.1, "inside_the_change": 0.1},
    claims=(
        Claim(
            "PCA isolates the attribute more precisely than the whole difference",
            Difference("gain", "up", "PCA", to="one pair, weighted"),
        ),
        Claim(
            "more precisely than a random subspace of the same rank and the same size of edit",
            Difference("gain", "up", "PCA", to="random subspace"),
        ),
        Claim(
            "more precisely than the whole difference at the same size of edit",
            Difference("gain", "up", "PCA", to="shortened"),
        ),
        *(
            Claim(
                f"PCA isolates the attribute more precisely {where}",
                Difference(measure, "up", "PCA", to="one pair, weighted"),
                counts=False,
            )
            for measure, where in FAMILIES.items()
        ),
        Claim(
            "with PCA more of the edit is where the attribute is",
            Difference("inside_the_change", "up", "PCA", to="one pair, weighted"),
            counts=False,
        ),
        Claim(
            "the mean of many differences does better than PCA",
            Difference("gain", "up", "mean", to="PCA"),
            counts=False,
        ),
        Claim(
            "on cat faces what b adds helps beyond the mean of the cats",
            Difference("gain_faces", "up", "additive", to="kind's mean"),
            counts=False,
        ),
    ),
    supported="PCA isolates the attribute more precisely",
)
