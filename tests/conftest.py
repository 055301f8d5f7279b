"""Fixtures that every test may use, and the one skip of `emoji/` where its extra is not installed."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import hypothesis
import pytest

from ablation.emoji.extra import missing
from ablation.tracking.store import Store
from servers import PROGRAMS, PostgreSQL, postgresql

# A machine that is busy is no fault of what is tested.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="Storms and fuzz with all their rounds.")


@pytest.fixture(scope="session")
def rounds(pytestconfig: pytest.Config) -> Callable[[int, int], int]:
    """`rounds(all, few)`: how many rounds a storm has: few, or all of them with --full (`make storms`)."""
    return lambda every, few: every if pytestconfig.getoption("--full") else few


class Skipped(pytest.Directory):
    """A folder whose tests want what is not installed."""

    def collect(self) -> Iterator[pytest.Item]:
        pytest.skip(f"tests/emoji wants the extra emoji (not installed: {', '.join(missing())})")


def pytest_collect_directory(path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    return Skipped.from_parent(parent, path=path) if path.name == "emoji" and missing() else None


@pytest.fixture(scope="session")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty store, made once: its schema takes seconds."""
    root = tmp_path_factory.mktemp("blank")
    Store(root).create()
    return root


@pytest.fixture
def store(blank: Path, tmp_path: Path) -> Store:
    """A store of the test's own."""
    return Store(Path(shutil.copytree(blank, tmp_path / "store")))


NUMBERS = count()


@pytest.fixture(scope="session")
def database_server() -> Iterator[PostgreSQL]:
    """PostgreSQL, for all tests of a process."""
    if not PROGRAMS:
        pytest.skip("PostgreSQL is not installed (Debian's package postgresql)")
    with postgresql() as server:
        yield server


@pytest.fixture
def on_postgresql(database_server: PostgreSQL, monkeypatch: pytest.MonkeyPatch) -> str:
    """New databases for MLflow and for Optuna, named by the environment; the address of MLflow's."""
    number = next(NUMBERS)
    address = database_server.database(f"runs{number}")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    monkeypatch.setenv("ABLATION_OPTUNA_STORAGE", database_server.database(f"trials{number}"))
    return address


UNSHARE = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--net", "--map-root-user"]


@pytest.fixture
def own_network() -> list[str]:
    """What starts a command in a network of its own: Ray listens to everybody, whatever it is told."""
    for needed in ("unshare", "ip"):
        if shutil.which(needed) is None:
            pytest.skip(f"{needed} is not installed: Ray would listen to everybody")
    if subprocess.run([*UNSHARE, "true"], capture_output=True).returncode:
        pytest.skip("this machine allows no network of one's own: Ray would listen to everybody")
    return UNSHARE
