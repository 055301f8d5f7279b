"""Drawn families of analogies: colours crossed with shapes, that a small network learns in seconds."""

from pathlib import Path

import datasets
from PIL import Image, ImageDraw

COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "brown", "black")
SHAPES = ("circle", "square", "heart")


def draw_shapes(path: Path) -> Path:
    """A Parquet of every shape in every colour, called as Unicode calls them."""
    rows = [
        {
            "image": _shape(shape, colour),
            "text": f"{colour} heart" if shape == "heart" else f"large {colour} {shape}",
            "subgroup": shape,
        }
        for shape in SHAPES
        for colour in COLOURS
    ]
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "text": datasets.Value("string"),
            "subgroup": datasets.Value("string"),
        }
    )
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
