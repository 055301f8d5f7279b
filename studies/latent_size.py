"""Is a 128-dimensional bottleneck too small for pictures and classes together?

Report, part 2 f, speculation 2. The arms are latent 64, latent 128 (the report's, the baseline),
latent 256 and latent 512; 5 seeds, 20 cells, a few minutes on two cores.
"""

from ablation.report import joint
from ablation.study import Claim, Study, Trend

study = Study(
    question="Is the 128-dimensional latent space too small to hold pictures and classes together?",
    source=(
        "Train models with different latent dimensions (e.g., 64, 128, 256, 512) and observe their impact "
        "on both classification accuracy and reconstruction quality. If larger latent spaces improve "
        "classification but degrade reconstruction, then the bottleneck hypothesis is valid. (part 2 f, 2)"
    ),
    baseline=joint,  # part 2 b
    arms={f"latent {n}": {"model.latent_dim": n} for n in (64, 128, 256, 512)},
    # A tenth of the report's own error (0.0168), and one picture in twenty.
    measures={"test_mse": 0.0017, "test_balanced_accuracy": 0.05, "probe_accuracy": 0.02},
    claims=(
        Claim(
            "larger latent spaces improve classification",
            Trend("test_balanced_accuracy", "up", "model.latent_dim"),
        ),
        Claim("larger latent spaces degrade reconstruction", Trend("test_mse", "up", "model.latent_dim")),
    ),
    supported="the bottleneck hypothesis is valid",
    seeds=5,
)
