"""Composites from pixels alone: exact where pictures are sums, and a picture that is recalled is no truth."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from ablation import UserError
from ablation.emoji.composition.analogies import AnalogyTask, analogy_tasks
from ablation.emoji.composition.baselines import BASELINES, PictureBatch
from ablation.emoji.composition.directions import METHODS
from ablation.emoji.composition.evaluator import CompositionEvaluator, composition
from ablation.emoji.data.images import Images
from ablation.emoji.data.sources import load
from ablation.emoji.data.split import TEST
from ablation.emoji.model import Autoencoder
from ablation.emoji.protocols import composed
from ablation.emoji.spec import ComposeSpec, RunSpec
from ablation.settings import vary
from analogies import draw_shapes

SMALL = {"model.channels": (8, 16), "model.latent_dim": 8}


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> RunSpec:
    source: Path = draw_shapes(tmp_path_factory.mktemp("shapes") / "shapes.parquet")
    return vary(composed, SMALL | {"data.sources": (str(source),), "data.common": ""})


@pytest.fixture(scope="module")
def images(spec: RunSpec) -> Images:
    return load(spec.data.sources)


@pytest.fixture(scope="module")
def task(spec: RunSpec, images: Images) -> AnalogyTask:
    (found,) = next(filter(None, (analogy_tasks(images, spec.data, seed) for seed in range(20))))
    return found


def evaluator(spec: RunSpec, images: Images, task: AnalogyTask, how: ComposeSpec) -> CompositionEvaluator:
    return CompositionEvaluator(Autoencoder(spec.model, 0, 0), images, (task,), how, 0)


def sums(rows: int, attribute: Tensor) -> tuple[Tensor, Tensor]:
    """Pictures without and with an attribute, which is added in the upper half; contents are in the lower."""
    plain = torch.full((rows, 3, 64, 64), 0.25)
    plain[:, :, 32:] = torch.rand(rows, 3, 32, 64, generator=torch.Generator().manual_seed(0))
    return plain, plain + attribute


def test_pixel_arithmetic_is_exact_where_pictures_are_sums_of_parts() -> None:
    attribute = torch.zeros(3, 64, 64)
    attribute[:, :32] = 0.5
    plain, with_it = sums(4, attribute)
    batch = PictureBatch(plain[:2], with_it[:2], plain[2:], plain)
    made = BASELINES["pixel_arithmetic"](batch, 1.0)
    torch.testing.assert_close(made, with_it[2:])
    assert torch.equal(BASELINES["pixel_arithmetic"](batch, 0.0), plain[2:])
    assert BASELINES["pixel_arithmetic"](batch, 9.0).max() == 1


def test_the_nearest_picture_is_that_of_the_sum_and_without_strength_that_of_c() -> None:
    attribute = torch.zeros(3, 64, 64)
    attribute[:, :32] = 0.5
    plain, with_it = sums(4, attribute)
    batch = PictureBatch(plain[:1], with_it[:1], plain[3:], torch.cat([plain, with_it]))
    assert torch.equal(BASELINES["nearest_picture"](batch, 1.0), with_it[3:])
    assert torch.equal(BASELINES["nearest_picture"](batch, 0.0), plain[3:])


def test_the_nearest_picture_is_one_of_training_and_never_a_truth(
    spec: RunSpec, images: Images, task: AnalogyTask
) -> None:
    made, _ = evaluator(spec, images, task, ComposeSpec(method="nearest_picture")).composites(task, TEST)
    looks = {images.pixels[index].numpy().tobytes() for index in task.training[TEST].values()}
    truths = {images.pixels[one.d].numpy().tobytes() for one in task.analogies[TEST]}
    shown = {(one * 255).round().to(torch.uint8).numpy().tobytes() for one in made}
    assert shown <= looks
    assert not shown & truths


@pytest.mark.parametrize("method", list(BASELINES))
def test_a_baseline_is_judged_on_the_truths_and_the_scale_of_every_method(
    spec: RunSpec, images: Images, task: AnalogyTask, method: str
) -> None:
    model = Autoencoder(spec.model, 0, 0)
    of_pixels, of_codes = (
        composition(model, images, (task,), ComposeSpec(method=one, weigh=True), 0)
        for one in (method, "pair")
    )
    for own, other in zip(of_pixels.rows, of_codes.rows, strict=True):
        same = ("side", "family", "a", "b", "c", "d", "copy", "ceiling", "copy inside", "changed")
        assert [own[name] for name in same] == [other[name] for name in same]
    assert of_pixels.numbers.keys() == of_codes.numbers.keys()
    again = composition(model, images, (task,), ComposeSpec(method=method, weigh=True), 0)
    assert again.numbers == of_pixels.numbers


def test_redrawn_what_is_unedited_gains_nothing_and_the_truth_is_the_ceiling(
    spec: RunSpec, images: Images, task: AnalogyTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Autoencoder(spec.model, 0, 0)
    how = ComposeSpec(method="unedited", redrawn=True)
    assert composition(model, images, (task,), how, 0).numbers["gain"] == 0
    given = evaluator(spec, images, task, how)
    truths = {side: given.pixels(one.d for one in ones) for side, ones in task.analogies.items()}
    by_size = {len(one): one for one in truths.values()}
    monkeypatch.setitem(BASELINES, "unedited", lambda batch, strength: by_size[len(batch.c)])
    rows = composition(model, images, (task,), how, 0).rows
    assert [row["error"] for row in rows] == [row["ceiling"] for row in rows]
    assert [row["error inside"] for row in rows] == [row["ceiling inside"] for row in rows]


def test_what_is_unedited_is_c_whatever_the_network(spec: RunSpec, images: Images, task: AnalogyTask) -> None:
    model = Autoencoder(spec.model, 0, 0)
    found = composition(model, images, (task,), ComposeSpec(method="unedited"), 0)
    n = next(n for n, row in enumerate(found.rows) if row["side"] == "unseen")
    one = task.analogies[TEST][n]
    c, d = (images.pixels[index] / 255 for index in (one.c, one.d))
    assert found.rows[n]["error"] == pytest.approx(float((c - d).square().mean()))
    assert found.rows[n]["inside the change"] == 1  # nothing was edited
    assert found.numbers["strength_shape"] == 1


def test_names_are_no_directions_and_have_no_rank() -> None:
    assert not BASELINES.keys() & METHODS.keys()
    for name in BASELINES:
        assert ComposeSpec(method=name).method == name
        with pytest.raises(UserError, match="has no subspace"):
            ComposeSpec(method=name, rank=2)
