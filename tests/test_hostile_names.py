"""Names of studies and arms: carried as they are, or refused in a sentence as the study is declared."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from ablation import Claim, Difference, Tuned, UserError
from ablation.report import drawing, figures
from ablation.report.figures import recorded_curves
from ablation.runner.ledger import Ledger
from ablation.runner.tuned import tuning_of
from ablation.stats.analysis import analyse
from ablation.tracking.store import Store
from doubles import small_study
from frames import a_frame, a_study, some_curves

FACES = Path("faces.parquet")
PATHS = (
    "..",
    ".",
    "../x",
    "a/b",
    "a\\b",
    "/etc/x",
    "a.b",
    "~",
    "-x",
    "_x",
    "x" * 65,
    "a\n",
    "a b",
    "'",
    "{x}",
)
CARRIED = ("-dropout", "=8", "@x", "a/b", "..", "`tick`", "'; --", "{x}", "%s", "λ ≥ é 😀", "$x$", "x" * 200)
REFUSED = (
    "",
    " ",
    "a\nb",
    "a\0b",
    "\ud800",
    "\x1b[31m",
    " a",
    "a  b",
    "a\u202eb",
    "a\u200bb",
    "x" * 201,
    "\u00a0",
)


@pytest.mark.parametrize("name", PATHS)
def test_a_study_cannot_be_called_what_is_no_plain_file_name(name: str) -> None:
    with pytest.raises(UserError, match="a study's name wants at most 64 letters, digits, _ and -"):
        small_study(FACES, name=name)


@pytest.mark.parametrize("name", ["größe_λ", "x" * 64, "8-bit"])
def test_a_study_of_letters_of_any_script_keeps_its_files_in_the_store(store: Store, name: str) -> None:
    study = small_study(FACES, name=name)
    Ledger.create(store, study).plan = {"arms": {}}
    found = store.client.get_experiment(store.experiment(name, {"mlflow.note.content": study.question}))
    assert found.name == name
    assert Path(found.artifact_location) == store.root / "artifacts" / name
    with store.sole(f"study-{name}", name):
        assert Ledger.open(store, study) is not None
    assert {path.name for path in store.root.parent.iterdir()} == {store.root.name}


@pytest.mark.parametrize("name", CARRIED)
def test_an_arm_may_be_called(name: str) -> None:
    study = small_study(FACES, arms={"latent 8": {}, name: {"model.latent_dim": 4}}, claims=())
    assert list(study.settings) == ["latent 8", name]


@pytest.mark.parametrize("name", REFUSED)
def test_an_arm_cannot_be_called_what_cannot_be_seen(name: str) -> None:
    with pytest.raises(UserError, match="an arm's name wants") as raised:
        small_study(FACES, arms={"latent 8": {}, name: {"model.latent_dim": 4}}, claims=())
    assert str(raised.value).isprintable()


def test_an_arm_that_is_no_baseline_cannot_be_called_so() -> None:
    arms = {"baseline": {"model.latent_dim": 4}, "other": {"model.latent_dim": 2}}
    with pytest.raises(UserError, match="an arm is called 'baseline' but differs from the baseline"):
        small_study(FACES, arms=arms, claims=())


def test_the_trials_of_the_longest_arm_of_a_tuned_study_have_a_name_too() -> None:
    tuned = Tuned("train.reconstruction_weight", 1.23456e-05, 0.123456, trials=3)
    arms = {"latent 8": {}, "x" * 150: {"model.latent_dim": 4}}
    assert len(tuning_of(small_study(FACES, arms=arms, claims=(), tuned=tuned)).arms) == 6
    with pytest.raises(UserError, match="wants at most 150 characters"):
        small_study(FACES, arms=arms | {"x" * 151: {"model.latent_dim": 2}}, claims=(), tuned=tuned)


@pytest.mark.parametrize(
    "changes",
    [
        {"question": "a\0b"},
        {"source": "\ud800"},
        {"supported": "\x1b[2J"},
        {"part": "\x7f"},
        {"claims": (Claim("a\x07b", Difference("test_mse", "up", "latent 4")),)},
    ],
)
def test_words_that_no_page_can_hold_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(UserError, match="of a study wants text without control characters"):
        small_study(FACES, **changes)


@pytest.mark.parametrize("setting", ["data.keyword", "data.common"])
def test_so_are_settings(setting: str) -> None:
    with pytest.raises(UserError, match=rf"{setting} wants text without control characters.*has U\+0000"):
        small_study(FACES, arms={"a": {}, "b": {setting: "a\0b"}}, claims=())


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=260))
def test_any_name_is_carried_or_refused(name: str) -> None:
    try:
        small_study(FACES, arms={"latent 8": {}, name: {"model.latent_dim": 4}}, claims=())
        shown = name
    except UserError as mistake:
        shown = str(mistake)
    assert shown.isprintable()


def drawings(name: str) -> list[Callable[[], tuple[Figure, ...]]]:
    study = a_study(arms={name: {"model.latent_dim": 64}, "b": {"model.latent_dim": 128}}, claims=())
    frame = a_frame(study, 5, lambda arm, seed: 0.01 * seed)
    analysis = analyse(study, frame, 5)
    return [
        lambda: figures.effects(analysis),
        lambda: figures.measures(analysis, frame),
        lambda: figures.curves(analysis, recorded_curves(analysis, some_curves(study, 5))),
    ]


@pytest.mark.parametrize("name", [r"$\frac{$ _x^", "_hidden", "日本語 😀", "x" * 200, "%(x)s {} \\"])
def test_figures_draw_any_name(name: str, tmp_path: Path) -> None:
    for number, draw in enumerate(drawings(name)):
        for suffix in ("png", "pdf"):
            drawing.save(*draw(), tmp_path / f"{number}.{suffix}")
    assert len(list(tmp_path.iterdir())) == 6
