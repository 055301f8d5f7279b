"""Files that are written whole or not at all."""

import os
from collections.abc import Callable
from pathlib import Path

import psutil

from ablation.errors import UserError


def folder(to: Path) -> None:
    """Make the folder `to` and those above it; a file in its place, or no right to, is a `UserError`."""
    try:
        to.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise UserError(
            f"export wants a folder, but {to} is a file or lies in one: name another folder."
        ) from None
    except PermissionError:
        raise UserError(f"export may not write to {to}: name a folder that is yours.") from None


def write(content: str | bytes, path: Path) -> None:
    """Write bytes, or a text as UTF-8 with its line ends as they are."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def replace(path: Path, writer: Callable[[Path], None]) -> Path:
    """Write beside `path` and move into place, so that no reader ever sees half a file; the path.

    No right to is a `UserError`.
    """
    # The suffix stays last: it tells matplotlib the format.
    draft = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    for left in path.parent.glob(f".{path.stem}.*{path.suffix}"):  # by a process that was killed
        owner = left.name.removeprefix(f".{path.stem}.").removesuffix(path.suffix)
        if owner.isdecimal() and not psutil.pid_exists(int(owner)):
            left.unlink(missing_ok=True)
    try:
        writer(draft)
        draft.replace(path)
    except PermissionError:
        raise UserError(f"export may not write to {path.parent}: name a folder that is yours.") from None
    finally:
        draft.unlink(missing_ok=True)
    return path
