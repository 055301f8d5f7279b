"""The benchmarks' own laws: verdicts, JSON, and that a part that fails stops no other; no timing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ablation.emoji.model import Autoencoder
from ablation.emoji.protocols import joint

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def reached(monkeypatch: pytest.MonkeyPatch):
    """The module `reached`, as a benchmark imports it."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import reached

    return reached


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


@pytest.mark.parametrize("isolate", [False, True])
def test_the_plain_network_is_ours_to_the_bit(monkeypatch: pytest.MonkeyPatch, isolate: bool) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from plain_network import PlainAutoencoder

    ours, plain = Autoencoder(joint.model, 2, seed=3).eval(), PlainAutoencoder(joint.model, 2).eval()
    plain.load_state_dict(ours.state_dict())
    images = torch.rand(4, 3, 64, 64)
    for a, b in zip(ours(images, isolate), plain(images, isolate), strict=True):
        assert torch.equal(a, b)


def test_every_benchmark_says_what_it_is_for() -> None:
    scripts = [path for path in sorted(BENCHMARKS.glob("*.py")) if "__main__" in path.read_text()]
    asking = [path for path in scripts if "argparse" in path.read_text()]
    assert {path.stem for path in asking} >= {
        "all",
        "arithmetic",
        "growth",
        "plain_way",
        "startup",
        "workers",
    }
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
