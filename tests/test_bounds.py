"""The upper bounds of what we build on: raised on purpose alone, with a sentence of what to look at first."""

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LOOKED_AT = {
    "mlflow": (
        "<3.18",
        "saved views, and the names under which a browser keeps MLflow's settings, are not documented "
        "(tracking/views.py, landing.html: test_views.py opens them in Chromium), a new SQLite store is made "
        "by the client's first question (tracking/store.py), and "
        "workers import its store by name (runner/engines/local.py)",
    ),
    "optuna": (
        "<5.1",
        "trials are added and told whole (runner/ledger.py) and samplers are made anew for each trial "
        "(runner/search.py: two searches of one seed must still be equal)",
    ),
}


@pytest.mark.parametrize("package", LOOKED_AT)
def test_a_bound_is_raised_only_after_a_look(package: str) -> None:
    wanted, look = LOOKED_AT[package]
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    (declared,) = [line for line in dependencies if line.startswith(f"{package}>")]
    assert declared.endswith(wanted), (
        f"pyproject.toml says {declared!r}, but the last version that was looked at is {wanted}: {look}; run "
        "every test with the new version, then write its bound here."
    )
