"""Is a 128-dimensional bottleneck too small for images and classes together, where both are learned?

Report, part 2 f, speculation 2, with pictures and a budget that can answer it (`moods`): 55 happy and sad
faces, each drawn by four vendors and each tested once a run. The arms are the ends of the report's range and
its own size: latent 64, latent 128 (the baseline) and latent 512. The study latent_size has the report's own
pictures and budget.
"""

from ablation import Claim, Gate, Study, Trend
from ablation.emoji import moods

study = Study(
    question="Is the 128-dimensional latent space too small to hold pictures and classes together?",
    source=(
        "Train models with different latent dimensions (e.g., 64, 128, 256, 512) and observe their impact "
        "on both classification accuracy and reconstruction quality. If larger latent spaces improve "
        "classification but degrade reconstruction, then the bottleneck hypothesis is valid. (part 2 f, 2)"
    ),
    part="2 f, 2",
    cell_seconds=105,
    baseline=moods,
    arms={f"latent {n}": {"model.latent_dim": n} for n in (64, 128, 512)},
    # A tenth of the error of `moods`, which is 0.036 on seeds that no study uses; one face in ten.
    measures={"test_mse": 0.0036, "mood_balanced_accuracy": 0.1},
    gates=(
        Gate(
            "the baseline tells happy from sad",
            "mood_balanced_accuracy",
            above=0.5,
            of=("mood_balanced_accuracy",),
            otherwise="the baseline is at chance",
        ),
    ),
    claims=(
        Claim(
            "larger latent spaces improve classification",
            Trend("mood_balanced_accuracy", "up", "model.latent_dim"),
        ),
        Claim("larger latent spaces degrade reconstruction", Trend("test_mse", "up", "model.latent_dim")),
    ),
    supported="the bottleneck hypothesis is valid",
    seeds=5,
)
