"""Folds: every picture is tested once a run, by a network whose training never saw its subject."""

from collections import Counter
from dataclasses import astuple, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ablation import Claim, Difference, Study, UserError
from ablation.emoji.data.images import Images
from ablation.emoji.data.sources import load
from ablation.emoji.data.split import TEST, VALIDATION, assign_sides
from ablation.emoji.evaluate import PerPicture, answers, joined
from ablation.emoji.experiment import EMOJI
from ablation.emoji.measures import GAP
from ablation.emoji.protocols import joint
from ablation.emoji.result import Result, distinct_names, gaps, joined_means, mean_history
from ablation.emoji.run import lacking, run, sizes
from ablation.emoji.seeds import network_seed
from ablation.emoji.spec import AugmentSpec, DataSpec, RunSpec
from ablation.emoji.train import Epoch
from ablation.emoji.training_data import split_of, training_data
from ablation.emoji.weights import best_run
from ablation.experiment import Diverged, Replication
from ablation.fingerprint import fingerprint
from ablation.report.export import read
from ablation.runner.verify import verify
from ablation.settings import vary
from ablation.stats.statistics import interval
from ablation.tracking.store import Store
from doubles import HAPPY, SAD, FakeRun, made, small_spec, small_study
from test_sweep import swept

FOLDS = 4
FACES = HAPPY + SAD


@pytest.fixture(scope="module")
def spec(faces: Path) -> RunSpec:
    return vary(small_spec(faces), {"data.folds": FOLDS})


@pytest.fixture(scope="module")
def result(spec: RunSpec) -> Result:
    return run(spec, 0, measures=[GAP])


# The split.


@pytest.mark.parametrize("folds", [3, 5, 8])
def test_every_subject_is_tested_and_validated_once(folds: int) -> None:
    images, data = load(("emoji",)), DataSpec(folds=folds, keyword="", stratify="mood")
    sides = torch.stack([assign_sides(images, data, 7, fold) for fold in range(folds)])
    for side, times in enumerate((folds - 2, 1, 1)):
        assert ((sides == side).sum(0) == times).all()
    for fold in range(folds):
        sets: dict[str, set[int]] = {}
        for subject, side in zip(images.subject, sides[fold].tolist(), strict=True):
            sets.setdefault(subject, set()).add(side)
        assert all(len(found) == 1 for found in sets.values())
    assert torch.equal(sides[1] == VALIDATION, sides[2] == TEST)  # the next fold validates


@pytest.mark.parametrize("seed", range(5))
def test_folds_balance_the_classes_they_are_told_to(faces: Path, seed: int) -> None:
    images = load((str(faces),))
    data = DataSpec(sources=(str(faces),), folds=5, classes="happy_sad")
    for fold in range(5):
        tested = split_of(images, data, AugmentSpec(), seed, fold).test.index.tolist()
        kinds = Counter(images.subgroup[index] for index in tested)
        assert kinds == {"smiling": HAPPY // 5, "crying": SAD // 5}


def test_arms_share_folds_and_seeds_do_not(spec: RunSpec) -> None:
    images, other = load(spec.data.sources), replace(spec.data, classes="none", keyword="plain")
    for fold in range(FOLDS):
        own = assign_sides(images, spec.data, 0, fold)
        assert torch.equal(own, assign_sides(images, other, 0, fold))
        assert not torch.equal(own, assign_sides(images, spec.data, 1, fold))


def test_a_class_that_a_fold_lacks_is_no_error_but_one_that_training_lacks_is() -> None:
    rare = made([f"smiling face {n}" for n in range(7)] + [f"crying face {n}" for n in range(3)])
    data = DataSpec(folds=5, classes="happy_sad")
    tested = [split_of(rare, data, AugmentSpec(), 0, fold).test for fold in range(5)]
    assert sorted(index for one in tested for index in one.index.tolist()) == [*range(10)]
    single = made([f"smiling face {n}" for n in range(8)] + ["crying face"])
    fold = next(n for n in range(5) if assign_sides(single, data, 0, n)[8] == TEST)
    with pytest.raises(
        UserError, match=r"training wants an image of class 'sad', but train has none .*fewer"
    ):
        split_of(single, data, AugmentSpec(), 0, fold)


def test_vendors_that_are_tested_on_alone_are_all_tested() -> None:
    texts = [f"face {n}" for n in range(12)] * 2
    images = made(texts, vendors=["a"] * 12 + ["b"] * 12)
    data = DataSpec(folds=4, train_vendors=("a",), test_vendors=("b",))
    sets = [split_of(images, data, AugmentSpec(), 0, fold) for fold in range(4)]
    assert sorted(i for one in sets for i in one.test.index.tolist()) == [*range(12, 24)]
    assert all(one.train.index.max() < 12 and one.validation.index.max() < 12 for one in sets)


# The settings.


def test_without_folds_nothing_is_another_run(faces: Path) -> None:
    plain = small_spec(faces)
    for name in ("data.folds", "train.initialisation"):
        changed = vary(plain, {name: 3})
        assert fingerprint(EMOJI, vary(changed, {name: 0}), 0, "") == fingerprint(EMOJI, plain, 0, "")
        assert fingerprint(EMOJI, changed, 0, "") != fingerprint(EMOJI, plain, 0, "")
    assert network_seed(5) == 5
    others = {network_seed(5, FOLDS, fold, init) for fold in range(FOLDS) for init in range(3)}
    assert len(others | {5}) == 3 * FOLDS + 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data.folds": 1}, "at least 3"),
        ({"data.folds": 2}, "at least 3"),
        ({"data.folds": 4, "data.split": "copy"}, "data.split is 'copy'"),
        ({"data.folds": 4, "data.parts": (2, 1, 1)}, "data.parts is"),
        ({"data.folds": 4, "augment.held_out": True}, "augment.held_out"),
    ],
)
def test_settings_that_contradict_folds_are_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=words):
        vary(joint, changes)


def test_a_seed_of_another_initialisation_has_the_same_split_and_other_weights(faces: Path) -> None:
    plain = vary(small_spec(faces), {"augment.copies": 1})
    other = vary(plain, {"train.initialisation": 1})
    images = load(plain.data.sources)
    one, two = (training_data(images, plain.data, plain.augment, 0, 0, n) for n in (0, 1))
    assert torch.equal(one.sets.train.index, two.sets.train.index)
    assert torch.equal(one.test.pixels, two.test.pixels)
    assert not torch.equal(next(one.passes).pixels, next(two.passes).pixels)
    found = [run(each, 0) for each in (plain, other, other)]
    weights = [each.model.to_code.weight for each in found]
    assert not torch.equal(weights[0], weights[1])
    assert torch.equal(weights[1], weights[2])
    assert found[0].metrics["images_test"] == found[1].metrics["images_test"]


# A run.


def test_every_picture_is_an_item_once_and_their_means_are_the_numbers(result: Result) -> None:
    items = result.items
    assert not items.duplicated(["measure", "item"]).any()
    of = items.groupby("measure").value
    assert of.size()["test_mse"] == of.size()["test_accuracy"] == FACES == result.metrics["images_test"]
    for measure, mean in of.mean().items():
        assert mean == pytest.approx(result.metrics[str(measure)], rel=1e-9)
    assert set(of.groups) == {
        *("test_mse", "test_accuracy", "test_balanced_accuracy", "test_cross_entropy"),
        *("common_mse", "probe_accuracy", GAP),
    }


def test_groups_are_subjects(result: Result, spec: RunSpec) -> None:
    images = load(spec.data.sources)
    subjects = dict(zip(distinct_names(images), images.subject, strict=True))
    assert (result.items.item.map(subjects) == result.items.group).all()


def test_equal_seeds_give_equal_bits(result: Result, spec: RunSpec) -> None:
    again = run(spec, 0, measures=[GAP])
    assert again.metrics == result.metrics
    assert again.items.equals(result.items)
    assert run(spec, 1).metrics["test_mse"] != result.metrics["test_mse"]


def test_a_run_of_folds_keeps_its_items_and_no_weights(spec: RunSpec, tmp_path: Path) -> None:
    record = FakeRun(tmp_path, measures=("test_mse",))
    metrics = EMOJI.train(spec, 0, record)
    (frame,) = record.frames
    assert set(frame.columns) == {"measure", "group", "item", "value"}
    assert EMOJI.kept_file not in record.artifacts
    assert "reconstructions.png" in record.artifacts
    last = {name: value for name, _, value in record.points}
    assert last["validation_mse"] == metrics["validation_mse"]


def test_a_network_that_diverges_says_which(spec: RunSpec) -> None:
    hot = vary(spec, {"train.lr": 1e6, "train.optimizer": "sgd", "model.output": "linear"})
    with pytest.raises(Diverged, match=f"of {FOLDS} networks, number 1 diverged"):
        run(hot, 0)


def test_the_gap_is_the_test_error_less_that_of_the_training_originals(faces: Path) -> None:
    plain = small_spec(faces)
    found, images = run(plain, 0, measures=[GAP]), load(plain.data.sources)
    learned = split_of(images, plain.data, plain.augment, 0).train.index.unique()
    error = answers(found.model, images.pixels[learned], torch.full_like(learned, -1)).errors.mean()
    assert found.metrics[GAP] == pytest.approx(found.metrics["test_mse"] - error.item())
    assert found.items.empty
    assert GAP not in run(plain, 0).metrics  # it takes time


def test_a_picture_has_a_gap_where_it_is_tested_and_learned_from() -> None:
    tested = PerPicture(torch.tensor([9, 2, 4]), torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64))
    seen = PerPicture(torch.tensor([2, 9]), torch.tensor([0.5, 0.25], dtype=torch.float64))
    found = gaps(tested, seen)
    assert found is not None
    assert dict(zip(found.index.tolist(), found.values.tolist(), strict=True)) == {9: 0.75, 2: 1.5}
    assert gaps(PerPicture(torch.tensor([3]), torch.ones(1)), seen) is None


def test_cost_is_of_all_networks(spec: RunSpec) -> None:
    plain = vary(spec, {"data.folds": 0})
    assert len(sizes(spec, 0)) == FOLDS
    ratio = EMOJI.cost(spec, 0, False) / EMOJI.cost(plain, 0, False)
    assert FOLDS / 2 < ratio < FOLDS * 1.5
    assert EMOJI.cost(spec, 0, True) == EMOJI.cost(spec, 0, False)  # no weights to take
    assert EMOJI.program(spec) is None


def test_what_is_held_out_in_some_fold_suffices() -> None:
    folded = vary(joint, {"data.folds": 10, "data.keyword": ""})
    assert not lacking(folded, 0, ["subgroups", "common", "mood"])


# The parts.


def test_weighed_values_average_to_the_mean_over_classes() -> None:
    truth = torch.tensor([0, 0, 0, 2, 2])
    right = torch.tensor([1.0, 0, 0, 1, 1], dtype=torch.float64)
    whole = PerPicture(torch.arange(5), right, truth)
    assert whole.mean == pytest.approx((1 / 3 + 1) / 2)
    parts = [PerPicture(whole.index[part], right[part], truth[part]) for part in ([0, 3], [1, 2, 4])]
    assert joined(parts).mean == pytest.approx(whole.mean)
    assert PerPicture(torch.arange(5), right).mean == pytest.approx(0.6)


def test_a_picture_that_several_networks_learned_from_has_their_mean() -> None:
    one = PerPicture(torch.tensor([4, 2]), torch.tensor([1.0, 3.0], dtype=torch.float64))
    two = PerPicture(torch.tensor([2, 9]), torch.tensor([5.0, 7.0], dtype=torch.float64))
    found = joined_means([one, two])
    assert found.index.tolist() == [2, 4, 9]
    assert found.values.tolist() == [4, 1, 7]


def test_curves_are_means_and_their_steps_grow() -> None:
    def epochs(batches: int, budget: int) -> list[Epoch]:
        ends = [*range(batches, budget, batches), budget]
        return [Epoch(n, end, 1, {"train_mse": float(end)}, 1.0) for n, end in enumerate(ends, 1)]

    found = mean_history([epochs(3, 12), epochs(4, 12)])
    assert [epoch.steps for epoch in found] == [3, 6, 9, 12]
    assert [epoch.metrics["train_mse"] for epoch in found] == [3.5, 7, 10.5, 12]
    assert sum(epoch.images for epoch in found) == 7


def test_names_that_are_shared_are_numbered() -> None:
    images: Images = made(["cat", "dog", "cat", "cat"])
    assert distinct_names(images) == ["cat (1)", "dog", "cat (2)", "cat (3)"]


# A study.


def study_of(spec: RunSpec, **changes: object) -> Study:
    settings: dict[str, object] = {
        "name": "folds",
        "question": "Does a latent of 2 do as well as one of 8?",
        "source": "a double",
        "baseline": spec,
        "arms": {"latent 8": {}, "latent 2": {"model.latent_dim": 2}},
        "measures": {"test_mse": 0.01, "test_balanced_accuracy": 0.05},
        "claims": (Claim("a smaller code is worse", Difference("test_mse", "up", "latent 2")),),
        "seeds": 5,
    }
    return Study(**(settings | changes))  # type: ignore[arg-type]


def test_a_study_of_folds_ends_in_a_table_over_pictures_and_seeds(spec: RunSpec, store: Store) -> None:
    study = study_of(spec)
    assert (study.replication.kind, study.test) == ("items", "crossed")
    progress = swept(study, store)
    assert progress.trained == 10, progress.failed
    found = read(study, store)
    for effect in found.analysis.effects:
        assert effect.sample is not None
        assert (effect.sample.items, effect.sample.clusters, effect.sample.lacking) == (FACES, FACES, 0)
        assert effect.p is not None
        assert effect.these == interval(np.array(effect.differences), 0.95, 0.0)
        assert effect.estimate.mean == pytest.approx(effect.these.mean)
        assert effect.estimate.high - effect.estimate.low > 0
    caveats = " ".join(found.analysis.caveats)
    assert f"A run trains {FOLDS} networks" in caveats
    assert f"every subject is tested once under each seed, which draws {FOLDS} folds" in caveats
    assert "which is about these test items and no others" in caveats
    assert f"Test items that the compared runs share: {FACES} for Test MSE" in caveats
    assert all(one.kept for one in verify(study, store))
    these = study_of(spec, name="these", replication="training")
    assert swept(these, store).trained == 0  # the same runs
    with pytest.raises(UserError, match="no finished run with weights"):
        best_run(store)
    again = read(these, store).analysis
    for one, other in zip(found.analysis.effects, again.effects, strict=True):
        assert one.these is not None
        assert astuple(one.these) == pytest.approx(astuple(other.estimate))
    assert all(verdict.clustered is None for verdict in again.verdicts)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"measures": {"gain": 0.1}, "claims": ()}, "gain wants one network"),
        ({"measures": {"test_macro_f1": 0.1}, "claims": ()}, "test_macro_f1 is no mean over test pictures"),
        ({"measures": {"validation_mse": 0.1}, "claims": ()}, "validation_mse is no mean over test pictures"),
        ({"arms": {"latent 8": {}, "plain": {"data.folds": 0}}, "claims": ()}, "'plain' has no folds"),
        (
            {
                "measures": {GAP: 0.1},
                "arms": {"latent 8": {}, "far": {"data.train_vendors": ("a",), "data.test_vendors": ("b",)}},
                "claims": (),
            },
            "no vendor of the arm 'far'",
        ),
    ],
)
def test_what_folds_cannot_measure_is_refused(spec: RunSpec, changes: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=words):
        study_of(spec, **changes)


def test_what_is_no_mean_over_pictures_is_judged_over_seeds(spec: RunSpec) -> None:
    study = study_of(spec, measures={"test_macro_f1": 0.1}, claims=(), replication="training")
    assert study.test == "t"


def test_folds_replicate_items_and_a_single_split_does_not(spec: RunSpec, faces: Path) -> None:
    assert EMOJI.replication(spec).kind == "items"
    by_picture = EMOJI.replication(vary(spec, {"data.split": "image"}))
    assert isinstance(by_picture, Replication)
    assert by_picture.words.startswith("every picture")
    assert small_study(faces).replication.kind == "split"
