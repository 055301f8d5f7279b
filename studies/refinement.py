"""Does a refiner with an adversarial loss improve what the network draws, and what is composed with it?

Report, part 3 c, 4. All arms have one and the same autoencoder, with the settings of plain in
`trained_composition`, and compose by the report's arithmetic. The baseline is decoder: nothing is refined. In
plain, a second network learns to redraw reconstructions of training pictures, by the squared error alone. In
adversarial, the same network with the same start, batches and steps also learns to deceive a discriminator of
patches. Comparing adversarial with plain shows the effect of the adversarial loss; comparing plain with
decoder shows the effect of more layers and steps.

In grain 0.03 and grain 0.044 nothing is learned: noise with that standard deviation is added to decoded
pictures. The first is about as sharp as adversarial, the second has about as much squared error. Sharpness is
cheap, and so is a part of the kernel distance, since grain on a blurred picture looks like edges to it. So
the claim on the kernel distance that counts is against grain of as much error. The other three that count are
against the decoder. A gain compares pictures that all have the same grain, so grain gains nothing.

With a refiner every picture that is measured is a refined one, the target and the truth that a gain compares,
too.

What was known before: the weight of the adversarial loss was chosen on seed 900, by the sharpness of test
pictures. A first run of this study, on seeds 91 to 95, judged neither of its claims that count, because the
bound of a gate was too low (docs/decisions/0048-refinement.md). There the kernel distance was higher by 1.7
than with grain of as much error, the error of composites where they should change was higher by 0.0076, and
the gain there by 0.017. So the first three claims are likely to fail. The third did not count then. Whether
training pictures are drawn in place of what was given was that gate; now it is the fourth claim, with the
decoder as its bound. By the spread of the first run, ten seeds find a difference of 0.067 in the gain, of
0.004 in the error and of 0.019 in the share of training pictures.
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
    cell_seconds=95,
    # No study had these; under 120 a family has no truth, under 123 no face has hearts, tears or a tongue.
    first_seed=124,
    baseline=vary(
        composed,
        {
            "train.steps": 6000,
            "train.batch_size": 16,
            "train.lr": 2e-3,
            "train.decay": "cosine",
            "train.subnormals": "flush",
            "train.precision": "bfloat16",
            "compose.weigh": True,
        },
    ),
    arms={
        "decoder": {},
        # On seed 900, 0.027 and 0.035 have a sharpness of 0.48 and 0.55, adversarial has 0.50; the error of
        # grain is that of the decoder, 0.0217, and 0.73 of the grain's square: adversarial's 0.0231 at 0.044.
        "grain 0.03": {"refine.kind": "grain", "refine.grain": 0.03},
        "grain 0.044": {"refine.kind": "grain", "refine.grain": 0.044},
        "plain": {"refine.kind": "plain"},
        "adversarial": {"refine.kind": "adversarial"},
    },
    # A seventh of the sharpness that decoded pictures lack; a tenth of their distance to real pictures and of
    # their errors; a twentieth of what there is to gain; one picture or composite in ten, or in twenty where
    # a training picture is drawn.
    measures={
        "sharpness": 0.1,
        "kernel_distance": 1.2,
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
    # The decoder alone had 0.63 on seed 900 and 0.67 in the first run. The bound is 0.1 below 0.63, since a
    # share differs by some hundredths between splits, and a gate near it would close by chance.
    gates=(
        Gate(
            "the adversarial refiner still draws the picture that it was given",
            "recognised",
            above=0.53,
            of=("sharpness", "kernel_distance", "composite_sharpness"),
            arm="adversarial",
            otherwise="what the adversarial refiner draws is another picture",
        ),
    ),
    claims=(
        Claim(
            "the adversarial refiner draws more like real pictures than grain with as much error does",
            Difference("kernel_distance", "down", "adversarial", to="grain 0.044"),
        ),
        Claim(
            "composites gain by it where they should change: attributes blend better",
            Difference("gain_changed", "up", "adversarial"),
        ),
        Claim(
            "composites come nearer to their answers where they should change",
            Difference("composite_mse", "down", "adversarial"),
        ),
        Claim(
            "it draws training pictures no more often than the decoder alone does",
            Same("nearer_to_training", "adversarial"),
        ),
        Claim(
            "that grain has as much error, so that they can be compared",
            Same("test_mse", "adversarial", to="grain 0.044"),
            counts=False,
        ),
        Claim(
            "the refiner draws more like real pictures than grain that is as sharp",
            Difference("kernel_distance", "down", "adversarial", to="grain 0.03"),
            counts=False,
        ),
        Claim(
            "that grain is as sharp, so that they can be compared",
            Same("sharpness", "adversarial", to="grain 0.03"),
            counts=False,
        ),
        Claim(
            "what it draws is recognised more often than with grain of as much error",
            Difference("recognised", "up", "adversarial", to="grain 0.044"),
            counts=False,
        ),
        Claim(
            "the adversarial loss makes pictures sharper",
            Difference("sharpness", "up", "adversarial", to="plain"),
            counts=False,
        ),
        Claim(
            "and nearer to real ones than the plain refiner does",
            Difference("kernel_distance", "down", "adversarial", to="plain"),
            counts=False,
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
            "a judge of pixels sees the attribute more often",
            Difference("attribute_gained_large", "up", "adversarial"),
            counts=False,
        ),
        Claim(
            "it draws training pictures no more often than the plain refiner does",
            Same("nearer_to_training", "adversarial", to="plain"),
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
            "hearts, tears and tongues are drawn better than with grain of as much error",
            Difference("attribute_mse", "down", "adversarial", to="grain 0.044"),
            counts=False,
        ),
    ),
    supported="an adversarial refiner improves what the network draws and composes",
    seeds=10,
)
