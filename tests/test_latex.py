"""LaTeX that compiles and fits, of every study that is published and of any name: one run a width of page."""

import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ablation import Measure, Study
from ablation.report.formats import render, supplements
from ablation.report.latex import breakable, latex, lines, width
from ablation.report.latex_tables import MOST_NAME, cut_names, floats
from ablation.report.table import Layout, Table, tabulate
from ablation.stats.analysis import analyse
from frames import ODD, noisy
from published import RESULTS, declared

NARROWER = r"""
\setlength{\textwidth}{5.5in} \setlength{\textheight}{9in} \setlength{\topmargin}{0in}
\makeatletter
\renewcommand{\normalsize}{\@setfontsize\normalsize\@xpt\@xipt}
\renewcommand{\footnotesize}{\@setfontsize\footnotesize\@ixpt\@xpt}
\makeatother
"""
PAGES = {
    "article": r"\documentclass{article}",
    "article, 11 pt": r"\documentclass[11pt]{article}",
    "two columns": r"\documentclass[twocolumn]{article}",
    "two columns, 11 pt": r"\documentclass[11pt,twocolumn]{article}",
    "as of NeurIPS": rf"\documentclass{{article}}{NARROWER}",
}
"""The documents that a table has to fit into."""
LONG = "an arm whose name goes on and on, as names do that say what was changed, how, and why"
SETTINGS = "model.encoder.latent_dimension=128,train.lr=0.001"
NAMES = (ODD, "x" * 200, SETTINGS, ("日本語 😀 " * 20).strip(), "W" * 90, LONG)


def unused(settings: Mapping[str, Any], seed: int) -> Mapping[str, float]:
    """Nothing is trained here."""
    raise AssertionError


def a_table(
    arms: int,
    measures: int,
    layout: Layout = Layout(),  # noqa: B008
    *,
    seeds: int = 6,
    size: float = 0.02,
    odd: bool = False,
    question: str = "Is it better?",
    digits: int = 4,
    baseline: str = "",
) -> Table:
    """Invented runs of so many arms beside the baseline, in so many measures; odd: names of `NAMES`."""
    names = [f"arm {n}" for n in range(arms)]
    labels = [f"Measure {n}" for n in range(measures)]
    if odd:
        names[: len(NAMES)], labels[: len(NAMES)] = NAMES[:arms], NAMES[:measures]
    study = Study(
        name="invented",
        question=question,
        source=question,
        train=unused,
        baseline={"x": names.index(baseline) if baseline else -1},
        arms={name: {"x": n} for n, name in enumerate(names)},
        measures={
            f"m{n}": Measure("lower", label, digits, matters=size / 10) for n, label in enumerate(labels)
        },
        against=dict.fromkeys(names[1:2], names[0]) if arms > 2 else {},
    )
    value = noisy(dict.fromkeys(study.settings, size), size / 20)
    cells = pd.DataFrame(
        {"arm": cell.arm, "seed": cell.seed}
        | {name: value(cell.arm, cell.seed + 100 * n) for n, name in enumerate(study.measures)}
        for cell in study.cells(seeds)
        if cell.seed or cell.arm != names[-1]
    ).assign(state="complete", fingerprint="", run_id="")
    return tabulate(analyse(study, cells, seeds), layout)


@cache
def tables() -> dict[str, Table]:
    """Every table that has to fit, by what it is."""
    found = {}
    for path in RESULTS:
        study = declared(path.parent)
        cells = pd.read_csv(path).copy().assign(run_id="")  # copied: a column more, of over 100, is a warning
        own = path.with_name("items.csv")
        items = pd.read_csv(own, keep_default_na=False) if study.of_items else None
        found[path.parent.name] = tabulate(analyse(study, cells, cells.seed.nunique(), items=items))
    for measures in (1, 3, 4, 7):
        found[f"odd names, {measures} measures"] = a_table(6, measures, odd=True)
        found[f"odd names, {measures} measures, turned"] = a_table(
            6, measures, Layout(transpose=True, interval="range"), odd=True
        )
    for font in ("scriptsize", "small", "normalsize"):
        for measures in (3, 5):
            found[f"{font}, {measures} measures"] = a_table(9, measures, Layout(font=font))
    sixty = a_table(60, 3, odd=True)
    many = replace(sixty, panels=tuple(replace(one, rows=one.rows * 10) for one in sixty.panels))
    return found | {
        "a measure": a_table(1, 1),
        "two seeds": a_table(3, 3, seeds=2),
        "sixty arms": sixty,
        "more floats than LaTeX keeps": many,
        "sixty arms, wide": a_table(60, 5, odd=True),
        "twenty measures": a_table(4, 20),
        "twenty measures, turned": a_table(4, 20, Layout(transpose=True)),
        "ranges": a_table(12, 6, Layout(interval="range"), odd=True),
        "fifteen digits": a_table(4, 4, Layout(digits=15, interval="range")),
        "large numbers": a_table(4, 4, size=1e60),
        "an odd baseline": a_table(6, 2, odd=True, baseline=NAMES[3]),
        "a long question": a_table(4, 2, question=" ".join([ODD, LONG] * 30)),
    }


def compiled(folder: Path, page: str, sources: Mapping[str, str]) -> list[str]:
    """What pdflatex complains of, in a document of `sources`: what does not fit, or is no character."""
    if not shutil.which("pdflatex"):
        pytest.skip("pdflatex is not on PATH: install texlive-latex-base and texlive-latex-recommended")
    body = "\n".join(f"\\typeout{{PART {name}}}\n{text}\n\\clearpage" for name, text in sources.items())
    (folder / "all.tex").write_text(
        f"{page}\n\\usepackage{{array,booktabs,longtable}}\n\\begin{{document}}\n{body}\n\\end{{document}}\n",
        encoding="utf-8",
    )
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False, timeout=120)
    log = (folder / "all.log").read_text(encoding="latin-1")
    assert done.returncode == 0, log[-3000:]
    part, found = "", []
    for line in log.splitlines():
        part = line.removeprefix("PART ") if line.startswith("PART ") else part
        if re.match(r"Overfull|Missing character|LaTeX Warning: Float too large", line):
            found.append(f"{part}: {line}")
    return found


@cache
def sources() -> dict[str, str]:
    """Tables and notes, and then the appendices, which want one column."""
    found: dict[str, str] = {}
    last = {"": r"\onecolumn"}
    for name, table in tables().items():
        more = supplements(table)
        found |= {name: render(table, "tex"), f"{name}, notes": more["notes.tex"]}
        last[f"{name}, appendix"] = more["appendix.tex"]
    return found | last


@pytest.mark.parametrize("page", PAGES)
def test_every_table_fits(tmp_path: Path, page: str) -> None:
    assert compiled(tmp_path, PAGES[page], sources()) == []


@pytest.mark.parametrize("source", [r"\rule{400pt}{1pt}", r"\begin{table}\rule{1pt}{900pt}\end{table}"])
def test_what_does_not_fit_is_found(tmp_path: Path, source: str) -> None:
    (found,) = compiled(tmp_path, PAGES["article"], {"it": rf"\noindent{source}"})
    assert found.startswith("it: ")


def test_nothing_is_dropped_where_a_table_is_cut() -> None:
    for name in ("sixty arms, wide", "twenty measures, turned", "attribute_isolation", "latent_size"):
        table = tables()[name]
        text, parts = render(table, "tex"), floats(table)
        blocks = [block for part in parts for block in part.blocks]
        assert all(line in text for block in blocks for line in (block.heads, *block.body))
        shown = [(row, column.head) for block in blocks for row in block.rows for column in block.columns]
        assert len(set(shown)) == len(shown) == len(table.panels) * len(table.panels[0].rows)
        assert text.count("(continued)") == len(parts) - 1


def test_a_name_that_is_cut_is_whole_in_the_notes() -> None:
    table = tables()["odd names, 3 measures"]
    cut = cut_names(table)
    assert {whole for _, whole in cut} == {name for name in NAMES if width(name) > MOST_NAME}
    text, notes = render(table, "tex"), supplements(table)["notes.tex"]
    for short, whole in cut:
        assert latex(short) in text.replace(r"\allowbreak{}", "")
        assert latex(whole) not in text.replace(r"\allowbreak{}", "")
        assert f"{latex(short)} is {latex(whole)}." in notes.replace(r"\allowbreak{}", "")


def test_one_column_up_to_three_measures_and_two_beyond() -> None:
    assert {one.environment for one in floats(a_table(3, 3))} == {"table"}
    assert {one.environment for one in floats(a_table(3, 4))} == {"table*"}
    assert all(len(floats(tables()[path.parent.name])) <= 3 for path in RESULTS)


def test_floats_are_put_out_before_latex_has_too_many() -> None:
    table = tables()["more floats than LaTeX keeps"]
    assert len(floats(table)) > 18
    assert render(table, "tex").count(r"\clearpage") == (len(floats(table)) - 1) // 12


def test_equal_tables_give_equal_bytes() -> None:
    assert render(a_table(6, 4, odd=True), "tex") == render(a_table(6, 4, odd=True), "tex")


def test_latex_by_hand() -> None:
    assert latex("50% & a_b #1 $x^2$") == r"50\% \& a\_b \#1 \$x\textasciicircum{}2\$"
    assert latex("λ ≥ −2 é ς 😀") == r"$\lambda$ $\ge$ $-$2 \'{e} U+03C2 U+1F600"
    assert latex("\\{}~[*] a--b ''") == r"\textbackslash{}\{\}\textasciitilde{}{[}{*}{]} a-{}-b '{}'"


def test_a_long_word_breaks_after_its_signs_and_else_anywhere() -> None:
    assert breakable("a model.latent_dim", 4) == r"a model.\allowbreak{}latent\_\allowbreak{}dim"
    assert breakable("xxxx", 1.2) == r"\allowbreak{}".join("xxxx")
    assert breakable("xxxx\u00a0↑", 2).endswith(r"\allowbreak{}x~$\uparrow$")  # the arrow is never alone
    assert (lines("a model.latent_dim", 4), lines("xxxx", 1.2), lines("one two", 20)) == (3, 2, 1)


def test_latex_of_every_character_compiles(tmp_path: Path) -> None:
    ranges = [(0x20, 0x250), (0x370, 0x400), (0x2010, 0x2030), (0x2190, 0x2300), (0x1F600, 0x1F610)]
    text = {str(n): breakable("".join(map(chr, range(*r))), 20) for n, r in enumerate(ranges)}
    assert not [one for one in compiled(tmp_path, PAGES["article"], text) if "Missing" in one]
