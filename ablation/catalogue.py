"""Find and load study files: those of the working folder, and those that an experiment brings along.

Loads nothing that trains or tracks.
"""

import importlib.util
import os.path
import re
import sys
import tokenize
import traceback
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path
from unicodedata import normalize

from ablation.errors import UserError, unknown
from ablation.fields import checked
from ablation.formatting import listing
from ablation.settings import flat, vary
from ablation.study import Study

MADE_BY = {
    "-quick": "run STUDY --quick",
    "-tuning": "run STUDY",
    "-search": "run STUDY --search",
    "-tune": "tune STUDY",
    "-tuned": "tune STUDY",
}
"""How the names of studies end that are made from another, and the command that runs and shows such a one."""
DERIVED = tuple(MADE_BY)
SETS_STUDY = re.compile(rb"^(?:\xef\xbb\xbf)?study\b[^=\n]*=", re.MULTILINE)
FOLDERS: set[str] = set()
"""The folders of the study files that were loaded."""
MODULES: set[str] = set()
"""The modules that study files became: their functions are sent to workers whole, not by name."""


def paths() -> dict[str, Path]:
    """The study files of the working folder by their names, sorted.

    They are `studies/*.py`, and `*.py` with a line that starts with `study =`: looked for as text, so that no
    other file is executed.
    """
    return _by_name(_own())


def builtin() -> dict[str, Path]:
    """The study files of installed experiments by their names, sorted: folders by entry point."""
    folders: list[Path] = [found.load() for found in entry_points(group="ablation.studies")]
    return _by_name([path for folder in folders for path in _modules(folder)])


def _own() -> list[Path]:
    # Zeros and other bytes of UTF-16 are dropped, so that such a file is found and refused, not passed over.
    found = [path for path in _modules(Path()) if SETS_STUDY.search(path.read_bytes().replace(b"\0", b""))]
    return [*found, *_modules(Path("studies"))]


def _modules(folder: Path) -> list[Path]:
    """The Python files of the folder, without private ones and the links with which editors lock a file."""
    return [path for path in folder.glob("*.py") if path.name[0] not in "._" and path.is_file()]


def _by_name(files: list[Path]) -> dict[str, Path]:
    return {_name(path): path for path in sorted(files, key=_name)}


def _name(path: Path) -> str:
    """The name of the study in the file: a letter with its accent is one character, on any system."""
    return normalize("NFC", path.stem)


@checked
def load(name: str | Path) -> Study:
    """The study called `name`, of the working folder or else built in; or that of the file, as in "a/b.py".

    Raises `UserError`: no such study (with the nearest name), two files of that name, a file that does not
    run (with file, line and reason), a file that sets no `study`.
    """
    name = normalize("NFC", name) if isinstance(name, str) and not name.endswith(".py") else str(name)
    if len(same := [str(path) for path in _own() if _name(path) == name]) > 1:
        raise UserError(f"the study {name} wants one file, but has {listing(same)}: rename one.")
    # Unlike Path.expanduser it leaves a name alone that is no user's.
    file = Path(os.path.expanduser(name))  # noqa: PTH111
    path = file if name.endswith(".py") else (builtin() | paths()).get(name)
    # Unlike Path.is_file it says no to a name that the system cannot hold.
    if path is None or not os.path.isfile(path):  # noqa: PTH113
        known, (other, _, end) = builtin() | paths(), name.rpartition("-")
        if other in known and (command := MADE_BY.get(f"-{end}")):
            raise UserError(
                f"{name} is made from the study {other} and has no file of its own: ask for it with "
                f"`ablation {command.replace('STUDY', other)}`."
            )
        raise unknown("study", name, sorted(known))
    found = _execute(path)
    if not isinstance(found, Study):
        raise UserError(
            f"{path} wants `study = Study(...)` at its top level, but sets {type(found).__name__}."
        )
    if _name(path).endswith(DERIVED):
        raise UserError(
            f"{path.name} has a name that is kept for what belongs to another study ({', '.join(DERIVED)}): "
            "rename the file."
        )
    return replace(_located(found, path.absolute().parent), name=_name(path))


def _located(study: Study, folder: Path) -> Study:
    """The study with the paths among its settings counted from its file's folder, as its experiment says."""
    located = study.experiment.located
    baseline = vary(study.baseline, located(flat(study.baseline), folder))
    arms = {arm: {**changes, **located(changes, folder)} for arm, changes in study.arms.items()}
    return replace(study, baseline=baseline, arms=arms)


def load_all() -> dict[str, Study | UserError]:
    """Every study of the folder by its name, or what is wrong with its file."""
    found: dict[str, Study | UserError] = {}
    for name in paths():
        try:
            found[name] = load(name)
        except UserError as error:
            found[name] = error
    return found


def _execute(path: Path) -> object:
    name = f"study {path.stem}"  # no module that an import could mean, and in no package
    module_spec = importlib.util.spec_from_file_location(name, path)
    assert module_spec is not None
    assert module_spec.loader is not None
    module = importlib.util.module_from_spec(module_spec)
    _refuse_other_neighbours(path)
    beside = str(path.resolve().parent)  # where its own modules are looked for first, as by `python FILE`
    FOLDERS.add(beside)
    sys.path[:] = [beside, *(place for place in sys.path if place != beside)]
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    sys.modules[name] = module  # as an import does: a dataclass looks its module up while it is made
    try:
        module_spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        raise _explained(error, path) from error
    MODULES.add(name)
    return getattr(module, "study", None)


def _text(path: Path) -> str:
    """The text of a Python file as Python reads it: in UTF-8, or in what its first lines declare."""
    try:
        with tokenize.open(path) as file:
            text = file.read()
    except (SyntaxError, UnicodeError, LookupError):
        text = "\0"
    if "\0" in text:
        raise UserError(
            f"{path} wants to be UTF-8, or what a line such as `# coding: latin-1` at its top says, but has "
            "other bytes: save it as UTF-8."
        )
    return text


def _refuse_other_neighbours(path: Path) -> None:
    """Python has one module of a name: the study would get another than the one that lies beside it."""
    folder = path.resolve().parent
    places = [*folder.glob("*.py"), *(place.parent for place in folder.glob("*/__init__.py"))]
    neighbours = {place.stem: place for place in places if place.name != __package__}  # as in a clone
    queue, seen = [path], {path.stem}
    while queue:
        text = _text(queue.pop())
        for name in neighbours.keys() - seen:
            if not re.search(rf"^\s*(from|import)\s+{re.escape(name)}\b", text, re.MULTILINE):
                continue
            seen.add(name)
            place = neighbours[name]
            queue.append(place / "__init__.py" if place.is_dir() else place)
            if (loaded := _folder_of(name)) and not loaded.samefile(folder):
                what = "load them in commands of their own" if str(loaded) in FOLDERS else "rename it"
                raise UserError(
                    f"{path} wants the module {name} beside it, but that in {loaded} is loaded already: "
                    f"{what}."
                )


def _folder_of(name: str) -> Path | None:
    """The folder in which a loaded module was found; None where none is loaded."""
    module = sys.modules.get(name)
    file = getattr(module, "__file__", None)
    if file is None:
        return None
    return Path(file).parent.parent if hasattr(module, "__path__") else Path(file).parent


def _explained(error: BaseException, path: Path) -> BaseException:
    """What is wrong with the study file, in a sentence; an interrupt as it is."""
    if isinstance(error, SyntaxError):
        where = error.filename or path
        return UserError(f"{where}, line {error.lineno}: {error.msg}: mend the study file.")
    if isinstance(error, ImportError) and "relative import" in str(error):
        return UserError(
            f"{path} lies in no package, but imports with a dot in front: write `from name import ...` for "
            "what lies beside it."
        )
    if not isinstance(error, Exception | SystemExit):
        return error
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename).resolve() == path.resolve()]
    where = f"{path}, line {lines[-1]}" if lines else str(path)
    if isinstance(error, UserError):
        return UserError(f"{where}: {error}")
    reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    return UserError(f"{where}: {reason}: mend the study file.")
