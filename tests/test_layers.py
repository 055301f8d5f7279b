"""The architecture as a test: imports go downward, libraries have owners, the suite knows no network."""

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

import ablation

PACKAGE = Path(__file__).parents[1] / "ablation"

# Each floor may import what stands before it, and its own modules.
FLOORS = [
    *(
        "texts",
        "errors",
        "fields",
        "seeds",
        "settings",
        "measures",
        "experiment",
        "guardian",
        "command",
        "fingerprint",
        "blocks",
        "claims",
        "gates",
        "tuning",
        "tracked",
        "study",
    ),
    *(
        "formatting",
        "files",
        "catalogue",
        "stats",
        "tracking",
        "runner",
        "report",
        "terminal",
        "launch",
        "cli",
    ),
]

OWNERS = {
    "datasets": {"emoji"},
    "huggingface_hub": {"emoji"},
    "PIL": {"emoji"},
    "torch": {"emoji"},
    "torchvision": {"emoji"},
    "torchattack": {"emoji.adversarial"},
    "sklearn": {"emoji"},
    "safetensors": {"emoji"},
    "pyarrow": {"emoji"},
    "resvg_py": {"emoji.data.packages"},
    "mlflow": {"tracking"},
    "requests": {"tracking"},
    "tenacity": {"tracking"},
    "optuna": {"runner"},
    "optuna_dashboard": {"cli"},
    "pebble": {"runner"},
    "ray": {"runner.engines.ray"},
    "cloudpickle": {"runner"},
    "scipy": {"stats"},
    "statsmodels": {"stats"},
    "seaborn": {"report"},
    "matplotlib": {"report", "emoji"},
    "jinja2": {"report", "emoji"},
    "typer": {"cli", "emoji.cli"},
    "rich": {"terminal", "cli", "emoji.cli"},
}

PUBLIC = {
    *(
        "ablation.errors",
        "ablation.fields",
        "ablation.settings",
        "ablation.measures",
        "ablation.experiment",
        "ablation.fingerprint",
        "ablation.study",
    ),
    *("ablation.seeds", "ablation.texts", "ablation.formatting", "ablation.files", "ablation.tracking"),
    *("ablation.report.gallery", "ablation.cli.options", "ablation.terminal"),
}
"""The modules that an experiment may import beside `ablation` itself: docs/extending.md says what each is."""

NETWORK_WORDS = re.compile(
    r"emoji|\bimages?\b|pictures?\b|pixels?\b|mood|\bface|\btruths?\b|autoencoder|\bepochs=|latent|torch",
    re.IGNORECASE,
)

RICHS_OWN = ", emoji=False"
"""An argument of rich's console, which would else draw ":x:" in a name as a picture."""

WRITTEN = sorted((PACKAGE / "cli" / "templates").rglob("*.py"))
"""What `ablation new` writes: no part of the package."""
EXAMPLES = sorted((PACKAGE.parent / "examples").rglob("*.py"))
MODULES = sorted({*PACKAGE.rglob("*.py")} - {PACKAGE / "__init__.py", *WRITTEN})
SUITE = [path for path in MODULES if "emoji" not in path.relative_to(PACKAGE).parts]
EMOJI = [path for path in MODULES if path not in SUITE]


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


@pytest.mark.parametrize("path", SUITE, ids=place)
def test_imports_go_downward_and_never_to_an_experiment(path: Path) -> None:
    here = FLOORS.index(place(path).split(".")[0])
    allowed = {*FLOORS[: here + 1]}
    above = [
        name
        for name in imported(path)
        if name.startswith("ablation.") and name.split(".")[1] not in allowed and name not in LATE
    ]
    assert above == []


LATE = {f"ablation.{name}" for name in ablation.__all__}
"""What the package itself gives: `from ablation import Study` names no module."""


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


@pytest.mark.parametrize("path", EMOJI, ids=place)
def test_the_emoji_import_from_the_suite_what_a_stranger_may(path: Path) -> None:
    own = [name for name in imported(path) if name.startswith("ablation.") and name.split(".")[1] != "emoji"]
    strange = [name for name in own if name not in LATE and name.rpartition(".")[0] not in PUBLIC]
    assert strange == []
    private = [name for name in own if name.rpartition(".")[2].startswith("_")]
    assert private == []


@pytest.mark.parametrize("path", [*WRITTEN, *EXAMPLES], ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_examples_import_what_a_stranger_may(path: Path) -> None:
    own = [name for name in imported(path) if name.split(".")[0] == "ablation"]
    assert [name for name in own if name not in LATE and name.rpartition(".")[0] not in PUBLIC] == []


@pytest.mark.parametrize("path", SUITE, ids=place)
def test_the_suite_speaks_of_no_network(path: Path) -> None:
    words = []
    text = path.read_text().replace(RICHS_OWN, "")
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in (tokenize.NAME, tokenize.STRING, tokenize.COMMENT):
            words += NETWORK_WORDS.findall(token.string)
    assert words == []


@pytest.mark.parametrize("path", [*MODULES, *WRITTEN], ids=lambda path: path.stem)
def test_no_text_file_is_read_or_written_in_the_encoding_of_the_terminal(path: Path) -> None:
    calls = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)]
    loose = []
    for call in calls:
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        named, given = {one.arg for one in call.keywords}, {ast.unparse(one) for one in call.args}
        opens = name in ("read_text", "write_text") or (name == "open" and given & {"'a'", "'w'", "'r'"})
        if (opens or (name in ("run", "Popen") and "text" in named)) and not (
            "encoding" in named or "'utf-8'" in given
        ):
            loose.append(ast.unparse(call))
    assert loose == []


@pytest.mark.parametrize("path", MODULES, ids=place)
def test_no_private_name_of_a_library_is_imported(path: Path) -> None:
    private = [
        name
        for name in imported(path)
        if name.split(".")[0] in ("mlflow", "optuna", "ray")
        and any(part.startswith("_") for part in name.split("."))
    ]
    assert private == []


def test_every_module_has_a_floor() -> None:
    assert {place(path).split(".")[0] for path in SUITE} == set(FLOORS)


def test_declarations_load_in_milliseconds_and_without_what_trains() -> None:
    heavy = {"torch", "mlflow", "optuna", "datasets", "sklearn", "pandas", "numpy", "scipy"}
    code = (
        f"import sys, ablation, ablation.emoji, ablation.catalogue; print(sorted({heavy} & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"


def test_the_public_face_is_what_it_says() -> None:
    for name in ablation.__all__:
        assert getattr(ablation, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = ablation.nothing
