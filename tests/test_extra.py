"""Without the extra `emoji` the suite works, and what wants it says so in a sentence."""

from pathlib import Path

import pytest

from ablation import catalogue
from ablation.emoji import extra
from ablation.emoji.experiment import EMOJI
from ablation.errors import UserError
from test_cli import Run, refused
from test_cli import ablation as ablation

SENTENCE = "wants the extra emoji (not installed: torch, PIL): pip install 'ablation-suite[emoji]'."


@pytest.fixture(autouse=True)
def without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of one's own, where two of the libraries are not installed."""
    monkeypatch.setattr(extra, "find_spec", lambda name: None if name in ("torch", "PIL") else name)
    monkeypatch.chdir(tmp_path)


def test_every_study_of_the_package_is_listed_all_the_same(ablation: Run) -> None:
    code, said, _ = ablation("list", "--builtin")
    assert code == 0
    assert all(name in said for name in catalogue.builtin())
    assert "extra" not in said


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["plan", "latent_size"], "this study"),
        (["run", "latent_size"], "this study"),
        (["emoji", "show"], "ablation emoji"),
        (["emoji", "compose", "--target", "a", "--plus", "b", "--minus", "c"], "ablation emoji"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_looks_at_images_says_what_is_not_installed(
    ablation: Run, tmp_path: Path, words: list[str], what: str
) -> None:
    code, _, complaint = ablation(*words)
    assert code == 2
    assert complaint.strip().endswith(f"{what} {SENTENCE}")
    assert list(tmp_path.iterdir()) == []


def test_the_doctor_names_it() -> None:
    assert list(EMOJI.examine()) == [("the extra emoji lacks torch, PIL", False)]


def test_another_import_that_fails_is_not_taken_for_it(ablation: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("import torchlight\nstudy = 1\n")
    said = refused(ablation("run", "mine"))
    assert "mine.py, line 1: No module named 'torchlight': mend the study file." in said
    (tmp_path / "mine.py").write_text("from ablation.emoji import disjoint\nstudy = 1\n")
    with pytest.raises(UserError, match="cannot import name 'disjoint'"):
        catalogue.load("mine")
