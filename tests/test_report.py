"""The report page: one page complete in itself, every claim once, every number on the way to its runs."""

import html
import html.parser
import re
from collections import Counter
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest
from markdown_it import MarkdownIt
from matplotlib.figure import Figure
from PIL import Image

from ablation import Claim, Difference, Measure, Study, UserError
from ablation.files import write
from ablation.report import page
from ablation.report.chapters import Chapter, ClaimText, Evidence
from ablation.report.formats import render, template
from ablation.report.gallery import Gallery, Png
from ablation.report.page import parts, word_counts, write_page
from ablation.report.table import tabulate
from ablation.stats.analysis import analyse
from ablation.tracking.store import Store
from frames import ODD, a_frame, a_study, noisy, some_curves

CENTRE = {"small": 0.020, "middle": 0.018, "large": 0.012, ODD: 0.020, "b": 0.018}
CURVE_COLUMNS = ["arm", "seed", "step", "metric", "value"]
TEMPLATES = Path(page.__file__).parent / "templates"


def sheet(top: int, bottom: int) -> bytes:
    """A run's picture: five squares of the colour `top` over five of `bottom`, with a gap."""
    pixels = np.full((10, 28, 3), 255, np.uint8)
    for left in range(0, 28, 6):
        pixels[:4, left : left + 4], pixels[6:, left : left + 4] = top, bottom
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def a_gallery(*arms: str, caption: str = "Inputs that a rule chose.") -> Gallery:
    """One picture for all inputs, and one for each of the arms."""
    shown = {arm: Png(f"outputs-{n}.png", f"Outputs of {arm}", sheet(n, n)) for n, arm in enumerate(arms)}
    return Gallery(caption, Png(f"inputs-{arms[0]}.png", "Inputs", sheet(9, 9)), shown)


def a_chapter(
    name: str = "sizes", seeds: int = 5, drop: int = 0, galleries: tuple[Gallery, ...] = (), **changes: object
) -> Chapter:
    """A chapter of invented runs, `drop` of its cells not run."""
    study = a_study(name=name, seeds=seeds, **{"part": "1 f", **changes})
    frame = a_frame(study, seeds, noisy(CENTRE, 0.0005)).assign(
        code="c0ffee" * 6, started="2026-01-02T03:04:05+00:00"
    )
    frame = frame.head(len(frame) - drop)
    evidence = Evidence(analyse(study, frame, seeds), frame, some_curves(study, seeds), galleries)
    return Chapter(name, study, seeds, evidence)


def unrun(name: str, part: str, **changes: object) -> Chapter:
    return Chapter(name, a_study(name=name, part=part, cell_seconds=56.0, **changes), 5)


CHAPTERS = [
    unrun("later", "2 f, 10"),
    unrun("sooner", "2 f, 9", claims=()),
    unrun("own", ""),
    a_chapter(galleries=(a_gallery("small"),)),
    Chapter("changed", a_study(part="1 c"), 5, problem="the plan has changed: mend."),
    Chapter("broken", None, problem="broken.py, line 3: mend the study file."),
]


class Page(html.parser.HTMLParser):
    """Ids, addresses, images and headings of a page, and the text of every row of its tables."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.tags: Counter[str] = Counter()
        self.headings: list[str] = []
        self.rows: list[list[str]] = []
        self.open = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("src", "href", "srcset", "action", "poster", "data"):
                self.addresses.append(value or "")
        if tag in ("h2", "h3"):
            self.headings.append("")
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        self.open = tag if tag in ("h2", "h3", "td", "th") else self.open

    def handle_endtag(self, tag: str) -> None:
        self.open = "" if tag == self.open else self.open

    def handle_data(self, data: str) -> None:
        if self.open in ("h2", "h3"):
            self.headings[-1] += data
        elif self.open:
            self.rows[-1][-1] += data


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    to = tmp_path_factory.mktemp("report")
    write_page(CHAPTERS, to)
    return to


@pytest.fixture(scope="module")
def text(written: Path) -> str:
    return (written / "index.html").read_text(encoding="utf-8")


def test_the_page_is_complete_in_itself(text: str) -> None:
    shown = Page(text)
    assert all(address.startswith(("data:image/png;base64,", "#")) for address in shown.addresses)
    assert not {"script", "link", "iframe", "base"} & set(shown.tags)
    assert not re.search(r"url\(|@import|https?://", text)


def test_every_link_has_its_place_and_every_place_one_name(text: str) -> None:
    shown = Page(text)
    links = {address[1:] for address in shown.addresses if address.startswith("#")}
    assert {"sizes", "sizes-runs", "later", "own", "changed", "broken"} <= links <= set(shown.ids)
    assert len(set(shown.ids)) == len(shown.ids)


def test_studies_stand_in_the_reports_order(text: str) -> None:
    names = [re.sub(" part .*| not run yet", "", heading).strip() for heading in Page(text).headings]
    assert names.pop(0) == "Contents"
    first = ["Part 1: MSE autoencoder", "Changed", "Sizes", "Part 2: Encoder-classifier", "Sooner", "Later"]
    assert names == [*first, "Part 3: Composite image generator", "Further studies", "Broken", "Own"]
    assert "No study yet: the claims of this part have not been studied." in text
    assert list(parts([a_chapter()])) == names[:1] + names[3:4] + names[6:7]
    assert list(parts([a_chapter()], whole=False)) == names[:1]


def score(settings: dict[str, float], seed: int) -> dict[str, float]:
    return {"score": settings["rate"] + seed}


def test_studies_of_an_experiment_without_an_outline_stand_in_one_part(tmp_path: Path) -> None:
    study = Study(
        name="rates",
        question="Does the rate matter?",
        source="It is said.",
        train=score,
        baseline={"rate": 0.1},
        arms={"fast": {"rate": 0.2}},
        measures={"score": Measure("higher", matters=0.05)},
    )
    chapter = Chapter("rates", study, 5)
    assert parts([chapter]) == {"Studies": (chapter,)}
    assert list(parts([chapter, a_chapter()]))[-1] == "Further studies"
    cells = [
        {"arm": c.arm, "seed": c.seed, "state": "complete", "fingerprint": c.name, "run_id": ""}
        | score(c.settings, c.seed)
        for c in study.cells()
    ]
    frame = pd.DataFrame(cells)
    evidence = Evidence(analyse(study, frame, 5), frame, some_curves(study, 0).reindex(columns=CURVE_COLUMNS))
    one = replace(chapter, evidence=evidence)
    assert [panel.label for panel in evidence.table.panels] == ["score"]
    assert evidence.about_galleries == ""
    write_page([one], tmp_path)
    assert "What the runs of seed" not in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_every_claim_is_in_the_summary_once_and_is_counted(text: str) -> None:
    claims = [claim for one in CHAPTERS for claim in one.claims]
    first = text.split("<nav")[0]
    summary = [row for row in Page(first).rows if row[0] != "Part"]
    run = [one for one in CHAPTERS if not one.unrun]
    assert [row[1] for row in summary] == [
        *("larger is sharper", "large is more accurate") * 2,
        "Broken",  # a study whose file cannot be read has no claim to show
    ]
    assert len(summary) == sum(max(len(one.claims), 1) for one in run)
    folded = first[first.index('<details class="unrun"') :]
    assert "3 studies have not been run yet" in folded
    assert [folded.count(f">{name}</a>") for name in ("Later", "Sooner", "Own", "Sizes")] == [1, 1, 1, 0]
    assert folded.count("“larger is sharper”") == 2
    counts = word_counts(claims)
    assert sum(counts.values()) == len(claims) == 8
    assert counts == {
        **dict.fromkeys(("supported", "inconclusive"), 1),
        **dict.fromkeys(("refuted", "equivalent", "ruled out"), 0),
        **{"not run yet": 4, "no result": 2},
    }
    for word, count in counts.items():
        assert f"<b>{count}</b> {word}" in text


def test_the_finding_comes_first(written: Path, text: str, tmp_path: Path) -> None:
    finding = "1 of 1 claim supported; 4 not run yet, 2 without a result and 1 not tested."
    assert f'<p class="finding">{finding}</p>' in text
    assert finding in (written / "report.md").read_text(encoding="utf-8")
    assert text.index(finding) < text.index('<table class="claims">') < text.index("<h2")
    alone = a_chapter()
    assert page._content([alone])["finding"] == alone.evidence.analysis.conclusion
    untested = [ClaimText("y", "inconclusive", "", ""), ClaimText("z", "supported", "", "", tested=True)]
    aside = ClaimText("x", "refuted", "", "", counts=False, tested=True)
    assert page._finding([], [aside, *untested]) == "1 of 1 claim supported; 1 not tested."
    assert page._finding([], untested[:1]) == "No claim has been put to the test yet."
    assert page._content([unrun("later", "")])["finding"] == "No claim has been put to the test yet."


def test_what_the_report_is_stands_before_its_claims(text: str) -> None:
    about = CHAPTERS[0].study.experiment.about
    assert about.startswith("The report is")
    assert html.unescape(text).count(about) == 1


def test_the_contents_name_every_part_and_study_with_its_verdicts(text: str) -> None:
    contents = text[text.index("<nav") : text.index("</nav>")]
    plain = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", contents))
    for words in ("Sizes 1 supported, 1 inconclusive", "Later not run yet", "Changed 2 no result"):
        assert words in plain
    links = re.findall(r'href="#([^"]+)"', contents)
    assert sorted(links) == sorted(one.anchor for one in CHAPTERS)


def test_the_forest_shows_each_effect_in_units_of_what_matters(text: str) -> None:
    claim = CHAPTERS[3].claims[0]
    estimate, place = CHAPTERS[3].evidence.analysis.verdicts[0].estimate, claim.place
    # The claim is of a fall: to the right is as claimed.
    assert (place.low, place.mean, place.high) == pytest.approx(
        (-estimate.high / 0.002, -estimate.mean / 0.002, -estimate.low / 0.002)
    )
    assert (place.form, CHAPTERS[3].claims[1].place.form) == ("filled", "cross")
    assert page._limit([claim]) == 5
    assert page._spot(5, 1.0) == 60
    assert page._spot(5, -7.0) == 0
    label = f'aria-label="{place.numbers} times the smallest effect that matters"'
    assert text.count(label) == 1
    assert f'<svg x="{page._spot(5, place.mean)}%" y="50%" class="point filled">' in text
    assert CHAPTERS[0].claims[0].place is None
    far = replace(claim, place=replace(place, low=30.0, mean=40.0, high=50.0))
    assert page._limit([far]) == page.WIDEST


def test_the_effect_in_the_summary_leads_to_its_runs(text: str) -> None:
    for number in (1, 2):
        assert f'class="number" href="#sizes-claim-{number}"' in text
        row = text[text.index(f'<tr id="sizes-claim-{number}"') :]
        assert row.startswith(f'<tr id="sizes-claim-{number}"><th scope="row">claim {number}/effect</th>')


def test_the_effect_in_the_summary_is_the_verdicts(text: str) -> None:
    row = next(row for row in Page(text).rows if row[2:3] == ["supported"])
    estimate = CHAPTERS[3].evidence.analysis.verdicts[0].estimate
    assert row[0] == "1 f"
    want = f"{estimate.mean:+.4f} [{estimate.low:+.4f}, {estimate.high:+.4f}]"
    assert row[4] == f"Test MSE, fitted change {want.replace('-', '−')}"


def test_what_has_not_been_run_is_named_with_its_command_and_time(written: Path, text: str) -> None:
    for words in (text, (written / "report.md").read_text(encoding="utf-8")):
        plain = re.sub(r"<[^>]+>|[*`]", "", words)
        need = "3 arms × 5 seeds = 15 cells, about 7 min 00 s on two cores: ablation run later --seeds 5"
        assert f"Not run yet. {need}" in plain
        assert "No result. the plan has changed: mend." in plain
        assert "No result. broken.py, line 3: mend the study file." in plain
        assert "To run it again: ablation run sizes --seeds 5" in plain


def test_two_reports_are_equal_to_the_byte(written: Path, tmp_path: Path) -> None:
    paths = write_page(reversed(CHAPTERS), tmp_path / "new" / "folder")
    for path in paths:
        assert path.read_bytes() == (written / path.relative_to(tmp_path / "new" / "folder")).read_bytes()
    assert sorted(paths) == sorted(path for path in (tmp_path / "new").rglob("*.*") if path.is_file())


def test_markdown_shows_every_figure_that_was_written(written: Path) -> None:
    text = (written / "report.md").read_text(encoding="utf-8")
    shown = [unquote(address) for address in re.findall(r'src="([^"]+)"', markdown_page(text))]
    assert sorted(shown) == sorted(f"figures/{path.name}" for path in (written / "figures").iterdir())
    assert len(shown) == 2 + 2 + 2 + 2
    assert all(address.startswith("figures/sizes-") for address in shown)
    anchors = re.findall(r'<a id="([^"]+)"></a>', text)
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= set(anchors)


def markdown_page(text: str) -> str:
    return MarkdownIt().enable("table").render(text)


def test_any_name_of_an_arm_survives_in_both() -> None:
    arms = {ODD: {"model.latent_dim": 64}, "b": {"model.latent_dim": 128}}
    study_claim = (Claim(ODD, Difference("test_mse", "up", ODD)),)
    chapter = a_chapter("odd", arms=arms, claims=study_claim, question=ODD, source=ODD, part="3 a")
    content = page._content([chapter])
    html_page = template("report.html").render(content)
    markdown = template("report.md").render(content)
    rows = Page(html_page).rows
    assert '<b>"a_b"</b>' not in html_page
    assert [row[1] for row in rows if row[0] == "3 a"] == [ODD]
    assert f"{ODD}/test_mse/mean" in [row[0] for row in rows]
    plain = re.sub(r"\s+", " ", ODD)
    assert plain in [row[1] for row in Page(markdown_page(markdown)).rows if row[0] == "3 a"]
    assert f'<a id="{chapter.anchor}"></a>' in markdown
    assert re.fullmatch(r"[A-Za-z0-9_.-]+", chapter.anchor)


def test_two_names_have_two_anchors() -> None:
    names = ["a b", "a-b", "a_b", "a.20b", "a%20b", "ä"]
    assert len({Chapter(name, None).anchor for name in names}) == len(names)


def test_each_number_leads_to_its_runs(text: str) -> None:
    one = CHAPTERS[3].evidence
    sources = one.analysis.sources
    runs = dict(enumerate(one.runs, 1))
    assert set(one.numbers) == set(sources)
    for key, places in one.numbers.items():
        found = {(runs[int(place)].arm, runs[int(place)].seed) for place in places.split(", ")}
        assert found == {(source.arm, source.seed) for source in sources[key]}
    rows = Page(text).rows
    want = ["1", "small", "0", "complete", one.runs[0].fingerprint, "run-small-0", "2026-01-02 03:04:05"]
    assert [*want, "c0ffeec0ff"] in rows
    assert f'Code: <span class="id">{"c0ffee" * 6} (15 runs)</span>' in text


def test_what_is_lacking_is_said() -> None:
    one = a_chapter(drop=2).evidence
    assert one.lacking == "2 of 15 cells are still to be run."
    assert [run.state for run in one.runs[-2:]] == ["missing", "missing"]
    assert a_chapter().evidence.lacking == ""


def test_tables_look_as_in_an_export_of_the_study(text: str) -> None:
    alone = render(tabulate(CHAPTERS[3].evidence.analysis), "html")
    link = re.compile(r' <a href="#sizes-runs">runs</a>')
    found = [link.sub("", table) for table in re.findall(r"<table data-measure.*?</table>", text, re.S)]
    assert found == re.findall(r"<table data-measure.*?</table>", alone, re.S)
    assert (TEMPLATES / "style.css").read_text() in alone


def test_arms_of_which_nothing_is_kept_are_named() -> None:
    words = CHAPTERS[3].evidence.about_galleries
    assert words == "Inputs that a rule chose. Nothing is kept for middle and large."
    apart = a_chapter(galleries=(a_gallery("small"), a_gallery("middle", "large"))).evidence
    assert apart.about_galleries == "Inputs that a rule chose. Arms with other inputs stand apart."
    files = [png.file for png in apart.pngs if "puts" in png.file]
    assert files[:2] == ["inputs-small.png", "outputs-0.png"]


def test_a_studys_own_figures_come_after_the_others() -> None:
    chapter = a_chapter()
    own = replace(chapter.evidence, figures={"Front of two losses": Figure()})
    last = own.figure_groups[-1]
    assert [(p.file, p.alt) for p in last.pngs] == [("figure-1.png", "Front of two losses")]
    assert [group.own for group in own.figure_groups] == [False, False, False, True]


def test_a_smoke_budget_is_marked_on_the_page_and_on_its_studies(tmp_path: Path) -> None:
    quick = a_study(part="1 f").smoke()
    frame = a_frame(quick, 2, noisy(CENTRE, 0.001))
    evidence = Evidence(analyse(quick, frame, 2), frame, some_curves(quick, 2))
    write_page([Chapter("sizes", quick, 2, evidence)], tmp_path)
    for name in ("index.html", "report.md"):
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert text.count("Smoke budget: these numbers mean nothing.") == 3
        assert "Sizes" in text


def test_a_page_is_replaced_whole_and_after_its_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "index.html").write_text("old")
    monkeypatch.setattr(
        page, "write", lambda content, path: 1 / 0 if path.suffix == ".png" else write(content, path)
    )
    with pytest.raises(ZeroDivisionError):
        write_page(CHAPTERS, tmp_path)
    assert (tmp_path / "index.html").read_text() == "old"
    assert not [path for path in tmp_path.rglob("*.*") if path.name != "index.html"]


def test_without_a_store_there_is_no_page(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no runs yet"):
        page.report({}, Store(tmp_path / "none"), tmp_path / "to")
    assert not list(tmp_path.iterdir())
