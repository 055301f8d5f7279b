"""Tensors of pixels to pictures that a person can look at."""

from io import BytesIO

import torch
from PIL import Image

GAP = 2


def picture(pixels: torch.Tensor) -> Image.Image:
    """The picture of one uint8 tensor (3, h, w)."""
    return Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy())


def grid(pixels: torch.Tensor, columns: int) -> Image.Image:
    """The pictures of a uint8 tensor (n, 3, h, w), row by row, with a white gap of 2 pixels between them."""
    count, _, height, width = pixels.shape
    rows = -(-count // columns)
    size = (columns * (width + GAP) - GAP, rows * (height + GAP) - GAP)
    sheet = Image.new("RGB", size, "white")
    for place, pixel in enumerate(pixels):
        row, column = divmod(place, columns)
        sheet.paste(picture(pixel), (column * (width + GAP), row * (height + GAP)))
    return sheet


COLOURS = 64


def small_png(image: Image.Image) -> bytes:
    """The picture as PNG in COLOURS colours: half of the bytes, and hardly to be told apart at this size."""
    return png(image.quantize(COLOURS, dither=Image.Dither.NONE))


def png(image: Image.Image) -> bytes:
    """The picture as the bytes of a PNG file."""
    buffer = BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
