"""Augmentation of whole batches, equal in distribution to torchvision's transforms of the same name.

Each function takes images, float32 (n, 3, h, w) in [0, 1], and one parameter an image, (n,), and
returns new images of the same shape and range. torchvision draws one parameter a call, so a batch
there is a loop; the tests hold each function against it.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from ablation.emoji.spec import AugmentSpec


def augment(images: Tensor, spec: AugmentSpec, rng: torch.Generator) -> Tensor:
    """Flip, rotate and jitter every image by its own draws: the report's list, in its order."""

    def draw(low: float, high: float) -> Tensor:
        return torch.rand(len(images), generator=rng) * (high - low) + low

    images = flip(images, draw(0, 1) < spec.flip)
    images = rotate(images, draw(-spec.rotation_degrees, spec.rotation_degrees), spec.fill)
    jitters: list[tuple[Callable[[Tensor, Tensor], Tensor], Tensor]] = [
        (brightness, draw(1 - spec.brightness, 1 + spec.brightness)),
        (contrast, draw(1 - spec.contrast, 1 + spec.contrast)),
        (saturation, draw(1 - spec.saturation, 1 + spec.saturation)),
        (hue, draw(-spec.hue, spec.hue)),
    ]
    # Every image has an order of the four jitters of its own, as in torchvision.
    order = torch.rand(len(images), len(jitters), generator=rng).argsort(dim=1)
    images = images.clone()
    for place in range(len(jitters)):
        for number, (jitter, amounts) in enumerate(jitters):
            chosen = order[:, place] == number
            if chosen.any():
                images[chosen] = jitter(images[chosen], amounts[chosen])
    return images


def flip(images: Tensor, mirrored: Tensor) -> Tensor:
    """Mirror left and right where `mirrored`, bool (n,), holds."""
    return torch.where(mirrored[:, None, None, None], images.flip(-1), images)


def rotate(images: Tensor, degrees: Tensor, fill: float) -> Tensor:
    """Turn counter-clockwise about the centre, nearest pixel; bared corners get the grey level `fill`."""
    angle = torch.deg2rad(degrees)
    cos, sin, zero = torch.cos(angle), torch.sin(angle), torch.zeros_like(angle)
    matrix = torch.stack([torch.stack([cos, -sin, zero], 1), torch.stack([sin, cos, zero], 1)], 1)
    grid = F.affine_grid(matrix, list(images.shape), align_corners=False)
    # Sampling the distance from `fill` makes the zero padding outside the image mean `fill`.
    return F.grid_sample(images - fill, grid, mode="nearest", align_corners=False) + fill


def brightness(images: Tensor, factor: Tensor) -> Tensor:
    """Blend with black: factor 0 is black, 1 the image."""
    return _blend(images, torch.zeros(()), factor)


def contrast(images: Tensor, factor: Tensor) -> Tensor:
    """Blend with the image's mean grey: factor 0 is flat grey, 1 the image."""
    return _blend(images, _grey(images).mean(dim=(1, 2, 3), keepdim=True), factor)


def saturation(images: Tensor, factor: Tensor) -> Tensor:
    """Blend with the grey image: factor 0 is grey, 1 the image."""
    return _blend(images, _grey(images), factor)


def hue(images: Tensor, shift: Tensor) -> Tensor:
    """Turn the colour circle by `shift`, in turns: 0.5 gives the complementary colours."""
    value, _ = images.max(dim=1)
    chroma = value - images.min(dim=1).values
    hue = (_hue(images, value, chroma) + shift[:, None, None]) % 1.0
    # Channel c of a colour falls from `value` by `chroma` with its distance on the circle from hue c.
    corner = torch.tensor([5.0, 3.0, 1.0])[None, :, None, None]
    k = (corner + hue[:, None] * 6) % 6
    return value[:, None] - chroma[:, None] * torch.minimum(k, 4 - k).clamp(0, 1)


def _hue(images: Tensor, value: Tensor, chroma: Tensor) -> Tensor:
    """Hue in turns, (n, h, w); grey pixels get 0."""
    red, green, blue = images.unbind(1)
    divisor = torch.where(chroma == 0, 1.0, chroma)
    sector = torch.where(
        value == red,
        (green - blue) / divisor,
        torch.where(value == green, 2 + (blue - red) / divisor, 4 + (red - green) / divisor),
    )
    return (sector / 6) % 1.0


def _grey(images: Tensor) -> Tensor:
    """Luma by ITU-R BT.601, (n, 1, h, w)."""
    weights = torch.tensor([0.2989, 0.587, 0.114])[None, :, None, None]
    return (images * weights).sum(dim=1, keepdim=True)


def _blend(images: Tensor, other: Tensor, factor: Tensor) -> Tensor:
    share = factor[:, None, None, None]
    return (share * images + (1 - share) * other).clamp(0, 1)
