"""Bytes that were good once: pictures in every format, and what is left of a file that was mutilated."""

from io import BytesIO

from hypothesis import strategies as st
from PIL import Image

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "ICO", "TGA")
FEW = 150


def encoded(kind: str, mode: str = "RGB", **options: object) -> bytes:
    """A gradient in that format."""
    held = BytesIO()
    picture = Image.linear_gradient("L").resize((24, 24)).convert(mode)
    picture.save(held, kind, **options)
    return held.getvalue()


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
