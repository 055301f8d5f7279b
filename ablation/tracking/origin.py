"""Where a run was computed: code, versions and hardware, read once a process."""

import platform
import subprocess
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

import ablation

COMMIT = "mlflow.source.git.commit"
PACKAGES = ("mlflow", "optuna", "numpy")


@dataclass(frozen=True)
class Origin:
    """commit and diff are empty where the code does not lie in a git checkout."""

    commit: str
    diff: str
    packages: dict[str, str]
    hardware: dict[str, str]

    def tags(self) -> dict[str, str]:
        """As MLflow's tags."""
        packages = ", ".join(f"{name} {number}" for name, number in self.packages.items())
        code = {COMMIT: self.commit, "dirty": str(bool(self.diff))} if self.commit else {}
        return {**self.hardware, "packages": packages, **code}


@cache
def origin(packages: tuple[str, ...] = ()) -> Origin:
    """Of this process, with the versions of these packages beside the suite's own.

    The code is the git checkout of the working folder, where an experiment's own code is; else the suite's.
    """
    for place in (Path.cwd(), Path(__file__).parent):
        commit = _git(place, "rev-parse", "HEAD")
        if commit:
            break
    return Origin(
        commit=commit,
        # Files that git does not know yet, such as a new study, are named; their text is not kept.
        diff=_git(place, "diff", "HEAD") + _git(place, "status", "--porcelain") if commit else "",
        packages={"ablation": ablation.__version__}
        | {name: _version(name) for name in (*PACKAGES, *packages)}
        | {"python": platform.python_version()},
        hardware={
            "processor": _processor(),
            "cores": str(psutil.cpu_count()),
            "memory_gb": f"{psutil.virtual_memory().total / 1e9:.0f}",
            "system": platform.platform(),
            "device": "cpu",
        },
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _git(place: Path, *words: str) -> str:
    try:
        answer = subprocess.run(
            ["git", *words],
            cwd=place,
            capture_output=True,
            timeout=10,
            check=False,
            encoding="utf-8",
            errors="replace",  # a diff shows files of any encoding
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""


def _processor() -> str:
    table = Path("/proc/cpuinfo")
    if table.exists():
        for line in table.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
