"""Do more original drawings of faces do what augmented copies do?

Report, part 2 f, speculation 3, and part 1 h. All arms are part 2's joint model with equal steps and are
tested on the same pictures: Noto's 55 happy and sad faces, each once a run, which no training saw, whoever
drew them. The arms are one vendor, augmented (Noto's 33 drawings of a fold with 10 copies, the baseline), one
vendor, four vendors (132 originals) and four vendors, augmented. Where nothing is augmented the 10 copies
change nothing, so that all batches are equally large. Four times as many drawings are what can be had of
these faces; whether they are enough is what the last claim asks.
"""

from ablation import Claim, Difference, Gate, Study
from ablation.emoji import UNCHANGED, moods, vary

study = Study(
    question="Do enough original images do away with the need to augment?",
    source=(
        "Data Augmentation induced noise [...] Experiment: Try using the same model, but with different "
        "dataset, which has enough original images, to not need augmentation. (part 2 f, 3)"
    ),
    part="2 f, 3",
    cell_seconds=105,
    baseline=vary(moods, {"data.train_vendors": ("noto",), "data.test_vendors": ("noto",)}),
    arms={
        "one vendor, augmented": {},
        "one vendor": UNCHANGED,
        "four vendors": UNCHANGED | {"data.train_vendors": ()},
        "four vendors, augmented": {"data.train_vendors": ()},
    },
    against={"four vendors, augmented": "four vendors"},
    # A tenth of the error of `moods`; one face in ten.
    measures={"test_mse": 0.0036, "mood_balanced_accuracy": 0.1},
    gates=(
        Gate(
            "with four vendors happy and sad are told apart",
            "mood_balanced_accuracy",
            above=0.5,
            of=("mood_balanced_accuracy",),
            arm="four vendors",
            otherwise="four vendors are at chance",
        ),
    ),
    claims=(
        Claim(
            "enough original images are reconstructed better than few augmented ones",
            Difference("test_mse", "down", "four vendors"),
        ),
        Claim(
            "enough original images are classified better than few augmented ones",
            Difference("mood_balanced_accuracy", "up", "four vendors"),
        ),
        Claim(
            "with enough original images copies only make reconstruction harder",
            Difference("test_mse", "up", "four vendors, augmented"),
        ),
        Claim(
            "few images are reconstructed better without copies",
            Difference("test_mse", "down", "one vendor"),
            counts=False,
        ),
    ),
    supported="four times the originals replace ten copies",
    seeds=7,
)
