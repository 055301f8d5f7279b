"""Does classification as a second task harm the autoencoder, and does it structure the code?

Report, part 2 e. The arms are joint (lambda 0.5, the report's, the baseline), reconstruction only (lambda 0:
the classifier learns from the code without changing it, so that this arm has an accuracy to compare) and
classification only (weight 0 for the reconstruction). All arms have equal images and equal steps.
"""

from ablation import Claim, Difference, Study
from ablation.emoji import joint

study = Study(
    question="Does the auxiliary classification cost reconstruction, and does it structure the code?",
    source=(
        "[...] classification might push it to focus on class-specific features, thus potentially reducing "
        "reconstruction quality. [...] this kind a model, also forced the encoder to learn features that "
        "are not just useful for reconstruction but also discriminative for classification, leading to a "
        "more structured latent space. (part 2 e)"
    ),
    part="2 e",
    cell_seconds=30,
    baseline=joint,
    arms={
        "joint": {},
        "reconstruction only": {"train.loss_weight": 0.0},
        "classification only": {"train.reconstruction_weight": 0.0},
    },
    # A tenth of the report's own error; one face in ten; one emoji in fifty; one direction.
    measures={
        "test_mse": 0.0017,
        "common_mse": 0.0017,
        "mood_balanced_accuracy": 0.1,
        "probe_accuracy": 0.02,
        "effective_rank": 1.0,
    },
    claims=(
        Claim(
            "classification reduces reconstruction quality",
            Difference("test_mse", "down", "reconstruction only"),
        ),
        Claim(
            "the encoder learns features that are discriminative for classification",
            Difference("mood_balanced_accuracy", "down", "reconstruction only"),
        ),
        Claim(
            "the latent space is more structured", Difference("probe_accuracy", "down", "reconstruction only")
        ),
    ),
    supported="the auxiliary task trades reconstruction for structure",
)
