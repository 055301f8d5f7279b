"""How well can the report's architecture draw what it should compose, and does it then compose better?

Report, part 3 b: the composites are blurred, and the hearts are red pixels. No way to compose can show what
the network cannot draw. So networks of the report's architecture are trained on batches of 16 at a rate that
decays, and compose the same analogies by the report's arithmetic, its strength chosen on validation.

- 2000 steps (the baseline); 600 steps; 6000 steps, which show the network three times as many pictures.
- At 2000 steps: the report's rate (0.001 without decay), latent 512, and 1000 pictures. 1000 is less than
  half of the training originals. So most of the pictures that it composes from were not trained on.

Drawing is judged on the faces with hearts, tears or a tongue that are tested, one to five in a run.
Composites are judged on skin tones and genders: composites of faces are too few to test. The table of runs
has the seconds of each. The networks of `trained_composition` have 6000 steps whatever is found here: that
was fixed beforehand.
"""

from ablation import Claim, Difference, Study, Trend
from ablation.emoji import composed, vary

study = Study(
    question="How well can the network draw hearts, tears and tongues, and does it then compose better?",
    source=(
        "Blurring or distortion in the eye region, with red pixels showing up which shows presence of "
        "heart-shaped eye attribute in the image. (part 3 b)"
    ),
    part="3 b",
    cell_seconds=120,
    # No run of another study has these seeds.
    first_seed=101,
    seeds=10,
    baseline=vary(
        composed,
        {
            "train.steps": 2000,
            "train.batch_size": 16,
            "train.lr": 2e-3,
            "train.decay": "cosine",
            "train.subnormals": "flush",
            "train.precision": "bfloat16",
            "compose.weigh": True,
        },
    ),
    arms={
        "2000 steps": {},
        "600 steps": {"train.steps": 600},
        "6000 steps": {"train.steps": 6000},
        "the report's rate": {"train.lr": 1e-3, "train.decay": "none"},
        "latent 512": {"model.latent_dim": 512},
        "1000 pictures": {"data.train_most": 1000},
    },
    # A tenth of what a network of 2000 steps leaves in these pixels, in composites where they change and in
    # whole pictures; a tenth of what there is to gain.
    measures={
        "attribute_mse": 0.008,
        "gain_changed": 0.1,
        "gain_large": 0.1,
        "composite_mse": 0.01,
        "gain_changed_faces": 0.1,
        "test_mse": 0.0024,
    },
    claims=(
        Claim(
            "6000 steps draw faces with hearts, tears and tongues better where they differ from a plain one",
            Difference("attribute_mse", "down", "6000 steps"),
        ),
        Claim(
            "6000 steps compose skin tones and genders better, where they should change",
            Difference("gain_changed", "up", "6000 steps"),
        ),
        Claim(
            "composites of skin tones and genders come nearer to their truths where they should change",
            Difference("composite_mse", "down", "6000 steps"),
        ),
        Claim(
            "6000 steps compose skin tones and genders better over whole pictures",
            Difference("gain_large", "up", "6000 steps"),
            counts=False,
        ),
        Claim(
            "from 600 to 6000 steps, more steps draw hearts, tears and tongues better",
            Trend("attribute_mse", "down", "train.steps"),
            counts=False,
        ),
        Claim(
            "twice the report's rate, and a decay, draw hearts, tears and tongues better",
            Difference("attribute_mse", "up", "the report's rate"),
            counts=False,
        ),
        Claim(
            "a larger code draws hearts, tears and tongues better",
            Difference("attribute_mse", "down", "latent 512"),
            counts=False,
        ),
        Claim(
            "more pictures draw hearts, tears and tongues better",
            Difference("attribute_mse", "up", "1000 pictures"),
            counts=False,
        ),
    ),
    supported="6000 steps draw hearts, tears and tongues better and compose skin tones and genders better",
)
