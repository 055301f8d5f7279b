"""Packages of pictures to the Parquet file: the shipped ones come out again; wrong packages are named."""

import io
import json
import os
import tarfile
from pathlib import Path

import pytest
import torch
from PIL import Image

from ablation.emoji.data import packages
from ablation.emoji.data.build import Built, from_package
from ablation.emoji.data.images import WORDS, Images
from ablation.emoji.data.sources import SHIPPED, load
from ablation.emoji.data.unicode import emojis
from ablation.errors import UserError

FOLDER = Path(os.environ.get("EMOJI_PACKAGES", "none"))
"""Where `npm pack` left the tarballs of the vendors."""
TARBALLS = {
    "twemoji": "twemoji-svg-15.0.0.tgz",
    "openmoji": "iconify-json-openmoji-1.2.29.tgz",
    "fluent": "lobehub-fluent-emoji-3d-1.1.0.tgz",
}
COUNTS = {"noto": 3655, "twemoji": 3654, "openmoji": 3653, "fluent": 3126}
GRIN, WAVE, CLOCK, NORWAY = "😀", "👋🏻", "🕰️", "🇳🇴"
BLOCK = '<rect x="{x}" width="12" height="24" fill="{fill}"/>'


def svg(fill: str = "red", x: int = 0) -> str:
    """The left half, or what lies right of `x`, of a canvas of 24 units in one colour."""
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24">'
        + BLOCK.format(fill=fill, x=x)
        + "</svg>"
    )


def png(colour: tuple[int, int, int, int], size: tuple[int, int] = (128, 128)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGBA", size, colour).save(buffer, "PNG")
    return buffer.getvalue()


def folder(path: Path, **files: str | bytes) -> Path:
    """A folder of files, in each name "__" for "." and "_" for "-"."""
    path.mkdir(exist_ok=True)
    for name, content in files.items():
        place = path / name.replace("__", ".").replace("_", "-").removeprefix("u")
        place.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def built(package: Path, tmp_path: Path) -> tuple[Built, Images]:
    made = from_package(package, tmp_path / "out" / "made.parquet")
    return made, load((str(made.path),))


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A package of three emoji, a number, an emoji without its variation selector, and what is no picture."""
    pytest.importorskip("resvg_py", reason="resvg-py, which draws SVG, is not installed")
    return folder(
        tmp_path / "small",
        package__json=json.dumps({"name": "@some/emoji", "version": "1.0.0"}),
        u1f600__svg=svg(),
        u1F44B_1F3FB__png=png((0, 0, 255, 128)),
        u1f570__png=png((0, 128, 0, 255), (32, 16)),
        u1f1f3_1f1f4__svg=svg("blue", x=12),
        readme__txt="pictures",
        logo__svg=svg(),
    )


# The shipped files.


@pytest.mark.parametrize("vendor", TARBALLS)
def test_the_shipped_file_comes_out_of_the_package_again(vendor: str, tmp_path: Path) -> None:
    pytest.importorskip("resvg_py", reason="resvg-py, which draws SVG, is not installed")
    package = FOLDER / TARBALLS[vendor]
    if not package.exists():
        pytest.skip("the vendors' npm packages are not in a folder that EMOJI_PACKAGES names")
    made, ours = built(package, tmp_path)
    shipped = load((f"emoji:{vendor}",))
    assert (made.vendor, made.images) == (vendor, COUNTS[vendor])
    assert torch.equal(ours.pixels, shipped.pixels)
    assert all(getattr(ours, name) == getattr(shipped, name) for name in WORDS)


@pytest.mark.parametrize(("source", "vendor"), [*zip(SHIPPED, COUNTS, strict=True)])
def test_a_shipped_file_says_of_each_emoji_what_unicode_says(source: str, vendor: str) -> None:
    images, told = load((source,)), {emoji.emoji: emoji for emoji in emojis()}
    assert {*images.vendor} == {vendor}
    assert len(images) == len({*images.emoji}) == COUNTS[vendor]
    for index, emoji in enumerate(images.emoji):
        words = {name: getattr(images, name)[index] for name in WORDS if name != "vendor"}
        assert words == {name: getattr(told[emoji], name) for name in words}
    assert [emoji.emoji for emoji in emojis() if emoji.emoji in {*images.emoji}] == list(images.emoji)


@pytest.mark.parametrize("source", SHIPPED)
def test_no_shipped_picture_is_blank_or_shows_two_subjects(source: str) -> None:
    images = load((source,))
    spread = images.pixels.flatten(1).int()
    assert (spread.amax(1) - spread.amin(1) > 20).all()  # a white square is (225, 232, 237)
    owner: dict[bytes, str] = {}
    for pixels, subject in zip(images.pixels, images.subject, strict=True):
        assert owner.setdefault(pixels.numpy().tobytes(), subject) == subject


def test_every_vendor_has_every_face_of_unicodes_face_subgroups() -> None:
    """The 124 that studies of faces and cats draw on."""
    wanted = {one.emoji for one in emojis() if one.subgroup.startswith(("face-", "cat-face"))}
    assert len(wanted) == 124
    assert all(wanted <= {*load((source,)).emoji} for source in SHIPPED)


def test_fluent_has_no_flag_of_a_country() -> None:
    images = load(("emoji:fluent",))
    assert not {"country-flag", "subdivision-flag"} & {*images.subgroup}
    assert "chequered flag" in images.text


def test_four_vendors_are_more_drawings_of_the_same_subjects() -> None:
    noto, four = load(("emoji",)), load(tuple(SHIPPED))
    assert len(four) == sum(COUNTS.values())
    assert {*four.subject} == {*noto.subject}
    assert {*four.subject} == {emoji.subject for emoji in emojis()}
    of: dict[str, set[str]] = {}
    for emoji, subject in zip(four.emoji, four.subject, strict=True):
        of.setdefault(emoji, set()).add(subject)
    assert all(len(subjects) == 1 for subjects in of.values())


def test_an_unknown_shipped_source_is_named_with_the_known() -> None:
    with pytest.raises(UserError, match=r"no shipped source 'emoji:twemojis' .did you mean 'emoji:twemoji'"):
        load(("emoji:twemojis",))


# What a package may be.


def test_files_named_by_code_points_are_drawn_and_the_others_listed(small: Path, tmp_path: Path) -> None:
    made, images = built(small, tmp_path)
    assert images.emoji == (GRIN, WAVE, CLOCK, NORWAY)  # Unicode's order and Unicode's own spelling
    assert {*images.vendor} == {made.vendor} == {"@some/emoji"}
    assert made.left_out == ("logo.svg",)
    assert len(made.lacking) == 3655 - 4


def test_a_picture_is_the_whole_canvas_on_white(small: Path, tmp_path: Path) -> None:
    pixels = built(small, tmp_path)[1].pixels
    grin, wave, clock, norway = pixels
    assert grin[:, 5, :32].T.unique(dim=0).tolist() == [[255, 0, 0]]
    assert norway[:, 5, :32].T.unique(dim=0).tolist() == [[255, 255, 255]]
    assert wave[:, 30, 30].tolist() == pytest.approx([127, 127, 255], abs=1)  # half transparent
    assert clock[:, :15].unique().tolist() == [255]  # twice as wide as high
    assert clock[:, 32, 32].tolist() == [0, 128, 0]


def test_a_tarball_of_npm_gives_the_same_as_its_folder(small: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "small.tgz", "w:gz") as tar:
        tar.add(small, "package")
    folder_, tarball = (built(place, tmp_path)[1] for place in (small, tmp_path / "small.tgz"))
    assert folder_.fingerprint == tarball.fingerprint
    assert folder_.vendor == tarball.vendor


def test_a_set_in_the_format_of_iconify_is_read(tmp_path: Path) -> None:
    pytest.importorskip("resvg_py", reason="resvg-py, which draws SVG, is not installed")
    body = BLOCK.format(fill="red", x=0)
    icons = {
        "icons": {"grin": {"body": body}},
        "aliases": {"smile": {"parent": "grin"}},
        "width": 24,
        "height": 24,
    }
    chars = {"1f600": "smile", "1f603-1": "grin"}
    package = folder(tmp_path / "set", icons__json=json.dumps(icons), chars__json=json.dumps(chars))
    made, images = built(package, tmp_path)
    assert (images.emoji, images.vendor, made.left_out) == ((GRIN,), ("set",), ("grin (1f603-1)",))
    assert images.pixels[0, :, 5, 20].tolist() == [255, 0, 0]
    icons["aliases"] = {"smile": {"parent": "grin", "hFlip": True}}
    folder(package, icons__json=json.dumps(icons))
    with pytest.raises(UserError, match="'smile' is none, or one turned or moved"):
        built(package, tmp_path)


def test_unicodes_own_spelling_comes_before_another(tmp_path: Path) -> None:
    colours = {"u1f570__png": (255, 0, 0, 255), "u1f570_fe0f__png": (0, 0, 255, 255)}
    package = folder(tmp_path / "two", **{name: png(colour) for name, colour in colours.items()})
    made, images = built(package, tmp_path)
    assert images.pixels[0, :, 5, 5].tolist() == [0, 0, 255]
    assert made.left_out == ("1f570.png",)


def test_a_picture_of_another_subject_is_left_out_and_that_of_a_tone_is_not(tmp_path: Path) -> None:
    names = ("u1f44b__png", "u1f44b_1f3fb__png", "u1f570_fe0f__png")
    package = folder(tmp_path / "alike", **dict.fromkeys(names, png((9, 9, 9, 255))))
    made, images = built(package, tmp_path)
    assert images.text == ("waving hand sign", "waving hand sign: light skin tone")
    assert made.left_out == ("mantelpiece clock (the picture is that of waving hand sign)",)
    assert "mantelpiece clock" in made.lacking


def test_the_flags_of_the_fluent_package_are_anothers(tmp_path: Path) -> None:
    pictures = {"u1f600__png": png((9, 9, 9, 255)), "u1f1f3_1f1f4__png": png((0, 0, 9, 255))}
    name = json.dumps({"name": "@lobehub/fluent-emoji-3d"})
    made, images = built(folder(tmp_path / "fluent", package__json=name, **pictures), tmp_path)
    assert (images.emoji, images.vendor, made.left_out) == ((GRIN,), ("fluent",), ("1f1f3-1f1f4.png",))


# What it may not be.


def test_two_pictures_of_one_emoji_are_refused(tmp_path: Path) -> None:
    package = folder(tmp_path / "both", u1f600__png=png((9, 9, 9, 255)), u1f600__webp=b"other")
    with pytest.raises(UserError, match=r"one picture of 'grinning face' .* has 1f600.png and 1f600.webp"):
        built(package, tmp_path)


@pytest.mark.parametrize(
    ("content", "why"), [(None, "No such file or directory"), (b"no tarball", "it is no tarball")]
)
def test_what_is_no_package_is_refused(tmp_path: Path, content: bytes | None, why: str) -> None:
    if content:
        (tmp_path / "none.tgz").write_bytes(content)
    with pytest.raises(UserError, match=rf"folder or from a tarball .*none\.tgz cannot be read \({why}\)"):
        from_package(tmp_path / "none.tgz", tmp_path / "out.parquet")


def test_a_package_without_emoji_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"emoji of Unicode 15.0 are wanted, but .*empty has none"):
        from_package(folder(tmp_path / "empty", logo__png=png((9, 9, 9, 255))), tmp_path / "out.parquet")


def test_a_picture_that_cannot_be_drawn_is_named(tmp_path: Path) -> None:
    pytest.importorskip("resvg_py", reason="resvg-py, which draws SVG, is not installed")
    for name, content in (("u1f600__svg", "<svg><broken"), ("u1f600__png", b"junk")):
        package = folder(tmp_path / name, **{name: content})
        with pytest.raises(UserError, match=r"1f600\.(svg|png).* cannot be d"):
            built(package, tmp_path)


def test_drawings_without_their_library_are_refused(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"resvg-py draws, but it is not installed: pip install .*\[build\]"):
        packages.read(small)
