"""Does a network that draws better also compose better, and what does it take?

Report, part 3 b: the composites are blurred, and the hearts are red pixels. No way to compose can show what
the network cannot draw. So the network of part 3 trains for longer, on batches of 16 at a rate that decays,
and the same analogies are composed by the report's arithmetic, its strength chosen on validation. The arms
are 2000 steps (the baseline), 600 steps, 6000 steps, the report's rate (0.001 without decay, at 2000 steps)
and latent 512 (at 2000 steps).
"""

from ablation import Claim, Difference, Study, Trend
from ablation.emoji import composed, vary

study = Study(
    question="Does a network that draws hearts, tears and tongues better also compose better?",
    source=(
        "Blurring or distortion in the eye region, with red pixels showing up which shows presence of "
        "heart-shaped eye attribute in the image. (part 3 b)"
    ),
    part="3 b",
    cell_seconds=160,
    # Seeds by the split alone: under 91, 92 and 95 no network trains on the cat with heart-shaped eyes.
    first_seed=91,
    baseline=vary(
        composed,
        {
            "train.steps": 2000,
            "train.batch_size": 16,
            "train.lr": 2e-3,
            "train.decay": "cosine",
            "compose.weigh": True,
        },
    ),
    arms={
        "2000 steps": {},
        "600 steps": {"train.steps": 600},
        "6000 steps": {"train.steps": 6000},
        "the report's rate": {"train.lr": 1e-3, "train.decay": "none"},
        "latent 512": {"model.latent_dim": 512},
    },
    # A tenth of what a network of 2000 steps leaves in these pixels, and of the whole picture; a twentieth of
    # what there is to gain.
    measures={
        "attribute_mse": 0.008,
        "gain_changed": 0.05,
        "gain_large": 0.05,
        "composite_mse": 0.01,
        "gain_changed_faces": 0.05,
        "test_mse": 0.0024,
    },
    claims=(
        Claim(
            "more steps draw hearts, tears and tongues better",
            Trend("attribute_mse", "down", "train.steps"),
        ),
        Claim(
            "a network that draws better composes better",
            Trend("gain_changed", "up", "train.steps"),
        ),
        Claim(
            "over whole pictures, too",
            Trend("gain_large", "up", "train.steps"),
            counts=False,
        ),
        Claim(
            "the composites come nearer to their truths",
            Trend("composite_mse", "down", "train.steps"),
            counts=False,
        ),
        Claim(
            "a rate that decays draws the attributes better",
            Difference("attribute_mse", "up", "the report's rate"),
            counts=False,
        ),
        Claim(
            "a larger code draws the attributes better",
            Difference("attribute_mse", "down", "latent 512"),
            counts=False,
        ),
    ),
    supported="who draws better composes better",
)
