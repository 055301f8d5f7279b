"""Bytes that are no pictures, are bombs, or are pictures of an odd kind: a picture or a sentence."""

import struct
import zlib
from collections.abc import Callable
from io import BytesIO

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from ablation.emoji.data.images import SIDE, decode
from ablation.errors import UserError
from hostile import FEW, FORMATS, encoded, mutilated

PNG_HEAD = b"\x89PNG\r\n\x1a\n"


def read(data: bytes) -> torch.Tensor | None:
    """The picture, or None where it is refused in a sentence; anything else is a failure."""
    try:
        return decode([{"bytes": data, "path": None}], "a set")
    except UserError as mistake:
        refused = str(mistake)
    assert refused.startswith("every row of a set wants an 8-bit image, but row 0 cannot be decoded (")
    return None


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def declared(width: int, height: int) -> bytes:
    """A PNG of some bytes that declares so many pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return PNG_HEAD + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [9_500, 12_000, 60_000])
def test_a_bomb_is_refused_before_it_is_decoded(side: int) -> None:
    with pytest.raises(UserError, match=r"row 0 cannot be decoded .*decompression bomb"):
        decode([{"bytes": declared(side, side), "path": None}], "a set")


def test_a_bomb_in_compressed_text_is_refused() -> None:
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"x" * 200_000_000))
    whole = encoded("PNG")
    end = whole.index(b"IDAT") - 4
    assert read(whole[:end] + text + whole[end:]) is None


@pytest.mark.parametrize(
    ("kind", "mode"), [("PNG", "P"), ("PNG", "LA"), ("PNG", "RGBA"), ("PNG", "1"), ("GIF", "P")]
)
def test_palettes_and_alpha_become_pictures_on_white(kind: str, mode: str) -> None:
    found = read(encoded(kind, mode))
    assert found is not None
    assert found.shape == (1, 3, SIDE, SIDE)


def test_of_an_animated_picture_the_first_is_taken() -> None:
    held = BytesIO()
    first, second = Image.new("RGB", (8, 8), "white"), Image.new("RGB", (8, 8), "black")
    first.save(held, "GIF", save_all=True, append_images=[second])
    found = read(held.getvalue())
    assert found is not None
    assert found.min() == 255


def test_sixteen_bits_are_refused_not_clipped() -> None:
    held = BytesIO()
    Image.new("I;16", (8, 8), 40_000).save(held, "PNG")
    assert read(held.getvalue()) is None


def never_more_than_a_sentence(cases: int) -> Callable[[], None]:
    pictures = st.sampled_from(
        [encoded(kind) for kind in FORMATS] + [encoded("PNG", "P"), encoded("TIFF", "CMYK")]
    )

    @settings(max_examples=cases, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(mutilated(pictures) | st.binary(max_size=200))
    def read_each(data: bytes) -> None:
        found = read(data)
        assert found is None or (found.shape == (1, 3, SIDE, SIDE) and found.dtype == torch.uint8)

    return read_each


def test_broken_images_are_pictures_or_a_sentence() -> None:
    never_more_than_a_sentence(FEW)()


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_many_broken_images_are_pictures_or_a_sentence(rounds: Callable[[int, int], int]) -> None:
    never_more_than_a_sentence(rounds(10_000, 1_000))()
