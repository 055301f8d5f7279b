"""Does the autoencoder of part 1 reach its error on emoji that its training has not seen?

Report, part 1 f, 30 epochs. The arms are split by subject (without a leak, the baseline), augment, then split
(exactly the report's protocol: copies of one emoji are in training and in test) and split, then augment all
(by subject, with 4 copies of each test image, as in the report, so that only the leak differs).
"""

from ablation import Claim, Difference, Level, Study
from ablation.emoji import autoencoder

study = Study(
    question="Does the autoencoder reach its error on emoji that its training has not seen?",
    source="Final average MSE error(testset): 0.0168 (part 1 f)",
    part="1 f",
    cell_seconds=88,
    baseline=autoencoder,
    arms={
        "split by subject": {},
        # 254 faces and 4 copies of each, assigned at random after all are augmented.
        "augment, then split": {"data.split": "copy"},
        "split, then augment all": {"augment.held_out": True},
    },
    measures={"test_mse": 0.0017},  # a tenth of the report's own error
    claims=(
        # The report's images are of several vendors, these are Noto's: compare the range, not the digits.
        Claim(
            "the final error is 0.0168 for these pictures too, by the report's own split",
            Level("test_mse", "augment, then split", 0.0168),
        ),
        Claim("the final error is 0.0168, on unseen emoji", Level("test_mse", "split by subject", 0.0168)),
        Claim(
            "the report's split lets the error look smaller than it is",
            # Augmented test images are harder than originals: the leak is judged between augmented ones.
            Difference("test_mse", "down", "augment, then split", to="split, then augment all"),
            counts=False,
        ),
    ),
    supported="the report's error stands",
)
