"""The measures that a run of the report's network can report."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from ablation.measures import Better, Measure


@dataclass(frozen=True)
class EmojiMeasure(Measure):
    """needs: what the run must have for it: "classes" of its own, or, in the images of its sources that its
    training never sees, "subgroups" for the probe and "other" ones than those of faces, "common" texts, faces
    of either "mood" for the classifier, "faces" of either mood for a probe, faces with an attribute "worn",
    "analogies", those of a "large" family, or those between "vendors".
    on_demand: it is taken where a study names it.
    """

    needs: Literal[
        "",
        "classes",
        "subgroups",
        "other",
        "common",
        "mood",
        "faces",
        "worn",
        "analogies",
        "large",
        "vendors",
    ] = ""
    on_demand: bool = False


GAP = "generalisation_gap"
NAMED_TELL, FREE_TELL = "named_tell", "free_tell"
ATTRIBUTE_MSE, COMPOSITE_MSE = "attribute_mse", "composite_mse"
SHARPNESS, KERNEL_DISTANCE, COMPOSITE_SHARPNESS = "sharpness", "kernel_distance", "composite_sharpness"
RECOGNISED, NEARER_TO_TRAINING = "recognised", "nearer_to_training"
MSE_FALL, CROSS_ENTROPY_FALL = "mse_still_falling", "cross_entropy_still_falling"
FALLS = {MSE_FALL: "validation_mse", CROSS_ENTROPY_FALL: "validation_cross_entropy"}
"""Measures of whether a run still learned at its end, and the curve of each (`result.still_falling`)."""
OTHER_PROBE = "probe_accuracy_other"
"""Of the emoji that `probe_accuracy` is about, those that are no faces: what no class of faces teaches."""
MOOD_PROBE, PIXEL_PROBE = "mood_probe_accuracy", "pixel_probe_accuracy"
UNTRAINED_PROBE, OVER_PIXELS = "untrained_probe_accuracy", "mood_probe_over_pixels"
PROBES = {
    MOOD_PROBE: "Mood probe, balanced accuracy",
    UNTRAINED_PROBE: "Mood probe, untrained network",
    PIXEL_PROBE: "Mood probe, raw pixels",
    OVER_PIXELS: "Mood probe less raw pixels",
}
"""Measures of a probe of happy and sad, all balanced accuracies or their difference, and their labels."""

ATTACKS = {"noise": "noise", "fgsm": "FGSM", "pgd": "PGD"}
"""Ways to change a picture a little (`adversarial`), and what a label calls them."""
ROBUST = {
    f"robust_accuracy_{kind}_{levels}": (kind, levels / 255) for kind in ATTACKS for levels in (2, 4, 8)
}
"""Measures of the classifier on attacked faces, balanced accuracies: the attack, and how strong it is in
[0, 1]; their names count levels of 255."""

COMPOSED_NEEDS = frozenset(("analogies", "large", "vendors"))
"""The needs of measures for which codes are composed."""
FAMILIES = {
    "faces": "cat faces",
    "tone": "skin tone",
    "gender": "gender",
    "shape": "shape",
    "clock": "clock",
    "vendor": "vendor",
}
"""Families of analogies, and what a label calls them."""
MEANS: dict[str, tuple[Better, str]] = {
    "hit": ("higher", "Truth retrieved, a, b, c excluded"),
    "hit_of_all": ("higher", "Truth retrieved"),
    "attribute_gained": ("higher", "Attribute gained"),
    "attribute_in_answer": ("neither", "Attribute seen in the answer"),
    "attribute_in_input": ("neither", "Attribute seen in the input"),
    "identity_kept": ("higher", "Identity kept"),
    "inside_the_change": ("higher", "Edit inside the change"),
    "off_the_manifold": ("lower", "Off the manifold"),
}
"""Numbers of composites whose mean over families is a measure: the better end, and a label."""
LARGE_FAMILIES, ALL_FAMILIES = "large families", "families alike"
"""What a label calls a mean over the families whose truths suffice to judge methods, and one over all."""


def _by_family(measure: str, label: str) -> dict[str, EmojiMeasure]:
    return {
        f"{measure}_{family}": EmojiMeasure(
            "higher", f"{label}, {called}", 2, needs="vendors" if family == "vendor" else "analogies"
        )
        for family, called in FAMILIES.items()
    }


MEASURES = {
    "test_mse": EmojiMeasure("lower", "Test MSE", 4),
    "test_accuracy": EmojiMeasure("higher", "Test accuracy", 3, needs="classes"),
    "test_balanced_accuracy": EmojiMeasure("higher", "Test balanced accuracy", 3, needs="classes"),
    "test_macro_f1": EmojiMeasure("higher", "Test macro F1", 3, needs="classes"),
    "test_cross_entropy": EmojiMeasure("lower", "Test cross-entropy", 3, needs="classes"),
    "probe_accuracy": EmojiMeasure("higher", "Probe accuracy", 3, needs="subgroups"),
    OTHER_PROBE: EmojiMeasure(
        "higher", "Probe accuracy, emoji that are no faces", 3, needs="other", on_demand=True
    ),
    GAP: EmojiMeasure("lower", "Test MSE less training MSE", 4, on_demand=True),
    ATTRIBUTE_MSE: EmojiMeasure(
        "lower", "MSE where faces differ from plain ones", 4, needs="worn", on_demand=True
    ),
    SHARPNESS: EmojiMeasure("higher", "Sharpness (1: as real)", 3, on_demand=True),
    KERNEL_DISTANCE: EmojiMeasure("lower", "Kernel distance to real pictures", 3, on_demand=True),
    RECOGNISED: EmojiMeasure("higher", "Own picture is nearest", 3, on_demand=True),
    NEARER_TO_TRAINING: EmojiMeasure("lower", "Training picture nearer than own", 3, on_demand=True),
    "effective_rank": EmojiMeasure("neither", "Effective rank of the codes", 1, needs="subgroups"),
    "common_mse": EmojiMeasure("lower", "Common test MSE", 4, needs="common"),
    "mood_balanced_accuracy": EmojiMeasure("higher", "Happy or sad, balanced accuracy", 3, needs="mood"),
    **{
        name: EmojiMeasure("higher", label, 3, needs="faces", on_demand=True)
        for name, label in PROBES.items()
    },
    **{
        name: EmojiMeasure(
            "higher",
            f"Happy or sad, {ATTACKS[kind]} {strength * 255:.0f}/255",
            3,
            needs="mood",
            on_demand=True,
        )
        for name, (kind, strength) in ROBUST.items()
    },
    "gain_large": EmojiMeasure("higher", f"Gain, {LARGE_FAMILIES}", 2, needs="large"),
    "gain_changed": EmojiMeasure("higher", f"Gain where it changes, {LARGE_FAMILIES}", 2, needs="large"),
    COMPOSITE_MSE: EmojiMeasure(
        "lower", f"MSE of composites where they change, {LARGE_FAMILIES}", 4, needs="large"
    ),
    COMPOSITE_SHARPNESS: EmojiMeasure(
        "higher", f"Sharpness of composites, {LARGE_FAMILIES}", 3, needs="large"
    ),
    NAMED_TELL: EmojiMeasure(
        "higher", f"Attribute told by named dimensions, {LARGE_FAMILIES}", 2, needs="large"
    ),
    FREE_TELL: EmojiMeasure(
        "lower", f"Attribute told by free dimensions, {LARGE_FAMILIES}", 2, needs="large"
    ),
    "gain": EmojiMeasure("higher", f"Gain, {ALL_FAMILIES}", 2, needs="analogies"),
    **_by_family("gain", "Gain"),
    "gain_dark_tone": EmojiMeasure("higher", "Gain, dark skin tone", 2, needs="analogies"),
    **_by_family("gain_changed", "Gain where it changes"),
    "gain_seen_large": EmojiMeasure("higher", f"Gain, seen truths, {LARGE_FAMILIES}", 2, needs="large"),
    "gain_seen": EmojiMeasure("higher", f"Gain, seen truths, {ALL_FAMILIES}", 2, needs="analogies"),
    **{
        f"{name}_large": EmojiMeasure(better, f"{label}, {LARGE_FAMILIES}", 2, needs="large")
        for name, (better, label) in MEANS.items()
    },
    **{
        name: EmojiMeasure(better, f"{label}, {ALL_FAMILIES}", 2, needs="analogies")
        for name, (better, label) in MEANS.items()
    },
    "validation_mse": EmojiMeasure("lower", "Validation MSE", 4, validation=True),
    "validation_cross_entropy": EmojiMeasure(
        "lower", "Validation cross-entropy", 3, validation=True, needs="classes"
    ),
    "validation_loss": EmojiMeasure("lower", "Validation loss", 4, validation=True),
    MSE_FALL: EmojiMeasure(
        "lower", "Relative fall of validation MSE, last quarter", 3, validation=True, on_demand=True
    ),
    CROSS_ENTROPY_FALL: EmojiMeasure(
        *("lower", "Relative fall of validation cross-entropy, last quarter", 3),
        validation=True,
        needs="classes",
        on_demand=True,
    ),
}

NO_ITEMS = ("test_macro_f1", "effective_rank", KERNEL_DISTANCE)
"""Measures of what is tested that are no means over pictures."""
COMPOSED = tuple(name for name, one in MEASURES.items() if one.needs in COMPOSED_NEEDS)
"""Measures of composites."""

CURVES = {"mse": "MSE", "cross_entropy": "Cross-entropy, nats", "accuracy": "Accuracy"}
"""What is measured after every epoch, on the training and on the validation images, and its label."""

HASH_BITS, COLOUR = 10, 32
"""How far two pictures that look alike may differ: of the 64 bits of a difference hash (Krawetz 2013, and by
default the library imagededup: what lies farther apart is another picture), and of 256 in the mean red, green
or blue of any cell of 8 x 8 pixels: an eighth, as much as a shift by one pixel changes it."""

COMPOSING = ("gain_of_", "truths_", "pool_", "large_", "strength_", "rank_", "coherence_")
"""How the numbers begin that composing adds to a run beside measures."""


def composing(name: str) -> bool:
    """Whether only a run that composes has this number."""
    known = MEASURES.get(name)
    return known.needs in COMPOSED_NEEDS if known else name.startswith(COMPOSING)


def composes(names: Iterable[str]) -> bool:
    """Whether one of these measures wants codes composed: only then does a run take the time."""
    return any(MEASURES[name].needs in COMPOSED_NEEDS for name in names)
