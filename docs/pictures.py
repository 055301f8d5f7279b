"""The pictures of the README, of its own study: `make pictures` writes them to docs/pictures.

run.svg: what a terminal of 80 columns shows of `ablation run`; table.png: the table as LaTeX sets it;
effects.png: the forest plot. The study is the first block of code of the README.
"""

import os
import pty
import re
import shutil
import subprocess
import sys
import tempfile
from itertools import groupby
from pathlib import Path

import pypdfium2
import pyte
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from rich.text import Text

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "pictures"
NAME = "digits"
COLUMNS, LINES = 80, 200  # more lines than the study prints, so that none is scrolled away
# A dark screen, which can be read on a light page and on a dark one; the font is the reader's own.
SVG = """\
<svg width="660" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
text {{ font: {char_height}px/{line_height}px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace }}
{styles}
</style>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})">
{matrix}
</g>
</svg>
"""
THEME = TerminalTheme(
    (0x1D, 0x24, 0x30),
    (0xE1, 0xE6, 0xED),
    [
        *((0x1D, 0x24, 0x30), (0xF2, 0x8B, 0x82), (0x81, 0xC9, 0x95), (0xE8, 0xC3, 0x6A)),
        *((0x8A, 0xB4, 0xF8), (0xD7, 0xAE, 0xFB), (0x78, 0xD9, 0xEC), (0xE1, 0xE6, 0xED)),
    ],
)
PAPER = r"""\documentclass{article}
\usepackage[paperwidth=INCHESin,paperheight=11in,margin=0.1in]{geometry}
\usepackage[utf8]{inputenc}
\usepackage{array,booktabs,amssymb}
\pagestyle{empty}
\begin{document}
\input{table.tex}
\end{document}
"""
PAPER_INCHES = 5.0
PIXELS = 150  # an inch


def ablation(*words: str) -> list[str]:
    """The command line of this environment."""
    code = "import sys; sys.argv[0] = 'ablation'; from ablation.cli import command; command()"
    return [sys.executable, "-c", code, *words]


def recorded(command: list[str], folder: Path) -> list[Text]:
    """The lines that a terminal shows when the command has ended."""
    ours, theirs = pty.openpty()
    settings = {"TERM": "xterm-256color", "COLUMNS": str(COLUMNS), "LINES": str(LINES)}
    process = subprocess.Popen(
        command, cwd=folder, env=os.environ | settings, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    screen = pyte.Screen(COLUMNS, LINES)
    stream = pyte.ByteStream(screen)
    while True:
        try:
            stream.feed(os.read(ours, 65536))
        except OSError:  # the other end was closed
            break
    if process.wait():
        raise SystemExit("\n".join(screen.display).rstrip())
    lines = [line_of(screen, row) for row in range(LINES)]
    while not lines[-1]:
        lines.pop()
    return lines


def line_of(screen: pyte.Screen, row: int) -> Text:
    """A line of the screen with its colours, without the spaces at its end."""
    line = Text()
    for style, cells in groupby((screen.buffer[row][column] for column in range(COLUMNS)), style_of):
        line.append("".join(cell.data for cell in cells), style)
    line.rstrip()
    return line


def style_of(cell: pyte.screens.Char) -> Style:
    color = None if cell.fg == "default" else {"brown": "yellow"}.get(cell.fg, cell.fg)
    return Style(color=color, bold=cell.bold, italic=cell.italics)


def draw_terminal(prompt: str, lines: list[Text], to: Path) -> None:
    """The command and what it printed, up to the notes that limit it, of which there are too many here."""
    notes = [n for n, line in enumerate(lines) if line.plain.startswith("  · ")]
    if notes:
        lines = [*lines[: notes[0]], Text(f"  ... and {len(notes)} notes on how far these numbers reach")]
    with Path(os.devnull).open("w") as nowhere:
        console = Console(record=True, width=COLUMNS, file=nowhere, highlight=False)
        console.print(Text.assemble(("$ ", "green"), (prompt, "bold")), *lines, sep="\n")
        drawn = console.export_svg(title="", theme=THEME, code_format=SVG, unique_id="run")
    to.write_text(re.sub(r' clip-path="[^"]*"', "", drawn))


def draw_table(folder: Path, to: Path) -> None:
    """The LaTeX table of the study in `folder`, cropped to what is printed."""
    table = subprocess.run(
        ablation("table", f"{NAME}.py", "--format", "tex"),
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    (folder / "table.tex").write_text(table.stdout)
    (folder / "paper.tex").write_text(PAPER.replace("INCHES", f"{PAPER_INCHES}"))
    for _ in range(2):  # the second run knows the numbers of the first
        subprocess.run(
            ["pdflatex", "-interaction=batchmode", "paper.tex"],
            cwd=folder,
            check=True,
            stdout=subprocess.DEVNULL,
        )
    page = pypdfium2.PdfDocument(folder / "paper.pdf")[0].render(scale=PIXELS / 72).to_pil().convert("L")
    left, top, right, bottom = page.point(lambda grey: 255 * (grey < 250)).getbbox()
    around = PIXELS // 10
    page.crop((left - around, top - around, right + around, bottom + around)).save(to, optimize=True)


def main() -> None:
    """Run the study of the README in a folder of its own, and draw what comes of it."""
    found = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    assert found
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / f"{NAME}.py").write_text(found[1])
        printed = recorded(ablation("run", f"{NAME}.py"), folder)
        draw_terminal(f"ablation run {NAME}.py", printed, PICTURES / "run.svg")
        draw_table(folder, PICTURES / "table.png")
        subprocess.run(
            ablation("figures", f"{NAME}.py", "--to", "figures"),
            cwd=folder,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        shutil.copyfile(folder / "figures" / "effects.png", PICTURES / "effects.png")


if __name__ == "__main__":
    main()
