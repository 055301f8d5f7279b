"""Options that mean the same in every verb."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ablation.errors import UserError
from ablation.runner.engines import names


def _count(name: str, most: int, help: str) -> typer.models.OptionInfo:
    def parse(text: str | int) -> int:
        try:
            number = int(text)
        except ValueError:
            number = 0
        if not 1 <= number <= most:
            raise UserError(f"--{name} wants a whole number from 1 to {most}, but got {text!r}.")
        return number

    return typer.Option(f"--{name}", parser=parse, metavar="N", help=help)  # type: ignore[no-any-return]


def _code(text: str) -> str:
    if text not in ("", "same", "new"):
        raise UserError(f"--code wants same or new, but got {text!r}.")
    return text


SEEDS = _count("seeds", 1000, "Replications of every arm; the study's own number if not given.")
WORKERS = _count("workers", 256, "Cells at once: worker processes, one a core if not given.")

Seeds = Annotated[int | None, SEEDS]
Workers = Annotated[int | None, WORKERS]
EngineName = Annotated[
    str,
    typer.Option(
        "--engine",
        help=f"Where cells run: {', '.join(names())}. local: processes of this machine; ray: a cluster; "
        "together (experimental): several cells as one program, on the accelerator.",
    ),
]
Address = Annotated[
    str | None, typer.Option("--address", help="With --engine ray: the cluster's; else RAY_ADDRESS, or new.")
]
Gpus = Annotated[
    float, typer.Option("--gpus", min=0.0, help="With --engine ray: the share of a GPU that a cell takes.")
]
Code = Annotated[
    Any,
    typer.Option(
        "--code",
        parser=_code,
        metavar="same|new",
        help="Where the code changed since earlier runs: take them for the same, or start over.",
    ),
]
StoreFolder = Annotated[Path, typer.Option("--store", help="Folder of the runs.", envvar="ABLATION_STORE")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document, for programs.")]
Quick = Annotated[bool, typer.Option("--quick", help="A smoke budget, marked as such in every output.")]


def names_like(incomplete: str) -> list[str]:
    """The studies of the folder whose names begin so, for the completion of a shell."""
    from ablation import catalogue

    return [name for name in catalogue.paths() if name.startswith(incomplete)]


StudyName = Annotated[
    str,
    typer.Argument(
        metavar="STUDY", help="A name from `ablation list`, or a study file.", autocompletion=names_like
    ),
]
StudyNames = Annotated[
    list[str],
    typer.Argument(
        metavar="STUDY...", help="Names from `ablation list`, or study files.", autocompletion=names_like
    ),
]

DEFAULT_STORE = Path("mlruns")
