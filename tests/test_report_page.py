"""The report page in a browser: its filter, its keyboard, its print, and what it asks of the network."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from ablation.report.page import write_page
from browser import NAMES, Browser, chromium
from test_report import CHAPTERS

SEEN = """
[...document.querySelectorAll("main article, .claims tbody tr, nav li li")]
    .filter((one) => one.checkVisibility())
    .map((one) => (one.querySelector("h3, th, a") || one).textContent.split(" part ")[0].trim())
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if not chromium():
        pytest.skip(f"no browser to look with: none of {', '.join(NAMES)} is on the PATH")
    with Browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    to = tmp_path_factory.mktemp("report")
    write_page(CHAPTERS, to)
    return to / "index.html"


@pytest.fixture
def shown(browser: Browser, page: Path) -> Browser:
    browser.calls.clear()
    browser.complaints.clear()
    browser.open(page)
    return browser


def test_nothing_is_asked_of_the_network(shown: Browser, page: Path) -> None:
    outward = {call.split("?")[0] for call in shown.calls if not call.startswith("data:")}
    assert outward == {page.as_uri()}
    assert shown.complaints == []


def test_the_filter_leaves_the_claims_of_a_verdict(shown: Browser) -> None:
    everything = shown.ask(SEEN)
    shown.ask('document.getElementById("show-supported").click()')
    assert shown.ask(SEEN) == ["larger is sharper", "Sizes", "Sizes"]
    headings = '[...document.querySelectorAll("section h2")].filter((h) => h.checkVisibility()).length'
    assert shown.ask(headings) == 1
    shown.ask('document.getElementById("show-no-result").click()')
    seen = shown.ask(SEEN)
    assert {"Changed", "Broken"} <= {*seen}
    assert "Sizes" not in seen
    shown.ask('document.getElementById("show-all").click()')
    assert shown.ask(SEEN) == everything
    # Five claims of what was run, six studies and a part without one in the contents, and six chapters.
    assert len(everything) == 5 + 7 + 6


def test_the_filter_answers_to_the_keyboard(shown: Browser) -> None:
    shown.press("Tab", "ArrowRight")
    assert shown.ask("document.activeElement.id") == "show-supported"
    assert shown.ask(SEEN) == ["larger is sharper", "Sizes", "Sizes"]
    shown.press("ArrowRight")
    assert shown.ask("document.activeElement.id") == "show-inconclusive"  # what no claim has is passed over
    assert "large is more accurate" in shown.ask(SEEN)


def test_what_was_not_run_is_folded(shown: Browser) -> None:
    folded = '[...document.querySelectorAll("details.unrun")].map((one) => one.open)'
    assert shown.ask(folded) == [False] * 4  # the list above, and three studies
    assert shown.ask('document.querySelector("#later blockquote").checkVisibility()') is False


def test_a_link_to_the_runs_unfolds_them(shown: Browser) -> None:
    shown.ask('location.hash = "sizes-claim-1"')
    row = 'document.getElementById("sizes-claim-1")'
    assert shown.ask(f'{row}.closest("details").open') is True


def test_print_shows_everything_and_no_filter(shown: Browser) -> None:
    shown.ask('document.getElementById("show-supported").click()')
    shown.do("Emulation.setEmulatedMedia", media="print")
    try:
        assert len(shown.ask(SEEN)) == 5 + 7 + 6
        inside = """[...document.querySelectorAll("details > :not(summary)")]
            .every((one) => one.getBoundingClientRect().height > 0)"""
        assert shown.ask(inside) is True
        assert shown.ask('document.querySelector(".filter input").checkVisibility()') is False
    finally:
        shown.do("Emulation.setEmulatedMedia", media="")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_stands_out_of_the_window_and_axe_finds_nothing(
    shown: Browser, width: int, scheme: str
) -> None:
    with shown.looking(width, 900, prefers_color_scheme=scheme):
        assert shown.ask("document.documentElement.scrollWidth") == width
        assert violations(shown) == []


def violations(shown: Browser) -> list[Any]:
    """What axe-core finds: the rule, and the elements that break it."""
    found = find_spec("axe_core_python")
    if found is None or found.origin is None:
        pytest.skip("axe-core-python is not installed, which has axe-core")
    shown.ask(Path(found.origin).with_name("axe.min.js").read_text(encoding="utf-8") + ";0")
    script = "axe.run().then((all) => all.violations.map((one) => [one.id, one.nodes.map((n) => n.html)]))"
    return list(shown.ask(script))
