"""What a reader must know of the runs: their splits, truths and budgets, and how far one picture counts."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from ablation.emoji.data.classes import by_column, class_names
from ablation.emoji.experiment import NOTE
from ablation.emoji.measures import (
    ALL_FAMILIES,
    COLOUR,
    HASH_BITS,
    LARGE_FAMILIES,
    MEASURES,
    OTHER_PROBE,
    PROBES,
    ROBUST,
    composes,
)
from ablation.emoji.spec import TRAINED_REFINERS, RunSpec
from ablation.formatting import count, listing
from ablation.settings import flat
from ablation.study import Study

SPLIT = ("data.sources", "data.stratify", "data.split", "data.parts", "data.folds", "data.test_vendors")
"""Settings that decide, with the seed, which set each image belongs to."""
COPY_SPLIT = ("data.keyword", "data.classes", "data.among", "augment.copies")
"""Settings that decide it too where data.split is "copy"."""
SEEN = {
    "copy": "its test pictures are copies of originals that are in its training too",
    "image": "another tone or gender of a test picture may be in its training",
}

MOOD_FACES = ("images_mood_rarest", "held-out faces, {} of the rarer mood")
SHARED = {
    "common_mse": ("images_common", "{} held-out images"),
    "mood_balanced_accuracy": MOOD_FACES,
    **dict.fromkeys((*PROBES, *ROBUST), MOOD_FACES),
    "probe_accuracy": ("images_probe", "codes of {} held-out emoji"),
    OTHER_PROBE: ("images_probe_other", "codes of {} held-out emoji that are no faces"),
}
"""A measure of pictures that all arms share: the column with their number, and what they are."""

TRAINED_ON = {
    "test": ("originals_test", "test pictures", ("test_",)),
    "common": ("images_common", "pictures of the common evaluation", ("common_",)),
    "validation": ("originals_validation", "validation pictures", ("test_", "validation_")),
}
"""Pictures that may look like one of training: the column with their number, what they are called, and how
the measures begin that they concern."""

TRUTHS, POOL, JUDGES = "truths_", "pool_", "large_"
"""How the columns begin that count the unseen truths of a run, and the truths that a family has at all, and
that say whether they suffice to judge methods."""

SIZES = (
    *("data.sources", "data.keyword", "data.classes", "data.among", "data.train_most", "data.split"),
    *("data.parts", "data.folds", "data.train_vendors", "augment.copies", "train.batch_size"),
)
"""Settings that change how many optimiser steps an epoch takes."""
ALIKE = 1.02
"""Numbers of pictures within this factor are called equal."""

BY_CLASS = ("test_balanced_accuracy", "test_macro_f1")
"""Measures that weigh every class alike: a picture of the rarest class counts most."""
COUNTS = {"test_accuracy": "images_test", "probe_accuracy": "images_probe"}
"""Measures that weigh every picture alike, and the column that has their number."""
MOODS = 2


def caveats(study: Study, cells: pd.DataFrame) -> Iterator[str]:
    """A sentence each, in the order of a reader's questions; `cells` has a row a planned cell."""
    yield from split_caveats(study, cells)
    yield from duplicate_caveats(study, cells)
    yield from truth_caveats(study, cells)
    yield from budget_caveats(study, cells)
    yield from refiner_caveats(study)


def _recorded(cells: pd.DataFrame, column: str) -> "pd.Series[float]":
    """The values in `column` of the complete cells; none where there is no such column."""
    complete = cells[cells["state"] == "complete"]
    return complete.get(column, pd.Series(dtype=float)).dropna()


def _span(values: "pd.Series[float]") -> str:
    low, high = int(values.min()), int(values.max())
    return f"{low}" if low == high else f"{low} to {high}"


def _least(cells: pd.DataFrame, column: str) -> float:
    return float(min(_recorded(cells, column), default=0.0))


def _vary(names: Sequence[str]) -> str:
    return f"{listing(names)} {'varies' if len(names) == 1 else 'vary'}"


def split_caveats(study: Study, cells: pd.DataFrame) -> Iterator[str]:
    """What the seed pairs across the arms of `study`, and what each run is tested on."""
    yield f"Every arm ran under the same {count(cells['seed'].nunique(), 'seed')}; {_paired(study)}."
    tested = _recorded(cells, "images_test")
    if len(tested) and any(name.startswith("test_") for name in study.measures):
        yield f"Each run is tested on {_span(tested)} images{_unseen(study)}."
    yield from fold_caveats(study)
    for name, (column, words) in SHARED.items():
        if name in study.measures and len(shared := _recorded(cells, column)):
            yield f"{study.label(name)} is taken on {words.format(_span(shared))}{_alike(study)}."


def fold_caveats(study: Study) -> Iterator[str]:
    """What a run of several networks is, and what its items cannot say; nothing without folds."""
    folds = sorted({spec.data.folds for spec in study.settings.values()} - {0})
    if folds:
        networks = " or ".join(map(str, folds))
        yield (
            f"A run trains {networks} networks, and its numbers are over the test pictures of all; what is "
            "measured while they learn, and the effective rank, are means over networks."
        )
    if folds and study.of_items:
        yield (
            "Under every seed the networks learn from parts of one pool: the intervals hold for new pictures "
            "that are tested, and for the training that the seeds vary, not for a new pool to learn from."
        )


def _alike(study: Study) -> str:
    """What holds of pictures that every arm is measured on, as long as none splits images otherwise."""
    alike = "" if any(name in study.varied for name in SPLIT) else ", the same in every arm under a seed"
    if not all(_protocol(spec) == "subject" for spec in study.settings.values()):
        return alike
    return alike + (
        ", each measured by a network that never saw it" if _folded(study) else ", that no training saw"
    )


def _folded(study: Study) -> bool:
    return any(spec.data.folds for spec in study.settings.values())


def _paired(study: Study) -> str:
    decides = "the seed decides initialisation, data order, augmentation, dropout and the split"
    names = SPLIT + (COPY_SPLIT if "copy" in map(_protocol, study.settings.values()) else ())
    differ = [name for name in names if name in study.varied]
    tables = {arm: flat(settings) for arm, settings in study.settings.items()}
    apart = [arm for arm in tables if _unlike(tables[arm], tables[study.reference_of(arm)], differ)]
    if apart:
        return (
            f"{decides}, but {_vary(differ)}, so that the arms' splits differ: arms share a seed, not their "
            "test images"
        )
    if differ:
        return f"{decides}; {_vary(differ)}, but not between arms that are compared, whose splits are paired"
    return f"{decides}, and is paired across arms"


def _unlike(one: Mapping[str, object], other: Mapping[str, object], names: Sequence[str]) -> bool:
    return any(one[name] != other[name] for name in names)


def _unseen(study: Study) -> str:
    """What follows the number of test images: for which arms training saw something of them."""
    arms: dict[str, list[str]] = {}
    for arm, spec in study.settings.items():
        arms.setdefault(_protocol(spec), []).append(arm)
    if set(arms) == {"subject"}:
        if _folded(study):
            return ", each by a network whose training never saw its subject"
        return " that its training never saw"
    parts = [
        (f"in {listing(arms[kind])} " if len(arms) > 1 else "") + seen
        for kind, seen in SEEN.items()
        if kind in arms
    ]
    return f": {'; '.join(parts)}"


def _protocol(spec: RunSpec) -> str:
    """What is split; without copies to part from their originals, "copy" splits images."""
    return "image" if spec.data.split == "copy" and not spec.augment.copies else spec.data.split


def duplicate_caveats(study: Study, cells: pd.DataFrame) -> Iterator[str]:
    """Which pictures two sets share, though the split takes them for different ones; nothing where none.

    Columns duplicates_WHAT and near_duplicates_WHAT, as `data.duplicates.Duplicates` counts them, and the
    note of an example.
    """
    said: list[str] = []
    for what, (column, kind, measures) in TRAINED_ON.items():
        if any(name.startswith(measures) for name in study.measures) and (
            found := _alike_pictures(cells, what)
        ):
            number, exact = found
            who = f"{number} of {_span(_recorded(cells, column))} {kind}{exact}"
            said.append(
                f"so {_verb(number, 'do')} {who}"
                if said
                else f"{who} {_verb(number, 'look')} like a training picture"
            )
            if what == "test":
                said[-1] += _example(cells)
    if any(name.startswith("test_") for name in study.measures) and (
        found := _alike_pictures(cells, "test_validation")
    ):
        said.append(f"{found[0]} test pictures{found[1]} {_verb(found[0], 'look')} like a validation picture")
    if said:
        yield (
            f"In a run {'; '.join(said)}. Pictures look alike that differ in at most {HASH_BITS} of the 64 "
            f"bits of a difference hash, and nowhere by more than {COLOUR} of 256 in colour; duplicates.csv "
            "of each run names them."
        )
    apart = _recorded(cells, "duplicates_of_another_class")
    if len(apart) and apart.max():
        yield (
            f"In a run {_span(apart)} test pictures are equal, pixel for pixel, to a training picture of "
            "another class: no network can be right about both."
        )


def _alike_pictures(cells: pd.DataFrame, what: str) -> tuple[str, str] | None:
    """How many in a run, and in brackets how many of them are equal, if any; None where there are none."""
    equal, near = (_recorded(cells, f"{name}_{what}") for name in ("duplicates", "near_duplicates"))
    if not (equal + near).any():
        return None
    return _span(equal + near), f" ({_span(equal)} pixel for pixel)" if equal.any() else ""


def _verb(number: str, verb: str) -> str:
    return verb if number != "1" else {"do": "does", "look": "looks"}[verb]


def _example(cells: pd.DataFrame) -> str:
    notes = [note for note in _recorded(cells, f"note_{NOTE}") if note]
    return f", such as {notes[0]}" if notes else ""


def truth_caveats(study: Study, cells: pd.DataFrame) -> Iterator[str]:
    """What the gains rest on, where the study measures any; columns truths_FAMILY and pool_FAMILY."""
    counted = []
    for family in (str(name).removeprefix(TRUTHS) for name in cells if str(name).startswith(TRUTHS)):
        found, pool = _recorded(cells, f"{TRUTHS}{family}"), _recorded(cells, f"{POOL}{family}")
        if len(found):
            of = f" of {int(pool.max())}" if len(pool) else ""
            counted.append(f"{_span(found)}{of} ({family})")
    if counted and composes(study.measures):
        yield (
            "A gain is the median over truths that neither the network nor a direction learned from: "
            f"{listing(counted)} in a run. Seeds draw them from one pool and repeat them: the effective n of "
            "a family is no more than the pictures that it has, whatever the number of seeds."
        )
        large = [
            family
            for family in (str(name).removeprefix(JUDGES) for name in cells if str(name).startswith(JUDGES))
            if _recorded(cells, f"{JUDGES}{family}").any()
        ]
        if large and _called(study, LARGE_FAMILIES):
            yield (
                f"The large {'families are' if len(large) > 1 else 'family is'} {listing(large)}: "
                "about twenty truths or more of each are tested in a run. The size of the pool decides, not "
                "the seed."
            )
        if len(counted) > 1 and (alike := _called(study, ALL_FAMILIES)):
            yield (
                f"{listing(alike)}: the mean is over all families alike, so that one of two truths "
                "counts as much as one of a hundred. Tables of earlier versions have this mean without "
                f"saying so in the label; it does not compare with one over {LARGE_FAMILIES}."
            )


def _called(study: Study, words: str) -> list[str]:
    """The labels of the study's measures whose own label ends with the words."""
    return [study.label(name) for name in study.measures if MEASURES[name].label.endswith(words)]


def budget_caveats(study: Study, cells: pd.DataFrame) -> Iterator[str]:
    """How the arms' budgets differ beyond what the study declares; nothing where they do not."""
    by_epochs = {arm: flat(spec) for arm, spec in study.settings.items() if spec.train.epochs}
    if differ := [name for name in SIZES if len({str(table[name]) for table in by_epochs.values()}) > 1]:
        whose = "" if len(by_epochs) == len(study.settings) else f" of {listing(list(by_epochs))}"
        yield (
            f"The budget{whose} is counted in epochs and {_vary(differ)}, so that these arms differ in "
            "optimiser steps."
        )
    for steps, pictures in _seen(study, cells).items():
        if max(pictures) > ALIKE * min(pictures):
            yield (
                f"In {count(steps, 'step')} arms see {min(pictures):,.0f} to {max(pictures):,.0f} pictures, "
                "repeats included: the last batch of a pass is a small one, and small sets have more of them."
            )


def refiner_caveats(study: Study) -> Iterator[str]:
    """What a refiner or grain adds to arms, and which of their numbers it changes; nothing without one."""
    kinds = {arm: spec.refine for arm, spec in study.settings.items() if spec.refine.kind != "none"}
    steps = {arm: one.steps for arm, one in kinds.items() if one.kind in TRAINED_REFINERS}
    grains = {arm: one.grain for arm, one in kinds.items() if one.kind == "grain"}
    if steps:
        least, most = min(steps.values()), max(steps.values())
        taken = count(most, "optimiser step") if least == most else f"{least} to {most} optimiser steps"
        yield (
            f"In {listing(list(steps))} a refiner, trained for {taken} more, redraws every picture before it "
            "is measured, also the target and the truth that a gain compares; learning curves and validation "
            "errors are of the network without it."
        )
    for arm, strength in grains.items():
        yield (
            f"In {arm} noise with a standard deviation of {strength:g}, where white is 1, is added to every "
            "picture before it is measured, also to the target and the truth that a gain compares; learning "
            "curves and validation errors are of the network without it."
        )


def _seen(study: Study, cells: pd.DataFrame) -> dict[int, list[float]]:
    """How many pictures the arms of each budget in steps take in, on average over their complete cells."""
    seen: dict[int, list[float]] = {}
    for arm, spec in study.settings.items():
        images = _recorded(cells[cells["arm"] == arm], "images_train")
        if spec.train.steps and len(images):
            batches = np.ceil(images / spec.train.batch_size)
            seen.setdefault(spec.train.steps, []).append(float((spec.train.steps * images / batches).mean()))
    return seen


def one_picture(study: Study, cells: pd.DataFrame, measure: str) -> float:
    """The most that one test picture, right or wrong, moves `measure`; 0 where it is continuous or unknown.

    A measure that counts pictures takes few values. Over a handful of seeds its differences can agree, or
    nearly so, by luck: no seed met the rare picture that would have shown the effect. A spread below one
    picture's worth is then a sign of too few draws, not of precision: tests of equivalence take none below
    it. The test for a difference stays as declared: there the interval must leave 0, which luck does more
    rarely.

    Counts are the least of the complete cells, from the columns images_test, images_probe, and, of the
    rarest class or mood, images_test_rarest and images_mood_rarest. Where one of the latter two is not
    recorded that class may have a single picture, and is taken to. How many classes a column has is read from
    the column classes. It is not recorded how many of the test images have a class where `data.among` lets
    others take part: there accuracy moves no more than one that weighs classes alike.
    """
    labelled = not any(spec.data.among for spec in study.settings.values())
    if measure in COUNTS and (labelled or measure != "test_accuracy"):
        return 1 / images if (images := _least(cells, COUNTS[measure])) else 0.0
    if measure in (*BY_CLASS, "test_accuracy"):
        schemes = {spec.data.classes for spec in study.settings.values()}
        known = [len(class_names(scheme)) for scheme in schemes if not by_column(scheme)]
        classes = min(known, default=int(_least(cells, "classes")))
        return 1 / (max(classes, 1) * (_least(cells, "images_test_rarest") or 1))
    if measure in ("mood_balanced_accuracy", *PROBES, *ROBUST):
        return 1 / (MOODS * (_least(cells, "images_mood_rarest") or 1))
    return 0.0
