"""A study with classes of its own, from the file to the table, by workers that are processes of their own."""

from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from ablation.emoji.data.sources import load
from test_cli import Run, refused
from test_cli import ablation as ablation

WORDS = ("zero", "one", "two", "six")
STUDY = '''"""Does a wider code help on digits?"""
from ablation import Study
from ablation.emoji import Class, class_scheme, joint, vary

SHAPES = class_scheme({{
    "round": Class(texts=("zero", "six")),
    "straight": Class(phrases=("one", "two")),
}})
study = Study(
    question=__doc__,
    source="a double",
    baseline=vary(joint, {{
        "data.sources": ({folder!r},),
        "data.keyword": "",
        "data.split": "image",
        "data.classes": {classes},
        "data.stratify": "column:text",
        "data.among": {classes},
        "augment.copies": 1,
        "model.channels": (4, 8),
        "model.latent_dim": 8,
    }}),
    arms={{"latent 4": {{"model.latent_dim": 4}}}},
    measures={{"test_mse": 0.01, "test_balanced_accuracy": 0.1}},
    claims=(),
    seeds=1,
)
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Round shapes, ten in the folder of each word."""
    monkeypatch.chdir(tmp_path)
    for number, word in enumerate(WORDS):
        (tmp_path / "digits" / word).mkdir(parents=True)
        for copy in range(10):
            image = Image.new("RGB", (64, 64), "white")
            where = (16 + copy, 8, 30 + copy + 6 * number, 20 + 3 * copy)
            ImageDraw.Draw(image).ellipse(where, fill=(25 * copy, 60 * number, 90))
            image.save(tmp_path / "digits" / word / f"{copy}.png")
    return tmp_path / "digits"


def written(folder: Path, classes: str) -> Path:
    path = folder.parent / "digits.py"
    path.write_text(STUDY.format(folder=str(folder), classes=classes))
    return path


@pytest.mark.parametrize("classes", ["SHAPES", "'column:text'"])
def test_own_classes_go_through_plan_run_table_and_verify(ablation: Run, folder: Path, classes: str) -> None:
    file = written(folder, classes)
    code, said, complaint = ablation("plan", file, "--quick")
    assert (code, complaint) == (0, "")
    assert "4 cells to train" in said
    code, said, complaint = ablation("run", file, "--quick", "--workers", "2")
    assert code == 0, complaint
    assert "4 trained, 0 there before, 0 failed" in said
    code, said, _ = ablation("table", file, "--quick")
    assert code == 0
    assert "Test balanced accuracy" in said
    code, said, complaint = ablation("verify", file, "--quick")
    assert code == 0, complaint
    assert said.count("the same, bit for bit") == 2


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ("'shapes'", "there is no class scheme 'shapes'"),
        ("'column:group'", "data.classes 'column:group' wants at least two values in that column"),
        (
            "class_scheme({'round': Class(('zero',)), 'straight': Class(('won',))})",
            "every class of data.classes wants an image, but 'straight' fits none of 40",
        ),
        (
            "class_scheme({'o': Class(('o',)), 'zero': Class(('zero',))})",
            "phrases 'zero' of 'zero' can never be reached after 'o' of 'o'",
        ),
        ("class_scheme({'round': 'zero'})", "class_scheme wants classes by their names"),
        ("{'round': Class(('zero',)), 'one': Class(('one',))}", "wants a class scheme"),
    ],
)
@pytest.mark.parametrize("verb", ["plan", "run"])
def test_wrong_classes_are_one_sentence_before_anything_runs(
    ablation: Run, folder: Path, verb: str, classes: str, message: str
) -> None:
    assert message in refused(ablation(verb, written(folder, classes), "--quick"))
    assert not list(folder.parent.glob("mlruns/artifacts/*"))


def test_a_planted_copy_of_another_class_is_named_under_the_table(ablation: Run, folder: Path) -> None:
    for number in range(10):  # so that some lie in two sets, whatever the split
        content = (folder / "zero" / f"{number}.png").read_bytes()
        (folder / "one" / f"again {number}.png").write_bytes(content)
    assert len(load((str(folder),))) == 50
    code, said, complaint = ablation("run", written(folder, "SHAPES"), "--quick", "--workers", "1")
    assert code == 0, complaint
    said = " ".join(said.split())
    assert "pixel for pixel) look" in said
    assert "such as 'one' like 'zero'" in said or "such as 'zero' like 'one'" in said
    assert "to a training picture of another class: no network can be right about both" in said
