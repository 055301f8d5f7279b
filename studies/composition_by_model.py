"""What makes codes composable: their size, the classes, augmentation, or more data?

Report, part 3 c, 2, and part 2. Each network composes by the mean difference, with its strength chosen on
validation, on the same analogies. At 600 steps each, the arms are all emoji (latent 128, the baseline),
latent 64, latent 256, latent 512, lambda 0.5 and lambda 5 (faces that are happy or sad are also classified),
augmented (4 copies), 500 emoji (training originals drawn from all) and faces (only those of the report).
"""

from ablation import Claim, Difference, Study, Trend
from ablation.emoji import composed, vary

CLASSES = {"data.classes": "happy_sad", "data.among": "none"}

study = Study(
    question="What makes codes composable: size, classes, augmentation or more data?",
    source=(
        "The dataset is too small, so the model struggles with attribute transfer. Using a larger emoji "
        "dataset with diverse examples of similar transformations could improve results. Also, better "
        "augmentation techniques could be applied to increase the dataset size. (part 3 c, 2)"
    ),
    part="3 c, 2",
    cell_seconds=190,
    # Split by class in every arm; otherwise arms with classes would have no sad face under some seed.
    baseline=vary(
        composed,
        {
            "data.stratify": "happy_sad",
            "train.steps": 600,
            "compose.method": "mean",
            "compose.weigh": True,
        },
    ),
    arms={
        "all emoji": {},
        **{f"latent {n}": {"model.latent_dim": n} for n in (64, 256, 512)},
        **{f"lambda {w:g}": CLASSES | {"train.loss_weight": w} for w in (0.5, 5.0)},
        "augmented": {"augment.copies": 4},
        "500 emoji": {"data.train_most": 500},
        "faces": {"data.keyword": "face"},
    },
    # A twentieth of what there is to gain; a tenth of the report's own error.
    measures={"gain": 0.05, "gain_faces": 0.05, "gain_dark_tone": 0.05, "common_mse": 0.0017},
    claims=(
        Claim("a larger data set improves attribute transfer", Difference("gain", "down", "500 emoji")),
        Claim("emoji of all kinds improve it over faces alone", Difference("gain", "down", "faces")),
        Claim("augmentation improves it", Difference("gain", "up", "augmented")),
        Claim(
            "larger codes compose worse",
            Trend("gain", "down", "model.latent_dim"),
            counts=False,
        ),
        Claim(
            "classes make faces composable",
            Difference("gain_faces", "up", "lambda 0.5"),
            counts=False,
        ),
    ),
    supported="more data, drawn or augmented, makes codes composable",
)
