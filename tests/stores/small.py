"""The study of which a store of every version is kept: two small arms on drawn faces, two seeds."""

from ablation import Claim, Difference, Study
from ablation.emoji.protocols import joint
from ablation.settings import vary

study = Study(
    question="Does a latent of 2 do as well as one of 4?",
    source="a double",
    baseline=vary(
        joint,
        {
            "data.sources": ("faces.parquet",),
            "augment.copies": 1,
            "model.channels": (2, 4, 4),
            "model.latent_dim": 4,
            "train.epochs": 8,
            "train.lr": 0.02,
        },
    ),
    arms={"latent 4": {}, "latent 2 (½)": {"model.latent_dim": 2}},
    measures={"test_mse": 0.01, "test_balanced_accuracy": 0.05},
    claims=(Claim("a smaller code is worse", Difference("test_mse", "up", "latent 2 (½)")),),
    seeds=2,
)
