"""The architecture as a test: imports go downward, and every outside library has its owners."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "ablation"

# Each floor may import what stands before it, and its own modules.
FLOORS = [
    "texts",
    "errors",
    "seeds",
    "settings",
    "measures",
    "spec",
    "report",
    "tuning",
    "claims",
    "soundness",
    "study",
    "catalogue",
    "data",
    "compose",
    "learn",
    "track",
    "sweep",
    "analyse",
    "export",
    "publish",
    "page",
    "composing",
    "composer",
    "cli",
]

OWNERS = {
    "datasets": {"data"},
    "huggingface_hub": {"data"},
    "pyarrow": {"data"},
    "PIL": {"data"},
    "torch": {"seeds", "data", "compose", "learn", "track", "sweep.worker"},
    "torchvision": {"sweep.doctor"},
    "sklearn": {"compose", "learn"},
    "mlflow": {"track"},
    "safetensors": {"track"},
    "optuna": {"sweep"},
    "pebble": {"sweep"},
    "ray": {"sweep"},
    "scipy": {"analyse"},
    "seaborn": {"export"},
    "matplotlib": {"track", "export"},
    "jinja2": {"export"},
    "typer": {"cli"},
    "rich": {"cli"},
}

MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def imported(path: Path) -> Iterator[str]:
    """Every module that a file imports, in functions too, but not for type checking alone."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def place(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("path", MODULES, ids=place)
def test_imports_go_downward(path: Path) -> None:
    here = FLOORS.index(place(path).split(".")[0])
    above = [
        name
        for name in imported(path)
        if name.startswith("ablation.") and name.split(".")[1] in FLOORS[here + 1 :]
    ]
    assert above == []


@pytest.mark.parametrize("path", MODULES, ids=place)
def test_outside_libraries_stay_with_their_owners(path: Path) -> None:
    here = place(path)
    strangers = [
        name
        for name in imported(path)
        if not any(
            here == owner or here.startswith(f"{owner}.") for owner in OWNERS.get(name.split(".")[0], {here})
        )
    ]
    assert strangers == []


def test_every_module_has_a_floor() -> None:
    assert {place(path).split(".")[0] for path in MODULES} == set(FLOORS)


def test_the_light_verbs_import_neither_torch_nor_mlflow() -> None:
    heavy = {"torch", "mlflow", "optuna", "datasets", "sklearn", "pandas"}
    light = ["errors", "settings", "measures", "spec", "report", "claims", "soundness", "study", "catalogue"]
    names = {name.split(".")[0] for module in light for name in imported(PACKAGE / f"{module}.py")}
    assert names & heavy == set()


def test_files_keep_to_one_subject() -> None:
    long = {place(path): lines for path in MODULES if (lines := len(path.read_text().splitlines())) > 250}
    assert long == {}
