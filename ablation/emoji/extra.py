"""The extra `emoji`: libraries that a declaration does without, and that all wants which looks at images."""

from importlib.util import find_spec

from ablation.errors import UserError

LIBRARIES = (
    "torch",
    "torchvision",
    "datasets",
    "safetensors",
    "huggingface_hub",
    "PIL",
    "sklearn",
    "imagehash",
)


def missing() -> list[str]:
    """The libraries that are not installed."""
    return [name for name in LIBRARIES if find_spec(name) is None]


def check_installed(what: str) -> None:
    """Raise `UserError` where one is not, naming what wants it."""
    if lacking := missing():
        raise UserError(
            f"{what} wants the extra emoji (not installed: {', '.join(lacking)}): "
            "pip install 'ablation-suite[emoji]'."
        )
