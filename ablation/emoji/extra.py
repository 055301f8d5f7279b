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

ATTACK_LIBRARY = "torchattack"
"""The library of adversarial examples, which there is not for every Python that the suite runs on."""


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


def check_attacks() -> None:
    """Raise `UserError` where adversarial examples cannot be made."""
    if find_spec(ATTACK_LIBRARY) is None:
        raise UserError(
            f"adversarial examples want the library {ATTACK_LIBRARY} (not installed): pip install "
            "'ablation-suite[emoji]', with a Python before 3.14."
        )
