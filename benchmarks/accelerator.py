"""How fast cells train as one program on an accelerator, beside the same machine's processor.

    PYTHONPATH=. python benchmarks/accelerator.py [--to FOLDER] [--minutes 8] [--quick]

A cell is the training of the report's joint model on the budget of part 2: the settings `joint`, 10 passes of
some 700 pictures, batch 64. Measured are 1, 8 and 64 cells as one program (`ablation.emoji.replicas`) on the
accelerator, and on the processor one cell by `fit` with one thread, which is the reference, a cell for every
core at the same time, and 8 cells as one program; in float32 and in bfloat16, on the accelerator also in
float32 with the TF32 convolutions that torch allows by default. The first pass warms up and is not counted.

Every part has a limit of seconds, after which it stops at the end of a pass; what no longer fits into
`--minutes` is left out; both are said. Speeds are scaled to the whole budget.

The first cell has the same seed in every part. Its weights after the first pass and its validation error
after the last pass that both made are compared with the reference of the same precision.

Writes accelerator.json and accelerator.md after every part, into `--to`, else into the folder that the
environment variable OUT names. Needs torch, numpy, scikit-learn and Pillow; with pyarrow it trains on the
shipped pictures, without on noise. `--quick` takes the smallest sizes and shows only that everything runs.
"""

import argparse
import json
import os
import platform
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock

import machine

UNUSED = ("datasets", "huggingface_hub", "pyarrow", "safetensors")
"""Packages that modules of the training import, and that training does not use."""


class StandIn(MetaPathFinder, Loader):
    """Gives an empty module for a package of `UNUSED` that is not installed."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """Asked after all others, so never for what is installed."""
        return ModuleSpec(name, self, is_package=True) if name.partition(".")[0] in UNUSED else None

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """As Python does."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Whatever is imported from it is there, and of no use."""
        module.__getattr__ = lambda name: MagicMock()  # type: ignore[method-assign]

    def made(self, module: ModuleType) -> bool:
        """Whether the module is one of these."""
        spec = getattr(module, "__spec__", None)
        return spec is not None and spec.loader is self


@contextmanager
def stood_in() -> Iterator[None]:
    """With stand-ins for what is missing; they are gone afterwards, since others look for such packages."""
    finder = StandIn()
    sys.meta_path.append(finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in [name for name, module in sys.modules.items() if finder.made(module)]:
            del sys.modules[name]


HAS_PICTURES = find_spec("pyarrow") is not None
try:
    # Before the stand-ins: it looks for such packages itself.
    import sklearn.linear_model
    import sklearn.metrics
    import sklearn.pipeline  # noqa: F401
    import torch

    with stood_in():
        from ablation.emoji.data.classes import class_names
        from ablation.emoji.data.images import WORDS, Images, decode
        from ablation.emoji.determinism import deterministic
        from ablation.emoji.experiment import EMOJI
        from ablation.emoji.model import IMAGE_SIZE, Autoencoder
        from ablation.emoji.protocols import joint
        from ablation.emoji.replicas import TOLERANCE, Replica, accelerator, fit_together
        from ablation.emoji.train import Epoch, fit
        from ablation.emoji.training_data import Pictures, training_data
        from ablation.experiment import Diverged
        from ablation.settings import vary
except ModuleNotFoundError as error:
    sys.exit(
        "benchmarks/accelerator.py wants torch, numpy, scikit-learn, Pillow and this repository on "
        f"PYTHONPATH, but {error.name} is missing: install it, or set PYTHONPATH to the repository."
    )

LOSS_TOLERANCE = EMOJI.tolerance["test_mse"]  # of its value, between machines
SEEDS = 8  # with pictures of their own: further cells learn from those again, with other weights and draws
START_SECONDS = 120.0  # in which all processes are to have started
RESERVE = 5.0  # seconds, without which no part is begun
TF32 = "float32, TF32 convolutions"  # what torch does with float32 on a GPU unless it is told otherwise
PICTURES = Path("ablation", "emoji", "assets", "emoji.parquet")
Data = tuple[Pictures, Pictures]
"""The training and the validation pictures of a seed."""


@dataclass(frozen=True)
class Size:
    """How much is measured. cells: trained as one program. copies: of a picture. limit: seconds of a part."""

    cells: tuple[int, ...] = (1, 8, 64)
    cells_on_cpu: int = 8
    passes: int = joint.train.epochs
    copies: int = joint.augment.copies
    seeds: int = SEEDS
    limit: float = 45.0


QUICK = Size(cells=(1, 2), cells_on_cpu=2, passes=2, copies=4, seeds=2, limit=8.0)


@dataclass(frozen=True)
class Part:
    """How so many cells are trained.

    way: "fit", "together" as one program, or "apart", each by `fit` in a process of its own.
    """

    device: str
    way: str
    cells: int
    precision: str
    threads: int = 1

    def __str__(self) -> str:
        """In words."""
        ways = {"fit": "alone", "together": "as one program", "apart": "in processes of their own"}
        return f"{self.device}, {self.cells} cell{'s' * (self.cells > 1)} {ways[self.way]}, {self.precision}"


@dataclass
class Row:
    """What a part came to.

    images_per_second: of all its cells together. cell_seconds: for a whole cell, at this speed. passes: made
    of those that are the budget. losses: the first cell's validation error after every pass. weights: its
    parameters after the first. weights_off, loss_off: their distances from the reference, None without one.
    """

    part: Part
    images_per_second: float
    cell_seconds: float
    passes: int
    first_pass_seconds: float
    losses: list[float]
    weights: dict[str, Any] = field(default_factory=dict, repr=False)
    weights_off: float | None = None
    loss_off: float | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def agrees(self) -> bool | None:
        """Whether the first cell is that of the reference within the tolerances; None where it has none."""
        if self.weights_off is None or self.loss_off is None:
            return None
        exact = self.part.precision != "float32" or self.weights_off <= TOLERANCE
        return exact and self.loss_off <= LOSS_TOLERANCE

    def numbers(self) -> dict[str, Any]:
        """For JSON: without the weights."""
        rest = {name: value for name, value in vars(self).items() if name not in ("part", "weights")}
        return asdict(self.part) | rest | {"agrees": self.agrees}


def main(words: Sequence[str] | None = None) -> int:
    """Measure every part; the exit code is 1 where one failed or differs from its reference."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--to", type=Path, default=Path(os.environ.get("OUT") or "."), help="folder")
    parser.add_argument("--minutes", type=float, default=8.0, help="after which no part is begun")
    parser.add_argument("--quick", action="store_true", help="smallest sizes: the figures mean nothing")
    options = parser.parse_args(words)
    until = perf_counter() + 60 * options.minutes
    size = QUICK if options.quick else Size()
    device = accelerator()
    parts = parts_of(device, size)
    report = Report(options.to, options.quick, device)
    data, report.data = pictures(size)
    for part in parts:
        left = until - perf_counter()
        if left < RESERVE:
            report.skip(part, "no time was left")
            continue
        limit = min(size.limit, left)
        fitting = fitted(part, report.rows, size, limit, left)
        if fitting is None:
            report.skip(part, "a pass would have taken longer than was left")
            continue
        print(f"{fitting} ...", flush=True)
        try:
            report.add(measured(fitting, data, size, limit))
        except Exception as error:
            traceback.print_exc()
            report.fail(part, error)
    print(report.markdown())
    return 1 if report.failed or any(row.agrees is False for row in report.rows) else 0


def parts_of(device: torch.device, size: Size) -> list[Part]:
    """All parts, those first that the others are compared with."""
    cores = os.cpu_count() or 1
    parts = [Part("cpu", "fit", 1, "float32")]
    if device.type != "cpu":
        for precision in ("float32", "bfloat16", TF32):
            parts += [Part(device.type, "together", cells, precision) for cells in size.cells]
        # The batches are made by the processor: with all of its threads, how much of the time is that?
        parts.append(Part(device.type, "together", size.cells[-1], "float32", threads=cores))
    parts.append(Part("cpu", "fit", 1, "bfloat16"))
    for precision in ("float32", "bfloat16"):
        parts.append(Part("cpu", "apart", cores, precision))
        parts.append(Part("cpu", "together", size.cells_on_cpu, precision))
    return parts


def fitted(part: Part, rows: Sequence[Row], size: Size, limit: float, left: float) -> Part | None:
    """The part, on the processor with as many of its cells as make a pass in `limit` seconds; None where even
    a pass takes longer than what is `left`.

    A pass is expected to take what the same device took a cell before in the same precision, for every cell.
    """
    if part.way != "together":
        return part
    alike = [row for row in rows if (row.part.device, row.part.precision) == (part.device, part.precision)]
    known = [row for row in alike if row.part.way != "apart"]
    if not known:
        return part
    seconds = known[-1].cell_seconds / size.passes
    if part.device == "cpu":
        part = replace(part, cells=max(2, min(part.cells, int(limit / seconds))))
    return part if part.cells * seconds <= left else None


def pictures(size: Size) -> tuple[list[Data], str]:
    """The pictures of every seed, and what they are."""
    if not HAS_PICTURES:
        return [noise(seed, size) for seed in range(size.seeds)], "noise, since pyarrow is not installed"
    images, augmentation = shipped(), vary(joint.augment, {"copies": size.copies})
    sets = [training_data(images, joint.data, augmentation, seed) for seed in range(size.seeds)]
    return [(next(one.passes), one.validation) for one in sets], "the shipped emoji"


def shipped() -> Images:
    """The shipped pictures, without the packages that other sources need."""
    import pyarrow.parquet as pq

    columns = pq.read_table(Path(__file__).parents[1] / PICTURES).to_pydict()
    pixels = decode(columns["image"], "the shipped emoji")
    return Images(pixels, **{name: tuple(columns[name]) for name in WORDS})


def noise(seed: int, size: Size) -> Data:
    """In the shape, type and memory format of the report's pictures."""
    rng = torch.Generator().manual_seed(seed)

    def draw(count: int) -> Pictures:
        shape = (count, 3, IMAGE_SIZE, IMAGE_SIZE)
        pixels = torch.randint(0, 256, shape, generator=rng, dtype=torch.uint8)
        return Pictures(pixels.contiguous(memory_format=torch.channels_last), torch.arange(count) % 2)

    return draw(14 * (1 + size.copies)), draw(5)


def replica(number: int, part: Part, data: Sequence[Data], passes: int) -> Replica:
    """A cell that is not trained, on the device of the part."""
    train, validation = data[number % len(data)]
    precision = "bfloat16" if part.precision == "bfloat16" else "float32"
    spec = vary(joint.train, {"epochs": passes, "precision": precision})
    model = Autoencoder(joint.model, len(class_names(joint.data.classes)), number)
    model.to(memory_format=torch.channels_last).to(part.device)
    there = Pictures(validation.pixels.to(part.device), validation.labels.to(part.device))
    return Replica(model, repeat(train), there, spec, number)


def measured(part: Part, data: Sequence[Data], size: Size, limit: float) -> Row:
    """Train the cells of the part until they are done or `limit` seconds are over."""
    if part.way == "apart":
        return apart(part, data, size, limit)
    with deterministic(part.threads), settings_of(part.precision):
        try:
            return trained(part, data, size, limit)
        except RuntimeError as error:
            reason = str(error).partition("\n")[0]
            if "determinis" not in reason:
                raise
        # An accelerator has not every operation in a deterministic form: without, then, and the row says so.
        torch.use_deterministic_algorithms(True, warn_only=True)
        try:
            with warnings.catch_warnings(action="ignore"):
                row = trained(part, data, size, limit)
        finally:
            torch.use_deterministic_algorithms(True)
        row.notes.append(f"not deterministic: {reason}")
        return row


@contextmanager
def settings_of(precision: str) -> Iterator[None]:
    """Whether convolutions of float32 may be taken in TF32 on a GPU."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = precision == TF32
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


def trained(part: Part, data: Sequence[Data], size: Size, limit: float) -> Row:
    """One training of the part's cells; see `measured`."""
    replicas = [replica(number, part, data, size.passes) for number in range(part.cells)]
    on_gpu = part.device == "cuda"
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    epochs: list[Epoch] = []
    losses: list[float] = []
    weights: dict[str, torch.Tensor] = {}
    started = perf_counter()
    for number, epoch in together(replicas) if part.way == "together" else alone(replicas[0]):
        if isinstance(epoch, Diverged):
            raise epoch
        epochs.append(epoch)
        if number == 0:
            losses.append(epoch.metrics["validation_mse"])
            weights = weights or copied(replicas[0].model)
            if perf_counter() - started > limit:
                break
    row = row_of(part, epochs, len(losses), size)
    row.losses, row.weights = losses, weights
    if on_gpu:
        row.notes.append(f"{torch.cuda.max_memory_allocated() / 1e9:.1f} GB of GPU memory")
    return row


def together(replicas: Sequence[Replica]) -> Iterator[tuple[int, Epoch | Diverged]]:
    """As one program."""
    return fit_together(replicas)


def alone(one: Replica) -> Iterator[tuple[int, Epoch]]:
    """By `fit`, as a worker does."""
    return ((0, epoch) for epoch in fit(one.model, one.passes, one.validation, one.spec, one.seed))


def copied(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Its parameters as they are now, on the CPU."""
    return {name: value.detach().to("cpu", copy=True) for name, value in model.named_parameters()}


def row_of(part: Part, epochs: Sequence[Epoch], passes: int, size: Size) -> Row:
    """Speeds from epochs of all cells."""
    first = [one for one in epochs if one.number == 1]
    later = [one for one in epochs if one.number > 1]
    counted = later or first
    speed = sum(one.images for one in counted) / sum(one.seconds for one in counted)
    cell = size.passes * sum(one.images for one in first) / len(first)
    row = Row(part, speed, cell / speed, passes, sum(one.seconds for one in first), [])
    if not later:
        row.notes.append("one pass, the first, is all that the limit allowed")
    elif passes < size.passes:
        row.notes.append(f"stopped after {passes} of {size.passes} passes, scaled")
    return row


def apart(part: Part, data: Sequence[Data], size: Size, limit: float) -> Row:
    """Every cell by `fit` in a process of its own with one thread, all at once; two passes at most."""
    context = get_context("spawn")
    barrier = context.Barrier(part.cells)
    with ProcessPoolExecutor(part.cells, context, initializer=_keep, initargs=(barrier,)) as pool:
        asked = [
            pool.submit(_one_apart, replace(part, cells=1), data[number % len(data)], limit)
            for number in range(part.cells)
        ]
        found = [future.result() for future in asked]
    first = [epochs[0] for epochs in found]
    passes = min(len(epochs) for epochs in found)
    speed = sum(epochs[-1].images / epochs[-1].seconds for epochs in found)
    cell = size.passes * sum(one.images for one in first) / len(first)
    row = Row(part, speed, cell / speed, passes, max(one.seconds for one in first), [])
    row.notes += [f"{passes} of {size.passes} passes, scaled"] if passes < size.passes else []
    return row


_barrier: Any = None


def _keep(barrier: Any) -> None:
    global _barrier
    _barrier = barrier


def _one_apart(part: Part, data: Data, limit: float) -> list[Epoch]:
    one, epochs = replica(0, part, [data], 2), list[Epoch]()
    with deterministic():
        _barrier.wait(timeout=START_SECONDS)
        started = perf_counter()
        for _, epoch in alone(one):
            epochs.append(epoch)
            if perf_counter() - started > limit / 2:
                break
    return epochs


@dataclass
class Report:
    """What was measured so far, written to the folder after every part. failed, skipped: why, by part."""

    to: Path
    quick: bool
    device: torch.device
    data: str = ""
    rows: list[Row] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Say at once where there is nothing to measure on."""
        if self.device.type == "cpu":
            self.skipped["accelerator"] = "torch finds none"

    def add(self, row: Row) -> None:
        """Take a row; every row is compared with the reference of its precision, once that is there."""
        self.rows.append(row)
        for one in self.rows:
            reference = self.reference(one, "fit")
            if one is not reference and reference is not None and one.losses:
                compare(one, reference)
        print(f"    {row.images_per_second:.0f} images/s; {'; '.join(row.notes)}", flush=True)
        self.write()

    def fail(self, part: Part, error: Exception) -> None:
        """Note that a part failed."""
        self.failed[str(part)] = f"{type(error).__name__}: {error}"
        self.write()

    def skip(self, part: Part, reason: str) -> None:
        """Note that a part was left out."""
        self.skipped[str(part)] = reason
        self.write()

    def reference(self, row: Row, way: str) -> Row | None:
        """What the processor does in the same precision: by one thread ("fit") or by all cores ("apart")."""
        precision = "float32" if row.part.precision == TF32 else row.part.precision
        same = (one for one in self.rows if (one.part.way, one.part.precision) == (way, precision))
        return next(same, None)

    def where(self) -> dict[str, Any]:
        """The machine."""
        cuda = self.device.type == "cuda"
        gpu = torch.cuda.get_device_name() if cuda else self.device.type if self.device.type != "cpu" else ""
        return {
            "date": datetime.now(UTC).isoformat(timespec="minutes"),
            "accelerator": gpu or "none",
            "processor": machine.processor(),
            "cores": os.cpu_count(),
            "flags": machine.flags(),
            "bfloat16": machine.units(),
            "torch": torch.__version__,
            "cuda": torch.version.cuda,
            "python": platform.python_version(),
            "system": platform.platform(),
            "pictures": self.data,
        }

    def write(self) -> None:
        """Both files."""
        self.to.mkdir(parents=True, exist_ok=True)
        tolerances = {"weights": TOLERANCE, "loss": LOSS_TOLERANCE}
        content = {"quick": self.quick, "machine": self.where(), "tolerances": tolerances}
        rows = [row.numbers() for row in self.rows]
        content |= {"rows": rows, "failed": self.failed, "skipped": self.skipped}
        (self.to / "accelerator.json").write_text(json.dumps(content, indent=1) + "\n")
        (self.to / "accelerator.md").write_text(self.markdown())

    def markdown(self) -> str:
        """The table, as docs/speed.md takes it."""
        found = self.where()
        flags = ", ".join(found["flags"]) or "no wide units"
        lines = ["Smallest sizes: the figures mean nothing.\n"] * self.quick
        lines += [
            f"Accelerator: {found['accelerator']}. Processor: {found['processor']}, {found['cores']} cores, "
            f"{found['bfloat16']} ({flags}). torch {found['torch']}, CUDA {found['cuda'] or 'none'}, Python "
            f"{found['python']}. Pictures: {found['pictures']}.\n",
            "| trained | threads | images/s | s a cell | over one thread | over all cores | first pass, s | "
            "weights off | loss off | agrees | |",
            "|---|--:|--:|--:|--:|--:|--:|--:|--:|---|---|",
            *(self._line(row) for row in self.rows),
            "",
            "Images a second are of all cells of a row together; a cell's seconds are for its whole budget "
            "at that speed, so N cells take N times as long. Weights after the first pass may be off by "
            f"{TOLERANCE:g} of the largest of their tensor (float32), the validation error by "
            f"{LOSS_TOLERANCE:g} of its value.",
            *(f"\n{part} failed: {reason}." for part, reason in self.failed.items()),
            *(f"\n{part} was left out: {reason}." for part, reason in self.skipped.items()),
        ]
        return "\n".join(lines) + "\n"

    def _line(self, row: Row) -> str:
        ratios = [self.reference(row, way) for way in ("fit", "apart")]
        over = [f"{row.images_per_second / one.images_per_second:.2f}" if one else "" for one in ratios]
        off = ["" if value is None else f"{value:.2g}" for value in (row.weights_off, row.loss_off)]
        agrees = {True: "yes", False: "NO", None: ""}[row.agrees]
        speeds = [f"{row.images_per_second:.0f}", f"{row.cell_seconds:.2f}"]
        cells = [str(row.part), str(row.part.threads), *speeds, *over, f"{row.first_pass_seconds:.2f}", *off]
        return f"| {' | '.join([*cells, agrees, '; '.join(row.notes)])} |"


def compare(row: Row, reference: Row) -> None:
    """How far the first cell of `row` lies from the reference's."""
    row.weights_off = max(
        float((row.weights[name] - value).abs().max() / value.abs().max())
        for name, value in reference.weights.items()
    )
    last = min(len(row.losses), len(reference.losses)) - 1
    row.loss_off = abs(row.losses[last] / reference.losses[last] - 1)


if __name__ == "__main__":
    sys.exit(main())
