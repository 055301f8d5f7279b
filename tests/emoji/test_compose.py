"""The verbs compose and composer: a strip, a page, a sentence, and mistakes that leave nothing behind."""

import shutil
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from ablation import Study, UserError
from ablation.emoji.cli import app
from ablation.emoji.composition.analogies import analogy_tasks
from ablation.emoji.data.sources import load
from ablation.emoji.protocols import composed
from ablation.emoji.weights import best_run
from ablation.runner.scheduler import run_study
from ablation.settings import vary
from ablation.tracking import Store, artifact, cell_runs
from analogies import draw_shapes
from engines import InlineEngine

CHOICE = {"--target": "large blue circle", "--plus": "red heart", "--minus": "large red circle"}


@pytest.fixture(scope="module")
def made(blank: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one small run on drawn shapes."""
    root = tmp_path_factory.mktemp("compose")
    store = Store(Path(shutil.copytree(blank, root / "store")))
    source = str(draw_shapes(root / "shapes.parquet"))
    base = vary(
        composed,
        {
            "data.sources": (source,),
            "data.common": "",
            "model.channels": (4, 8),
            "model.latent_dim": 8,
            "train.steps": 3,
        },
    )
    seed = next(n for n in range(20) if analogy_tasks(load((source,)), base.data, n))
    study = Study(
        name="shapes",
        question="?",
        source="a double",
        baseline=base,
        arms={"as it is": {}, "mean": {"compose.method": "mean"}},
        measures={"gain": 0.05},
        seeds=1,
        first_seed=seed,
    )
    run_study(study, store, InlineEngine(), 1)
    return store.root


def compose(store: Path, out: Path, **changes: str) -> str:
    words = CHOICE | {"--store": str(store), "--to": str(out)} | {f"--{k}": v for k, v in changes.items()}
    result = CliRunner().invoke(
        app, ["compose", *(word for pair in words.items() for word in pair)], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    return result.output


def test_a_strip_shows_inputs_composites_and_the_truth(made: Path, tmp_path: Path) -> None:
    said = compose(made, tmp_path / "strip.png")
    assert "The truth is 'blue heart'" in said
    assert "at 0.25" in said
    compose(made, tmp_path / "one.png", strength="0.8", method="mean")
    with Image.open(tmp_path / "strip.png") as many, Image.open(tmp_path / "one.png") as one:
        assert one.width < many.width


def test_equal_questions_give_equal_pictures(made: Path, tmp_path: Path) -> None:
    pictures = []
    for name in ("a.png", "b.png"):
        compose(made, tmp_path / name, method="pca")
        pictures.append((tmp_path / name).read_bytes())
    assert pictures[0] == pictures[1]


def test_three_that_are_no_analogy_have_no_gain(made: Path, tmp_path: Path) -> None:
    assert "no gain to tell" in compose(made, tmp_path / "strip.png", minus="large green square")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"target": "large blue circel"}, "large blue circle"),
        ({"method": "pka"}, "did you mean 'pca'"),
        ({"strength": "much"}, "--strength wants a number from 0 to 10"),
        ({"strength": "-1"}, "--strength wants"),
        ({"strength": "nan"}, "--strength wants"),
        ({"run": "nobody"}, "has no run 'nobody'"),
        ({"method": "mean", "minus": "large green square"}, "three pictures of one family"),
    ],
)
def test_a_mistake_is_a_sentence_and_leaves_nothing(
    made: Path, tmp_path: Path, changes: dict[str, str], said: str
) -> None:
    with pytest.raises(UserError) as mistake:
        compose(made, tmp_path / "strip.png", **changes)
    assert said in str(mistake.value)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_is_no_file_is_refused(made: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="names a folder or lies in none"):
        compose(made, tmp_path / "file" / "strip.png")
    with pytest.raises(UserError, match="names a folder or lies in none"):
        compose(made, tmp_path)


def test_an_empty_store_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no runs yet"):
        compose(tmp_path / "none", tmp_path / "strip.png")


SMALL = vary(composed, {"model.channels": (4, 8), "model.latent_dim": 8, "train.steps": 2})
SHORT = Study(
    name="emoji",
    question="?",
    source="a double",
    baseline=SMALL,
    arms={"mean": {"compose.method": "mean"}},
    measures={"test_mse": 0.01},
    seeds=1,
)
"""Two runs on all emoji that learn nothing."""


def test_a_store_of_smoke_runs_says_so_and_names_one(store: Store, tmp_path: Path) -> None:
    run_study(SHORT.smoke(), store, InlineEngine(), 1, seeds=1)
    runs = "|".join(cell_runs(store, "emoji-quick").run_id)
    with pytest.raises(UserError, match=rf"smoke budget alone, .* without --quick, .* --run ({runs})\."):
        compose(store.root, tmp_path / "strip.png")


def test_the_page_has_every_cat_and_says_what_was_unseen(store: Store, tmp_path: Path) -> None:
    run_study(SHORT, store, InlineEngine(), 1)
    page = tmp_path / "composer.html"
    result = CliRunner().invoke(
        app, ["composer", "--store", str(store.root), "--to", str(page)], catch_exceptions=False
    )
    assert "432 choices" in result.output
    assert "This network draws these pictures nearly alike: of what they differ in" in result.output
    assert "its reconstructions keep 0 %" in page.read_text(encoding="utf-8")
    assert "Its training saw nothing of" in page.read_text(encoding="utf-8")
    assert artifact(store, best_run(store), page.name) == page.read_bytes()
