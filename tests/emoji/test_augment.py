"""Augmentation in batches, held against torchvision's transforms image by image."""

import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as tv

from ablation.emoji import augment as module
from ablation.emoji.augment import augment
from ablation.emoji.seeds import generator
from ablation.emoji.spec import AugmentSpec

N = 12


@pytest.fixture
def images() -> Tensor:
    """Twelve images, float32 (12, 3, 64, 64), of smooth colour with some grey pixels."""
    small = torch.rand(N, 3, 8, 8, generator=generator(0, "images"))
    small[:, :, 0, 0] = 0.5
    return torch.nn.functional.interpolate(small, size=(64, 64))


@pytest.mark.parametrize(
    ("ours", "theirs", "low", "high"),
    [
        (module.brightness, tv.adjust_brightness, 0.0, 2.0),
        (module.contrast, tv.adjust_contrast, 0.0, 2.0),
        (module.saturation, tv.adjust_saturation, 0.0, 2.0),
        (module.hue, tv.adjust_hue, -0.5, 0.5),
    ],
    ids=["brightness", "contrast", "saturation", "hue"],
)
def test_jitter_is_torchvisions(images: Tensor, ours, theirs, low: float, high: float) -> None:  # type: ignore[no-untyped-def]
    amounts = torch.linspace(low, high, N)
    expected = torch.stack(
        [theirs(image, amount.item()) for image, amount in zip(images, amounts, strict=True)]
    )
    torch.testing.assert_close(ours(images, amounts), expected, atol=2e-5, rtol=0)


@pytest.mark.parametrize("fill", [0.0, 1.0, 0.3])
def test_rotation_is_torchvisions(images: Tensor, fill: float) -> None:
    degrees = torch.linspace(-30, 30, N)
    expected = torch.stack(
        [
            tv.rotate(image, angle.item(), fill=[fill] * 3)
            for image, angle in zip(images, degrees, strict=True)
        ]
    )
    ours = module.rotate(images, degrees, fill)
    # Nearest-pixel sampling: a coordinate that falls on a border may round to either side.
    differing = ((ours - expected).abs() > 1e-5).any(dim=1).float().mean()
    assert differing < 0.002


def test_flip_mirrors_the_chosen_images_alone(images: Tensor) -> None:
    chosen = torch.arange(N) % 2 == 0
    flipped = module.flip(images, chosen)
    assert torch.equal(flipped[~chosen], images[~chosen])
    assert torch.equal(flipped[chosen], tv.horizontal_flip(images[chosen]))


def test_no_strength_changes_nothing(images: Tensor) -> None:
    still = AugmentSpec(flip=0, rotation_degrees=0, brightness=0, contrast=0, saturation=0, hue=0)
    torch.testing.assert_close(augment(images, still, generator(0, "augment")), images, atol=1e-5, rtol=0)


def test_augmented_images_stay_in_range_and_leave_their_source_alone(images: Tensor) -> None:
    before = images.clone()
    made = augment(images, AugmentSpec(rotation_degrees=90, hue=0.5), generator(0, "augment"))
    assert made.shape == images.shape
    assert made.min() >= 0
    assert made.max() <= 1
    assert torch.equal(images, before)
    assert not torch.equal(made, images)


def test_equal_streams_augment_alike_and_every_image_has_draws_of_its_own(images: Tensor) -> None:
    same = images[:1].expand(N, -1, -1, -1)
    first, second = (augment(same, AugmentSpec(), generator(5, "augment")) for _ in range(2))
    assert torch.equal(first, second)
    assert len({image.numpy().tobytes() for image in first}) == N


def test_flips_come_as_often_as_asked(images: Tensor) -> None:
    many = images[:1].expand(2000, -1, -1, -1)
    only_flips = AugmentSpec(flip=0.25, rotation_degrees=0, brightness=0, contrast=0, saturation=0, hue=0)
    made = augment(many, only_flips, generator(0, "augment"))
    share = ((made - many).abs().amax(dim=(1, 2, 3)) > 1e-3).float().mean().item()
    assert share == pytest.approx(0.25, abs=0.04)  # four standard errors
