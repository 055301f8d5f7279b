"""Do adversarial examples help as augmentation, and is it the adversary's direction or merely noise?

Report, part 1 a, with the joint model and pictures by which happy and sad are learned (`moods`). In the arms
noise, fgsm and pgd half of the pictures of every batch are changed by at most 2 of 255 levels a value: up or
down at random, by one step of an attack on the classifier, or by seven. The baseline is none. All arms take
the same optimiser steps, but not the same computing time: an attack takes gradients of its own.

Robust accuracy is the classifier's on faces that PGD attacks with the same strength, by networks that never
saw their subjects. A classifier that always gives the same answer has 0.5 there, and a good one under attack
can have less. Therefore these claims have a gate: the arm must be above 0.5, since otherwise it may be robust
only because it always gives the same answer. The claims are of pgd alone, because its gate says nothing of
noise and fgsm. Their robust accuracies are in the tables, and so are those of every arm at four and eight
levels, which no arm learned from.

An arm of more than two levels is not here: in the pilot the classifier then hardly learned. The pilot had
another seed, but tests the same faces, as every run does.
"""

from ablation import Claim, Difference, Gate, Study
from ablation.emoji import moods

STRENGTH = 2 / 255
ATTACKS = ("noise", "fgsm", "pgd")

study = Study(
    question="Do adversarial examples help as augmentation, and more than noise of the same size?",
    source=(
        "Initially, I was trying to use torchattaks to generate adversarial examples, but I was unable to "
        "get it to work. [...] In future, I would like to explore the use of torchattaks for generating "
        "adversarial examples. (part 1 a) Augmentation Boosted Performance: Increased dataset size "
        "significantly, improving generalization. (part 1 h, 1)"
    ),
    part="1 a",
    cell_seconds=190,
    baseline=moods,
    arms={"none": {}}
    | {name: {"augment.attack": name, "augment.attack_strength": STRENGTH} for name in ATTACKS},
    # A tenth of the error of `moods`; one face in ten, whether it is attacked or not.
    measures={
        "mood_balanced_accuracy": 0.1,
        "robust_accuracy_pgd_2": 0.1,
        "robust_accuracy_pgd_4": 0.1,
        "robust_accuracy_pgd_8": 0.1,
        "robust_accuracy_fgsm_2": 0.1,
        "robust_accuracy_noise_2": 0.1,
        "mood_probe_accuracy": 0.1,
        "test_mse": 0.0036,
    },
    gates=(
        Gate(
            "the baseline tells happy from sad",
            "mood_balanced_accuracy",
            above=0.5,
            of=("mood_balanced_accuracy", "robust_accuracy_pgd_2", "mood_probe_accuracy"),
            otherwise="the baseline is at chance",
        ),
        Gate(
            "the network that learned from PGD withstands it more often than a constant answer does",
            "robust_accuracy_pgd_2",
            above=0.5,
            of=("robust_accuracy_pgd_2",),
            arm="pgd",
            otherwise="the network that learned from PGD withstands it no better than a constant answer",
        ),
    ),
    claims=(
        Claim(
            "adversarial training makes the classifier robust",
            Difference("robust_accuracy_pgd_2", "up", "pgd"),
        ),
        Claim(
            "it is the adversary's direction and not merely noise",
            Difference("robust_accuracy_pgd_2", "up", "pgd", to="noise"),
        ),
        Claim(
            "adversarial augmentation boosts reconstruction, as the report hoped of augmentation",
            Difference("test_mse", "down", "pgd"),
        ),
        Claim(
            "that, too, is the adversary's direction, since noise of the same size boosts it less",
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
            "noise boosts reconstruction, too",
            Difference("test_mse", "down", "noise"),
            counts=False,
        ),
    ),
    supported="adversarial examples make the model robust and help it to reconstruct",
    seeds=5,
)
