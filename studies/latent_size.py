"""Is a 128-dimensional bottleneck too small for images and classes together?

Report, part 2 f, speculation 2. The arms are latent 64, latent 128 (the report's, the baseline), latent 256
and latent 512, of the joint model. As a control, alone 64, alone 128, alone 256 and alone 512 are the same
sizes of the autoencoder alone, whose classifier does not change the code. If the two groups behave
differently, the classes are the reason.
"""

from ablation import Claim, Study, Trend
from ablation.emoji import joint

SIZES = (64, 128, 256, 512)

study = Study(
    question="Is the 128-dimensional latent space too small to hold pictures and classes together?",
    source=(
        "Train models with different latent dimensions (e.g., 64, 128, 256, 512) and observe their impact "
        "on both classification accuracy and reconstruction quality. If larger latent spaces improve "
        "classification but degrade reconstruction, then the bottleneck hypothesis is valid. (part 2 f, 2)"
    ),
    part="2 f, 2",
    cell_seconds=22,
    baseline=joint,  # part 2 b
    arms={f"latent {n}": {"model.latent_dim": n} for n in SIZES}
    | {f"alone {n}": {"model.latent_dim": n, "train.loss_weight": 0.0} for n in SIZES},
    against={f"alone {n}": "alone 128" for n in SIZES if n != 128},
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
            "larger latent spaces improve classification",
            Trend("mood_balanced_accuracy", "up", "model.latent_dim"),
        ),
        Claim("larger latent spaces degrade reconstruction", Trend("test_mse", "up", "model.latent_dim")),
        Claim(
            "larger latent spaces degrade the reconstruction of the autoencoder alone",
            Trend("test_mse", "up", "model.latent_dim", around="alone 128"),
            counts=False,  # the control: if it holds too, the classes are not the reason
        ),
    ),
    supported="the bottleneck hypothesis is valid",
    seeds=5,
)
