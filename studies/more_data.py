"""Do enough original images make augmentation unnecessary?

Report, part 2 f, speculation 3. All arms have equal steps and are tested on the same held-out faces: faces,
augmented (4 copies, the baseline), faces (without copies), and 250 emoji, 500 emoji, 1000 emoji and 2000
emoji (of all kinds, not augmented; each set contains the one before).
"""

from ablation import Claim, Difference, Study, Trend
from ablation.emoji import STEPS, autoencoder, vary

study = Study(
    question="Do enough original images do away with the need to augment?",
    source=(
        "Data Augmentation induced noise [...] Experiment: Try using the same model, but with different "
        "dataset, which has enough original images, to not need augmentation. (part 2 f, 3)"
    ),
    part="2 f, 3",
    cell_seconds=49,
    baseline=vary(autoencoder, {"train.epochs": 0, "train.steps": STEPS}),
    arms={"faces, augmented": {}, "faces": {"augment.copies": 0}}
    | {
        f"{n} emoji": {"augment.copies": 0, "data.keyword": "", "data.train_most": n}
        for n in (250, 500, 1000, 2000)
    },
    measures={
        "common_mse": 0.0017,
        "probe_accuracy": 0.02,
    },  # a tenth of the report's error; one emoji in fifty
    claims=(
        Claim(
            "enough original images do better than augmented faces",
            Difference("common_mse", "down", "2000 emoji"),
        ),
        Claim(
            "the more original images, the better faces are reconstructed",
            Trend("common_mse", "down", "data.train_most", around="2000 emoji"),
        ),
        Claim(
            "augmented faces are reconstructed worse than faces",
            Difference("common_mse", "down", "faces"),
            counts=False,
        ),
    ),
    supported="a data set with enough originals needs no augmentation",
)
