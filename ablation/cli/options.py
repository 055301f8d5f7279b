"""Options that mean the same in every verb."""

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from ablation.errors import UserError


def _count(name: str, most: int) -> typer.models.OptionInfo:
    def parse(text: str | int) -> int:
        try:
            number = int(text)
        except ValueError:
            number = 0
        if not 1 <= number <= most:
            raise UserError(f"--{name} wants a whole number from 1 to {most}, but got {text!r}.")
        return number

    return typer.Option(f"--{name}", parser=parse, metavar="N")  # type: ignore[no-any-return]


SEEDS = _count("seeds", 1000)
SEEDS.help = "Replications of every arm; the study's own number if not given."
WORKERS = _count("workers", 256)
WORKERS.help = "Worker processes, one thread each; one a core if not given."

TOGETHER = _count("together", 1024)
TOGETHER.help = "Train so many cells as one program, on the accelerator, in place of worker processes."

GPUS = typer.Option("--gpus", min=0.0, help="With --engine ray: the share of a GPU that a cell takes.")

Seeds = Annotated[int | None, SEEDS]
Workers = Annotated[int | None, WORKERS]
Together = Annotated[int | None, TOGETHER]
Machines = Annotated[
    Literal["local", "ray"], typer.Option("--engine", help="Processes of this machine, or a Ray cluster.")
]
Address = Annotated[
    str | None, typer.Option("--address", help="With --engine ray: the cluster's; else RAY_ADDRESS, or new.")
]
Gpus = Annotated[float, GPUS]
StoreFolder = Annotated[Path, typer.Option("--store", help="Folder of the runs.", envvar="ABLATION_STORE")]
Quick = Annotated[bool, typer.Option("--quick", help="A smoke budget, marked as such in every output.")]
StudyName = Annotated[
    str, typer.Argument(metavar="STUDY", help="A name from `ablation list`, or a study file.")
]

DEFAULT_STORE = Path("mlruns")


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
