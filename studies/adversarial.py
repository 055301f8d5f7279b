"""Do adversarial examples help as augmentation, and more than random noise of the same size does?

Report, part 1 a, with the joint model, the pictures and the budget with which happy and sad are learned
(`moods`). In three arms half of the pictures of every batch are attacked, and each colour value (0 to 255)
moves by at most 2:

- none (the baseline): no picture is attacked.
- noise: every value moves up or down at random, so noise is as large as the attacks.
- fgsm: one step of an attack on the classifier. pgd: seven steps.

All arms take the same optimiser steps, but not the same computing time: an attack takes gradients of its own.
No arm learns from stronger attacks, because in the pilot the classifier then hardly learned. The pilot had
another seed, but tests the same faces, as every run does.

Robust accuracy: how often the classifier is right on test faces that PGD has attacked (20 steps, one random
start; stronger attacks are not tried). No network was trained on a drawing of the emoji on which it is
tested. A classifier that always gives the same answer has 0.5 there, and a good one under attack can have
less. So how far pgd is above 0.5 says how robust it is, and its difference to none does not. Gates ask that
pgd is above 0.5; they say nothing of noise and fgsm, for which "better" means nothing unless their mean is
clearly above 0.5, too. No arm learned from attacks of four and eight levels.

A lower error of reconstruction may also come from a classifier that learned less. A gate excludes that it
learned nothing; read the error beside the accuracy on clean faces.
"""

from ablation import Claim, Difference, Gate, Study
from ablation.emoji import moods

STRENGTH = 2 / 255
ATTACKS = ("noise", "fgsm", "pgd")
ROBUST = tuple(f"robust_accuracy_{name}" for name in ("pgd_2", "pgd_4", "pgd_8", "fgsm_2", "noise_2"))

study = Study(
    question="Do adversarial examples help as augmentation, and more than noise of the same size?",
    source=(
        "Initially, I was trying to use torchattaks to generate adversarial examples, but I was unable to "
        "get it to work. [...] In future, I would like to explore the use of torchattaks for generating "
        "adversarial examples. (part 1 a) Augmentation Boosted Performance: Increased dataset size "
        "significantly, improving generalization. (part 1 h, 1)"
    ),
    part="1 a",
    cell_seconds=215,
    baseline=moods,
    arms={"none": {}}
    | {name: {"augment.attack": name, "augment.attack_strength": STRENGTH} for name in ATTACKS},
    # No run of `moods` that was seen has these seeds.
    first_seed=30,
    seeds=5,
    # A tenth of the error of `moods` in its pilot, 0.036; one face in ten, whether it is attacked or not.
    measures={
        "mood_balanced_accuracy": 0.1,
        **dict.fromkeys(ROBUST, 0.1),
        "mood_probe_accuracy": 0.1,
        "test_mse": 0.0036,
    },
    gates=(
        Gate(
            "the baseline tells happy from sad",
            "mood_balanced_accuracy",
            above=0.5,
            of=("mood_balanced_accuracy", "mood_probe_accuracy", *ROBUST),
            otherwise="the baseline is at chance",
        ),
        Gate(
            "the network that learned from PGD tells happy from sad",
            "mood_balanced_accuracy",
            above=0.5,
            of=("test_mse",),
            arm="pgd",
            otherwise="the network that learned from PGD is at chance",
        ),
        *(
            Gate(
                f"under PGD of {levels} levels, the network that learned from PGD is right more often than a "
                "constant answer",
                f"robust_accuracy_pgd_{levels}",
                above=0.5,
                of=(f"robust_accuracy_pgd_{levels}",),
                arm="pgd",
                otherwise="the network that learned from PGD withstands it no better than a constant answer",
            )
            for levels in (2, 4, 8)
        ),
    ),
    claims=(
        Claim(
            "adversarial training makes the classifier withstand PGD of two levels more often",
            Difference("robust_accuracy_pgd_2", "up", "pgd"),
        ),
        Claim(
            "it makes the classifier withstand PGD more often than random noise of the same size does",
            Difference("robust_accuracy_pgd_2", "up", "pgd", to="noise"),
        ),
        Claim(
            "adversarial augmentation boosts reconstruction, as the report hoped of augmentation",
            Difference("test_mse", "down", "pgd"),
        ),
        Claim(
            "with adversarial augmentation the reconstruction error is lower than with random noise of the "
            "same size",
            Difference("test_mse", "down", "pgd", to="noise"),
        ),
        Claim(
            "adversarial augmentation costs accuracy on clean faces",
            Difference("mood_balanced_accuracy", "down", "pgd"),
            counts=False,
        ),
        Claim(
            "one step of an attack improves accuracy on clean faces",
            Difference("mood_balanced_accuracy", "up", "fgsm"),
            counts=False,
        ),
        Claim(
            "random noise boosts reconstruction",
            Difference("test_mse", "down", "noise"),
            counts=False,
        ),
    ),
    supported="adversarial examples make the model withstand PGD and help it to reconstruct",
)
