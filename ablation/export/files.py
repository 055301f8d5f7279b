"""Files that are written whole or not at all."""

import os
from collections.abc import Callable
from pathlib import Path

from ablation.errors import Mistake


def folder(to: Path) -> None:
    """Make the folder `to` and those above it; a file in its place, or no right to, is a `Mistake`."""
    try:
        to.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise Mistake(
            f"export wants a folder, but {to} is a file or lies in one: name another folder."
        ) from None
    except PermissionError:
        raise Mistake(f"export may not write to {to}: name a folder that is yours.") from None


def write(text: str, path: Path) -> None:
    """Write the text as UTF-8, its line ends as they are."""
    path.write_bytes(text.encode())


def replace(path: Path, writer: Callable[[Path], None]) -> Path:
    """Write beside `path` and move into place, so that no reader ever sees half a file; the path."""
    # The suffix stays last: it tells matplotlib the format.
    draft = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        writer(draft)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return path
