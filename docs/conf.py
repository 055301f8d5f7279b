"""How `make docs` makes a site of these pages: Sphinx, with every warning an error."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx

import ablation

DOCS = Path(__file__).parent

project = html_title = "ablation"
version = ablation.__version__
extensions = ["myst_nb", "sphinx.ext.autodoc"]
exclude_patterns = ["results/*/[!t]*.md"]  # notes and captions beside the table
highlight_language = "none"  # commands; Python is named where it stands
html_theme = "furo"
html_css_files = html_static_path = ["site.css"]
html_copy_source = html_show_sphinx = html_show_copyright = False
myst_heading_anchors = 4
suppress_warnings = [
    "myst.header"
]  # the table of a study begins at the third level, as part of a longer page
nb_execution_mode = "off"  # a test executes the notebook, and compares what it gives
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 80
default_role = "code"  # docstrings are Markdown

BELOW = {"decisions/README": "0*", "results/README": "as_reported\n*/table"}
"""The pages below a page: no list of them has to be kept."""
INCLUDED = {"README.md": "index", "CONTRIBUTING.md": "contributing", "examples/README.md": "examples"}
"""Pages of the site that stand elsewhere in the repository."""


def complete(app: Sphinx, name: str, source: list[str]) -> None:
    """Add what the files do without: lists for the sidebar, and the figures below the table of a study."""
    if name in BELOW:
        source[0] += f"\n```{{toctree}}\n:hidden:\n:glob:\n\n{BELOW[name]}\n```\n"
    if name.startswith("results/") and name.endswith("/table"):
        source[0] += "".join(figures((DOCS / name).parent))


def figures(folder: Path) -> Iterator[str]:
    """The figures of a study with their captions, of two widths the larger; curves come last."""
    names = {figure.stem for figure in folder.glob("*.png")}
    shown = sorted(name for name in names if f"{name}_page" not in names)
    for name in sorted(shown, key=lambda name: name.startswith("curves")):
        caption = folder / f"{name.partition('_')[0]}.md"
        words = caption.read_text().partition("\n\n")[0] if caption.exists() else ""
        yield f"\n![{name}]({name}.png)\n\n{words}\n"


def to_included(app: Sphinx, page: nodes.document) -> None:
    """Let links to a file that the site includes lead to its page."""
    for link in page.findall(pending_xref):
        target = (DOCS / link["reftarget"]).resolve()  # as the README has it, or absolute without its suffix
        for file, name in INCLUDED.items():
            if target in (DOCS / file, (DOCS.parent / file).with_suffix("")):
                link.attributes.update(refdomain="doc", reftarget=name, reftargetid=None)


def readable(*arguments: Any) -> tuple[str, str] | None:
    """The signature with `{}` for what a dataclass calls `<factory>`, which Sphinx cannot parse."""
    *_, signature, returned = arguments
    return (signature.replace("<factory>", "{}"), returned) if signature else None


def setup(app: Sphinx) -> None:
    app.connect("source-read", complete)
    app.connect("doctree-read", to_included)
    app.connect("autodoc-process-signature", readable)
