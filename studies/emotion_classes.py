"""Do finer emotion classes teach the code more than happy and sad do?

Report, part 2 f, speculation 1. Every arm learns from the same faces, those of Unicode's face subgroups. A
face without a class in a scheme takes part without a label. Predictions are mapped back to happy and sad.

- two classes (the baseline): happy and sad. five classes: also neutral, angry and surprised. nine classes:
  Unicode's subgroups. All for 112 steps, those of part 2's 10 epochs.
- two classes, long; five classes, long; nine classes, long: the long run, with the steps of the 20 epochs
  that were planned first.
"""

from ablation import Claim, Difference, Study
from ablation.emoji import joint, vary

SCHEMES = {"two": "happy_sad", "five": "five_emotions", "nine": "face_subgroups"}
LONG = {"train.steps": 224}

study = Study(
    question="Do finer emotion classes teach the code more than happy and sad do?",
    source=(
        "Modify the classification task to include more fine-grained emotion categories (e.g., neutral, "
        "angry, surprised). If classification accuracy drops initially but improves feature learning in the "
        "long run, it indicates that a more complex auxiliary task benefits the autoencoder. (part 2 f, 1)"
    ),
    part="2 f, 1",
    cell_seconds=40,
    baseline=vary(
        joint,
        {
            "data.keyword": "",
            "data.among": "face_subgroups",
            "data.stratify": "five_emotions",
            "augment.copies": 10,
            "train.epochs": 0,
            "train.steps": 112,
        },
    ),
    arms={f"{name} classes": {"data.classes": scheme} for name, scheme in SCHEMES.items()}
    | {f"{name} classes, long": {"data.classes": scheme} | LONG for name, scheme in SCHEMES.items()},
    against={f"{name} classes, long": "two classes, long" for name in ("five", "nine")},
    # One face in ten; one emoji in fifty; a tenth of the report's own error.
    measures={"mood_balanced_accuracy": 0.1, "probe_accuracy": 0.02, "common_mse": 0.0017},
    claims=(
        Claim("accuracy drops initially", Difference("mood_balanced_accuracy", "down", "five classes")),
        Claim(
            "feature learning improves in the long run",
            Difference("probe_accuracy", "up", "five classes, long"),
        ),
        Claim(
            "a more complex auxiliary task benefits the autoencoder",
            Difference("common_mse", "down", "five classes, long"),
            counts=False,  # the report concludes it from the two above; here it is measured
        ),
    ),
    supported="a more complex auxiliary task benefits the autoencoder",
)
