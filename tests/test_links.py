"""The links of the pages: each leads to a file and a heading that are there, and all pages can be reached."""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from ablation import __all__ as public

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
SITE = [DOCS / f"{name}.md" for name in ("index", "examples", "contributing", "api")]
"""Pages that only the site has: they include others, or docstrings."""
PAGES = [
    path
    for path in [*ROOT.glob("*.md"), *DOCS.rglob("*.md"), ROOT / "examples" / "README.md"]
    if path not in SITE
]


def tokens(page: Path) -> Iterator[Token]:
    for block in MarkdownIt("commonmark").enable("table").parse(page.read_text()):
        yield block
        yield from block.children or ()


def links(page: Path) -> Iterator[tuple[Path, str]]:
    """Every file that the page links to or shows, with the heading that is named, or ""."""
    for token in tokens(page):
        target = str(token.attrs.get("href") or token.attrs.get("src") or "")
        if target and not re.match(r"\w+:", target):
            path, _, heading = unquote(target).partition("#")
            yield (page.parent / path).resolve() if path else page, heading


def headings(page: Path) -> set[str]:
    """The headings as links name them: small letters, hyphens for spaces, no other signs."""
    found = list(tokens(page))
    words = [text.content for before, text in pairwise(found) if before.type == "heading_open"]
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in words}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_to_a_file_and_a_heading_that_are_there(page: Path) -> None:
    for target, heading in links(page):
        assert target.exists(), target
        assert not heading or heading in headings(target), (target, heading)


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, ahead = set(), [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        if page not in reached:
            reached.add(page)
            ahead += [target for target, _ in links(page) if target.suffix == ".md" and target.is_file()]
    beside = {*DOCS.glob("results/*/*.md")} - {*DOCS.glob("results/*/table.md")}  # notes and captions
    assert {path for path in PAGES if path.is_relative_to(DOCS)} - beside <= reached


def test_the_site_documents_what_the_package_exports_and_nothing_else() -> None:
    named = re.findall(r"^\.\. auto\w+:: ablation\.(\w+)$", (DOCS / "api.md").read_text(), flags=re.MULTILINE)
    assert sorted(named) == sorted(public)


@pytest.mark.parametrize("picture", sorted((DOCS / "pictures").glob("*")), ids=lambda path: path.name)
def test_a_picture_is_small_and_fetches_nothing(picture: Path) -> None:
    found = picture.read_bytes()
    assert len(found) < 150_000
    if picture.suffix == ".svg":
        assert set(re.findall(rb"\w+://[^\"\s]+", found)) == {b"http://www.w3.org/2000/svg"}
