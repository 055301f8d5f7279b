"""Texts of a data set and names of arms, as odd as they come, through a run into all that is shown of it."""

import csv
import shutil
from html.parser import HTMLParser
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from typer.testing import CliRunner

from ablation import Claim, Difference, Study, UserError, catalogue
from ablation.emoji.cli import app
from ablation.emoji.composition.analogies import analogy_tasks
from ablation.emoji.data.sources import load
from ablation.emoji.protocols import composed
from ablation.report.export import publish, summarise
from ablation.report.page import report
from ablation.runner.results import results
from ablation.runner.scheduler import run_study
from ablation.settings import vary
from ablation.tracking.store import Store
from engines import InlineEngine

SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(1)>"
FORMULAS = ("=cmd|' /C calc'!A0", "@SUM(1)", "+1", "-1+2", "=A1", "=B1", "+A1", "-A1")
WORDS = (
    *(SCRIPT, *FORMULAS, r"$\frac{ x$ \input{/etc/passwd} % & #", "| `tick` [a](javascript:alert(1)) **b**"),
    *("line\nbreak\tand tab", "", "日本語 \u202e é 😀 ∎", "'; DROP TABLE runs; --", "x" * 9_900),
)
ARM = "=1+1 \"q\" 'p' `b` {c} %d %(x)s $\\frac$ <script>alert(1)</script> | a\\b ../../.. é 😀 #&_~^"


def grey(level: int) -> bytes:
    held = BytesIO()
    Image.new("RGB", (8, 8), (level, level, level)).save(held, "PNG")
    return held.getvalue()


def table(folder: Path, texts: list[str], **columns: list[Any]) -> str:
    """A Parquet with a picture for each of the texts, of a grey of its own."""
    images = [{"bytes": grey(9 * row), "path": None} for row in range(len(texts))]
    place = folder / "set.parquet"
    pq.write_table(pa.table({"image": images, "text": texts, **columns}), place)
    return str(place)


@pytest.fixture(scope="module")
def ran(blank: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, Store]:
    """A study with an odd arm on pictures with odd texts, composed as men and women; run for one seed."""
    root = tmp_path_factory.mktemp("texts")
    store = Store(Path(shutil.copytree(blank, root / "store")))
    source = table(root, [f"{word} {person}" for word in WORDS for person in ("man", "woman")])
    settings = {"data.sources": (source,), "data.common": "", "data.keyword": "", "train.steps": 3}
    base = vary(composed, settings | {"model.channels": (4, 8), "model.latent_dim": 8})
    study = Study(
        name="texts",
        question=f"{SCRIPT} $x^2$ | \\end{{document}}" + "long " * 2000,
        source=SCRIPT,
        baseline=base,
        arms={"as it is": {}, ARM: {"compose.method": "mean"}},
        measures={"gain": 0.05},
        claims=(Claim(f"{ARM} is worse", Difference("gain", "down", ARM)),),
        seeds=1,
        first_seed=next(n for n in range(50) if analogy_tasks(load((source,)), base.data, n)),
    )
    run_study(study, store, InlineEngine(), 1)
    return study, store


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(path.read_bytes().decode(), newline="")))


class Tags(HTMLParser):
    """The tags and the attributes of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found |= {tag, *(name for name, _ in attrs)}


def test_every_export_is_made_and_carries_no_tag_of_a_text(ran: tuple[Study, Store], tmp_path: Path) -> None:
    study, store = ran
    assert set(results(study, store).state) == {"complete"}
    files = publish(study, store, tmp_path / "out")
    assert {path.parent for path in files} == {tmp_path / "out"}
    pages = report({"texts": study}, store, tmp_path / "report")
    assert all(tmp_path in path.parents for path in pages)
    shown = [path.read_text() for path in [*files, *pages] if path.suffix == ".html"]
    assert len(shown) == 2
    for page in shown:
        assert not {"script", "onerror"} & Tags(page).found
        assert "&lt;script&gt;alert(1)" in page


def test_arms_are_what_they_are_called_wherever_programs_read(
    ran: tuple[Study, Store], tmp_path: Path
) -> None:
    study, store = ran
    summarise(study, store)
    publish(study, store, tmp_path)
    found = [row["arm"] for name in ("runs.csv", "table.csv") for row in rows(tmp_path / name)]
    assert set(found) == {"as it is", ARM}
    runs = store.client.search_runs([store.experiment("texts", {})])
    assert {run.data.tags["arm"] for run in runs} == {"as it is", ARM}
    assert {Path(run.info.artifact_uri).parents[1] for run in runs} == {store.root / "artifacts/texts"}


def test_an_item_that_a_spreadsheet_would_compute_is_marked_as_text(
    ran: tuple[Study, Store], tmp_path: Path
) -> None:
    study, store = ran
    publish(study, store, tmp_path)
    items = [row["item"] for row in rows(tmp_path / "items.csv")]
    assert [text for text in items if text.startswith("'=")]
    assert not [text for text in items if text.startswith(("=", "+", "-", "@", "\t", "\r"))]
    known = {f"{word} {person}" for word in WORDS for person in ("man", "woman")}
    assert {text.removeprefix("'") for text in items} <= {*known, *(t.removeprefix("'") for t in known)}


@pytest.mark.parametrize("word", WORDS, ids=range(len(WORDS)))
def test_a_strip_shows_any_text(ran: tuple[Study, Store], tmp_path: Path, word: str) -> None:
    _, store = ran
    out, names = (
        tmp_path / "strip.png",
        {"--target": f"{word} man", "--plus": "+1 woman", "--minus": "+1 man"},
    )
    if word == "+1":
        names |= {"--plus": "@SUM(1) woman", "--minus": "@SUM(1) man"}
    words = [part for pair in names.items() for part in pair]
    said = CliRunner().invoke(
        app, ["compose", *words, "--store", str(store.root), "--to", str(out), "--strength", "1"],
        catch_exceptions=False,
    )  # fmt: skip
    assert said.exit_code == 0
    lines = said.output.splitlines()
    assert len(lines) == 4  # the sum, the gain, that the network draws all alike, and the file
    assert max(map(len, lines)) < 700
    with Image.open(out) as strip:
        assert strip.height < 1000


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "wants a text, but 1 of 2 have none, the first in row 1"),
        ("a\0b", r"row 1 has U\+0000"),
        ("\x1b[2J\x1b]0;title\x07", r"row 1 has U\+001B"),
        ("y" * 3_000_000, "at most 10,000 characters in a row, but row 1 has 3,000,000"),
    ],
    ids=["none", "nul", "escape", "megabytes"],
)
def test_a_text_that_cannot_be_shown_is_a_sentence(tmp_path: Path, text: str | None, said: str) -> None:
    with pytest.raises(UserError, match=said) as raised:
        load((table(tmp_path, ["a face", text]),))
    assert str(raised.value).isprintable()


def test_so_is_a_group_and_bytes_that_are_no_text(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"column group of .* row 0 has U\+001B"):
        load((table(tmp_path, ["a", "b"], group=["\x1b[31m", ""]),))
    raw = pa.array([b"\xff\xfe face", b"b"], pa.binary())
    broken = pa.StringArray.from_buffers(2, raw.buffers()[1], raw.buffers()[2])
    with pytest.raises(UserError, match="want to be UTF-8, but some are not"):
        load((table(tmp_path, broken),))  # type: ignore[arg-type]


def test_texts_may_be_empty_or_those_of_several(tmp_path: Path) -> None:
    images = load((table(tmp_path, ["", "", "a face", "a face"]),))
    assert images.text == images.subject == ("", "", "a face", "a face")


def test_a_sentence_is_one_line_that_steers_no_terminal() -> None:
    said = str(UserError("a\x1b[2J\nb \ud800" + "x" * 100_000))
    assert said.isprintable()
    assert said.startswith("aU+001B[2J b U+D800xxx")
    assert len(said) < 2100


def test_a_name_that_is_no_study_is_a_sentence() -> None:
    for name in ("../../etc/passwd", "a\0b", "\ud800", "x" * 5000, "", ".", "..", "a/b.py", "\n"):
        with pytest.raises(UserError, match="there is no study"):
            catalogue.load(name)
