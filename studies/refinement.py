"""Does a refiner with an adversarial loss improve what the network draws, and what is composed with it?

Report, part 3 c, 4. All arms have one and the same autoencoder, that of `trained_composition`, and compose
by the report's arithmetic. The baseline is decoder: nothing is refined. In plain, a second network learns
to redraw reconstructions of training pictures, by the squared error alone. In adversarial, the same network
with the same start, batches and steps also learns to deceive a discriminator of patches. So adversarial
against plain is the adversarial loss, and plain against decoder is more layers and steps.

With a refiner every picture that is measured is a refined one, the target and the truth that a gain compares,
too. Sharpness alone is cheap, since grain is sharp: so what is drawn must also come nearer to real pictures
in a feature space that no arm has learned, and its error, its own truth and training pictures are looked at.
"""

from ablation import Claim, Difference, Gate, Same, Study
from ablation.emoji import composed, vary

study = Study(
    question="Does a refiner with an adversarial loss improve what the network draws and composes?",
    source=(
        "Post-Processing Enhancements: Use GAN-based refinement models to improve attribute blending and "
        "enhace final image quality. (part 3 c, 4)"
    ),
    part="3 c, 4",
    cell_seconds=250,
    # Those of `trained_composition`, whose plain networks are these: they are trained once for both.
    first_seed=91,
    baseline=vary(
        composed,
        {
            "train.steps": 6000,
            "train.batch_size": 16,
            "train.lr": 2e-3,
            "train.decay": "cosine",
            "compose.weigh": True,
        },
    ),
    arms={
        "decoder": {},
        "plain": {"refine.kind": "plain"},
        "adversarial": {"refine.kind": "adversarial"},
    },
    # A seventh of the sharpness that decoded pictures lack; a tenth of their distance to real pictures and of
    # their errors; a twentieth of what there is to gain; one picture or composite in ten, or in twenty where
    # a training picture is drawn.
    measures={
        "sharpness": 0.1,
        "kernel_distance": 1.7,
        "composite_sharpness": 0.1,
        "gain_large": 0.05,
        "gain_changed": 0.05,
        "composite_mse": 0.01,
        "attribute_gained_large": 0.1,
        "test_mse": 0.0024,
        "attribute_mse": 0.008,
        "recognised": 0.1,
        "nearer_to_training": 0.05,
    },
    gates=(
        # What the decoder alone has on seed 900, and the smallest difference that matters.
        Gate(
            "the adversarial refiner does not draw training pictures in place of what it was given",
            "nearer_to_training",
            below=0.36,
            of=("sharpness", "kernel_distance", "composite_sharpness", "gain_changed"),
            arm="adversarial",
            otherwise="the adversarial refiner draws training pictures",
        ),
        # Half of what the decoder alone reaches on seed 900: below it sharp pictures are of something else.
        Gate(
            "the adversarial refiner still draws the picture that it was given",
            "recognised",
            above=0.27,
            of=("sharpness", "kernel_distance", "composite_sharpness"),
            arm="adversarial",
            otherwise="what the adversarial refiner draws is another picture",
        ),
    ),
    claims=(
        Claim(
            "the adversarial loss makes pictures sharper",
            Difference("sharpness", "up", "adversarial", to="plain"),
        ),
        Claim(
            "and more like real ones",
            Difference("kernel_distance", "down", "adversarial", to="plain"),
        ),
        Claim(
            "composites gain by it where they should change: attributes blend better",
            Difference("gain_changed", "up", "adversarial"),
        ),
        Claim(
            "composites are sharper by the adversarial loss, too",
            Difference("composite_sharpness", "up", "adversarial", to="plain"),
            counts=False,
        ),
        Claim(
            "composites gain by it as whole pictures",
            Difference("gain_large", "up", "adversarial"),
            counts=False,
        ),
        Claim(
            "composites come nearer to their answers, whatever else is refined",
            Difference("composite_mse", "down", "adversarial"),
            counts=False,
        ),
        Claim(
            "a judge of pixels sees the attribute more often",
            Difference("attribute_gained_large", "up", "adversarial"),
            counts=False,
        ),
        Claim(
            "the adversarial loss costs no squared error",
            Same("test_mse", "adversarial", to="plain"),
            counts=False,
        ),
        Claim(
            "it draws training pictures no more often than the plain refiner does",
            Same("nearer_to_training", "adversarial", to="plain"),
            counts=False,
        ),
        Claim(
            "each picture stays itself",
            Same("recognised", "adversarial", to="plain"),
            counts=False,
        ),
        Claim(
            "a plain refiner lowers the error of the decoder alone",
            Difference("test_mse", "down", "plain"),
            counts=False,
        ),
        Claim(
            "a plain refiner sharpens, too",
            Difference("sharpness", "up", "plain"),
            counts=False,
        ),
        Claim(
            "hearts, tears and tongues are drawn better",
            Difference("attribute_mse", "down", "adversarial"),
            counts=False,
        ),
    ),
    supported="an adversarial refiner improves what the network draws and composes",
    seeds=5,
)
