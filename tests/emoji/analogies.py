"""Drawn families of analogies: colours crossed with shapes, that a small network learns in seconds."""

from pathlib import Path

import datasets
from PIL import Image, ImageDraw, ImageOps

COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "brown", "black")
SHAPES = ("circle", "square", "heart")


def draw_shapes(path: Path, vendors: tuple[str, ...] = ("",)) -> Path:
    """A Parquet of every shape in every colour, called as Unicode calls them, by every vendor.

    A vendor's shapes are smaller than those of the one before.
    """
    rows = [
        {
            "image": ImageOps.expand(_shape(shape, colour), 8 * n, "white"),
            "text": f"{colour} heart" if shape == "heart" else f"large {colour} {shape}",
            "subgroup": shape,
            "vendor": vendor,
        }
        for n, vendor in enumerate(vendors)
        for shape in SHAPES
        for colour in COLOURS
    ]
    words = {name: datasets.Value("string") for name in ("text", "subgroup", "vendor")}
    features = datasets.Features({"image": datasets.Image()} | words)
    datasets.Dataset.from_list(rows, features=features).to_parquet(path)
    return path


def _shape(shape: str, colour: str) -> Image.Image:
    image = Image.new("RGB", (64, 64), "white")
    pen = ImageDraw.Draw(image)
    if shape == "circle":
        pen.ellipse((6, 6, 58, 58), fill=colour)
    elif shape == "square":
        pen.rectangle((8, 8, 56, 56), fill=colour)
    else:
        pen.polygon([(32, 58), (6, 26), (18, 8), (32, 20), (46, 8), (58, 26)], fill=colour)
    return image
