"""Does training for analogies, or for named dimensions, make codes composable?

Report, part 3 c, 1 and 2. A term of the loss decodes f(b) - f(a) + f(c) towards d, on quadruples of training
pictures (Reed et al. 2015). The truths that are tested, and their subjects, are in no quadruple. Networks
compose by the report's arithmetic, its strength chosen on validation, except where an arm says otherwise.

- plain (the baseline): no such term. plain, mean: the same network composes by the mean step of many pairs.
- analogies: with the term. analogies, mean: the same network composes by the mean step.
- answers: the control of the term. It has the same quadruples, but d is decoded from its own code. So the
  same answers are drawn as often, without the rule; the other three pictures are not shown again.
- Four controls in the network of analogies: unedited (the target itself, whose gain is 0), kind's mean (which
  knows nothing of the attribute), pixel arithmetic and nearest picture (no code; redrawn by that network).
  The nearest picture is looked for among 60 emoji of the family, in all their variants.
- labels: the first dimensions of the code are taught the attributes that the texts name, and composing moves
  the mean step of these dimensions alone. labels and analogies: quadruples move these dimensions, too. Only
  quadruples of skin tones, genders and cats have such an attribute, so these are drawn more often than in
  analogies, which favours this arm. Both are compared with the mean step of all dimensions.

Networks take 6000 steps, which was fixed before any of them was trained. On seed 900 analogies gained, and
their reconstruction was worse. There are few cats, so results on cats are mainly illustrations
(docs/decisions/0047-trained-composition.md).
"""

from ablation import Claim, Difference, Study
from ablation.emoji import composed, vary

ANALOGIES = {"train.analogy_weight": 1.0}
LABELS = {"train.attribute_weight": 0.05, "compose.method": "named"}


def drawn(method: str) -> dict[str, object]:
    """The arm of a baseline of pixels in the network of analogies."""
    return ANALOGIES | {"compose.method": method, "compose.redrawn": True}


study = Study(
    question="Does training for analogies, or for named dimensions, make codes composable?",
    source=(
        "Train a model to explicitly learn interpretable latent dimensions corresponding to specific "
        "attributes. ... Using a larger emoji dataset with diverse examples of similar transformations could "
        "improve results. (part 3 c, 1 and 2)"
    ),
    part="3 c, 1",
    cell_seconds=165,
    # Seeds by the split alone: under 91, 92, 95 and 97 no network trains on the cat with heart-shaped eyes;
    # under 99 some family has no truth.
    first_seed=89,
    seeds=10,
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
        "plain": {},
        "analogies": ANALOGIES,
        "answers": ANALOGIES | {"train.quadruples": "answer"},
        "plain, mean": {"compose.method": "mean"},
        "analogies, mean": ANALOGIES | {"compose.method": "mean"},
        "labels": LABELS,
        "labels and analogies": ANALOGIES | LABELS,
        "unedited": drawn("unedited"),
        "kind's mean": ANALOGIES | {"compose.method": "centre"},
        "pixel arithmetic": drawn("pixel_arithmetic"),
        "nearest picture": drawn("nearest_picture"),
    },
    # A tenth of what there is to gain; a tenth of a plain network's error, and of what its composites have
    # where they change; one composite, or one picture of an attribute, in ten.
    measures={
        "gain_large": 0.1,
        "gain_changed": 0.1,
        "gain_faces": 0.1,
        "gain_changed_faces": 0.1,
        "composite_mse": 0.01,
        "attribute_gained_large": 0.1,
        "attribute_in_answer_large": 0.1,
        "attribute_in_input_large": 0.1,
        "named_tell": 0.1,
        "free_tell": 0.1,
        "attribute_mse": 0.008,
        "test_mse": 0.0024,
    },
    claims=(
        Claim("training for analogies composes better", Difference("gain_large", "up", "analogies")),
        Claim(
            "by the rule, and not because its answers are drawn more often",
            Difference("gain_large", "up", "analogies", to="answers"),
        ),
        Claim(
            "better than the mean step in a plain network",
            Difference("gain_large", "up", "analogies", to="plain, mean"),
        ),
        Claim(
            "the composites come nearer to their answers where they should change",
            Difference("composite_mse", "down", "analogies"),
        ),
        Claim(
            "better than to leave the target as it is",
            Difference("gain_large", "up", "analogies", to="unedited"),
            counts=False,
        ),
        Claim(
            "better than arithmetic of pixels",
            Difference("gain_large", "up", "analogies", to="pixel arithmetic"),
            counts=False,
        ),
        Claim(
            "better than the nearest of a sample of training pictures",
            Difference("gain_large", "up", "analogies", to="nearest picture"),
            counts=False,
        ),
        Claim(
            "where target and answer differ, too",
            Difference("gain_changed", "up", "analogies"),
            counts=False,
        ),
        Claim(
            "a judge of pixels sees the attribute more often",
            Difference("attribute_gained_large", "up", "analogies"),
            counts=False,
        ),
        Claim(
            "on cat faces it gains more than what knows no expression",
            Difference("gain_faces", "up", "analogies", to="kind's mean"),
            counts=False,
        ),
        Claim(
            "on cat faces it gains more than that where they change",
            Difference("gain_changed_faces", "up", "analogies", to="kind's mean"),
            counts=False,
        ),
        Claim(
            "labels make codes composable",
            Difference("gain_large", "up", "labels", to="plain, mean"),
            counts=False,
        ),
        Claim(
            "named dimensions add to what analogies give",
            Difference("gain_large", "up", "labels and analogies", to="analogies, mean"),
            counts=False,
        ),
        Claim(
            "the free dimensions tell the attribute less than those of a plain network",
            Difference("free_tell", "down", "labels and analogies"),
            counts=False,
        ),
        Claim(
            "training for analogies costs reconstruction",
            Difference("test_mse", "up", "analogies"),
            counts=False,
        ),
    ),
    supported="training for analogies makes codes composable",
)
