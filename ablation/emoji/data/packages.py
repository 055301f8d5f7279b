"""Packages of emoji pictures, as npm has them: which emoji each file shows, drawn on white."""

import json
import re
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

from PIL import Image

from ablation.emoji.data.images import SIDE, decode, picture
from ablation.emoji.data.unicode import VARIATION, Emoji, emojis
from ablation.errors import UserError

KINDS = (".svg", ".png", ".webp")
OTHERS = {"@lobehub/fluent-emoji-3d": ("country-flag", "subdivision-flag")}
"""Unicode's subgroups that a package fills with another vendor's drawings: Fluent has no such flags."""

PLAIN = {"body", "width", "height", "hidden"}
"""What an icon of Iconify's format may have, here: it has others where it is turned or moved."""

_POINTS = re.compile(r"[0-9a-f]{2,6}(?:[-_][0-9a-f]{2,6})*", re.IGNORECASE)
_SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">{body}</svg>'


@dataclass(frozen=True)
class Drawing:
    """A file, its content, and the code points that it is named by, as in "1f44b-1f3fb"; "" without."""

    file: str
    points: str
    content: bytes

    @property
    def codes(self) -> tuple[int, ...]:
        """The code points."""
        return tuple(int(point, 16) for point in self.points.split("-") if point)


@dataclass(frozen=True)
class Package:
    """What a package holds: its name, its pictures in Unicode's order, and the files that are none."""

    name: str
    pictures: dict[Emoji, Image.Image]
    left_out: tuple[str, ...]


def read(path: Path) -> Package:
    """The emoji of Unicode 15.0 in a folder, or in a tarball as `npm pack` gives it.

    A file whose name is code points is the picture of that emoji: "1f600.svg", "1F44B-1F3FB.png",
    "1f570-fe0f.webp"; U+FE0F may be left out, but
    Unicode's own spelling comes first. A set of icons in the format of Iconify (`icons.json` and
    `chars.json`) is read too. A picture is the vendor's whole canvas, which all of a vendor's emoji share, so
    that a small square stays smaller than a large one: SVG is drawn at 64 pixels, another size is reduced by
    Lanczos. Two pictures of one emoji that differ, a picture that cannot be drawn, and SVG without the
    library for it are `UserError`s.
    """
    files = _files(path)
    name = _name(files, path)
    known = {_plain(emoji.codes): emoji for emoji in emojis()}
    found: dict[Emoji, list[Drawing]] = {}
    left_out = []
    for drawing in _drawings(files):
        emoji = known.get(_plain(drawing.codes))
        if emoji is None or emoji.subgroup in OTHERS.get(name, ()):
            left_out.append(drawing.file)
        else:
            found.setdefault(emoji, []).append(drawing)
    pictures = {}
    for emoji in (one for one in emojis() if one in found):
        own = "-".join(f"{code:04x}" for code in emoji.codes)
        drawings = [one for one in found[emoji] if one.points == own] or found[emoji]
        if len({one.content for one in drawings}) > 1:
            raise UserError(
                f"one picture of {emoji.text!r} is wanted, but {path} has {drawings[0].file} and "
                f"{drawings[1].file}: name a folder that has one."
            )
        left_out += [one.file for one in found[emoji] if one is not drawings[0]]
        pictures[emoji] = _draw(drawings[0], path)
    return Package(name, pictures, tuple(left_out))


def _plain(codes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(code for code in codes if code != VARIATION)


def _files(path: Path) -> dict[PurePosixPath, bytes]:
    """The content of every file below the folder, or in the tarball, by its place there."""
    try:
        if path.is_dir():
            files = (file for file in sorted(path.rglob("*")) if file.is_file() and _read_by_us(file))
            return {PurePosixPath(file.relative_to(path).as_posix()): file.read_bytes() for file in files}
        with tarfile.open(path) as tar:
            members = (
                member for member in tar if member.isfile() and _read_by_us(PurePosixPath(member.name))
            )
            opened = ((PurePosixPath(member.name), tar.extractfile(member)) for member in members)
            return {place: file.read() for place, file in opened if file}
    except (OSError, tarfile.TarError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no tarball"
        raise UserError(
            f"pictures come from a folder or from a tarball of npm (*.tgz), but {path} cannot be read "
            f"({why}): name another."
        ) from error


def _read_by_us(file: PurePath) -> bool:
    return file.suffix.lower() in (*KINDS, ".json")


def _named(files: Mapping[PurePosixPath, bytes], name: str) -> Mapping[str, object] | None:
    """The JSON object in the file of that name at the top, which npm calls package/."""
    for place in (PurePosixPath(name), PurePosixPath("package", name)):
        if place in files:
            try:
                value = json.loads(files[place])
            except ValueError:
                return None
            return value if isinstance(value, dict) else None
    return None


def _name(files: Mapping[PurePosixPath, bytes], path: Path) -> str:
    """The name that the package gives itself, else that of its file or folder."""
    own = _named(files, "package.json") or {}
    return str(own.get("name") or path.resolve().stem)


def _drawings(files: Mapping[PurePosixPath, bytes]) -> Iterator[Drawing]:
    """Every picture, whatever it is called."""
    for place, content in files.items():
        if place.suffix.lower() in KINDS:
            yield Drawing(str(place), _points(place.stem), content)
    icons, chars = _named(files, "icons.json"), _named(files, "chars.json")
    if icons is not None and chars is not None:
        for points, icon in chars.items():
            yield Drawing(f"{icon} ({points})", _points(points), _icon(icons, str(icon)))


def _points(name: str) -> str:
    return name.lower().replace("_", "-") if _POINTS.fullmatch(name) else ""


def _icon(icons: Mapping[str, Any], name: str) -> bytes:
    """The icon as SVG; an alias that only renames another is that one."""
    drawn, aliases = icons["icons"], icons.get("aliases", {})
    while name not in drawn and set(aliases.get(name, ())) == {"parent"}:
        name = aliases[name]["parent"]
    icon = drawn.get(name, {})
    if "body" not in icon or not set(icon) <= PLAIN:
        raise UserError(
            f"every icon wants to be a drawing as it stands, but {name!r} is none, or one turned or moved: "
            "name another package."
        )
    sizes = {size: icon.get(size, icons.get(size, 16)) for size in ("width", "height")}
    return _SVG.format(body=icon["body"], **sizes).encode()


def _draw(drawing: Drawing, path: Path) -> Image.Image:
    file, content = drawing.file, drawing.content
    if content.lstrip().startswith(b"<"):
        content = _rendered(file, content, path)
    return picture(decode([{"bytes": content, "path": None}], f"{path}, {file},")[0])


def _rendered(file: str, svg: bytes, path: Path) -> bytes:
    """The drawing as PNG of 64 x 64 on white."""
    if not find_spec("resvg_py"):
        raise UserError(
            f"{path} has drawings in SVG, which resvg-py draws, but it is not installed: "
            "pip install 'ablation-suite[build]'."
        )
    import resvg_py

    try:
        png = resvg_py.svg_to_bytes(
            svg.decode(), background="white", width=SIDE, height=SIDE, skip_system_fonts=True
        )
        return bytes(png)
    except ValueError as error:
        raise UserError(
            f"every drawing of {path} wants to be SVG, but {file} cannot be drawn ({error}): mend or drop it."
        ) from error
