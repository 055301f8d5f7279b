"""What comes from elsewhere: bytes that are no images, files that are no tables, studies of any text."""

import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from ablation import catalogue
from ablation.data.images import SIDE, decode
from ablation.data.sources import load
from ablation.errors import Mistake
from ablation.study import Study

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "ICO", "TGA")
FEW, MANY = 150, 10_000
PNG_HEAD = b"\x89PNG\r\n\x1a\n"


def encoded(kind: str, mode: str = "RGB", **options: object) -> bytes:
    """A gradient in that format."""
    held = BytesIO()
    picture = Image.linear_gradient("L").resize((24, 24)).convert(mode)
    picture.save(held, kind, **options)
    return held.getvalue()


def read(data: bytes) -> torch.Tensor | None:
    """The picture, or None where it is refused in a sentence; anything else is a failure."""
    try:
        return decode([{"bytes": data, "path": None}], "a set")
    except Mistake as mistake:
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
    with pytest.raises(Mistake, match=r"row 0 cannot be decoded .*decompression bomb"):
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


@st.composite
def mutilated(draw: st.DrawFn, whole: st.SearchStrategy[bytes]) -> bytes:
    """Bytes of a good file, some of them overwritten, cut off, doubled or preceded by others."""
    data = bytearray(draw(whole))
    for place, byte in draw(
        st.lists(st.tuples(st.integers(0, len(data) - 1), st.integers(0, 255)), max_size=8)
    ):
        data[place] = byte
    cut, doubled = draw(st.integers(0, len(data))), draw(st.integers(0, 40))
    return (
        draw(st.binary(max_size=3)) * draw(st.booleans())
        + bytes(data[:cut] if doubled else data)
        + data[:doubled]
    )


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
def test_ten_thousand_broken_images_are_pictures_or_a_sentence() -> None:
    never_more_than_a_sentence(MANY)()


def load_each(cases: int, folder: Path) -> None:
    """Parquet files, mutilated: images or a sentence."""
    table = pa.table({"image": [{"bytes": encoded("PNG"), "path": ""}] * 3, "text": ["a", "b", "c"]})
    pq.write_table(table, folder / "good.parquet")
    good, place = (folder / "good.parquet").read_bytes(), folder / "bad.parquet"

    @settings(max_examples=cases, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(mutilated(st.just(good)))
    def one(data: bytes) -> None:
        place.write_bytes(data)
        try:
            found = len(load((str(place),)))
        except Mistake as mistake:
            found, said = 0, str(mistake)
        assert found or "\n" not in said

    one()


def test_broken_tables_are_images_or_a_sentence(tmp_path: Path) -> None:
    load_each(FEW, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_ten_thousand_broken_tables_are_images_or_a_sentence(tmp_path: Path) -> None:
    load_each(MANY, tmp_path)


def study_each(cases: int, folder: Path) -> None:
    """Study files of any text: a study, or a sentence that names the file."""
    place = folder / "odd.py"
    good = (catalogue.BESIDE_PACKAGE / "latent_size.py").read_bytes()

    @settings(max_examples=cases, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(mutilated(st.just(good)))
    def one(data: bytes) -> None:
        place.write_bytes(data)
        try:
            found = catalogue.load(str(place))
        except Mistake as mistake:
            found, said = None, str(mistake)
        assert str(place) in said if found is None else isinstance(found, Study)

    one()


def test_broken_studies_are_a_study_or_a_sentence(tmp_path: Path) -> None:
    study_each(FEW, tmp_path)
