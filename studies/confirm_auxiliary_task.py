"""Does classification as a second task harm the autoencoder, and does it structure the code?

Report, part 2 e, with pictures and a budget that can answer it (`moods`). The arms are joint (lambda 0.5,
the report's, the baseline) and reconstruction only (lambda 0). At lambda 0 the network is not trained on the
classes, so its classifier is no fair test of its code. Therefore a probe of happy and sad is fitted on the
codes of both. For comparison, the same probe is fitted on the network before its training and on raw pixels.
"""

from ablation import Claim, Difference, Gate, Study
from ablation.emoji import moods

study = Study(
    question="Does the auxiliary classification cost reconstruction, and does it structure the code?",
    source=(
        "[...] classification might push it to focus on class-specific features, thus potentially reducing "
        "reconstruction quality. [...] this kind a model, also forced the encoder to learn features that "
        "are not just useful for reconstruction but also discriminative for classification, leading to a "
        "more structured latent space. (part 2 e)"
    ),
    part="2 e",
    cell_seconds=130,
    baseline=moods,
    arms={"joint": {}, "reconstruction only": {"train.loss_weight": 0.0}},
    # A tenth of the error of `moods`; one face in ten; one emoji in fifty.
    measures={
        "test_mse": 0.0036,
        "mood_probe_accuracy": 0.1,
        "untrained_probe_accuracy": 0.1,
        "pixel_probe_accuracy": 0.1,
        "mood_probe_over_pixels": 0.1,
        "probe_accuracy": 0.02,
    },
    gates=(
        Gate(
            "the joint model's code tells happy from sad better than raw pixels do",
            "mood_probe_over_pixels",
            above=0.0,
            of=("mood_probe_accuracy",),
            otherwise="the joint model's code is no better than raw pixels",
        ),
    ),
    claims=(
        Claim(
            "classification reduces reconstruction quality",
            Difference("test_mse", "down", "reconstruction only"),
        ),
        Claim(
            "the encoder learns features that are discriminative for classification",
            Difference("mood_probe_accuracy", "down", "reconstruction only"),
        ),
        Claim(
            "the latent space is more structured", Difference("probe_accuracy", "down", "reconstruction only")
        ),
    ),
    supported="the auxiliary task trades reconstruction for structure",
    seeds=5,
)
