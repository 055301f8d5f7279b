"""The benchmarks' own laws: verdicts, units, JSON, and that a part that fails stops no other; no timing."""

import json
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from ablation.emoji.data.sources import load
from ablation.emoji.experiment import BFLOAT16_FLAGS
from ablation.emoji.model import Autoencoder
from ablation.emoji.protocols import joint

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
ZEN = "model name\t: AMD EPYC\nflags\t\t: fpu avx2 avx512f avx512_bf16 sse2\nmodel name\t: AMD EPYC\n"
FLAGS = ("avx2", "avx512f", "avx512_bf16")
OLD = "model name\t: Intel Xeon\nflags\t\t: fpu avx2 sse2\n"


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """Import one by its name, as another benchmark does."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return import_module


@pytest.fixture
def reached(benchmark):
    """The module `reached`."""
    return benchmark("reached")


def python(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=BENCHMARKS.parent)


@pytest.mark.parametrize(
    ("value", "target", "at_least", "met"),
    [
        (5.1, 5.0, True, True),
        (5.0, 5.0, True, True),
        (4.9, 5.0, True, False),
        (5.1, 5.0, False, False),
        (5.0, 5.0, False, True),
        (4.9, 5.0, False, True),
        (4.9, None, True, None),
    ],
)
def test_a_target_is_a_least_or_a_most_and_is_itself_enough(reached, value, target, at_least, met) -> None:
    assert reached.Reached("a", "speed", value, "×", target, at_least).met is met


def test_json_gives_back_every_figure_with_its_verdict(reached) -> None:
    figures = [
        reached.Reached("a", "speed", 5.25, "×", 5.0, True, "two threads"),
        reached.Reached("g", "wait", 0.5, "s", None, False),
    ]
    text = reached.to_json(figures, {"cores": "2"}, {"workers": "it broke"}, quick=True)
    assert reached.of_json(text) == figures
    read = json.loads(text)
    assert [row["met"] for row in read["reached"]] == [True, None]
    assert (read["quick"], read["machine"], read["failed"]) == (True, {"cores": "2"}, {"workers": "it broke"})


def test_a_part_that_fails_is_named_and_the_others_go_on(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("def measure():\n    raise ValueError('no such thing')\n")
    (tmp_path / "sound.py").write_text(
        "from reached import Reached\n"
        "def measure(value):\n    return [Reached('a', 'speed', value, '', 2.0, True)]\n"
    )
    (tmp_path / "suite.py").write_text(
        f"import sys\nsys.path[:0] = [{str(tmp_path)!r}, {str(BENCHMARKS)!r}]\n"
        "import all\n"
        "if __name__ == '__main__':\n"
        "    all.PARTS = {'broken': ({}, {}), 'sound': ({'value': 3.0}, {'value': 1.0})}\n"
        "    sys.exit(all.main(sys.argv[1:]))\n"
    )
    ended = python(tmp_path / "suite.py", "--to", tmp_path / "bench.json", "--quick")
    assert ended.returncode == 1
    assert "broken failed: ValueError: no such thing" in ended.stdout
    read = json.loads((tmp_path / "bench.json").read_text())
    assert read["failed"] == {"broken": "ValueError: no such thing"}
    assert [(row["value"], row["met"]) for row in read["reached"]] == [(1.0, False)]
    assert read["quick"]
    assert {"processor", "cores", "memory_gb", "torch", "load_at_start", "date"} <= read["machine"].keys()


@pytest.mark.parametrize(
    ("cpuinfo", "name", "flags", "units"),
    [
        (ZEN, "AMD EPYC", FLAGS, "avx512_bf16"),
        (ZEN + "flags\t: amx_bf16", "AMD EPYC", (*FLAGS, "amx_bf16"), "avx512_bf16 and amx_bf16"),
        (OLD, "Intel Xeon", ("avx2",), "no bfloat16 units"),
        ("Features\t: fp asimd bf16\n", None, ("bf16",), "bf16"),
        ("", None, (), "bfloat16 units unknown"),
    ],
)
def test_a_processor_is_named_with_its_units(benchmark, cpuinfo, name, flags, units) -> None:
    machine = benchmark("machine")
    assert machine.flags(cpuinfo) == flags
    assert machine.units(cpuinfo) == units
    if name is not None:
        assert machine.processor(cpuinfo) == name


def test_units_for_bfloat16_are_those_that_the_experiment_looks_for(benchmark) -> None:
    assert set(benchmark("machine").BFLOAT16) == BFLOAT16_FLAGS


def test_every_table_names_the_processor_and_its_units(benchmark, reached) -> None:
    console = Console(width=160, record=True, file=StringIO())
    console.print(reached.table([reached.Reached("a", "speed", 5.25, "×", None, True)]))
    assert benchmark("machine").here() in " ".join(console.export_text().split())


@pytest.mark.parametrize("isolate", [False, True])
def test_the_plain_network_is_ours_to_the_bit(benchmark, isolate: bool) -> None:
    plain_autoencoder = benchmark("report_way").PlainAutoencoder
    ours, plain = Autoencoder(joint.model, 2, seed=3).eval(), plain_autoencoder(joint.model, 2).eval()
    plain.load_state_dict(ours.state_dict())
    images = torch.rand(4, 3, 64, 64)
    for a, b in zip(ours(images, isolate), plain(images, isolate), strict=True):
        assert torch.equal(a, b)


def test_every_benchmark_says_what_it_is_for() -> None:
    scripts = [path for path in sorted(BENCHMARKS.glob("*.py")) if "__main__" in path.read_text()]
    asking = [path for path in scripts if "argparse" in path.read_text()]
    named = {"accelerator", "all", "arithmetic", "growth", "plain_way", "startup", "whole_study", "workers"}
    assert {path.stem for path in asking} >= named
    # In one process, since each imports torch or MLflow.
    code = (
        "import runpy, sys\n"
        f"sys.path.insert(0, {str(BENCHMARKS)!r})\n"
        "for path in sys.argv[1:]:\n"
        "    sys.argv = [path, '--help']\n"
        "    try:\n"
        "        runpy.run_path(path, run_name='__main__')\n"
        "    except SystemExit as ended:\n"
        "        assert not ended.code, path\n"
        "    else:\n"
        "        raise AssertionError(path)\n"
    )
    ended = python("-c", code, *asking)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("usage:") == len(asking)


@pytest.fixture
def accelerator(benchmark):
    """The module `accelerator`."""
    return benchmark("accelerator")


def epochs(accelerator, *numbers: int, seconds: float = 2.0) -> list[Any]:
    return [accelerator.Epoch(n, 12 * n, 100, {"validation_mse": 0.1 / n}, seconds / n) for n in numbers]


def row(accelerator, part: Any, weight: float, *losses: float) -> Any:
    weights = {"encoder": torch.tensor([1.0, -2.0]), "code": torch.tensor([weight, 0.5])}
    return accelerator.Row(part, 100.0, 1.0, len(losses), 0.1, list(losses), weights)


def test_the_first_pass_warms_up_and_speed_is_scaled_to_the_budget(accelerator) -> None:
    part, size = accelerator.Part("cpu", "fit", 1, "float32"), accelerator.Size(passes=10)
    found = accelerator.row_of(part, epochs(accelerator, 1, 2), 2, size)
    assert (found.images_per_second, found.cell_seconds, found.first_pass_seconds) == (100, 10, 2)
    assert found.notes == ["stopped after 2 of 10 passes, scaled"]
    alone = accelerator.row_of(part, epochs(accelerator, 1), 1, size)
    assert (alone.images_per_second, alone.cell_seconds) == (50, 20)
    assert alone.notes == ["one pass, the first, is all that the limit allowed"]


def test_a_part_takes_the_cells_that_fit_or_none(accelerator) -> None:
    size = accelerator.Size(passes=10)
    cpu = row(accelerator, accelerator.Part("cpu", "fit", 1, "float32"), 1.0)
    cpu.cell_seconds = 100.0  # a pass takes a cell 10 seconds
    part = accelerator.Part("cpu", "together", 8, "float32")
    assert accelerator.fitted(part, [], size, 45, 500) == part
    assert accelerator.fitted(part, [cpu], size, 45, 500).cells == 4
    apart = row(accelerator, accelerator.Part("cpu", "apart", 16, "float32"), 1.0)  # a second a cell
    assert accelerator.fitted(part, [cpu, apart], size, 45, 500).cells == 4
    assert accelerator.fitted(part, [cpu], size, 100, 500) == part
    assert accelerator.fitted(part, [cpu], size, 12, 12) is None
    other = accelerator.Part("cuda", "together", 64, "float32")
    assert accelerator.fitted(other, [cpu], size, 45, 45) == other


@pytest.mark.parametrize(
    ("precision", "weight", "losses", "agrees"),
    [
        ("float32", 1.0005, (0.5, 0.41), True),
        ("float32", 1.01, (0.5, 0.4), False),
        ("float32", 1.0, (0.5, 0.45), False),
        ("float32", 1.0, (0.5, 0.4, 9.0), True),  # the last pass that both made
        ("float32, TF32 convolutions", 1.01, (0.5, 0.4), True),  # whose weights nobody promises
        ("bfloat16", 1.0, (0.5, 0.4), None),
    ],
)
def test_results_are_held_against_the_reference_of_their_precision(
    accelerator, tmp_path: Path, precision: str, weight: float, losses: tuple[float, ...], agrees: bool | None
) -> None:
    report = accelerator.Report(tmp_path, False, torch.device("cpu"))
    there = accelerator.Part("cuda", "together", 8, precision)
    report.add(row(accelerator, there, weight, *losses))  # before its reference, which may come later
    report.add(row(accelerator, accelerator.Part("cpu", "fit", 1, "float32"), 1.0, 0.5, 0.4))
    assert [one.agrees for one in report.rows] == [agrees, None]


def test_what_failed_and_what_was_left_out_stands_beside_the_rows(accelerator, tmp_path: Path) -> None:
    report = accelerator.Report(tmp_path / "new", True, torch.device("cpu"), "noise")
    part = accelerator.Part("cuda", "together", 64, "bfloat16")
    report.add(row(accelerator, accelerator.Part("cpu", "fit", 1, "float32"), 1.0, 0.5))
    report.fail(part, ValueError("out of memory"))
    report.skip(accelerator.Part("cpu", "apart", 2, "float32"), "no time was left")
    text = (tmp_path / "new" / "accelerator.md").read_text()
    assert "cuda, 64 cells as one program, bfloat16 failed: ValueError: out of memory." in text
    assert "cpu, 2 cells in processes of their own, float32 was left out: no time was left." in text
    assert "accelerator was left out: torch finds none." in text
    assert "the figures mean nothing" in text
    read = json.loads((tmp_path / "new" / "accelerator.json").read_text())
    assert read["machine"]["bfloat16"] in text
    assert [one["cells"] for one in read["rows"]] == [1]
    assert read["failed"].keys() == {str(part)}


def test_the_accelerator_is_measured_on_the_shipped_pictures(accelerator) -> None:
    assert accelerator.shipped().fingerprint == load(joint.data.sources).fingerprint


def test_what_training_does_not_use_may_be_missing(accelerator) -> None:
    """A bare machine: the packages are stood in for while modules are imported, and not afterwards."""
    code = (
        "import sys\n"
        "from importlib.machinery import PathFinder\n"
        "class Bare(PathFinder):\n"
        "    def find_spec(name, path=None, target=None):\n"
        f"        bare = name.partition('.')[0] in {{*{accelerator.UNUSED!r}, 'mlflow', 'optuna', 'rich'}}\n"
        "        return None if bare else PathFinder.find_spec(name, path, target)\n"
        "sys.meta_path[:] = [Bare if one is PathFinder else one for one in sys.meta_path]\n"
        f"sys.path.insert(0, {str(BENCHMARKS)!r})\n"
        "import accelerator\n"
        "data, said = accelerator.pictures(accelerator.QUICK)\n"
        "assert said == 'noise, since pyarrow is not installed'\n"
        "assert len(data) == accelerator.QUICK.seeds\n"
        "assert 'datasets' not in sys.modules\n"
        "assert not any(isinstance(one, accelerator.StandIn) for one in sys.meta_path)\n"
    )
    ended = python("-c", code)
    assert ended.returncode == 0, ended.stderr


def test_two_checkouts_run_in_turn_each_by_its_own_code(tmp_path: Path) -> None:
    for side in ("old", "new"):
        (tmp_path / side / "ablation" / "cli").mkdir(parents=True)
        (tmp_path / side / "ablation" / "__init__.py").touch()
        (tmp_path / side / "ablation" / "cli" / "__init__.py").write_text(
            "import sys\n"
            "def command():\n"
            f"    with open({str(tmp_path / 'log')!r}, 'a') as log:\n"
            f"        print({side!r}, *sys.argv[1:3], *sys.argv[5:], file=log)\n"
        )
    words = [tmp_path / "old", tmp_path / "a.py", tmp_path / "new", tmp_path / "b.py"]
    ended = python(BENCHMARKS / "whole_study.py", *words, "--rounds", 2, "--quick")
    assert ended.returncode == 0, ended.stderr
    rest = "--seeds 2 --workers 2 --quick"
    lines = [f"old run {tmp_path / 'a.py'} {rest}", f"new run {tmp_path / 'b.py'} {rest}"] * 2
    assert (tmp_path / "log").read_text().splitlines() == lines
    assert ended.stdout.startswith("measured on ")
    assert all(f"{what} {kind}" in ended.stdout for what in ("min", "median") for kind in ("wall", "CPU"))


def test_a_run_that_fails_ends_the_comparison_with_its_last_line(tmp_path: Path) -> None:
    (tmp_path / "ablation").mkdir()
    (tmp_path / "ablation" / "cli.py").write_text("def command():\n    raise SystemExit('no such study')\n")
    ended = python(BENCHMARKS / "whole_study.py", tmp_path, "a.py", tmp_path, "b.py")
    assert ended.returncode == 1
    assert ended.stderr.rstrip().endswith("ended with 1: no such study")
