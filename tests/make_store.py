"""Make the store that is kept of a version, once, when it is released.

    PYTHONPATH=tests/emoji python tests/make_store.py 0.1.0

It is run with the code of that version, and leaves the packed store and its table in `tests/stores/VERSION/`.
MLflow keeps absolute paths: so a store is made, and unpacked again, at one place of every machine.
"""

import os
import shutil
import sys
import tarfile
from pathlib import Path

HERE = Path(__file__).parent
STORES = HERE / "stores"
NOT_KEPT = ("learning_curves.png", "git.diff")  # large, and nothing reads them


def place_of(version: str) -> Path:
    """Where the store of a version is made and unpacked."""
    return Path("/tmp") / f"ablation-{version}"


def make(version: str) -> Path:
    """Run the study in a folder of its own, with data beside it, and pack that; the folder of the version."""
    from ablation import catalogue
    from ablation.report.export import summarise
    from ablation.runner.scheduler import run_study
    from ablation.tracking.store import Store
    from doubles import draw_faces
    from engines import InlineEngine

    to = STORES / version
    to.mkdir()
    folder = place_of(version)
    folder.mkdir()
    try:
        os.chdir(folder)
        draw_faces(Path("faces.parquet"))
        shutil.copy(STORES / "small.py", "small.py")
        study, store = catalogue.load("small.py"), Store(Path("store"))
        run_study(study, store, InlineEngine(), workers=1)
        (to / "table.csv").write_text(_table(summarise(study, store).analysis))
        with tarfile.open(to / "store.tar.gz", "w:gz") as packed:
            packed.add(folder, ".", filter=_kept)
    finally:
        os.chdir(HERE)
        shutil.rmtree(folder)
    return to


def _table(analysis: object) -> str:
    from ablation.report.formats import render
    from ablation.report.table import tabulate

    return render(tabulate(analysis), "csv")  # type: ignore[arg-type]


def _kept(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Without what is large, and without who made it."""
    if Path(member.name).name in (*NOT_KEPT, "__pycache__") or member.name.endswith(".lock"):
        return None
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    return member


if __name__ == "__main__":
    print(make(*sys.argv[1:]))
