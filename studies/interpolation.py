"""Is a weighted interpolation better than the whole difference, and does its strength control the attribute?

Report, part 3 c, 3. One autoencoder for each seed and the report's arithmetic, c + strength x (b - a), on
analogies whose truth was not used in any training.

- strength 1 (the baseline): the report's.
- strength 0: the input unchanged.
- strength 0.25, strength 0.5, strength 0.75, strength 1.25, strength 1.5.
- chosen: by the error on validation analogies, for each family.
"""

from ablation import Claim, Difference, Study, Trend
from ablation.emoji import composed

study = Study(
    question="Is a weighted interpolation better than direct arithmetic?",
    source=(
        "Instead of direct vector subtraction and addition, try a weighted interpolation, that can be tuned "
        "to control the strength of the attribute. (part 3 c, 3)"
    ),
    part="3 c, 3",
    cell_seconds=80,
    baseline=composed,
    arms={f"strength {s:g}": {"compose.strength": s} for s in (0, 0.25, 0.5, 0.75, 1, 1.25, 1.5)}
    | {"chosen": {"compose.weigh": True}},
    # A twentieth of what there is to gain; one composite in ten; a tenth of a real code's own cycle error.
    measures={
        "gain": 0.05,
        "gain_faces": 0.05,
        "gain_dark_tone": 0.05,
        "attribute_gained": 0.1,
        "off_the_manifold": 0.1,
    },
    claims=(
        Claim("a weighted interpolation gains more", Difference("gain", "up", "chosen")),
        Claim(
            "the weight controls the strength of the attribute",
            Trend("attribute_gained", "up", "compose.strength", scale="linear"),
        ),
        Claim(
            "a weighted interpolation gains more on cat faces",
            Difference("gain_faces", "up", "chosen"),
            counts=False,
        ),
        Claim(
            "the stronger the edit, the further from pictures the network knows",
            Trend("off_the_manifold", "up", "compose.strength", scale="linear"),
            counts=False,
        ),
    ),
    supported="weighted interpolation improves the composite",
)
